"""Expected codes and products against the textbook formula and against simulation."""

from __future__ import annotations

import numpy as np
import pytest

from pidreg_cli.information.completion import CodeMoments, Completion
from pidreg_cli.information.errors import ShapeError


def drawn(rows: int, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(rows, 2))
    return [common @ rng.normal(size=(2, 3)) + rng.normal(size=(rows, 3)) + i for i in range(3)]


@pytest.fixture(scope="module")
def moments() -> CodeMoments:
    return CodeMoments.of(drawn(20_000))


def test_expected_codes_are_the_regression_on_the_present_ones(moments: CodeMoments) -> None:
    codes = drawn(20_000)
    found = Completion.of(moments, 0b101).codes(codes)
    design = np.column_stack([np.ones(20_000), codes[0], codes[2]])
    expected = design @ np.linalg.lstsq(design, codes[1], rcond=None)[0]
    np.testing.assert_allclose(found[1], expected, atol=0.01)
    np.testing.assert_array_equal(found[0], codes[0])


def test_products_of_absent_codes_have_their_covariance(moments: CodeMoments) -> None:
    codes = drawn(20_000)
    completion = Completion.of(moments, 0b001)
    found = completion.codes(codes)
    product = found[1] * found[2] + completion.excess[2]
    # Orthogonal to what is known: the mean, and the present code.
    errors = codes[1] * codes[2] - product
    np.testing.assert_allclose(errors.mean(axis=0), 0, atol=1e-2)
    assert np.abs(completion.excess[2]).max() > 0.1
    np.testing.assert_array_equal(completion.excess[:2], 0)


def test_nothing_present_gives_means_and_everything_the_codes(moments: CodeMoments) -> None:
    codes = drawn(5)
    for code, mean in zip(Completion.of(moments, 0).codes(codes), moments.mean, strict=True):
        np.testing.assert_allclose(code, np.broadcast_to(mean, code.shape))
    for code, own in zip(Completion.of(moments, 0b111).codes(codes), codes, strict=True):
        np.testing.assert_array_equal(code, own)


def test_distances_are_those_of_mahalanobis_a_dimension(moments: CodeMoments) -> None:
    codes = drawn(4_000, seed=1)
    found = moments.distances(codes)
    assert found.shape == (4_000, 3)
    centred = codes[0][0] - moments.mean[0]
    inverse = np.linalg.inv(moments.covariance[0, :, 0, :])
    assert found[0, 0] == pytest.approx(centred @ inverse @ centred / 3, rel=0.01)


def test_constant_codes_and_a_single_row() -> None:
    flat = CodeMoments.of([np.ones((10, 2)), np.ones((10, 2))])
    np.testing.assert_array_equal(Completion.of(flat, 1).codes([np.ones((3, 2)), np.zeros((3, 2))])[1], 1.0)
    with pytest.raises(ShapeError, match="2 rows"):
        CodeMoments.of([np.ones((1, 2))])
