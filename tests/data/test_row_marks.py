"""Rows chosen by their numbers: spread over the table, and in step with no period of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data import row_marks as module
from pidreg_cli.data.row_marks import nth_present, row_marks, spread_rows


@given(rows=st.integers(1, 5000), most=st.integers(1, 400))
def test_one_row_of_every_run_is_chosen(rows: int, most: int) -> None:
    chosen = spread_rows(rows, most)
    run = -(-rows // most)
    assert len(chosen) == -(-rows // run) <= most
    assert (chosen // run).tolist() == list(range(len(chosen)))
    assert chosen[-1] < rows
    if rows <= most:
        assert chosen.tolist() == list(range(rows))


def test_chosen_rows_have_no_period() -> None:
    counts = np.bincount(spread_rows(24 * 20_000, 20_000) % 24, minlength=24)
    # Each hour of a day as often as any: mean 833, standard deviation 28.
    assert counts.min() > 700
    assert counts.max() < 970


def test_marks_are_even_and_others_for_another_key() -> None:
    rows = np.arange(40_000)
    marks = row_marks(rows)
    assert 0 <= marks.min() < 1e-3
    assert 1 - 1e-3 < marks.max() < 1
    assert abs(np.corrcoef(marks, row_marks(rows, 1))[0, 1]) < 0.02
    assert abs(np.corrcoef(marks[1:], marks[:-1])[0, 1]) < 0.02


@pytest.mark.parametrize("at_once", [1, 7, 2**18])
def test_rows_that_are_present_are_counted_through(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    present = np.random.default_rng(0).random(100) < 0.3
    places = np.flatnonzero(present)
    for nth in (np.arange(0), np.array([0, 3, len(places) - 1]), np.arange(len(places))):
        assert nth_present(present, nth).tolist() == places[nth].tolist()
