"""The exact information of a synthetic system, and the atoms that follow from it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from pidreg_cli.data.synthetic.quadrature import mutual_information, reported_information, target_law
from pidreg_cli.data.synthetic.systems import SyntheticSystem

TRUTH_VERSION = "1.0"
# The quadratures agree with finer ones to 1e-8 bits; the last digits beyond would differ between machines.
DECIMALS = 6


def truth_of(system: SyntheticSystem) -> dict[str, Any]:
    """The JSON-ready truth of a system, in bits, for every non-empty subset of its modalities.

    ``reported`` is -1/2 log2(1 - R2), R2 that of the target's population inverse normal transform on its
    expectation given the subset, and ``exact`` the mutual information.
    """
    return {
        "version": TRUTH_VERSION,
        "system": system.name,
        "description": system.description,
        "modalities": list(system.modalities),
        "information": list(_informations(system)),
    }


def _informations(system: SyntheticSystem) -> Iterator[dict[str, Any]]:
    transform = target_law(system.mixture(frozenset())).normal_transform()
    for names in subsets(system):
        mixture = system.mixture(system.latents_of(names))
        yield {
            "modalities": list(names),
            "reported": round(reported_information(mixture, transform), DECIMALS),
            "exact": round(mutual_information(mixture), DECIMALS),
        }


def subsets(system: SyntheticSystem) -> list[tuple[str, ...]]:
    """All non-empty subsets of the modalities, by size, then as given."""
    names = tuple(system.modalities)
    return [subset for size in range(1, len(names) + 1) for subset in combinations(names, size)]
