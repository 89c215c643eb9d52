"""What a fitted model reads in batches of new rows: codes, scores and predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.batches import Block, BlockReader
from pidreg_cli.data.columns import as_floats
from pidreg_cli.data.covariates import Covariates
from pidreg_cli.data.naming import listing
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.decomposing.readers import Tally
from pidreg_cli.errors import DataError
from pidreg_cli.information.arrays import Ints
from pidreg_cli.information.features import FeatureTable, Interactions, ReadoutBlocks, feature_table
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.metrics import RunningAccuracy
from pidreg_cli.training.reading import all_masks, readout_blocks

PROBED = 8
"""Rows read beforehand, to see how many features a row has."""


class ModelReader:
    """Rows as the readouts of a model see them. ``errors``: of its predictions of the rows read."""

    single = False  # codes of a model follow each other

    def __init__(
        self,
        table: ParquetTable,
        roles: Roles,
        model: FittedModel,
        settings: Settings,
        interactions: Interactions,
        covariates: Covariates,
    ) -> None:
        self._reader = BlockReader.of(table, roles.modalities)
        _check_names(self._reader.names, model.columns)
        self._model, self._covariates, self._interactions = model, covariates, interactions
        self._target = roles.target
        masks = all_masks(len(roles.modalities))
        # As in the fit: without the sufficiency term the heads never learned.
        self._heads, self._trees = masks if settings.loss.sufficiency else [], masks
        self.columns = [*self._reader.columns, *covariates.columns, roles.target]
        self.tally, self.errors = Tally(), RunningAccuracy()
        probe = next(table.batches(list(dict.fromkeys(self.columns)), PROBED))
        self.layout = self._features(probe, 0, np.arange(probe.num_rows)).layout
        self.tally, self.errors = Tally(), RunningAccuracy()

    def read(self, batch: pa.RecordBatch, first: int, chosen: Ints, rows: Block) -> None:
        """As ``RowReader``."""
        rows[:, :-1] = self._features(batch, first, chosen).values

    def _features(self, batch: pa.RecordBatch, first: int, chosen: Ints) -> FeatureTable:
        blocks = self._reader.blocks(batch, first, chosen)
        self.tally.add(blocks)
        features = {name: np.ascontiguousarray(block, np.float32) for name, block in blocks.items()}
        arrays = MultimodalArrays(features, self._model.columns, None, first + chosen)
        reading = self._model.read(arrays, self._heads, self._trees)
        target = self._model.transforms.target
        self.errors.add(as_floats(batch.column(self._target))[chosen], target.restore(reading.prediction))
        seen = readout_blocks(reading, lambda standard: target.forward(target.restore(standard)))
        given = self._covariates.apply(batch, first)[chosen] if self._covariates.parts else None
        return feature_table(ReadoutBlocks(seen.codes, seen.scores, given=given), self._interactions)


def _check_names(found: Mapping[str, Sequence[str]], model: Mapping[str, Sequence[str]]) -> None:
    """Raise DataError where lists have another number of elements than those of the fit."""
    for name, columns in model.items():
        if tuple(found[name]) != tuple(columns):
            raise DataError(
                "data.other_features",
                f"Modality {name!r} has {len(found[name])} features here, {len(columns)} in the run "
                f"({listing(list(columns))}).",
                "Give rows with the columns, and lists of the length, that the run was fitted on.",
            )
