"""Make the sample tables of this folder, byte for byte, or check that they are what this makes.

    python sample_data/make_samples.py            write them
    python sample_data/make_samples.py --check    make them elsewhere and compare; exit status 1 if different

The bytes are those of the library versions in constraints.txt.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_diabetes

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.synthetic import generate, write_synthetic
from pidreg_cli.data.writing import write_table

FOLDER = Path(__file__).resolve().parent

CLINICAL = ("age", "sex", "bmi", "bp")
SERUM = ("s1", "s2", "s3", "s4", "s5", "s6")

SYSTEMS = ("mixed", "synergy", "unique", "null", "three")
# The 4,000 test rows of the default split put the sampling error of an information of 1.7 bits at 0.02 bits.
ROWS = 20_000
SEED = 0


def write_diabetes(folder: Path) -> None:
    """Write the 442 patients of Efron et al. (2004) in the units as measured."""
    patients = load_diabetes(scaled=False)
    columns = {f"clinical__{name}": name for name in CLINICAL} | {f"serum__{name}": name for name in SERUM}
    position = {name: j for j, name in enumerate(patients.feature_names)}
    values = {column: patients.data[:, position[name]] for column, name in columns.items()}
    table = pa.table({**values, "progression": patients.target, "id": np.arange(len(patients.target))})
    modalities = {
        "clinical": tuple(f"clinical__{name}" for name in CLINICAL),
        "serum": tuple(f"serum__{name}" for name in SERUM),
    }
    roles = TableMetadata(modalities, target="progression", id="id")
    write_table(table, roles, folder / "diabetes.parquet")


def write_samples(folder: Path) -> None:
    """Write every sample table and truth into ``folder``, over what is there."""
    write_diabetes(folder)
    for name in SYSTEMS:
        write_synthetic(generate(name, ROWS, SEED), folder / f"{name}.parquet", force=True)


def differences(folder: Path) -> list[str]:
    """Names of the sample files of ``folder`` that are missing or not, byte for byte, what this makes."""
    with TemporaryDirectory() as temporary:
        made = Path(temporary)
        write_samples(made)
        return sorted(path.name for path in made.iterdir() if not _same(path, folder / path.name))


def _same(made: Path, kept: Path) -> bool:
    return kept.exists() and made.read_bytes() == kept.read_bytes()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(description="Make the sample tables of this folder, or check them.")
    parser.add_argument("--check", action="store_true", help="make them elsewhere and compare the bytes")
    if not parser.parse_args(arguments).check:
        write_samples(FOLDER)
        return 0
    differing = differences(FOLDER)
    for name in differing:
        print(f"{name} is not what make_samples.py makes", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
