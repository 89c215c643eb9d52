"""Training rows dealt at random to files of single-precision numbers, which fit in memory a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.atomic import writing
from pidreg_cli.data.arrays import Floats
from pidreg_cli.errors import OutputError, RunError

Block = NDArray[np.float32]
TARGET = 2  # single-precision numbers that hold the target, a double


def bucket_path(folder: Path, number: int) -> Path:
    """File of the rows of a bucket."""
    return folder / f"{number}.rows"


@dataclass(frozen=True)
class Buckets:
    """Files of rows as dealt: ``features`` numbers each, then the target; ``sizes``: rows of each file."""

    folder: Path
    features: int
    sizes: tuple[int, ...]

    @property
    def rows(self) -> int:
        """Of all files."""
        return sum(self.sizes)

    def read(self, number: int) -> tuple[Block, Floats]:
        """Features (n, p) and target (n,) of a bucket. Raises RunError where its file is not whole."""
        matrix = read_matrix(bucket_path(self.folder, number), self.sizes[number], self.features + TARGET)
        target = np.ascontiguousarray(matrix[:, self.features :]).view(np.float64)[:, 0]
        return matrix[:, : self.features], target

    def drop(self, number: int) -> None:
        """Forget the rows of a bucket as they were dealt."""
        bucket_path(self.folder, number).unlink()


class BucketWriter:
    """Deals rows to ``count`` files in ``folder``, each row to any of them with the same probability."""

    def __init__(self, folder: Path, count: int, features: int, rng: np.random.Generator) -> None:
        self.folder, self.features, self._rng = folder, features, rng
        self.sizes = np.zeros(count, np.int64)
        with writing(folder):
            for number in range(count):
                # One may get no row.
                bucket_path(folder, number).touch()

    def add(self, blocks: Sequence[NDArray[np.floating]], target: Floats) -> None:
        """Rows of every modality, (n, p_i) each, and their target, (n,). Raises OutputError."""
        bucket = self._rng.integers(len(self.sizes), size=len(target))
        order = np.argsort(bucket, kind="stable")
        rows = np.empty((len(target), self.features + TARGET), np.float32)
        np.concatenate(blocks, axis=1, out=rows[:, : self.features], casting="same_kind")
        rows[:, self.features :] = (
            np.ascontiguousarray(target, np.float64).view(np.float32).reshape(-1, TARGET)
        )
        counts = np.bincount(bucket, minlength=len(self.sizes))
        rows, ends = rows[order], np.cumsum(counts)
        for number in np.flatnonzero(counts).tolist():
            path = bucket_path(self.folder, number)
            with writing(path), path.open("ab") as file:
                file.write(rows[ends[number] - counts[number] : ends[number]].data)
        self.sizes += counts

    def finished(self) -> Buckets:
        """What was dealt."""
        return Buckets(self.folder, self.features, tuple(self.sizes.tolist()))


def read_matrix(path: Path, rows: int, width: int) -> Block:
    """Numbers (rows, width) of a file. Raises RunError where they are not there."""
    try:
        numbers = np.fromfile(path, np.float32)
    except OSError as error:
        raise RunError(
            "run.rows", f"{path} cannot be read: {error.strerror}", "repeat with --resume"
        ) from error
    if len(numbers) != rows * width:
        raise RunError("run.rows", f"{path} is not whole: {len(numbers)} numbers", "repeat with --resume")
    return numbers.reshape(rows, width)


def check_space(folder: Path, needed: int, free: int) -> None:
    """Raise OutputError where a disk with ``free`` bytes lacks room for the rows."""
    if needed > free:
        raise OutputError(
            "output.disk_space",
            f"training rows that do not fit in memory are kept in {folder}: {needed / 1e9:.1f} GB, but the disk has "
            f"{free / 1e9:.1f} GB left",
            "make room, give -o on a larger disk, or allow more memory with --memory",
        )
