"""Memory of batches that serves again."""

from __future__ import annotations

import numpy as np

from pidreg_cli.decomposing.streamed import SpareRows


def test_memory_serves_again_and_grows_with_the_rows() -> None:
    spare = SpareRows(3)
    first, second = spare.array(10), spare.array(10)
    assert first.shape == (10, 3)
    assert not np.shares_memory(first, second)
    spare.take_back(first)
    again = spare.array(4)
    assert again.shape == (4, 3)
    assert np.shares_memory(again, first)
    assert spare.array(4).base is not second.base
    spare.take_back(again)
    # What lay there is too small.
    larger = spare.array(11)
    assert not np.shares_memory(larger, first)
    larger[:] = np.arange(33).reshape(11, 3)
    assert np.array_equal(larger, np.arange(33).reshape(11, 3))


def test_columns_lie_side_by_side() -> None:
    """Readers fill columns, and sums go along them."""
    assert SpareRows(5).array(7).flags.f_contiguous
