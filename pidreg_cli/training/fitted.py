"""A fitted model: transforms, network, and what they say of new rows. Knows columns, not files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import NetworkSettings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.data.streaming.transforms import fit_on_sample
from pidreg_cli.data.transforms import FeatureKind, FeatureTransform, Imputation, TargetTransform
from pidreg_cli.network.encoders import UNFOLDED, EncoderShape
from pidreg_cli.network.pidreg import ModalityInput, NetworkShape, PIDRegNetwork
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.boosting import BoostedScores
from pidreg_cli.training.reading import Reading, averaged, read

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
    """Fitted transforms of every modality and of the target.

    ``boosted``: scores of sets of modalities, or None; ``encoded``: whether encoders read those of their modality.
    """

    features: Mapping[str, FeatureTransform]
    target: TargetTransform
    boosted: BoostedScores | None = None
    encoded: bool = False

    @classmethod
    def fit(
        cls,
        arrays: MultimodalArrays,
        kind: FeatureKind,
        imputation: Imputation = "median",
        dealt: DealtTable | None = None,
        *,
        hides: bool = False,
    ) -> Transforms:
        """Fit on these rows (training rows only); ``dealt``: the table of which they are a sample, if they are one.
        ``hides``: whether training hides modalities from rows.
        """
        features = {
            name: FeatureTransform.fit(block, arrays.columns[name], kind, imputation)
            if dealt is None
            else fit_on_sample(block, arrays.columns[name], dealt.facts[name], kind, imputation)
            for name, block in arrays.features.items()
        }
        target = TargetTransform.fit(arrays.required_target if dealt is None else dealt.targets)
        return cls({name: replace(one, hides=hides) for name, one in features.items()}, target)

    def inputs(
        self, arrays: MultimodalArrays, device: torch.device, scores: Floats | None = None
    ) -> list[ModalityInput]:
        """Tensors of the rows for the network. ``scores`` (n_rows, n_modalities): boosted scores for the encoders, if
        these read some.
        """
        found = []
        for position, (name, transform) in enumerate(self.features.items()):
            applied = transform.apply(arrays.features[name])
            parts = [applied.values, applied.units, applied.indicators]
            if scores is not None:
                parts.append(scores[:, [position]].astype(np.float32))
            found.append(torch.from_numpy(np.hstack(parts)).to(device))
        return found

    def scores(self, arrays: MultimodalArrays, masks: Sequence[int]) -> dict[int, Floats]:
        """Boosted scores (n_rows,) of the sets in ``masks`` that have one, for rows that did not fit them."""
        if self.boosted is None:
            return {}
        blocks = {
            name: transform.completed(arrays.features[name]) for name, transform in self.features.items()
        }
        return self.boosted.predict(blocks, [mask for mask in masks if mask in self.boosted.models])

    def encoder_scores(self, arrays: MultimodalArrays) -> Floats | None:
        """Boosted scores (n_rows, n_modalities) as the encoders read them, None where they read none."""
        return single_scores(self.scores(arrays, singles(len(self.features)))) if self.encoded else None

    def rows(self, arrays: MultimodalArrays, device: torch.device, scores: Floats | None = None) -> Rows:
        """Inputs and targets of rows that have a target; ``scores`` as for ``inputs``."""
        target = arrays.required_target
        standard = torch.as_tensor(self.target.standardise(target), dtype=torch.float32, device=device)
        score = torch.as_tensor(self.target.forward(target), dtype=torch.float32, device=device)
        present = [~np.isnan(arrays.features[name]).all(axis=1) for name in self.features]
        return Rows(
            self.inputs(arrays, device, scores),
            standard,
            score,
            torch.from_numpy(np.column_stack(present)).to(device),
            self._absent(arrays, device),
        )

    def _absent(self, arrays: MultimodalArrays, device: torch.device) -> list[ModalityInput]:
        """Inputs (1, p) of a row that lacks everything."""
        blank = {
            name: np.full((1, block.shape[1]), np.nan, np.float32) for name, block in arrays.features.items()
        }
        row = replace(arrays.take(np.arange(1)), features=blank)
        return self.inputs(row, device, self.encoder_scores(row))


def network_shape(
    transforms: Transforms, lists: Collection[str], settings: NetworkSettings, member: int = 0
) -> NetworkShape:
    """Sizes of the network for these inputs.

    ``lists``: modalities of list columns; ``member``: which of the networks of a model, from 0. Raises ValueError where
    the kind of encoders is still to be chosen.
    """
    encoder = settings.encoder
    tabular = settings.further[member - 1] if member else encoder.kind
    if tabular == "auto":
        raise ValueError("a network has encoders of a kind, and auto is none")
    kinds = {name: encoder.list_kind if name in lists else tabular for name in transforms.features}
    kinds |= encoder.kinds
    d = code_dimension(settings, len(transforms.features))
    encoders = tuple(
        EncoderShape(
            kind=kinds[name],
            features=len(transform.columns),
            plain=len(transform.units) + transform.indicators + transforms.encoded,
            code_dim=d,
            width=encoder.width if kinds[name] != "fourier" else encoder.wave_width or encoder.width,
            depth=encoder.depth,
            # Every sine holds a part of every fold: little dropout, and none by default (docs/training.md).
            dropout=encoder.dropout if kinds[name] != "fourier" else encoder.wave_dropout or 0.0,
            embedding_dim=encoder.embedding_dim,
            frequencies=encoder.frequencies,
            frequency_scale=encoder.frequency_scale,
            waves=encoder.waves,
            wave_layers=encoder.wave_layers,
            unfolded=UNFOLDED,
        )
        for name, transform in transforms.features.items()
    )
    return NetworkShape(
        encoders,
        d,
        settings.bottleneck_start,
        settings.fusion_floor,
        settings.predictor_width,
        settings.predictor_depth,
        settings.head_width,
        settings.head_dropout,
        settings.fusion_involvement,
    )


@dataclass(frozen=True)
class FittedModel:
    """Transforms and networks of one training.

    ``networks``: from different seeds, with encoders of several kinds; predictions and scores of their heads are
    averaged, codes are those of the first. ``tree_share`` in [0, 1]: of the boosted score of all modalities in a
    prediction.
    """

    columns: Mapping[str, tuple[str, ...]]
    transforms: Transforms
    networks: tuple[PIDRegNetwork, ...]
    tree_share: float = 0.0

    @property
    def device(self) -> torch.device:
        """Where the networks live."""
        return self.networks[0].fusion.weights.device

    @property
    def fusion_weights(self) -> Floats:
        """Mean over the networks, in the order of ``Fusion.weights``."""
        weights = [network.fusion.weights.double().cpu().numpy() for network in self.networks]
        return np.asarray(np.mean(weights, axis=0))

    @property
    def product_share(self) -> float:
        """Of products of codes in the squared gains of the fusion, which sum to one; mean over the networks."""
        pairs = [network.fusion.gains[len(self.columns) :] for network in self.networks]
        return float(np.mean([float(gains.square().sum()) for gains in pairs]))

    @property
    def shares(self) -> Floats:
        """lambda of each bottleneck, mean over the networks, (n_modalities,)."""
        return np.asarray(np.mean([network.shares for network in self.networks], axis=0))

    def read(self, arrays: MultimodalArrays, masks: Sequence[int], trees: Sequence[int] = ()) -> Reading:
        """Codes, standardised predictions, scores of the heads of the sets in ``masks``, of the trees of those in
        ``trees``.
        """
        several = len(arrays.names)
        wanted = {*trees}
        if self.transforms.encoded:
            wanted |= {*singles(several)}
        if self.tree_share:
            wanted.add((1 << several) - 1)
        boosted = self.transforms.scores(arrays, sorted(wanted))
        alone = {mask: boosted[mask] for mask in singles(several) if mask in boosted}
        encoded = single_scores(alone) if self.transforms.encoded else None
        inputs = self.transforms.inputs(arrays, self.device, encoded)
        found = averaged([read(network, inputs, masks) for network in self.networks])
        if self.tree_share:
            together = boosted[(1 << several) - 1]
            mixed = (1 - self.tree_share) * found.prediction + self.tree_share * together
            found = replace(found, prediction=mixed)
        return replace(found, boosted={mask: boosted[mask] for mask in trees if mask in boosted})

    def predict(self, arrays: MultimodalArrays) -> Floats:
        """Predictions in the units of the target, shape (n_rows,)."""
        return self.transforms.target.restore(self.read(arrays, []).prediction)


def singles(modalities: int) -> list[int]:
    """The bitmask of each modality alone."""
    return [1 << i for i in range(modalities)]


def single_scores(scores: Mapping[int, Floats]) -> Floats:
    """Scores of single modalities as columns, (n_rows, n_modalities)."""
    return np.column_stack([scores[mask] for mask in sorted(scores)])
