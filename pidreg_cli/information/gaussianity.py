"""Is the joint of target and codes Gaussian? Tests with exact size, and the check that products help for
real.

All statistics are computed on whitened rows. For Gaussian rows their distribution depends only on the numbers
of rows and columns, whatever the covariance, so p-values come from simulated Gaussian rows and are exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Floats, Ints, columns
from pidreg_cli.information.covariance import checked_correlation
from pidreg_cli.information.errors import ShapeError, TooFewRowsError
from pidreg_cli.information.intervals import Jackknife, jackknife_of_errors
from pidreg_cli.information.moments import Moments

# Rows per column for the whitened rows to say anything beyond their covariance.
ROWS_PER_COLUMN = 2
# Frequencies k * SPACING of the characteristic function: the trapezoidal rule is spectrally accurate here.
SPACING, FREQUENCIES = 0.5, 9
NAMES = ("axes", "directions", "radii", "products")


@dataclass(frozen=True)
class Gaussianity:
    """Statistics of one joint and their p-values, by name; ``p_value`` that of the most extreme of them.

    ``axes``: the columns one by one (``worst`` is the least Gaussian one); ``directions``: random mixtures of
    all columns; ``radii``: tails common to all columns; ``products``: the target against squares and products
    of the other columns.
    """

    statistics: dict[str, float]
    p_values: dict[str, float]
    p_value: float
    worst: int


@dataclass(frozen=True)
class Gain:
    """What products add to the information of a subset (bits), its interval and whether that is above
    zero.
    """

    value: float
    interval: tuple[float, float]

    @property
    def real(self) -> bool:
        """Whether the interval excludes zero."""
        return self.interval[0] > 0.0


def gaussianity(
    rows: ArrayLike, target: int, rng: np.random.Generator, directions: int = 64, draws: int = 199
) -> Gaussianity:
    """Test rows (N, q) of target (its column number) and codes for joint Gaussianity.

    The smallest p-value is 1/(draws + 1). Raises TooFewRowsError below two rows per column, and
    ConstantColumnError and CollinearColumnsError, because the null distribution is that of distinct columns.
    """
    table = columns(rows, "rows")
    count, width = table.shape
    if not 0 <= target < width:
        raise ShapeError(f"target must be one of {width} columns, however: {target}")
    if count < ROWS_PER_COLUMN * width:
        raise TooFewRowsError(
            f"{width} columns need at least {ROWS_PER_COLUMN * width} rows, however: {count}"
        )
    checked_correlation(Moments.of(table).exact_scatter, range(width))
    mixtures = _unit_vectors(width, directions, rng)
    observed, worst = _statistics(_whitened(table), target, mixtures)
    null = [
        _statistics(_whitened(rng.standard_normal((count, width))), target, mixtures)[0] for _ in range(draws)
    ]
    everything = np.stack([observed, *null])
    return Gaussianity(
        dict(zip(NAMES, observed.tolist(), strict=True)),
        dict(zip(NAMES, np.mean(everything >= observed, axis=0).tolist(), strict=True)),
        _overall(everything),
        worst,
    )


def _statistics(white: Floats, target: int, mixtures: Floats) -> tuple[Floats, int]:
    width = white.shape[1]
    distances = characteristic_distance(np.hstack([white, white @ mixtures]))
    axes, mixed = distances[:width], distances[width:]
    return np.array([axes.max(), mixed.mean(), _radial(white), _products(white, target)]), int(axes.argmax())


def _overall(statistics: Floats) -> float:
    """P-value of the first row by the largest of its statistics, in units of their spread over all rows.

    Rows of Gaussian data are exchangeable with those of the null draws, so the test keeps its size.
    """
    low, middle, high = np.quantile(statistics, [0.25, 0.5, 0.75], axis=0)
    spread = np.where(high > low, high - low, 1.0)
    largest = np.max((statistics - middle) / spread, axis=1)
    return float(np.mean(largest >= largest[0]))


def _whitened(rows: Floats) -> Floats:
    """Rows with unit covariance, each column as close to its own as can be (symmetric root of the
    correlations).
    """
    centred = rows - rows.mean(axis=0)
    standard = centred / centred.std(axis=0)
    values, vectors = np.linalg.eigh(standard.T @ standard / rows.shape[0])
    return np.asarray(standard @ (vectors / np.sqrt(values)) @ vectors.T)


def _unit_vectors(width: int, count: int, rng: np.random.Generator) -> Floats:
    vectors = rng.standard_normal((width, count))
    return np.asarray(vectors / np.linalg.norm(vectors, axis=0))


def characteristic_distance(values: Floats) -> Floats:
    """N times the weighted squared distance of each column's characteristic function from the normal one.

    ``N INT |phi_N(t) - exp(-t^2/2)|^2 N(t; 0, 1) dt`` (Epps & Pulley 1983; the one-dimensional BHEP
    statistic) for standardised columns (N, k): reacts to skewness, tails and several modes alike. Shape (k,).
    """
    turn = np.exp(1j * SPACING * values)
    power = np.ones_like(turn)
    total = np.zeros(values.shape[1])
    for t in SPACING * np.arange(1, FREQUENCIES + 1):
        power *= turn
        gap = power.mean(axis=0) - np.exp(-0.5 * t * t)
        # Twice, for -t; the integrand vanishes at t = 0.
        total += 2.0 * SPACING * np.exp(-0.5 * t * t) / np.sqrt(2.0 * np.pi) * np.abs(gap) ** 2
    return np.asarray(values.shape[0] * total)


def _radial(white: Floats) -> float:
    """Mardia's kurtosis about its Gaussian value: heavy tails common to all columns."""
    width = white.shape[1]
    return float(abs(np.mean(np.sum(white**2, axis=1) ** 2) - width * (width + 2)))


def _products(white: Floats, target: int) -> float:
    """The largest correlation, squared times N, of the target with a square or product of other columns."""
    others = np.delete(white, target, axis=1)
    if not others.shape[1]:
        return 0.0
    moments = (others * white[:, [target]]).T @ others / white.shape[0]
    # A square of a standard normal has variance 2, a product 1.
    moments[np.diag_indices(len(moments))] /= np.sqrt(2.0)
    return float(white.shape[0] * np.max(moments**2))


def products_gain(plain: Floats, products: Floats, groups: Ints, confidence: float = 0.95) -> Gain:
    """What the products of codes add to I of one subset on held-out rows, with its jackknife interval.

    ``plain`` and ``products`` (N, 2) are squared errors of the baseline and of the readout without and with
    products, from the same folds; ``groups`` (N,) are those of the jackknife. In sample products always help;
    here they need not.
    """
    jackknife: Jackknife = jackknife_of_errors(np.column_stack([plain, products[:, 1]]), groups)
    low, high = jackknife.interval(2, 1, confidence)
    return Gain(float(jackknife.estimate[2] - jackknife.estimate[1]), (float(low), float(high)))
