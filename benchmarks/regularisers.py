"""What each term of the loss does: information against truth, leakage and accuracy, each term on, off and strong.

``python -m benchmarks.regularisers [--rows 6000] [--systems mixed three synergy] [--preset balanced] [--seeds 1]``

Per system and variant of the weights, on test rows, in bits:
- worst: largest error of the information of any set of modalities; total: found minus true; synergy likewise;
- codes: mean one-dimensional Cauchy-Schwarz divergence of the codes to N(0, 1) (512 normal rows score .002), and sd
  their mean deviation: much of the divergence is scale;
  joint: the report's divergence of standardised target and codes from a joint normal;
- probe: mean R2 of a small MLP that predicts the other modalities' features from a code, on rows that did not train
  it; leakage: that minus the R2 of the same probe from the modality's own features, which is what shared latents allow
  (PIDReg, arXiv 2512.22102, experiment without the conditional term). A code is a function of its own features, so
  no code can hold more of the others than these; a positive figure says that it lays it out in plainer view.
- RMSE relative to the default weights, and seconds.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Mapping
from dataclasses import astuple, dataclass

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.fits.synthetic import (
    PROBE_HALVES,
    Floats,
    Sample,
    draw,
    fitted,
    found_informations,
    parser,
    settings_for,
    synergy,
    tell,
)
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, VALID
from pidreg_cli.fitting import Fit
from pidreg_cli.network.losses.cauchy_schwarz import cs_to_normal

KERNEL_TERMS = ("cauchy_schwarz", "conditional", "gaussianity")
TERMS = (*KERNEL_TERMS, "sufficiency")
STRONG = 10
PUBLISHED = tuple(f"loss.{term}=0.1" for term in KERNEL_TERMS)
DEFAULT = "default"

PROBE = {"hidden_layer_sizes": (64,), "alpha": 0.01, "early_stopping": True, "max_iter": 300}
DIVERGENCE_ROWS = 512  # its cost is quadratic


def variants(default: Settings) -> dict[str, tuple[str, ...]]:
    """Assignments of every line of the table, those aside that leave the weights as they are."""
    weights = default.loss.model_dump()
    made = {f"no {term}": (f"loss.{term}=0",) for term in TERMS}
    made["no kernel terms"] = tuple(f"loss.{term}=0" for term in KERNEL_TERMS)
    made |= {f"{STRONG} x {term}": (f"loss.{term}={STRONG * weights[term]}",) for term in TERMS}
    made["published weights"] = PUBLISHED
    made["published, no sufficiency"] = (*PUBLISHED, "loss.sufficiency=0")
    changed = {name: sets for name, sets in made.items() if changes(sets, weights)}
    return {DEFAULT: (), **changed}


def changes(assignments: tuple[str, ...], weights: Mapping[str, float]) -> bool:
    """Whether a weight differs from those of the preset."""
    pairs = (text.removeprefix("loss.").split("=") for text in assignments)
    return any(float(value) != weights[term] for term, value in pairs)


@dataclass(frozen=True)
class Line:
    """The figures of one fit, in the order of the columns; ``rmse`` in the target's units."""

    worst: float
    total: float
    synergy: float
    codes: float
    sd: float
    joint: float
    probe: float
    leakage: float
    rmse: float
    seconds: float


def measured(sample: Sample, settings: Settings) -> Line:
    """Fit once, and everything that the table says of it."""
    fit, seconds = fitted(sample.arrays, settings)
    with threadpool_limits(settings.threads):
        return line_of(fit, sample, settings, seconds)


def line_of(fit: Fit, sample: Sample, settings: Settings, seconds: float) -> Line:
    """The figures of a finished fit."""
    found, metrics = found_informations(fit), fit.report.metrics
    if metrics is None or metrics.test is None:
        raise RuntimeError("the fit was not scored on test rows")
    codes = fit.outcome.deployed.model.read(sample.arrays, []).codes
    probes = leakage_probe(sample, codes, settings.seed)
    return Line(
        worst=float(np.abs(found - sample.truth).max()),
        total=float(found[-1] - sample.truth[-1]),
        synergy=synergy(found) - synergy(sample.truth),
        codes=code_divergence(sample, codes, settings.loss.bandwidth),
        sd=float(np.mean([code[sample.arrays.split == TEST].std(0).mean() for code in codes])),
        joint=float(fit.outcome.held_out.code_divergence.mean()),
        probe=float(probes[0].mean()),
        leakage=float((probes[0] - probes[1]).mean()),
        rmse=metrics.test.rmse,
        seconds=seconds,
    )


