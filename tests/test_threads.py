"""Work shared by threads, its results in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from pidreg_cli.threads import ahead, in_order


def test_results_come_in_order_whichever_is_done_first() -> None:
    waits = [0.05, 0.0, 0.02, 0.0]
    together = threading.Barrier(2)

    def slow(number: int) -> int:
        if number < 2:
            together.wait(30)  # passes only where two run at the same time
        time.sleep(waits[number])
        return number

    assert list(in_order(slow, range(4), 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize(("threads", "others"), [(1, False), (2, True), (8, True)])
def test_the_next_result_is_made_by_another_thread_where_there_are_two(threads: int, others: bool) -> None:
    made = list(ahead(lambda number: (number, threading.get_ident()), range(3), threads))

    assert [number for number, _ in made] == [0, 1, 2]
    assert all((ident != threading.get_ident()) == others for _, ident in made)


def test_items_are_taken_one_ahead_and_no_further() -> None:
    taken = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    results = in_order(str, items(), 2)
    assert next(results) == "0"
    assert taken == [0, 1, 2]
    results.close()
    assert taken == [0, 1, 2]


def test_an_error_comes_in_its_turn() -> None:
    def inverse(number: int) -> float:
        return 1 / number

    results = in_order(inverse, [2, 0, 4], 3)
    assert next(results) == 0.5
    with pytest.raises(ZeroDivisionError):
        next(results)
