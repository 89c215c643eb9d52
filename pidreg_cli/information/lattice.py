"""The redundancy lattice of any number of sources under the minimum measure, without enumerating it.

A subset of sources is a bitmask (bit i = source i); subset informations are arrays ``v`` of shape (2**n,),
v[0] = 0, in bits. For a scalar target the union information of ``broja`` is the largest one, so its lattice
is that of ``mmi``: ``I_cap(alpha) = min over members A of I(A)`` (Williams & Beer 2010; Barrett 2015). An
atom is then a step between consecutive sorted informations, at the antichain of the minimal sets that reach
the upper one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from pidreg_cli.information.arrays import Bools, Floats, Ints, finite
from pidreg_cli.information.errors import IncoherentInformationError, ShapeError

Kind = Literal["unique", "redundant", "synergistic", "mixed"]

# Informations closer than this (bits) are one level: they differ by rounding, not by a step.
TIE = 1e-12
# Negative or non-monotone by no more than this (bits) is rounding.
COHERENT = 1e-9
# The lattice has 7,579 antichains for five sources and 7,828,352 for six.
LARGEST_LISTED = 5


@dataclass(frozen=True)
class Atom:
    """An antichain as ordered bitmasks (by size, then in the order given) and its value in bits."""

    members: tuple[int, ...]
    value: float

    @property
    def kind(self) -> Kind:
        """Unique, redundant, synergistic or mixed, from the sizes of the members."""
        if all(member.bit_count() == 1 for member in self.members):
            return "unique" if len(self.members) == 1 else "redundant"
        return "synergistic" if len(self.members) == 1 else "mixed"


@dataclass(frozen=True)
class Summary:
    """Parts that add up to ``total`` (bits): one unique per source, redundant, synergistic."""

    total: float
    unique: tuple[float, ...]
    redundant: float
    synergistic: float


def source_count(v: Floats) -> int:
    """n for an array of shape (2**n,), n >= 1; ShapeError otherwise."""
    n = int(v.size).bit_length() - 1
    if v.ndim != 1 or n < 1 or v.size != 1 << n:
        raise ShapeError(f"subset informations must have shape (2**n,) with n >= 1, however: {v.shape}")
    return n


def member_order(mask: int) -> tuple[int, tuple[int, ...]]:
    """Sort key of subsets: by size, then sources in the order given."""
    return mask.bit_count(), sources_of(mask)


def sources_of(mask: int) -> tuple[int, ...]:
    """Positions of the sources in a bitmask, ascending."""
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def monotone_closure(raw: Floats) -> Floats:
    """``v(A) = max(0, raw(A), v(B) for B inside A)``, ``v(empty) = 0``: estimates made coherent. Shape
    (2**n,).
    """
    v = np.maximum(finite(raw, "subset informations"), 0.0)
    v[0] = 0.0
    for source in range(source_count(v)):
        pairs = v.reshape(-1, 2, 1 << source)
        np.maximum(pairs[:, 0], pairs[:, 1], out=pairs[:, 1])
    return v


def largest_repair(raw: Floats, closed: Floats) -> float:
    """The most that the closure moved any non-empty subset, in bits."""
    return float(np.max(np.abs(closed - raw)[1:]))


def coherent(v: Floats) -> Floats:
    """``v`` with rounding removed; IncoherentInformationError where it is not monotone from zero."""
    closed = monotone_closure(v)
    repair = max(largest_repair(v, closed), abs(float(v[0])))
    if repair > COHERENT:
        raise IncoherentInformationError(
            f"subset informations must grow from 0 with the subset, however: off by {repair:.3g} bits",
            "apply monotone_closure to estimates first",
        )
    return closed


@cache
def _in_order(n: int) -> Ints:
    """Every subset of n sources as a bitmask, by size, then in the order given."""
    return np.array(sorted(range(1 << n), key=member_order))


def minimal_sets(up: Bools) -> tuple[int, ...]:
    """The minimal members of an up-closed family, given as booleans of shape (2**n,), ordered."""
    minimal = up.copy()
    n = up.size.bit_length() - 1
    for source in range(n):
        minimal.reshape(-1, 2, 1 << source)[:, 1] &= ~up.reshape(-1, 2, 1 << source)[:, 0]
    ordered = _in_order(n)
    return tuple(ordered[minimal[ordered]].tolist())


@dataclass(frozen=True)
class Step:
    """A non-zero atom as a difference of two informations: ``value = v[upper] - v[lower]`` at ``members``."""

    members: tuple[int, ...]
    upper: int
    lower: int


def lattice_steps(v: Floats) -> tuple[Step, ...]:
    """The non-zero atoms of ``v`` (2**n,), lowest first, as the subsets whose informations they lie
    between.
    """
    v = coherent(v)
    order = np.argsort(v, kind="stable")
    levels = v[order]
    starts = np.flatnonzero(levels[1:] - levels[:-1] > TIE) + 1
    # The last subset of each level stands for it; below the first step there is the empty set.
    tops = np.append(order[starts - 1], order[-1])
    lowers = np.append(0, tops[1:])[:-1]
    return tuple(
        Step(minimal_sets(v >= v[order[start]]), int(upper), int(lower))
        for start, upper, lower in zip(starts, tops[1:], lowers, strict=True)
    )


def scalar_atoms(v: Floats) -> tuple[Atom, ...]:
    """The non-zero atoms of a scalar target, lowest level first; they sum to ``v[-1]``.

    Exact for ``mmi`` with any target and for ``broja`` with a scalar one. n = 12 (4,095 steps) takes well
    under a second. Raises IncoherentInformationError unless ``v`` is monotone.
    """
    v = coherent(v)
    return tuple(Atom(step.members, float(v[step.upper] - v[step.lower])) for step in lattice_steps(v))


def upper_sets(members: Sequence[int], n: int) -> Bools:
    """Which subsets contain a member: booleans of shape (2**n,)."""
    masks = np.arange(1 << n)
    return np.asarray(np.any([masks & member == member for member in members], axis=0))


def all_antichains(n: int) -> tuple[tuple[int, ...], ...]:
    """Every antichain of non-empty subsets of n sources, 1 <= n <= 5: 1, 4, 18, 166, 7,579 of them."""
    if not 1 <= n <= LARGEST_LISTED:
        raise ShapeError(f"antichains are listed for 1 to {LARGEST_LISTED} sources, however: {n}")
    subsets = sorted(range(1, 1 << n), key=member_order)
    return tuple(_extensions((), subsets))


def _extensions(chosen: tuple[int, ...], rest: list[int]) -> Iterator[tuple[int, ...]]:
    for position, subset in enumerate(rest):
        grown = (*chosen, subset)
        yield grown
        # Later subsets are no smaller, so they can only contain the chosen one.
        yield from _extensions(grown, [other for other in rest[position + 1 :] if other & subset != subset])


def listed_atoms(v: Floats) -> tuple[Atom, ...]:
    """Every atom, zeros included, for n <= 5; the non-zero ones beyond."""
    found = scalar_atoms(v)
    n = source_count(v)
    if n > LARGEST_LISTED:
        return found
    values = {atom.members: atom.value for atom in found}
    return tuple(Atom(members, values.get(members, 0.0)) for members in all_antichains(n))


def summary(v: Floats) -> Summary:
    """Unique, redundant and synergistic information of a scalar target, adding up to the total.

    ``unique_i = max(0, I_i - I_rest)``: what no combination of the others has. ``synergistic = I - max_i
    I_i``: atoms without a single source among their members. ``redundant = max_i min(I_i, I_rest)``: the
    other atoms.
    """
    v = coherent(v)
    singles, rests = singles_and_rests(v)
    unique = np.maximum(singles - rests, 0.0)
    redundant = float(np.max(np.minimum(singles, rests)))
    return Summary(float(v[-1]), tuple(unique.tolist()), redundant, float(v[-1] - singles.max()))


def singles_and_rests(v: Floats) -> tuple[Floats, Floats]:
    """I of each source alone and of all others together, each of shape (..., n); ``v`` of shape (...,
    2**n).
    """
    single = 1 << np.arange(int(v.shape[-1]).bit_length() - 1)
    return v[..., single], v[..., v.shape[-1] - 1 - single]


def antichain_id(atom: Atom, names: Sequence[str]) -> str:
    """The atom in antichain notation, ``{a}{b,c}``, names in the order given."""
    groups = (",".join(names[i] for i in sources_of(member)) for member in atom.members)
    return "".join(f"{{{group}}}" for group in groups)
