"""Information row by row: how much each row contributes, and what a modality says about a row without a
target.

A row with squared error ``e_A`` and baseline error ``e_0`` has
``i_A = 1/2 log2(v_0/v_A) + (e_0/v_0 - e_A/v_A)/(2 ln 2)`` bits; with v the pooled mean squares of the same
rows the average over rows is exactly the reported information.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Floats, Ints, finite
from pidreg_cli.information.errors import ConstantTargetError
from pidreg_cli.information.lattice import Atom, Step, lattice_steps, source_count


def rows_of_errors(errors: Floats, pooled: Floats) -> Floats:
    """Information in bits that each row has from each subset: shape (N, 2**n), column 0 zero; may be negative.

    ``errors`` (N, 2**n) are squared errors of these rows, column 0 those of the baseline, ``pooled`` (2**n,) the means
    over all rows, weighted where rows are: averages over all are the raw subset informations.
    """
    errors = finite(errors, "squared errors")
    if np.any(pooled <= 0.0):
        raise ConstantTargetError("rows without any error have no finite information")
    standard = errors / pooled
    return np.asarray(0.5 * (np.log(pooled[0] / pooled) + standard[:, :1] - standard) / np.log(2.0))


def row_information(score: Floats, means: tuple[Floats, Floats], variances: tuple[Floats, Floats]) -> Floats:
    """Bits that a prediction says of each row's known value beyond another: shape (N,), may be negative.

    ``means`` and ``variances``: predictions (N,) without and with what is judged, and their mean squared errors, each
    (N,) or one for all. Averages over the rows of these errors are exactly the difference of informations.
    """
    (without, with_it), (wide, narrow) = means, variances
    gain = np.square(score - without) / wide - np.square(score - with_it) / narrow
    return np.asarray(0.5 * (np.log(wide / narrow) + gain) / np.log(2.0))


def closure_sources(raw: Floats) -> Ints:
    """For each subset the one inside it whose raw information its closed value is (0: none, the value is
    zero).

    ``monotone_closure(raw) == raw[closure_sources(raw)]`` with raw[0] taken as zero. Shape (2**n,).
    """
    values = finite(raw, "subset informations").copy()
    values[0] = 0.0
    sources = np.where(values > 0.0, np.arange(values.size), 0)
    for source in range(source_count(values)):
        pairs = sources.reshape(-1, 2, 1 << source)
        better = values[pairs[:, 0]] > values[pairs[:, 1]]
        pairs[:, 1] = np.where(better, pairs[:, 0], pairs[:, 1])
    return np.asarray(sources)


@dataclass(frozen=True)
class PointwiseClosure:
    """How the average was made coherent and decomposed, to do the same with every row.

    An atom is a difference of two subset informations, found on the average; a row's value is that difference in the
    row. Row values average to the atoms and add up to the row's information of all sources; they may be negative where
    a row was predicted worse.

    ``raw`` (2**n,): the averages, ``sources`` (2**n,): see ``closure_sources``, ``steps``: the non-zero atoms.
    """

    raw: Floats
    sources: Ints
    steps: tuple[Step, ...]

    @classmethod
    def of(cls, raw: Floats) -> PointwiseClosure:
        """From the raw informations of all rows."""
        known = np.concatenate([[0.0], raw[1:]])
        sources = closure_sources(known)
        return cls(known, sources, lattice_steps(known[sources]))

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """The non-zero atoms of the average."""
        closed = self.raw[self.sources]
        return tuple(Atom(s.members, float(closed[s.upper] - closed[s.lower])) for s in self.steps)

    def rows(self, pointwise: Floats) -> Floats:
        """Coherent informations of rows, (N, 2**n): their averages are the published ones."""
        closed = pointwise[:, self.sources]
        closed[:, self.sources == 0] = 0.0
        return closed

    def atom_rows(self, closed: Floats) -> Floats:
        """The atoms of rows with coherent informations ``closed``: (N, number of atoms)."""
        if not self.steps:
            return closed[:, :0]
        return np.stack([closed[:, s.upper] - closed[:, s.lower] for s in self.steps], axis=1)


def prediction_divergence(
    mean_with: ArrayLike, variance_with: float, mean_without: ArrayLike, variance_without: float
) -> Floats:
    """``KL(p(y|all) || p(y|all but one))`` in bits for each row, shape (N,): what a modality says about it.

    No target is needed. ``mean_*`` (N,) are the predictions with and without the modality, ``variance_*``
    their pooled mean squared errors. The mean over rows is
    ``I_with - I_without - mean[(y - m_with)(m_with - m_without)] / (v_without ln 2)``.
    """
    if not (variance_with > 0.0 and variance_without > 0.0):
        raise ConstantTargetError(f"variances must be positive: {variance_with:g}, {variance_without:g}")
    shift = finite(mean_with, "predictions") - finite(mean_without, "predictions")
    ratio = variance_with / variance_without
    return np.asarray(0.5 * (ratio - 1.0 - np.log(ratio) + shift**2 / variance_without) / np.log(2.0))
