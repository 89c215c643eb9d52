"""Coverage of nominal 95 % intervals: ``python -m benchmarks.information_coverage [--repetitions 1000]``.

``debiased`` intervals are judged against the true information (R2 of the target on its best prediction; where
the target is replaced by its normal scores, on the readouts' features), ``heldout`` ones against the population
value of the very readouts that were fitted, found from two million further rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.information_speed import machine
from pidreg_cli.information.copula import normal_scores
from pidreg_cli.information.debiased import debiased_allowed, debiased_jackknife
from pidreg_cli.information.features import FeatureLayout, Interactions, ReadoutBlocks, feature_table
from pidreg_cli.information.intervals import (
    GROUPS,
    Jackknife,
    atom_intervals,
    information_intervals,
    jackknife_of_errors,
)
from pidreg_cli.information.lattice import Atom, listed_atoms, monotone_closure
from pidreg_cli.information.moments import Moments, merged
from pidreg_cli.information.readouts import (
    FoldReadouts,
    balanced_folds,
    cross_fitted_predictions,
    squared_errors,
    subset_informations,
    training_influences,
)

ROWS = (100, 300, 1000, 3000)
POPULATION_ROWS, POPULATION_BATCHES = 100_000, 20
# Truths below this (bits) are zero: what two million rows show by chance.
ZERO = 1e-4
FOLDS = 10
Seed = tuple[int, int, int]
Draw = Callable[[np.random.Generator, int], tuple[tuple[np.ndarray, ...], np.ndarray]]


@dataclass(frozen=True)
class System:
    """Rows of codes and target, true informations of all subsets and the readout family.

    Without ``truth`` the target is replaced by its normal scores, as in a fit, and truth is that of the features.
    """

    name: str
    draw: Draw
    truth: np.ndarray | None
    interactions: Interactions = "none"

    def rows(self, rng: np.random.Generator, count: int) -> tuple[ReadoutBlocks, np.ndarray]:
        """A sample as the estimators see it."""
        codes, target = self.draw(rng, count)
        return ReadoutBlocks(codes), target if self.truth is not None else normal_scores(target)


@dataclass(frozen=True)
class Population:
    """Moments of features and target, true informations and the atoms that follow from them."""

    moments: Moments
    truth: np.ndarray

    @property
    def atoms(self) -> tuple[Atom, ...]:
        """All of them, zeros included."""
        return listed_atoms(monotone_closure(np.where(self.truth > ZERO, self.truth, 0.0)))


def copies(*noise: float) -> Draw:
    """Codes M + N_i of the target M."""

    def draw(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        m = rng.standard_normal(rows)
        return tuple((m + np.sqrt(s) * rng.standard_normal(rows))[:, None] for s in noise), m

    return draw


def copies_truth(*noise: float) -> np.ndarray:
    """Precisions add."""
    precision = [sum(1 / s for i, s in enumerate(noise) if a >> i & 1) for a in range(1 << len(noise))]
    return 0.5 * np.log2(1 + np.array(precision))


def from_r2(*r2: float) -> np.ndarray:
    """Informations of squared multiple correlations."""
    return -0.5 * np.log2(1 - np.array(r2))


def unique_and_null(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The second modality is noise."""
    m, a, b = rng.standard_normal((3, rows))
    return ((m + a)[:, None], b[:, None]), m


