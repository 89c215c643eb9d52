"""How many threads work, and that a library user keeps their own number; which GPU is whose."""

from __future__ import annotations

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from pidreg_cli.errors import UsageError
from pidreg_cli.place import Place
from pidreg_cli.training.device import limited_threads, resolve_device


def pools() -> list[int]:
    return [torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())]


def test_threads_are_limited_within_the_block_alone() -> None:
    with threadpool_limits(2):
        before = pools()
        with limited_threads(1):
            assert set(pools()) == {1}
        assert pools() == before
        assert 2 in before


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> list[torch.device]:
    """Two GPUs, as far as asking goes; the devices that were made the process's own."""
    own: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", own.append)
    return own


@pytest.mark.parametrize("name", ["auto", "cuda"])
def test_each_process_of_a_machine_takes_a_gpu_of_its_own(name: str, gpus: list[torch.device]) -> None:
    places = [Place(rank, 4, rank % 2, 2) for rank in range(4)]
    found = [resolve_device(name, place) for place in places]
    assert [device.index for device in found] == [0, 1, 0, 1]
    assert gpus == found
    assert resolve_device(name) == torch.device("cuda")
    assert len(gpus) == 4  # one process alone leaves that as it is


def test_processes_share_no_gpu(gpus: list[torch.device]) -> None:
    with pytest.raises(UsageError, match="2 processes on one machine cannot share the device 'cuda:1'"):
        resolve_device("cuda:1", Place(0, 2, 0, 2))
    with pytest.raises(UsageError, match="device 'cuda:2' is not available: 2 CUDA devices found"):
        resolve_device("auto", Place(2, 3, 2, 3))
    assert resolve_device("cuda:1", Place(1, 2, 0, 1)) == torch.device("cuda:1")  # one on each machine
    assert resolve_device("cpu", Place(2, 3, 2, 3)) == torch.device("cpu")


@pytest.mark.parametrize("name", ["gpu", "CPU", "cuda:x", "cuda:-1", "", "meta", "mps", "cpu\n"])
def test_what_is_no_device_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="is none: it must be auto, cpu, cuda"):
        resolve_device(name)


def test_a_number_beyond_any_gpu_is_not_available() -> None:
    with pytest.raises(UsageError, match="'cuda:999999999999' is not available"):
        resolve_device("cuda:999999999999")
