"""From subset informations to the report's atoms, summary, one-versus-rest and sensitivity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.information.bivariate import BivariateAtoms, ScalarMeasure, scalar_pid
from pidreg_cli.information.intervals import Jackknife, atom_intervals, containing, summary_intervals
from pidreg_cli.information.lattice import Atom, antichain_id, listed_atoms, scalar_atoms, sources_of, summary
from pidreg_cli.reports import model

Floats = NDArray[np.float64]

HEADLINE: ScalarMeasure = "broja"
OTHERS: tuple[ScalarMeasure, ...] = ("mmi", "dep", "ig")


def pair_of(span: Floats) -> tuple[float, float]:
    """(lo, hi) of an array of two."""
    return float(span[0]), float(span[1])


def names_of(mask: int, names: Sequence[str]) -> tuple[str, ...]:
    """Names of the modalities in a set, in the order given."""
    return tuple(names[i] for i in sources_of(mask))


@dataclass(frozen=True)
class Informations:
    """Coherent informations ``v`` (2**n,) in bits, their jackknife, and what ``ig`` needs."""

    names: tuple[str, ...]
    v: Floats
    jackknife: Jackknife | None
    confidence: float
    rest_correlations: Floats | None

    @property
    def full(self) -> int:
        """The set of all modalities."""
        return len(self.v) - 1


def decomposition(found: Informations) -> model.Decomposition:
    """The headline decomposition: scalar ``broja``, whose lattice is that of ``mmi``."""
    return model.Decomposition(
        measure=HEADLINE,
        summary=summary_part(found),
        summary_ci=summary_interval_part(found),
        atoms=atom_parts(found, listed_atoms(found.v)),
    )


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


def bivariate(found: Informations, position: int, measure: ScalarMeasure) -> BivariateAtoms:
    """A modality as the first source, all the others together as the second."""
    alone = 1 << position
    correlation = None if found.rest_correlations is None else float(found.rest_correlations[position])
    i1, i2, i12 = (float(found.v[mask]) for mask in (alone, found.full - alone, found.full))
    return scalar_pid(measure, i1, i2, i12, correlation)


def one_versus_rest(found: Informations, measure: ScalarMeasure) -> tuple[model.OneVersusRest, ...]:
    """Every modality against the rest; empty for a single modality."""
    if len(found.names) == 1:
        return ()
    return tuple(_against_rest(found, position, measure) for position in range(len(found.names)))


def _against_rest(found: Informations, position: int, measure: ScalarMeasure) -> model.OneVersusRest:
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


def sensitivity(found: Informations) -> tuple[model.Sensitivity, ...]:
    """The other measures: atoms for two modalities; for more, one against the rest, and for ``mmi`` its
    summary.

    ``ig`` is left out where the correlations of the predictions are not known.
    """
    if len(found.names) == 1:
        return ()
    known = [measure for measure in OTHERS if measure != "ig" or found.rest_correlations is not None]
    if len(found.names) == 2:
        return tuple(_sensitivity_of_two(found, measure) for measure in known)
    return tuple(_sensitivity_of_more(found, measure) for measure in known)


def _sensitivity_of_two(found: Informations, measure: ScalarMeasure) -> model.Sensitivity:
    parts = bivariate(found, 0, measure)
    values = {(1,): parts.unique_1, (2,): parts.unique_2, (1, 2): parts.redundant, (3,): parts.synergistic}
    atoms = [Atom(members, value) for members, value in values.items()]
    bare = Informations(found.names, found.v, None, found.confidence, None)
    return model.Sensitivity(
        measure=measure,
        summary=model.Summary(
            total=float(found.v[-1]),
            unique=dict(zip(found.names, (parts.unique_1, parts.unique_2), strict=True)),
            redundant=parts.redundant,
            synergistic=parts.synergistic,
        ),
        atoms=atom_parts(bare, atoms),
        one_versus_rest=None,
    )


def _sensitivity_of_more(found: Informations, measure: ScalarMeasure) -> model.Sensitivity:
    bare = Informations(found.names, found.v, None, found.confidence, found.rest_correlations)
    lattice = measure == "mmi"
    return model.Sensitivity(
        measure=measure,
        summary=summary_part(bare) if lattice else None,
        atoms=atom_parts(bare, scalar_atoms(found.v)) if lattice else None,
        one_versus_rest=one_versus_rest(found, measure),
    )


def rest_correlations(predictions: Floats) -> Floats:
    """Correlation (n,) between the predictions from each modality and those from all the others.

    ``predictions`` (rows, 2**n), column = bitmask. 0 where a prediction does not vary.
    """
    full = predictions.shape[1] - 1
    positions = range(full.bit_length())
    return np.array(
        [_correlation(predictions[:, 1 << i], predictions[:, full - (1 << i)]) for i in positions]
    )


def _correlation(first: Floats, second: Floats) -> float:
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(first, second)[0, 1], -1.0, 1.0))
