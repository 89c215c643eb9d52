"""How many threads work, and that a library user keeps their own number."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_info

from pidreg_cli.training.device import limited_threads


def test_threads_are_limited_within_the_block_alone() -> None:
    before = torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]
    with limited_threads(2):
        assert torch.get_num_threads() == 2
        assert {pool["num_threads"] for pool in threadpool_info()} == {2}
    assert (torch.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]) == before
