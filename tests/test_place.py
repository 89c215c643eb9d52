"""Which of several processes this is, from what torchrun sets."""

from __future__ import annotations

import pytest

from pidreg_cli.errors import UsageError
from pidreg_cli.place import Place
from pidreg_cli.threads import available_threads

SET = {
    "WORLD_SIZE": "4",
    "RANK": "3",
    "LOCAL_WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "29500",
}


def test_a_process_is_alone_unless_the_environment_speaks_of_more() -> None:
    assert Place.of_environment({}) == Place.of_environment({"WORLD_SIZE": "1", "RANK": "0"}) == Place()
    assert Place().alone
    assert Place().first
    assert Place().threads == available_threads()


def test_torchrun_gives_the_place() -> None:
    found = Place.of_environment(SET)
    assert found == Place(3, 4, 1, 2)
    assert not found.alone
    assert not found.first


def test_processes_of_a_machine_share_its_cores() -> None:
    assert Place(0, 8, 0, available_threads()).threads == 1
    assert Place(0, 999, 0, 999).threads == 1  # at least one
    assert Place(0, 8, 0, 1).threads == available_threads()  # one on each of eight machines


@pytest.mark.parametrize("name", [name for name in SET if name != "WORLD_SIZE"])
def test_a_part_of_the_environment_is_not_enough(name: str) -> None:
    with pytest.raises(UsageError, match=f"WORLD_SIZE is '4', but {name} not set"):
        Place.of_environment({**SET, name: ""})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RANK", "4"),
        ("RANK", "0"),
        ("RANK", "x"),
        ("LOCAL_RANK", "2"),
        ("WORLD_SIZE", "0"),
        ("MASTER_PORT", "abc"),
        ("MASTER_PORT", "65536"),
    ],
)
def test_places_that_cannot_be_are_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{value}'"):
        Place.of_environment({**SET, name: value})
