"""A fitted model: transforms, network, and what they say of new rows. Knows columns, not files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import NetworkSettings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.transforms import FeatureKind, FeatureTransform, TargetTransform
from pidreg_cli.network.encoders import EncoderShape
from pidreg_cli.network.pidreg import ModalityInput, NetworkShape, PIDRegNetwork
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.boosting import BoostedScores
from pidreg_cli.training.reading import Reading, read

Floats = NDArray[np.float64]

CODE_DIMENSIONS = ((3, 64), (5, 32), (8, 16))
"""Up to so many modalities, so many numbers per code: keeps the products of all codes, and with them the features of
the readouts and their held-out bias, within a few hundred."""
SMALLEST_CODE = 8


def code_dimension(settings: NetworkSettings, modalities: int) -> int:
    """The configured dimension, or for ``auto`` the one for this number of modalities."""
    if settings.code_dim != "auto":
        return settings.code_dim
    return next((d for most, d in CODE_DIMENSIONS if modalities <= most), SMALLEST_CODE)


@dataclass(frozen=True)
class Transforms:
    """Fitted transforms of every modality and of the target; ``boosted``: scores that encoders read too, or None."""

    features: Mapping[str, FeatureTransform]
    target: TargetTransform
    boosted: BoostedScores | None = None

    @classmethod
    def fit(cls, arrays: MultimodalArrays, kind: FeatureKind) -> Transforms:
        """Fit on these rows (training rows only)."""
        features = {
            name: FeatureTransform.fit(block, arrays.columns[name], kind)
            for name, block in arrays.features.items()
        }
        return cls(features, TargetTransform.fit(arrays.required_target))

    def inputs(
        self, arrays: MultimodalArrays, device: torch.device, scores: Floats | None = None
    ) -> list[ModalityInput]:
        """Tensors of the rows for the network. ``scores`` (n_rows, n_modalities): boosted scores to read instead of
        the mean of the fold models, for rows that fitted these.
        """
        if scores is None and self.boosted is not None:
            scores = self.scores(arrays, self.boosted)
        found = []
        for position, (name, transform) in enumerate(self.features.items()):
            applied = transform.apply(arrays.features[name])
            plain = [applied.units, applied.indicators]
            if scores is not None:
                plain.append(scores[:, [position]].astype(np.float32))
            found.append(
                (
                    torch.from_numpy(applied.values).to(device),
                    torch.from_numpy(np.hstack(plain)).to(device),
                )
            )
        return found

    def scores(self, arrays: MultimodalArrays, boosted: BoostedScores) -> Floats:
        """Boosted scores (n_rows, n_modalities) of rows that did not fit them."""
        blocks = {
            name: transform.completed(arrays.features[name]) for name, transform in self.features.items()
        }
        return boosted.predict(blocks)

    def rows(self, arrays: MultimodalArrays, device: torch.device, scores: Floats | None = None) -> Rows:
        """Inputs and targets of rows that have a target; ``scores`` as for ``inputs``."""
        target = arrays.required_target
        standard = torch.as_tensor(self.target.standardise(target), dtype=torch.float32, device=device)
        score = torch.as_tensor(self.target.forward(target), dtype=torch.float32, device=device)
        return Rows(self.inputs(arrays, device, scores), standard, score)


def network_shape(transforms: Transforms, settings: NetworkSettings) -> NetworkShape:
    """Sizes of the network for these inputs."""
    encoder = settings.encoder
    d = code_dimension(settings, len(transforms.features))
    encoders = tuple(
        EncoderShape(
            kind=encoder.kinds.get(name, encoder.kind),
            features=len(transform.columns),
            plain=len(transform.units) + transform.indicators + (transforms.boosted is not None),
            code_dim=d,
            width=encoder.width,
            depth=encoder.depth,
            dropout=encoder.dropout,
            embedding_dim=encoder.embedding_dim,
            frequencies=encoder.frequencies,
            frequency_scale=encoder.frequency_scale,
        )
        for name, transform in transforms.features.items()
    )
    return NetworkShape(
        encoders,
        d,
        settings.bottleneck_start,
        settings.skip,
        settings.predictor_width,
        settings.predictor_depth,
        settings.head_width,
        settings.head_dropout,
    )


@dataclass(frozen=True)
class FittedModel:
    """Transforms and network of one training."""

    columns: Mapping[str, tuple[str, ...]]
    transforms: Transforms
    shape: NetworkShape
    network: PIDRegNetwork

    @property
    def device(self) -> torch.device:
        """Where the network lives."""
        return self.network.fusion.weights.device

    def read(self, arrays: MultimodalArrays, masks: Sequence[int]) -> Reading:
        """Codes, standardised predictions and the heads' scores of the sets in ``masks``."""
        return read(self.network, self.transforms.inputs(arrays, self.device), masks)

    def predict(self, arrays: MultimodalArrays) -> Floats:
        """Predictions in the units of the target, shape (n_rows,)."""
        return self.transforms.target.restore(self.read(arrays, []).prediction)
