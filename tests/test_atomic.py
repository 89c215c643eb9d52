from __future__ import annotations

import os

import pytest

from pidreg_cli.atomic import atomic_write_bytes, atomic_write_text, replacing
from pidreg_cli.errors import ExitStatus, OutputError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(part):
    part.write_text("half")
    1 / 0  # noqa: B018


def write_to_full_disk(part):
    part.symlink_to("/dev/full")
    part.write_text("x")


def test_a_written_file_holds_the_content_and_nothing_is_left_beside_it(tmp_path):
    atomic_write_text(tmp_path / "a.txt", "é\r\n")
    atomic_write_bytes(tmp_path / "a.txt", (tmp_path / "a.txt").read_bytes() + b"!")
    assert (tmp_path / "a.txt").read_bytes() == "é\r\n!".encode()
    assert names(tmp_path) == ["a.txt"]


def test_permissions_are_those_of_any_new_file(tmp_path):
    atomic_write_text(tmp_path / "a", "x")
    (tmp_path / "b").write_text("x")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_failure_in_the_middle_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as part:
        write_half(part)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_readers_see_the_old_file_until_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"


@pytest.mark.parametrize("place", ["absent/a.txt", "file/a.txt", "folder"])
def test_a_place_that_takes_no_file_is_an_output_error(tmp_path, place):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="could not be written") as caught:
        atomic_write_text(tmp_path / place, "x")
    assert caught.value.status is ExitStatus.OUTPUT
    assert str(tmp_path / place) in caught.value.message


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_is_an_output_error(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(OutputError, match="No space left"), replacing(path) as part:
        write_to_full_disk(part)
    assert names(tmp_path) == []
