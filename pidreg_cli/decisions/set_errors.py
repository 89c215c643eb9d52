"""How far sets of modalities miss the target, summed over jackknife groups of the rows that select."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from pidreg_cli.information.intervals import Jackknife, jackknife_of_sums, refitted

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class SetErrors:
    """Squared errors of the sets ``masks``; the first is the empty set, which predicts the mean.

    ``rows`` (G,): rows of each jackknife group; ``sums`` (G, m): squared errors of its rows; ``growth`` (G, m): by how
    much those of the others would grow had the group not been there to fit on (``CrossFit.influences``), None to hold
    the fits fixed. Sets are addressed by their place among ``masks``.
    """

    masks: tuple[int, ...]
    rows: Floats
    sums: Floats
    growth: Floats | None = None

    @classmethod
    def of_rows(cls, errors: Floats, groups: Ints, influences: Floats | None = None) -> SetErrors:
        """Of every set, from squared errors (rows, 2**n), the group of each row, and influences of that shape."""
        _, labels = np.unique(groups, return_inverse=True)
        growth = None if influences is None else _summed(influences, labels)
        counts = np.bincount(labels).astype(np.float64)
        return cls(tuple(range(errors.shape[1])), counts, _summed(errors, labels), growth)

    @property
    def count(self) -> int:
        """Rows in all."""
        return int(self.rows.sum())

    @cached_property
    def places(self) -> dict[int, int]:
        """Place of each set."""
        return {mask: place for place, mask in enumerate(self.masks)}

    @cached_property
    def rmse(self) -> Floats:
        """Expected RMSE of each set, (m,)."""
        return np.asarray(np.sqrt(self.sums.sum(axis=0) / self.rows.sum()))

    @cached_property
    def jackknife(self) -> Jackknife:
        """Of ``-log2`` of the RMSE against that of the mean, by place: differences are those of log RMSE."""
        return jackknife_of_sums(self.sums, self.growth)

    def rmse_intervals(self, confidence: float) -> Floats:
        """Intervals of the expected RMSE, (m, 2): by the jackknife of its logarithm, with Student's t."""
        others = self.sums.sum(axis=0) - self.sums
        if self.growth is not None:
            others = refitted(others, self.growth)
        left = (self.rows.sum() - self.rows)[:, None]
        logs, groups = 0.5 * np.log(others / left), len(self.rows)
        spread = np.sqrt((groups - 1) / groups * np.sum((logs - logs.mean(axis=0)) ** 2, axis=0))
        reach = np.exp(stdtrit(groups - 1, 0.5 + confidence / 2.0) * spread)
        return np.stack([self.rmse / reach, self.rmse * reach], axis=-1)

    def resampled(self, drawn: Ints) -> SetErrors:
        """With the groups ``drawn`` (G,) in place of all, some of them several times.

        What the change does to the fits counts to first order, as in the jackknife.
        """
        sums = self.sums[drawn]
        if self.growth is None:
            return SetErrors(self.masks, self.rows[drawn], sums)
        times = np.bincount(drawn, minlength=len(self.rows))
        total = sums.sum(axis=0)
        share = refitted(total, (1.0 - times) @ self.growth) / total
        return SetErrors(self.masks, self.rows[drawn], sums * share, self.growth[drawn])


def joined(parts: Sequence[SetErrors]) -> SetErrors:
    """Sets of several evaluations of the same groups, in the order of their bitmasks."""
    masks = [mask for part in parts for mask in part.masks]
    order = sorted(range(len(masks)), key=masks.__getitem__)
    growths = [part.growth for part in parts if part.growth is not None]
    return SetErrors(
        tuple(masks[place] for place in order),
        parts[0].rows,
        np.hstack([part.sums for part in parts])[:, order],
        np.hstack(growths)[:, order] if len(growths) == len(parts) else None,
    )


def _summed(values: Floats, labels: Ints) -> Floats:
    sums = np.zeros((int(labels.max()) + 1, values.shape[1]))
    np.add.at(sums, labels, values)
    return sums