def code_divergence(sample: Sample, codes: list[Floats], bandwidth: float) -> float:
    """Mean over coordinates of the divergence of held-out codes to the standard normal."""
    test = np.flatnonzero(sample.arrays.split == TEST)[:DIVERGENCE_ROWS]
    values = [cs_to_normal(torch.from_numpy(code[test]), bandwidth).mean() for code in codes]
    return float(torch.stack(values).mean())


def leakage_probe(sample: Sample, codes: list[Floats], seed: int) -> Floats:
    """R2 of the others' features from each code and from the own features it reads, (2, n)."""
    names, features = sample.arrays.names, sample.arrays.features
    found = np.empty((2, len(names)))
    for i, name in enumerate(names):
        others = np.hstack([features[other] for other in names if other != name])
        found[0, i] = probed(codes[i], others, sample, seed)
        found[1, i] = probed(features[name], others, sample, seed)
    return found


def probed(source: np.ndarray, wanted: np.ndarray, sample: Sample, seed: int) -> float:
    """Mean R2 over the columns of ``wanted``: trained on validation rows and half of the test rows, then the other."""
    split = sample.arrays.split
    test, valid = np.flatnonzero(split == TEST), np.flatnonzero(split == VALID)
    halves = np.array_split(np.random.default_rng([seed, PROBE_HALVES]).permutation(test), 2)
    predicted = np.empty((len(split), wanted.shape[1]))
    for fit_half, score_half in (halves, halves[::-1]):
        rows = np.concatenate([valid, fit_half])
        predicted[score_half] = probe(source[rows], wanted[rows], source[score_half], seed)
    errors = np.square(wanted[test] - predicted[test]).sum(0)
    return float(np.mean(1 - errors / np.square(wanted[test] - wanted[test].mean(0)).sum(0)))


def probe(source: np.ndarray, wanted: np.ndarray, new: np.ndarray, seed: int) -> np.ndarray:
    """Predictions for ``new`` by an MLP fitted to standardised columns."""
    inputs, outputs = StandardScaler().fit(source), StandardScaler().fit(wanted)
    model = MLPRegressor(random_state=seed, **PROBE)
    with warnings.catch_warnings():
        # Early stopping decides, or the bound of epochs: either is a fair probe.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs.transform(source), outputs.transform(wanted))
    scores = np.reshape(model.predict(inputs.transform(new)), (len(new), -1))
    return np.asarray(outputs.inverse_transform(scores))


def study(system: str, arguments: argparse.Namespace) -> None:
    """The table of one system."""
    names = variants(settings_for(arguments, 0))
    lines: dict[str, Line] = {}
    for name, assignments in names.items():
        found = []
        for seed in range(arguments.seeds):
            sample = draw(system, arguments.rows, seed)
            line = measured(sample, settings_for(arguments, seed, assignments))
            tell(f"{system}, {name}, seed {seed}: {line}")
            found.append(astuple(line))
        lines[name] = Line(*np.mean(found, axis=0).tolist())
    print_table(system, lines, arguments)


def print_table(system: str, lines: Mapping[str, Line], arguments: argparse.Namespace) -> None:
    """Markdown; means over seeds."""
    truth = draw(system, arguments.rows, 0).truth
    about = f"preset {arguments.preset}, {arguments.rows:,} rows, {arguments.seeds} seed(s)"
    print(f"\n### {system}: {about}; truth {truth[-1]:.3f} bits in total, {synergy(truth):.3f} synergy\n")
    print("| weights | worst | total | synergy | codes | sd | joint | probe | leakage | RMSE / default | s |")
    print("|---|" + "---:|" * 10)
    for name, line in lines.items():
        print(
            f"| {name} | {line.worst:.3f} | {line.total:+.3f} | {line.synergy:+.3f} | {line.codes:.3f} | "
            f"{line.sd:.2f} | {line.joint:.4f} | {line.probe:.3f} | {line.leakage:+.3f} | "
            f"{line.rmse / lines[DEFAULT].rmse:.3f} | {line.seconds:.0f} |",
            flush=True,
        )


def main() -> None:
    """One table per system."""
    arguments = parser(__doc__, ("mixed", "three", "synergy")).parse_args()
    for system in arguments.systems:
        study(system, arguments)


if __name__ == "__main__":
    main()
