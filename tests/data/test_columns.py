"""Arrow columns as numbers and back, without the conversions of Arrow."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.columns import as_floats, as_integers, as_truths, as_whole, from_numbers

LENGTHS = st.integers(0, 40)
KINDS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


@given(LENGTHS, LENGTHS, st.sampled_from(KINDS), st.integers(0, 2**32))
def test_integers_are_those_of_arrow_wherever_a_slice_begins(
    length: int, first: int, kind: str, seed: int
) -> None:
    limits = np.iinfo(kind)
    drawn = np.random.default_rng(seed).integers(limits.min, limits.max, length, dtype=kind, endpoint=True)
    cells = pa.array(drawn).slice(first)
    found = as_integers(cells)
    assert found.dtype == np.dtype(kind)
    assert found.tolist() == cells.to_pylist() == drawn[first:].tolist()


@given(LENGTHS, LENGTHS, st.integers(0, 2**32))
def test_truths_are_those_of_arrow_wherever_a_slice_begins(length: int, first: int, seed: int) -> None:
    cells = pa.array(np.random.default_rng(seed).random(length) < 0.5).slice(first)
    assert as_truths(cells).tolist() == cells.to_pylist()


@pytest.mark.parametrize("length", [0, 5])
def test_so_are_those_that_are_computed_of_nothing(length: int) -> None:
    nulls = pa.nulls(length, pa.int64())
    assert as_integers(nulls.drop_null()).tolist() == []
    assert as_truths(nulls.is_valid()).tolist() == [False] * length


@given(LENGTHS, st.sampled_from([*KINDS, "float32", "float64"]), st.integers(0, 2**32))
def test_numbers_become_the_array_that_arrow_makes_of_them(length: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, missing = rng.integers(0, 100, 2 * length).astype(kind)[::2], rng.random(length) < 0.3
    plain, gaps = from_numbers(values), from_numbers(values, missing)
    for found, expected in ((plain, pa.array(values)), (gaps, pa.array(values, mask=missing))):
        found.validate(full=True)
        assert found.equals(expected)
        assert found.null_count == expected.null_count
    assert pc.sum(gaps).as_py() == pc.sum(pa.array(values, mask=missing)).as_py()
    np.testing.assert_array_equal(as_floats(gaps), np.where(missing, np.nan, values.astype(float)))


@pytest.mark.parametrize("kind", [pa.list_(pa.int8()), pa.large_list(pa.int8()), pa.list_(pa.int8(), 2)])
@given(LENGTHS, LENGTHS, st.integers(0, 2**32))
def test_so_are_gaps_and_lengths_of_lists(kind: pa.DataType, length: int, first: int, seed: int) -> None:
    there = np.random.default_rng(seed).random(length) < 0.7
    cells = pa.array([[1, 2] if one else None for one in there], kind).slice(first)
    assert as_truths(cells.is_valid()).tolist() == there[first:].tolist()
    assert as_truths(cells.is_null()).tolist() == (~there[first:]).tolist()
    assert as_integers(pc.list_value_length(cells).drop_null()).tolist() == [2] * int(there[first:].sum())


def test_whole_numbers_keep_their_gaps_and_others_are_none() -> None:
    whole = as_whole(pa.array([None, 2.0, float("nan"), -3.0, *[4.0] * 9]))
    assert whole is not None
    assert whole.to_pylist() == [None, 2, None, -3, *[4] * 9]
    assert as_whole(pa.array([1.0, 2.5])) is None
    assert as_whole(pa.array([2.0**53])) is None
