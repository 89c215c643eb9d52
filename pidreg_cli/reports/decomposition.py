"""From subset informations to the report's atoms, summary, one-versus-rest and sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.information.bivariate import BivariateAtoms, ScalarMeasure, atoms_from_union, scalar_pid
from pidreg_cli.information.ccs import MonteCarlo, scalar_ccs_redundancy
from pidreg_cli.information.intervals import Jackknife, atom_intervals, containing, summary_intervals
from pidreg_cli.information.lattice import Atom, antichain_id, listed_atoms, scalar_atoms, sources_of, summary
from pidreg_cli.reports import model
from pidreg_cli.training.seeds import Stream, numpy_generator

Floats = NDArray[np.float64]

EXACT: tuple[ScalarMeasure, ...] = ("broja", "mmi", "dep", "ig")
"""Measures in closed form: the headline and, in the sensitivity table, the others."""
LATTICE = ("broja", "mmi")
"""Measures that decompose three or more modalities at once; the others take one and all the rest."""
CHANGE_DRAWS = 200_000
"""Draws of ``ccs``: its standard error is then about .001 bits."""


def pair_of(span: Floats) -> tuple[float, float]:
    """(lo, hi) of an array of two."""
    return float(span[0]), float(span[1])


def names_of(mask: int, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the modalities in a set, in the order given."""
    return tuple(names[i] for i in sources_of(mask))


@dataclass(frozen=True)
class Informations:
    """Coherent informations ``v`` (2**n,) in bits, their jackknife, and what ``ig`` and ``ccs`` need."""

    names: tuple[str, ...]
    v: Floats
    jackknife: Jackknife | None
    confidence: float
    rest_correlations: Floats | None
    seed: int = 0

    @property
    def full(self) -> int:
        """The set of all modalities."""
        return len(self.v) - 1


def decomposition(found: Informations, measure: model.Measure = "broja") -> model.Decomposition | None:
    """The headline decomposition; None for one modality, and for measures of two sources where there are more."""
    if len(found.names) == 1:
        return None
    if measure in LATTICE:
        return model.Decomposition(
            measure=measure,
            summary=summary_part(found),
            summary_ci=summary_interval_part(found),
            atoms=atom_parts(found, listed_atoms(found.v)),
        )
    if len(found.names) > 2:
        return None
    summary, atoms = _of_two(found, measure)
    return model.Decomposition(measure=measure, summary=summary, summary_ci=_total_alone(found), atoms=atoms)


def _total_alone(found: Informations) -> model.SummaryIntervals | None:
    """Intervals of a measure whose parts have none: a jackknife of theirs does not hold its coverage."""
    spans = summary_interval_part(found)
    if spans is None:
        return None
    unknown = dict.fromkeys(found.names)
    return model.SummaryIntervals(total=spans.total, unique=unknown, redundant=None, synergistic=None)


def summary_part(found: Informations) -> model.Summary:
    """Total and parts by name."""
    parts = summary(found.v)
    unique = dict(zip(found.names, parts.unique, strict=True))
    return model.Summary(
        total=parts.total, unique=unique, redundant=parts.redundant, synergistic=parts.synergistic
    )


def summary_interval_part(found: Informations) -> model.SummaryIntervals | None:
    """Intervals of the summary, stretched to contain the published values; None without a jackknife."""
    if found.jackknife is None:
        return None
    spans = summary_intervals(found.jackknife, found.confidence)
    parts = summary(found.v)
    unique = containing(spans.unique, parts.unique)
    return model.SummaryIntervals(
        total=pair_of(containing(spans.total, parts.total)),
        unique={name: pair_of(span) for name, span in zip(found.names, unique, strict=True)},
        redundant=pair_of(containing(spans.redundant, parts.redundant)),
        synergistic=pair_of(containing(spans.synergistic, parts.synergistic)),
    )


def atom_parts(found: Informations, atoms: Sequence[Atom]) -> tuple[model.Atom, ...]:
    """Atoms with names, intervals and shares of the total."""
    spans: list[tuple[float, float] | None] = [None] * len(atoms)
    if found.jackknife is not None:
        intervals = atom_intervals(found.jackknife, atoms, found.confidence)
        spans = [pair_of(span) for span in containing(intervals, [atom.value for atom in atoms])]
    total = float(found.v[-1])
    return tuple(
        model.Atom(
            id=antichain_id(atom, found.names),
            members=tuple(names_of(member, found.names) for member in atom.members),
            kind=atom.kind,
            value=atom.value,
            ci=span,
            share=atom.value / total if total > 0 else None,
        )
        for atom, span in zip(atoms, spans, strict=True)
    )


def bivariate(found: Informations, position: int, measure: model.Measure) -> BivariateAtoms:
    """A modality as the first source, all the others together as the second."""
    i1, i2, i12 = _pair(found, position)
    correlation = None if found.rest_correlations is None else float(found.rest_correlations[position])
    if measure == "ccs":
        shared = common_change(i1, i2, i12, correlation or 0.0, found.seed, position).value
        return atoms_from_union(i1, i2, i12, i1 + i2 - shared)
    return scalar_pid(measure, i1, i2, i12, correlation)


