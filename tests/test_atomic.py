from __future__ import annotations

import os

import pytest

from pidreg_cli.atomic import atomic_write_bytes, atomic_write_text, replacing
from pidreg_cli.errors import ExitStatus, OutputError, UsageError


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def write_half(part):
    part.write_text("half")
    1 / 0  # noqa: B018


def write_to_full_disk(part):
    part.unlink()
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


@pytest.mark.parametrize("target", ["there.txt", "nowhere.txt"])
def test_a_link_is_refused_and_nothing_is_written_through_it(tmp_path, target):
    (tmp_path / "there.txt").write_text("mine")
    (tmp_path / "a.txt").symlink_to(target)
    with pytest.raises(UsageError, match="symbolic link") as caught:
        atomic_write_text(tmp_path / "a.txt", "x")
    assert target in caught.value.hint
    assert (tmp_path / "there.txt").read_text() == "mine"
    assert names(tmp_path) == ["a.txt", "there.txt"]


def test_a_pipe_keeps_its_place(tmp_path):
    os.mkfifo(tmp_path / "a.txt")
    with pytest.raises(UsageError, match="pipe"):
        atomic_write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").is_fifo()


def test_temporary_names_are_new_each_time_and_short_enough_for_any_output(tmp_path):
    path = tmp_path / ("é" * 125 + ".txt")
    with replacing(path) as one, replacing(path) as other:
        assert one != other
        one.write_text("one")
        other.write_text("other")
    assert path.read_text() == "one"
    assert names(tmp_path) == [path.name]
