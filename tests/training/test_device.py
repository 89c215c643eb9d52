"""How many threads work, and that a library user keeps their own number."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_info, threadpool_limits

from pidreg_cli.training.device import limited_threads


def pools() -> list[int]:
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]


def test_threads_are_limited_within_the_block_alone() -> None:
    with threadpool_limits(2):
        before = pools()
        with limited_threads(1):
            assert set(pools()) == {1}
        assert pools() == before
        assert 2 in before
