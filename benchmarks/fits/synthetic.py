"""Synthetic systems drawn, split and fitted in memory, with their true informations beside them."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits.options import enough_rows, positive
from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, TRAIN, VALID, MultimodalArrays
from pidreg_cli.data.frames import arrays_fingerprint, frame_arrays
from pidreg_cli.data.synthetic.generate import generate
from pidreg_cli.data.synthetic.systems import SYSTEMS, SyntheticSystem, system_named
from pidreg_cli.fitting import Fit, TableSource, fit_arrays
from pidreg_cli.information.lattice import monotone_closure, summary
from pidreg_cli.training.progress import Silent

Floats = NDArray[np.float64]
# Of train, valid and test, as a fit deals them itself.
SHARES = (0.7, 0.1, 0.2)
# Streams of random numbers beside the table's own: equal ones would tie the holes of a row to its part.
SPLIT, HOLES, PROBE_HALVES = range(3)


@dataclass(frozen=True)
class Sample:
    """Rows of a system with a split, and the true informations (2**n,) in bits, indexed by bitmask."""

    system: str
    arrays: MultimodalArrays
    truth: Floats


def draw(system: str | SyntheticSystem, rows: int, seed: int) -> Sample:
    """``rows`` rows of a system, given by name or itself, 70/10/20 for training, validation and test."""
    system = system_named(system) if isinstance(system, str) else system
    made = generate(system, rows, seed)
    frame = made.table.to_pandas()
    arrays = frame_arrays(frame, made.roles.modalities, frame["target"].to_numpy(np.float64))
    labels = np.random.default_rng([seed, SPLIT]).choice(np.array([TRAIN, VALID, TEST]), rows, p=SHARES)
    return Sample(system.name, replace(arrays, split=labels), true_informations(made.truth))


def true_informations(truth: dict[str, Any]) -> Floats:
    """The reported quantity of every set, (2**n,), from the JSON of a table's truth."""
    names = truth["modalities"]
    v = np.zeros(2 ** len(names))
    for entry in truth["information"]:
        v[mask_of(entry["modalities"], names)] = entry["reported"]
    return v


def found_informations(fit: Fit) -> Floats:
    """Informations of every set in the report, (2**n,)."""
    names = fit.arrays.names
    v = np.zeros(2 ** len(names))
    for entry in fit.report.information.values if fit.report.information else ():
        v[mask_of(entry.modalities, names)] = entry.value
    return v


def mask_of(chosen: Sequence[str], names: Sequence[str]) -> int:
    """Bitmask of a set of modalities."""
    return sum(1 << names.index(name) for name in chosen)


def names_of(mask: int, names: Sequence[str]) -> str:
    """The set as text, such as ``a+c``."""
    return "+".join(name for i, name in enumerate(names) if mask >> i & 1)


def synergy(v: Floats) -> float:
    """What shows only together (bits), of coherent or raw informations (2**n,)."""
    return summary(monotone_closure(v)).synergistic


def fitted(arrays: MultimodalArrays, settings: Settings) -> tuple[Fit, float]:
    """The fit, and the seconds it took."""
    start = time.perf_counter()
    fit = fit_arrays(arrays, TableSource((), arrays_fingerprint(arrays), "target"), settings, Silent())
    return fit, time.perf_counter() - start


def settings_for(arguments: argparse.Namespace, seed: int, assignments: Sequence[str] = ()) -> Settings:
    """Settings of a benchmark's preset, threads and seed, with ``KEY=VALUE`` assignments on top."""
    options = {"seed": seed, "threads": arguments.threads, "device": "cpu"}
    return load_settings(arguments.preset, assignments=assignments, options=options)


def parser(description: str | None, systems: Sequence[str]) -> argparse.ArgumentParser:
    """Options that every benchmark with fits has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--rows", type=enough_rows, default=6000)
    made.add_argument("--systems", nargs="+", default=list(systems), choices=list(SYSTEMS), metavar="SYSTEM")
    made.add_argument("--preset", default="balanced", choices=["fast", "balanced", "thorough", "paper"])
    made.add_argument("--threads", type=positive, default=1)
    made.add_argument(
        "--seeds", type=positive, default=1, help="tables and fits per line, of which means are shown"
    )
    return made


def tell(text: str) -> None:
    """Progress, apart from the tables."""
    print(text, file=sys.stderr, flush=True)