def common_noise(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The second modality sees the noise of the first (correlation .9) and nothing of the target."""
    m, a, b = rng.standard_normal((3, rows))
    return ((m + a)[:, None], (0.9 * a + np.sqrt(0.19) * b)[:, None]), m


def wide(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Eight columns each: one signal of the target, half of the first's in the second, and seven of noise."""
    first, second = rng.standard_normal((2, rows, 8))
    target = first[:, 0] + 0.5 * second[:, 0] + rng.standard_normal(rows)
    mixed = second.copy()
    mixed[:, 1] += first[:, 0]
    return (first, mixed), target


def product(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """Each modality has its part, and their product a third: not Gaussian."""
    a, b = rng.standard_normal((2, rows, 2))
    return (a, b), a[:, 0] + 0.5 * b[:, 0] + a[:, 1] * b[:, 1] + rng.standard_normal(rows)


def curved(rng: np.random.Generator, rows: int) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
    """The target's mean is quadratic in the first code; the second carries a noisy copy of that code."""
    u, e = rng.standard_normal((2, rows))
    return (u[:, None], (u + e)[:, None]), u + 0.5 * u**2 + rng.standard_normal(rows)


def systems() -> list[System]:
    """Nine systems away from ties, of which the last two as a fit would see them, and two at a tie."""
    product_truth = from_r2(0, 1 / 3.25, 0.25 / 3.25, 2.25 / 3.25)
    curved_truth = from_r2(0, 0.6, (0.5 + 0.125) / 2.5, 0.6)
    return [
        System("copies 1, 2", copies(1, 2), copies_truth(1, 2)),
        System("copies 1, 2, 4", copies(1, 2, 4), copies_truth(1, 2, 4)),
        System("unique + null", unique_and_null, from_r2(0, 0.5, 0, 0.5)),
        System("common noise", common_noise, from_r2(0, 0.5, 0, 1 - 0.19 / 1.19)),
        System("wide", wide, from_r2(0, 1 / 2.25, (0.25 + 0.5) / 2.25, 1.25 / 2.25)),
        System("product", product, product_truth, "products"),
        System("curved", curved, curved_truth, "products"),
        System("product, scores", product, None, "products"),
        System("curved, scores", curved, None, "products"),
        System("tie 1, 1", copies(1, 1), copies_truth(1, 1)),
        System("tie 1, 1, 1", copies(1, 1, 1), copies_truth(1, 1, 1)),
    ]


@dataclass
class Counts:
    """Intervals that held the value, of informations (2**n,) and atoms, over a number of repetitions."""

    informations: np.ndarray
    atoms: np.ndarray
    runs: int = 0

    def add(self, jackknife: Jackknife, truth: np.ndarray, atoms: Sequence[Atom]) -> None:
        """Count one repetition against true informations; the atoms' truth follows from them."""
        self.informations += _inside(information_intervals(jackknife), truth)
        values = {atom.members: atom.value for atom in listed_atoms(truth)}
        expected = np.array([values[atom.members] for atom in atoms])
        self.atoms += _inside(atom_intervals(jackknife, atoms), expected)
        self.runs += 1


def _inside(intervals: np.ndarray, values: np.ndarray) -> np.ndarray:
    tolerance = 1e-9
    return (intervals[:, 0] <= values + tolerance) & (values <= intervals[:, 1] + tolerance)


def study(system: System, population: Population, rows: int, seeds: Sequence[Seed]) -> dict[str, Counts]:
    """Coverage counts of both estimators for one system and size."""
    size, atoms = population.truth.size, population.atoms
    found = {name: Counts(np.zeros(size), np.zeros(len(atoms))) for name in ("debiased", "heldout")}
    for seed in seeds:
        rng = np.random.default_rng(seed)
        blocks, target = system.rows(rng, rows)
        groups = balanced_folds(np.arange(rows), GROUPS, rng)
        if debiased_allowed(rows, blocks, system.interactions):
            jackknife = debiased_jackknife(blocks, target, groups, system.interactions)
            found["debiased"].add(jackknife, monotone_closure(population.truth), atoms)
        folds = balanced_folds(np.arange(rows), FOLDS, rng)
        fitted = cross_fitted_predictions(
            blocks, target, folds, range(1, size), interactions=system.interactions, influences=True
        )
        errors = squared_errors(target, fitted, len(blocks.codes))
        jackknife = jackknife_of_errors(errors, groups, training_influences(fitted))
        value = readout_value(blocks, target, folds, population.moments, system.interactions)
        found["heldout"].add(jackknife, monotone_closure(value), atoms)
    return found


def population_of(system: System) -> Population:
    """Moments of features and target over many rows, and the truth."""
    rng = np.random.default_rng(10**6)
    scores = None if system.truth is not None else scores_of(system, rng)
    parts = []
    for _ in range(POPULATION_BATCHES):
        codes, target = system.draw(rng, POPULATION_ROWS)
        table = feature_table(ReadoutBlocks(codes), system.interactions)
        parts.append(
            Moments.of(np.column_stack([table.values, target if scores is None else scores(target)]))
        )
    moments = merged(parts)
    return Population(
        moments, best_value(moments, table.layout, len(codes)) if system.truth is None else system.truth
    )


def scores_of(system: System, rng: np.random.Generator) -> Callable[[np.ndarray], np.ndarray]:
    """The population's map from the target to normal scores."""
    _, target = system.draw(rng, 10 * POPULATION_ROWS)
    ordered = np.sort(target)
    return partial(np.interp, xp=ordered, fp=normal_scores(ordered))


def best_value(moments: Moments, layout: FeatureLayout, modalities: int) -> np.ndarray:
    """Informations of the features in the population."""
    readouts = FoldReadouts.fitted(moments, layout, range(1, 1 << modalities))
    return subset_informations(mean_squares(probed(readouts), moments)[None])


def readout_value(
    blocks: ReadoutBlocks,
    target: np.ndarray,
    folds: np.ndarray,
    population: Moments,
    interactions: Interactions,
) -> np.ndarray:
    """Information of the readouts of every fold in the population, squared errors averaged over folds."""
    table = feature_table(blocks, interactions)
    masks = range(1, 1 << len(blocks.codes))
    rows = np.column_stack([table.values, target])
    errors = np.zeros(len(masks) + 1)
    for fold in np.unique(folds):
        readouts = FoldReadouts.fitted(Moments.of(rows[folds != fold]), table.layout, masks)
        errors += np.mean(folds == fold) * mean_squares(probed(readouts), population)
    return subset_informations(errors[None])


def probed(readouts: FoldReadouts) -> np.ndarray:
    """Predictions of the baseline and every readout at the origin and the unit vectors: readouts are linear."""
    width = readouts.mean.size
    predictions = readouts.predictions(np.vstack([np.zeros(width), np.eye(width)]))[:, :, 0]
    return np.column_stack([np.full(width + 1, readouts.baseline[0]), predictions])


def mean_squares(guesses: np.ndarray, population: Moments) -> np.ndarray:
    """Mean squared errors of linear predictions given at the origin and the unit vectors."""
    intercepts, slopes = guesses[0], guesses[1:] - guesses[0]
    weights = np.vstack([-slopes, np.ones(guesses.shape[1])])
    spread = np.einsum("ij,ik,kj->j", weights, population.scatter, weights) / population.count
    return spread + (population.mean @ weights - intercepts) ** 2


def span(shares: np.ndarray) -> str:
    """Smallest and largest coverage in percent."""
    if not shares.size:
        return "-"
    low, high = round(100 * shares.min(), 1), round(100 * shares.max(), 1)
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


def cells(population: Population, counts: Counts) -> tuple[str, str, str]:
    """Coverage of informations and atoms that are not zero, and of both where they are."""
    if not counts.runs:
        return ("-",) * 3
    values = np.array([atom.value for atom in population.atoms])
    informations, atoms = counts.informations[1:] / counts.runs, counts.atoms / counts.runs
    some, real = population.truth[1:] > ZERO, values > ZERO
    nothing = np.append(informations[~some], atoms[~real])
    return span(informations[some]), span(atoms[real]), span(nothing)


def main() -> None:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=1000)
    repetitions = parser.parse_args().repetitions
    error = 100 * np.sqrt(0.95 * 0.05 / repetitions)
    print(f"{machine()}; {repetitions} repetitions (standard error of a 95 % coverage: {error:.1f} %)")
    print("| system | n | debiased: I | atoms | zeros | heldout: I | atoms | zeros |")
    print("|---|---|---|---|---|---|---|---|")
    with threadpool_limits(1):
        for place, system in enumerate(systems()):
            population = population_of(system)
            for rows in ROWS:
                seeds = [(place, rows, run) for run in range(repetitions)]
                found = study(system, population, rows, seeds)
                row = [text for counts in found.values() for text in cells(population, counts)]
                print(f"| {system.name} | {rows} | " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
