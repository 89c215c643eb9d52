"""The folder of a streamed fit: shared by the processes of a machine, and gone at once with the one that gave it."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from pidreg_cli.data.streaming.buckets import BucketWriter
from pidreg_cli.errors import OutputError, ProcessError, RunError
from pidreg_cli.runs import gone_folder, passing_folder
from pidreg_cli.streaming import shared_folder
from pidreg_cli.training.processes import Processes
from tests.training.in_threads import together


def test_all_are_given_the_folder_of_the_first(tmp_path: Path) -> None:
    def work(processes: Processes) -> Path:
        with shared_folder(tmp_path if processes.first else None, processes) as folder:
            return folder

    assert together(3, work) == [tmp_path] * 3


@pytest.mark.parametrize("gone", [True, False])
def test_errors_of_a_folder_that_went_with_its_process_wait_for_that_process(
    tmp_path: Path, gone: bool
) -> None:
    place, said = tmp_path / "rows", []

    def work(processes: Processes) -> None:
        with shared_folder(place if processes.first else None, processes):
            if processes.first:
                # As a process does that failed, and tells the others by its end.
                said.append("why")
                if gone:
                    processes.add(torch.zeros(1))
                return
            raise RunError("run.rows", "a file cannot be read", "none")

    if not gone:
        place.mkdir()
    with pytest.raises(ProcessError if gone else RunError):
        together(2, work)
    # Where the folder is there, the error is its own, and nobody is waited for.
    assert said == ["why"] or not gone


def test_a_folder_goes_at_once_while_others_write(tmp_path: Path) -> None:
    place, refused = tmp_path / "rows", []
    written, stop = threading.Event(), threading.Event()

    def write() -> None:
        writer, numbers = BucketWriter(place, 300, 2, 0), np.arange(5000)
        while not stop.is_set():
            try:
                writer.add([np.zeros((5000, 2))], np.zeros(5000), numbers)
            except OutputError as error:
                refused.append(error)
                return
            written.set()

    other = threading.Thread(target=write)
    with passing_folder(place):
        other.start()
        assert written.wait(60)
    other.join(60)
    stop.set()
    assert len(refused) == 1
    assert not place.exists()
    assert not gone_folder(place).exists()
