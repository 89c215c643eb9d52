"""Diagnostics of the estimated information. Each returns None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.naming import listing
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.information.debiased import ReadoutSize
from pidreg_cli.information.intervals import Jackknife, order_resolved
from pidreg_cli.information.lattice import largest_repair

Floats = NDArray[np.float64]

NOTABLE_REPAIR = 0.02
"""Bits: adding a modality without information costs the readouts about this much at 2,000 rows."""
SIGNIFICANT = 0.05
TOO_HIGH = 0.02
"""Bits by which a plug-in estimate may be too high unsaid: what reports call negligible, at 36 rows per feature."""
PLUGIN = "information.plugin"
ALL_TOLD = 3.0
"""Bits from which covariates alone tell almost all of a target: R2 of .984. Of a copy in another unit they read 4."""


def indistinguishable_total(
    jackknife: Jackknife | None, p_value: float | None, confidence: float, interactions: str
) -> Diagnostic | None:
    """Whether all modalities together tell anything: by the p-value, without one by the interval."""
    if p_value is not None:
        nothing, value = p_value > SIGNIFICANT, p_value
    elif jackknife is not None:
        value = float(jackknife.interval(len(jackknife.estimate) - 1, 0, confidence)[0])
        nothing = value <= 0
    else:
        return None
    if not nothing:
        return None
    linear = " Covariances see straight lines only: try --interactions products." * (interactions == "none")
    return Diagnostic(
        "information.indistinguishable_from_zero",
        "warning",
        "The information of all modalities together cannot be told from zero: do not read the parts.",
        f"Give more rows or other features, and check that rows of target and features match.{linear}",
        value,
    )


def largest_singles(v: Floats) -> tuple[int, int]:
    """Bitmasks of the two single modalities with the most information, n >= 2."""
    singles = 1 << np.arange(len(v).bit_length() - 1)
    order = np.argsort(-v[singles], kind="stable")
    return int(singles[order[0]]), int(singles[order[1]])


def unresolved_order(
    jackknife: Jackknife | None, v: Floats, names: Sequence[str], confidence: float
) -> Diagnostic | None:
    """Whether the data tell which single modality says most; ``v`` (2**n,) coherent informations."""
    if jackknife is None or len(v) < 4:
        return None
    first, second = largest_singles(v)
    if v[second] == 0 or order_resolved(jackknife, first, second, confidence):
        return None
    one, other = (names[mask.bit_length() - 1] for mask in (first, second))
    return Diagnostic(
        "information.order_unresolved",
        "info",
        f"The data do not tell which of '{one}' and '{other}' says more on its own.",
        "Do not name one of them the better source. What is shared and what shows only together are each "
        "too low by .01 to .03 bits.",
        float(v[first] - v[second]),
    )


def repaired(raw: Floats, closed: Floats) -> Diagnostic | None:
    """How much the estimates were changed so that no set tells less than a part of it; both (2**n,)."""
    repair = largest_repair(raw, closed)
    if repair == 0:
        return None
    negative = float(raw[1:].min())
    lowest = f" (lowest estimate {negative:.3f} bits)" if negative < 0 else ""
    return Diagnostic(
        "information.repaired",
        "warning" if repair > NOTABLE_REPAIR else "info",
        "Estimates are made coherent: no set tells less than zero or than a part of it; the largest "
        f"change is {repair:.3f} bits{lowest}.",
        "Take this as the size of the estimation error; more held-out rows make it smaller.",
        repair,
    )


def too_high_plugin(size: ReadoutSize, *, folds: bool = False) -> Diagnostic | None:
    """Whether a plug-in estimate by readouts of this ``size`` is visibly too high: P / (2 n ln 2) bits and more.

    ``folds``: it is that of each of several models.
    """
    if size.excess <= TOO_HIGH:
        return None
    return Diagnostic(
        PLUGIN,
        "warning",
        f"The plug-in estimate of all modalities is too high by about {size.excess:.2f} bits: its readout fits noise, "
        f"too, with {size.features:,} features on {size.rows:,.0f} rows{' of each model' * folds}.",
        "Use --estimator heldout, a lower bound, or debiased, which takes 1.5 rows per feature.",
        size.excess,
    )


def drawn_measure(error: float) -> Diagnostic:
    """``error``: the largest standard error of ``ccs`` in bits."""
    return Diagnostic(
        "information.drawn",
        "info",
        f"ccs is an average over random draws: its parts are good to {error:.4f} bits (standard error).",
        "Read no more digits than that.",
        error,
    )


def two_sources_only(measure: str) -> Diagnostic:
    """``measure`` is defined for two sources, and there are more."""
    return Diagnostic(
        "information.two_sources_only",
        "info",
        f"{measure} takes two sources: each modality is set against all the others together, and the total is not "
        "divided into parts that add up.",
        "For parts of three or more modalities use broja or mmi.",
    )


def told_by_covariates(columns: Sequence[str], amount: float | None) -> Diagnostic | None:
    """``amount``: bits that the covariates tell alone."""
    if amount is None or amount < ALL_TOLD:
        return None
    r2 = 1 - 2 ** (-2 * amount)
    which = (
        f"The covariate{'s' * (len(columns) > 1)} {listing(columns)} alone tell{'s' * (len(columns) == 1)}"
    )
    return Diagnostic(
        "information.told_by_covariates",
        "warning",
        f"{which} almost all of the target ({amount:.2f} bits, R2 {r2:.4f}): next to nothing is left for modalities to "
        "tell beyond.",
        "Leave out covariates that are made of the target, or copies of it.",
        amount,
    )
