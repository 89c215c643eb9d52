"""Training rows dealt at random to files of single-precision numbers, which fit in memory a few at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.atomic import writing
from pidreg_cli.data.arrays import Floats
from pidreg_cli.data.row_marks import row_marks
from pidreg_cli.errors import OutputError, RunError

Block = NDArray[np.float32]
TARGET = 2  # single-precision numbers that hold the target, a double


def bucket_path(folder: Path, number: int, share: int = 0) -> Path:
    """File of the rows of a bucket that one of those who share the table dealt."""
    return folder / f"{number}-{share}.rows"


@dataclass(frozen=True)
class Buckets:
    """Rows as dealt: ``features`` numbers each, then the target.

    ``dealt``: rows of each bucket that each of those who share the table dealt, which make a file.
    """

    folder: Path
    features: int
    dealt: tuple[tuple[int, ...], ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Rows of each bucket."""
        return tuple(map(sum, zip(*self.dealt, strict=True)))

    @cached_property
    def rows(self) -> int:
        """Of all buckets."""
        return sum(self.sizes)

    def read(self, number: int) -> tuple[Block, Floats]:
        """Features (n, p) and target (n,) of a bucket. Raises RunError where a file of it is not whole."""
        width = self.features + TARGET
        parts = [
            read_matrix(bucket_path(self.folder, number, share), sizes[number], width)
            for share, sizes in enumerate(self.dealt)
        ]
        matrix = parts[0] if len(parts) == 1 else np.concatenate(parts)
        target = np.ascontiguousarray(matrix[:, self.features :]).view(np.float64)[:, 0]
        return matrix[:, : self.features], target

    def drop(self, number: int) -> None:
        """Forget the rows of a bucket as they were dealt."""
        for share in range(len(self.dealt)):
            bucket_path(self.folder, number, share).unlink()


class BucketWriter:
    """Deals rows to ``count`` files in ``folder``, each row to any of them with the same probability.

    Which one ``key`` and the number of the row say, whoever deals it; ``share``: of those who share the table.
    """

    def __init__(self, folder: Path, count: int, features: int, key: int, share: int = 0) -> None:
        self.folder, self.features, self._key, self._share = folder, features, key, share
        self.sizes = np.zeros(count, np.int64)
        with writing(folder):
            for number in range(count):
                # One may get no row.
                bucket_path(folder, number, share).touch()

    def add(self, blocks: Sequence[NDArray[np.floating]], target: Floats, numbers: NDArray[np.intp]) -> None:
        """Rows of every modality, (n, p_i) each, their target, (n,), and numbers in the table, (n,).

        Raises OutputError.
        """
        bucket = (row_marks(numbers, self._key) * len(self.sizes)).astype(np.intp)
        order = np.argsort(bucket, kind="stable")
        rows = np.empty((len(target), self.features + TARGET), np.float32)
        np.concatenate(blocks, axis=1, out=rows[:, : self.features], casting="same_kind")
        rows[:, self.features :] = (
            np.ascontiguousarray(target, np.float64).view(np.float32).reshape(-1, TARGET)
        )
        counts = np.bincount(bucket, minlength=len(self.sizes))
        rows, ends = rows[order], np.cumsum(counts)
        for number in np.flatnonzero(counts).tolist():
            path = bucket_path(self.folder, number, self._share)
            with writing(path), path.open("ab") as file:
                file.write(rows[ends[number] - counts[number] : ends[number]].data)
        self.sizes += counts

    def finished(self, sizes: Sequence[NDArray[np.int64]]) -> Buckets:
        """What all who share the table dealt: ``sizes`` of each."""
        return Buckets(self.folder, self.features, tuple(tuple(one.tolist()) for one in sizes))


def read_matrix(path: Path, rows: int, width: int, chosen: NDArray[np.intp] | None = None) -> Block:
    """Numbers (rows, width) of a file, or of its ``chosen`` rows, (n,). Raises RunError where they are not there."""
    try:
        # Of the chosen rows alone there is a copy in memory; those who share a machine share what it read of a file.
        numbers = (
            np.fromfile(path, np.float32)
            if chosen is None or not path.stat().st_size  # which cannot be mapped
            else np.memmap(path, np.float32, "r")
        )
    except OSError as error:
        raise RunError(
            "run.rows", f"{path} cannot be read: {error.strerror}", "repeat with --resume"
        ) from error
    except ValueError:  # no whole number of numbers can be mapped
        numbers = np.empty(0, np.float32)
    if len(numbers) != rows * width:
        raise RunError("run.rows", f"{path} is not whole: {len(numbers)} numbers", "repeat with --resume")
    matrix = numbers.reshape(rows, width)
    return matrix if chosen is None else np.asarray(matrix[chosen])


def check_space(folder: Path, needed: int, free: int) -> None:
    """Raise OutputError where a disk with ``free`` bytes lacks room for the rows."""
    if needed > free:
        raise OutputError(
            "output.disk_space",
            f"training rows that do not fit in memory are kept in {folder}: {needed / 1e9:.1f} GB, but the disk has "
            f"{free / 1e9:.1f} GB left",
            "make room, give -o on a larger disk, or allow more memory with --memory",
        )
