"""Partial information decomposition of a Gaussian system from its covariance."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.backend import Array, as_float64, detached, namespace
from pidreg_cli.information.bivariate import BivariateAtoms, atoms_from_union
from pidreg_cli.information.ccs import ccs_redundancy
from pidreg_cli.information.covariance import checked_correlation, column_order
from pidreg_cli.information.errors import ShapeError, UnknownMeasureError
from pidreg_cli.information.gaussian import conditional_covariances, subset_informations
from pidreg_cli.information.lattice import (
    LARGEST_LISTED,
    Summary,
    all_antichains,
    lattice_steps,
    sources_of,
)
from pidreg_cli.information.measures import Conditionals, broja_union, dep_union, ig_union, mmi_union
from pidreg_cli.information.shapley import shapley_values

Measure = Literal["broja", "mmi", "dep", "ig", "ccs"]
Units = Literal["bits", "nats"]
# Atoms are written with these.
RESERVED = frozenset("{},")
# Subsets are counted in powers of two: 4,095 of them for twelve sources.
MOST_SOURCES = 16


@dataclass(frozen=True)
class GaussianPID:
    """A decomposition; every number is in ``units`` and a tensor where the covariance was one.

    ``information`` maps each non-empty subset of source names to I(target; subset). ``atoms`` maps antichains
    (``{x}{y}``) to values that sum to ``total``: all of them up to five sources, the non-zero ones beyond;
    empty where the measure has no lattice, and then ``one_versus_rest`` holds each source against all others.
    ``summary`` adds up to the total and is None where there are no atoms. ``standard_error`` is that of the
    Monte Carlo of ``ccs``.
    """

    measure: Measure
    units: Units
    information: dict[tuple[str, ...], Array]
    atoms: dict[str, Array]
    one_versus_rest: dict[str, BivariateAtoms]
    summary: Summary | None
    standard_error: float | None

    @property
    def sources(self) -> tuple[str, ...]:
        """Source names in the order given."""
        return max(self.information, key=len)

    @property
    def total(self) -> Array:
        """Information of all sources together."""
        return self.information[self.sources]

    @property
    def co_information(self) -> Array:
        """Alternating sum of the informations, ``I_1 + I_2 - I_12 = R - S`` for two sources."""
        return sum((-1) ** (len(names) + 1) * value for names, value in self.information.items())

    @property
    def shapley(self) -> dict[str, float]:
        """One additive share of the total per source (Shapley 1953)."""
        values = np.zeros(1 << len(self.sources))
        place = {name: 1 << i for i, name in enumerate(self.sources)}
        for names, value in self.information.items():
            values[sum(place[name] for name in names)] = float(value)
        return dict(zip(self.sources, shapley_values(values).tolist(), strict=True))


@dataclass(frozen=True)
class _System:
    """A correlation matrix ordered source by source, target last, and what the target keeps given each
    subset.
    """

    covariance: Array
    names: tuple[str, ...]
    widths: tuple[int, ...]
    conditionals: Array

    @property
    def full(self) -> int:
        return (1 << len(self.names)) - 1


def gaussian_pid(
    covariance: ArrayLike | Array,
    target: Sequence[int],
    sources: Mapping[str, Sequence[int]],
    measure: Measure = "broja",
    units: Units = "bits",
    *,
    shrinkage: float = 0.0,
    columns: Sequence[str] | None = None,
    draws: int = 200_000,
    rng: np.random.Generator | None = None,
) -> GaussianPID:
    """Decompose the information of named ``sources`` about ``target``, given as columns of ``covariance`` (q,
    q).

    ``mmi`` and, for one target column, ``broja`` give the full lattice of up to 16 sources; ``dep``, ``ig``,
    ``ccs`` and ``broja`` with several target columns decompose two sources, or each one against the rest. All
    but ``ccs`` are differentiable (``ig`` once): pass a torch tensor. ``ccs`` averages ``draws`` draws of
    ``rng`` (by default seeded with 0). ``shrinkage`` in [0, 1] shrinks the correlations first; ``columns`` names the
    covariance's columns in messages.

    Raises ShapeError, NonFiniteError, ConstantColumnError, CollinearColumnsError, NotPositiveDefiniteError
    and UnknownMeasureError.
    """
    if measure not in get_args(Measure) or units not in get_args(Units):
        raise UnknownMeasureError(
            f"measure must be one of {get_args(Measure)}, units of {get_args(Units)}: {measure!r}, {units!r}"
        )
    if measure == "ccs" and draws < 2:
        raise ShapeError(f"ccs and its standard error need at least 2 draws, however: {draws}")
    system = _system(covariance, target, sources, shrinkage, columns)
    scale = 1.0 if units == "bits" else float(np.log(2.0))
    informations = subset_informations(system.conditionals) * scale
    named = _named_informations(informations, system.names)
    if measure == "mmi" or (measure == "broja" and len(target) == 1) or len(system.names) == 1:
        atoms, summary = _lattice(informations, system.names)
        return GaussianPID(measure, units, named, atoms, {}, summary, None)
    generator = np.random.default_rng(0) if rng is None else rng
    if len(system.names) > 2:
        pairs = [_pair(system, i, measure, scale, draws, generator) for i in range(len(system.names))]
        rest = {name: pair for name, (pair, _) in zip(system.names, pairs, strict=True)}
        error = max((error for _, error in pairs if error is not None), default=None)
        return GaussianPID(measure, units, named, {}, rest, None, error)
    pair, error = _pair(system, 0, measure, scale, draws, generator)
    return GaussianPID(measure, units, named, _pair_atoms(pair, system.names), {}, _pair_summary(pair), error)


def _system(
    covariance: ArrayLike | Array,
    target: Sequence[int],
    sources: Mapping[str, Sequence[int]],
    shrinkage: float,
    columns: Sequence[str] | None,
) -> _System:
    values = as_float64(covariance)
    if len(values.shape) != 2 or values.shape[0] != values.shape[1]:
        raise ShapeError(f"covariance must be square, however: {tuple(values.shape)}")
    _check_names(sources)
    order = column_order(values.shape[0], target, sources, columns)
    correlation, factor = checked_correlation(values, order, columns, shrinkage)
    widths = tuple(len(block) for block in sources.values())
    return _System(correlation, tuple(sources), widths, conditional_covariances(correlation, factor, widths))


def _check_names(names: Collection[str]) -> None:
    if not 1 <= len(names) <= MOST_SOURCES:
        raise ShapeError(f"between 1 and {MOST_SOURCES} sources are decomposed, however: {len(names)}")
    strange = [name for name in names if not isinstance(name, str) or not name or RESERVED & set(name)]
    if strange:
        raise ShapeError(f"names of sources must be text without {{ }} and commas, however: {strange}")


def _named_informations(informations: Array, names: tuple[str, ...]) -> dict[tuple[str, ...], Array]:
    """By size, then in the order given; floats for NumPy."""
    values = _numbers(informations)
    masks = sorted(range(1, len(values)), key=lambda mask: (mask.bit_count(), sources_of(mask)))
    return {tuple(names[i] for i in sources_of(mask)): values[mask] for mask in masks}


def _numbers(array: Array) -> Sequence[Array]:
    """The elements of a vector: Python floats of an array, zero-dimensional tensors of a tensor."""
    return list(array.tolist() if namespace(array) is np else array)


def _lattice(informations: Array, names: tuple[str, ...]) -> tuple[dict[str, Array], Summary]:
    values = _numbers(informations)
    steps = lattice_steps(detached(informations))
    zero = informations[0] * 0.0 if namespace(informations) is not np else 0.0
    listed = all_antichains(len(names)) if len(names) <= LARGEST_LISTED else ()
    # Single sources before sets, fewer members before more: the order of every measure for two sources.
    found = dict.fromkeys(sorted(listed, key=lambda a: (a[-1].bit_count(), len(a))), zero)
    found |= {step.members: values[step.upper] - values[step.lower] for step in steps}
    labels = [f"{{{','.join(names[i] for i in sources_of(mask))}}}" for mask in range(len(values))]
    atoms = {"".join(labels[member] for member in members): value for members, value in found.items()}
    return atoms, _lattice_summary(found, len(names), values[-1], zero)


def _lattice_summary(found: Mapping[tuple[int, ...], Array], n: int, total: Array, zero: Array) -> Summary:
    unique = tuple(found.get((1 << i,), zero) for i in range(n))
    single = (value for members, value in found.items() if members[0].bit_count() == 1)
    without = (value for members, value in found.items() if members[0].bit_count() > 1)
    # Members come smallest first, so the first one tells whether there is a single source among them.
    return Summary(total, unique, sum(single, zero) - sum(unique, zero), sum(without, zero))


def _pair(
    system: _System, source: int, measure: Measure, scale: float, draws: int, rng: np.random.Generator
) -> tuple[BivariateAtoms, float | None]:
    """Atoms of one source against all others, and the standard error of ``ccs``."""
    single, rest = 1 << source, system.full - (1 << source)
    given = Conditionals(*(system.conditionals[mask] for mask in (0, single, rest, system.full)))
    i1, i2, i12 = given.informations
    error = None
    if measure == "ccs":
        ordered, widths = _apart(system, source)
        redundancy = ccs_redundancy(detached(ordered), widths, draws, rng)
        i1, i2, i12 = (float(value) for value in (i1, i2, i12))
        union, error = i1 + i2 - redundancy.value, redundancy.standard_error * scale
    elif measure == "ig":
        union = ig_union(given, _prediction_covariance(*_apart(system, source)))
    else:
        union = {"mmi": mmi_union, "broja": broja_union, "dep": dep_union}[measure](given)
    atoms = atoms_from_union(*(value * scale for value in (i1, i2, i12, union)))
    return atoms, error


def _apart(system: _System, source: int) -> tuple[Array, tuple[int, int]]:
    """The covariance ordered source, all others, target, and the widths of the two sides."""
    if source == 0:
        return system.covariance, (system.widths[0], sum(system.widths[1:]))
    edges = np.cumsum([0, *system.widths])
    own = list(range(edges[source], edges[source + 1]))
    rest = [i for i in range(edges[-1]) if i not in set(own)]
    order = own + rest + list(range(edges[-1], system.covariance.shape[0]))
    return system.covariance[order][:, order], (len(own), len(rest))


def _prediction_covariance(covariance: Array, widths: tuple[int, int]) -> Array:
    """Covariance (2m, 2m) of E[Y|1] and E[Y|2]."""
    xp = namespace(covariance)
    first, sources = widths[0], sum(widths)
    spans = slice(0, first), slice(first, sources)
    solved = [xp.linalg.solve(covariance[s, s], covariance[s, sources:]) for s in spans]
    left, right = (
        weights.mT @ covariance[span, :sources] for weights, span in zip(solved, spans, strict=True)
    )
    rows = [
        xp.concatenate([side[:, spans[0]] @ solved[0], side[:, spans[1]] @ solved[1]], 1)
        for side in (left, right)
    ]
    return xp.concatenate(rows, 0)


def _pair_atoms(pair: BivariateAtoms, names: tuple[str, ...]) -> dict[str, Array]:
    x, y = names
    keys = (f"{{{x}}}", f"{{{y}}}", f"{{{x}}}{{{y}}}", f"{{{x},{y}}}")
    values = (pair.unique_1, pair.unique_2, pair.redundant, pair.synergistic)
    return {key: _number(value) for key, value in zip(keys, values, strict=True)}


def _number(value: Array) -> Array:
    return float(value) if namespace(value) is np else value


def _pair_summary(pair: BivariateAtoms) -> Summary:
    parts = [_number(value) for value in (pair.unique_1, pair.unique_2, pair.redundant, pair.synergistic)]
    return Summary(sum(parts), (parts[0], parts[1]), parts[2], parts[3])