def _pair(found: Informations, position: int) -> tuple[float, float, float]:
    alone = 1 << position
    i1, i2, i12 = (float(found.v[mask]) for mask in (alone, found.full - alone, found.full))
    return i1, i2, i12


@cache
def common_change(
    i1: float, i2: float, i12: float, correlation: float, seed: int, position: int
) -> MonteCarlo:
    """Redundancy by ``ccs`` with its standard error."""
    rng = numpy_generator(seed, Stream.COMMON_CHANGE, position)
    return scalar_ccs_redundancy(i1, i2, i12, correlation, CHANGE_DRAWS, rng)


def common_change_error(found: Informations) -> float:
    """The largest standard error of ``ccs`` among the modalities, in bits."""
    known = np.zeros(len(found.names)) if found.rest_correlations is None else found.rest_correlations
    draws = [
        common_change(*_pair(found, position), float(known[position]), found.seed, position)
        for position in range(len(found.names))
    ]
    return max(draw.standard_error for draw in draws)


def one_versus_rest(found: Informations, measure: model.Measure) -> tuple[model.OneVersusRest, ...]:
    """Every modality against the rest; empty for a single modality."""
    if len(found.names) == 1:
        return ()
    return tuple(_against_rest(found, position, measure) for position in range(len(found.names)))


def _against_rest(found: Informations, position: int, measure: model.Measure) -> model.OneVersusRest:
    atoms = bivariate(found, position, measure)
    added, span = gain(found, found.full, found.full - (1 << position))
    return model.OneVersusRest(
        modality=found.names[position],
        measure=measure,
        unique=atoms.unique_1,
        unique_rest=atoms.unique_2,
        redundant=atoms.redundant,
        synergistic=atoms.synergistic,
        added=added,
        added_ci=span,
    )


def gain(found: Informations, upper: int, lower: int) -> tuple[float, tuple[float, float] | None]:
    """What the set ``upper`` tells beyond ``lower``, and its interval."""
    value = float(found.v[upper] - found.v[lower])
    if found.jackknife is None:
        return value, None
    return value, pair_of(containing(found.jackknife.interval(upper, lower, found.confidence), value))


def sensitivity(found: Informations, headline: model.Measure = "broja") -> tuple[model.Sensitivity, ...]:
    """The other measures: atoms for two modalities; for more, one against the rest, and for ``mmi`` and ``broja`` the
    summary.

    ``ig`` is left out where the correlations of the predictions are not known.
    """
    if len(found.names) == 1:
        return ()
    others = [measure for measure in EXACT if measure != headline]
    known = [measure for measure in others if measure != "ig" or found.rest_correlations is not None]
    if len(found.names) == 2:
        return tuple(_sensitivity_of_two(found, measure) for measure in known)
    return tuple(_sensitivity_of_more(found, measure) for measure in known)


def _sensitivity_of_two(found: Informations, measure: ScalarMeasure) -> model.Sensitivity:
    summary, atoms = _of_two(found, measure)
    return model.Sensitivity(measure=measure, summary=summary, atoms=atoms, one_versus_rest=None)


def _of_two(found: Informations, measure: model.Measure) -> tuple[model.Summary, tuple[model.Atom, ...]]:
    """Summary and atoms of two modalities by any measure, without intervals."""
    parts = bivariate(found, 0, measure)
    values = {(1,): parts.unique_1, (2,): parts.unique_2, (1, 2): parts.redundant, (3,): parts.synergistic}
    atoms = [Atom(members, value) for members, value in values.items()]
    bare = Informations(found.names, found.v, None, found.confidence, None)
    summary = model.Summary(
        total=float(found.v[-1]),
        unique=dict(zip(found.names, (parts.unique_1, parts.unique_2), strict=True)),
        redundant=parts.redundant,
        synergistic=parts.synergistic,
    )
    return summary, atom_parts(bare, atoms)


def _sensitivity_of_more(found: Informations, measure: ScalarMeasure) -> model.Sensitivity:
    bare = Informations(found.names, found.v, None, found.confidence, found.rest_correlations)
    lattice = measure in LATTICE
    return model.Sensitivity(
        measure=measure,
        summary=summary_part(bare) if lattice else None,
        atoms=atom_parts(bare, scalar_atoms(found.v)) if lattice else None,
        one_versus_rest=one_versus_rest(found, measure),
    )


def rest_correlations(predictions: Floats) -> Floats:
    """Correlation (n,) between the predictions from each modality and those from all the others.

    ``predictions`` (rows, 2**n), column = bitmask, the first of them the baseline, of which both are less: what
    covariates predict is in both, and no part of what modalities tell beyond them. 0 where a prediction does not vary.
    """
    full = predictions.shape[1] - 1
    positions = range(full.bit_length())
    beyond = predictions - predictions[:, :1]
    return np.array([_correlation(beyond[:, 1 << i], beyond[:, full - (1 << i)]) for i in positions])


def _correlation(first: Floats, second: Floats) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))
