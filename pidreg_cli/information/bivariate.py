"""Two sources and a scalar target: every measure in closed form from informations alone.

With q2 = 1 - 2^(-2 I_1), r2 = 1 - 2^(-2 I_2) the squared multiple correlations: ``mmi`` (Barrett 2015) and
``broja`` (Bertschinger et al. 2014; equal to ``mmi`` for a scalar Gaussian target), ``dep`` (James et al.
2018; Kay & Ince 2018) and ``ig`` (Niu & Quinn 2019; Kay 2024). Sources may have any dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, log2, sqrt
from typing import Literal, get_args

from pidreg_cli.information.errors import (
    IncoherentInformationError,
    NonFiniteError,
    UnknownMeasureError,
)
from pidreg_cli.information.lattice import COHERENT

ScalarMeasure = Literal["broja", "mmi", "dep", "ig"]


@dataclass(frozen=True)
class BivariateAtoms:
    """The four atoms of two sources, in bits; they add up to the joint information."""

    unique_1: float
    unique_2: float
    redundant: float
    synergistic: float

    @property
    def total(self) -> float:
        """The joint information."""
        return self.unique_1 + self.unique_2 + self.redundant + self.synergistic


def atoms_from_union(i1: float, i2: float, i12: float, union: float) -> BivariateAtoms:
    """Atoms of two sources from their union information (bits): ``U_1 = U - I_2``, ``S = I_12 - U``."""
    return BivariateAtoms(union - i2, union - i1, i1 + i2 - union, i12 - union)


def scalar_pid(
    measure: ScalarMeasure, i1: float, i2: float, i12: float, correlation: float | None = None
) -> BivariateAtoms:
    """Atoms (bits) of two sources from their informations about a scalar target.

    ``correlation`` (``ig`` only) is that of the two best predictions ``E[Y|Z_1]``, ``E[Y|Z_2]``, in [-1, 1];
    it is clipped into what the three informations allow, and is not needed where a source has no information.
    Raises IncoherentInformationError unless ``0 <= i1, i2 <= i12``.
    """
    i1, i2, i12 = _checked(i1, i2, i12)
    if measure in ("broja", "mmi"):
        return atoms_from_union(i1, i2, i12, max(i1, i2))
    if measure == "dep":
        return atoms_from_union(i1, i2, i12, i2 + min(_dependency_gain(i1, i2), i12 - i2))
    if measure == "ig":
        return atoms_from_union(i1, i2, i12, i1 + i2 - _geometric_redundancy(i1, i2, i12, correlation))
    raise UnknownMeasureError(f"measure must be one of {get_args(ScalarMeasure)}, however: {measure!r}")


def _checked(i1: float, i2: float, i12: float) -> tuple[float, float, float]:
    if not all(isfinite(value) for value in (i1, i2, i12)):
        raise NonFiniteError(f"informations must be finite, however: {i1}, {i2}, {i12}")
    if min(i1, i2) < -COHERENT or i12 < max(i1, i2) - COHERENT:
        raise IncoherentInformationError(
            f"informations must satisfy 0 <= i1, i2 <= i12, however: i1={i1}, i2={i2}, i12={i12}",
            "apply monotone_closure to estimates first",
        )
    i1, i2 = max(i1, 0.0), max(i2, 0.0)
    return i1, i2, max(i12, i1, i2)


def squared_correlation(information: float) -> float:
    """``R2 = 1 - 2^(-2 I)`` of a Gaussian scalar target, in [0, 1)."""
    return float(1.0 - 4.0**-information)


def _dependency_gain(i1: float, i2: float) -> float:
    """I(1; Y | 2) with 1 and 2 made independent given Y: ``1/2 log2[(1 - q2 r2)/(1 - q2)]``."""
    q2, r2 = squared_correlation(i1), squared_correlation(i2)
    return i1 + 0.5 * log2(1.0 - q2 * r2)


def _geometric_redundancy(i1: float, i2: float, i12: float, correlation: float | None) -> float:
    """``ig`` redundancy ``-1/2 log2(1 - q2 r2 / h2)``, h2 that of Y on the two best predictions T_1 and T_2.

    Kay's synergy of (Y, T_1, T_2), ``S_3 = 1/2 log{(1-p2)(1-q2)(1-r2) B / (D A)}``, with B = h2 (1-p2),
    D = (1-h2)(1-p2) and A = (1-p2)(h2 - q2 r2), is ``1/2 log{(1-q2)(1-r2) / [(1-h2)(1 - q2 r2/h2)]}``: all
    but the last factor are informations. What I_12 exceeds I(Y; T_1, T_2) by is synergy and leaves the
    redundancy alone.
    """
    q2, r2 = squared_correlation(i1), squared_correlation(i2)
    if min(q2, r2) <= 0.0:
        return 0.0
    h2 = _joint_of_predictions(q2, r2, squared_correlation(i12), correlation)
    return max(-0.5 * log2(1.0 - q2 * r2 / h2), i1 + i2 - i12)


def feasible_correlation(q2: float, r2: float, rho2: float, correlation: float) -> float:
    """``correlation`` of two predictions clipped into what the squared correlations of Y with the first, the second
    and both, ``rho2 > 0``, allow: the roots of ``rho2 p^2 - 2 q r p + q^2 + r^2 - rho2``.
    """
    centre = sqrt(q2 * r2) / rho2
    reach = sqrt(max(0.0, (rho2 - q2) * (rho2 - r2))) / rho2
    return min(max(correlation, centre - reach), centre + reach)


def _joint_of_predictions(q2: float, r2: float, rho2: float, correlation: float | None) -> float:
    """Squared multiple correlation of Y on (T_1, T_2), their correlation clipped to what rho2 allows."""
    if correlation is None or not isfinite(correlation) or abs(correlation) > 1.0:
        raise NonFiniteError(f"ig needs the correlation of the two predictions, however: {correlation}")
    p = feasible_correlation(q2, r2, rho2, correlation)
    if 1.0 - p * p < 1e-12:
        return max(q2, r2)
    joint = (q2 + r2 - 2.0 * p * sqrt(q2 * r2)) / (1.0 - p * p)
    return min(max(joint, q2, r2), rho2)
