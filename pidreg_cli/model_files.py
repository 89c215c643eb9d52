"""The files of a fitted model: ``model.json`` (architecture, roles, transforms) and ``model.safetensors`` (weights,
and boosted trees as compressed bytes).

Plain numbers and tensors only: reading a model executes nothing. Both are the same bytes for equal models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pidreg_cli.data.transforms import FeatureTransform, TargetTransform
from pidreg_cli.errors import RunError
from pidreg_cli.network.encoders import EncoderShape
from pidreg_cli.network.pidreg import NetworkShape, PIDRegNetwork
from pidreg_cli.training.boosting import BoostedScores, scored_sets
from pidreg_cli.training.fitted import FittedModel, Transforms
from pidreg_cli.version import __version__

ARCHITECTURE = "model.json"
WEIGHTS = "model.safetensors"
FORMAT_VERSION = "3.0"
BOOSTED = "boosted."  # tensors of the trees start like this, no weight of the network does


@dataclass(frozen=True)
class ModelRoles:
    """Columns of the table: of each modality (a list column counts once), of the target, of the row's id if any."""

    modalities: Mapping[str, Sequence[str]]
    target: str
    id: str | None


def architecture_text(model: FittedModel, roles: ModelRoles) -> str:
    """Content of ``model.json``."""
    boosted = model.transforms.boosted
    document = {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "roles": asdict(roles),
        "networks": [asdict(network.shape) for network in model.networks],
        "modalities": [
            {
                "name": name,
                "columns": list(columns),
                "transform": model.transforms.features[name].to_dict(),
            }
            for name, columns in model.columns.items()
        ],
        "target_transform": model.transforms.target.to_dict(),
        "boosted": None
        if boosted is None
        else {"folds": boosted.folds, "encoded": model.transforms.encoded, "share": model.tree_share},
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def weights_bytes(model: FittedModel) -> bytes:
    """Content of ``model.safetensors``."""
    tensors = {
        f"{number}.{name}": tensor.detach().cpu().contiguous()
        for number, network in enumerate(model.networks)
        for name, tensor in network.state_dict().items()
    }
    if model.transforms.boosted is not None:
        trees = model.transforms.boosted.to_tensors()
        tensors |= {BOOSTED + name: tensor for name, tensor in trees.items()}
    return save(tensors)


def read_model(folder: Path, device: torch.device) -> tuple[FittedModel, ModelRoles]:
    """The model of a run folder. Raises RunError where a file is missing, damaged or of another major version."""
    document = _document(folder)
    try:
        model, folds = _built(document, device), _folds(document)
        roles = ModelRoles(**document["roles"])
    except (KeyError, TypeError, ValueError) as error:
        _refuse(folder / ARCHITECTURE, f"it does not describe a model ({error!r})", error)
    try:
        weights, trees = _separated(load((folder / WEIGHTS).read_bytes()))
        _load_weights(model, weights)
        model = _with_scores(model, folds, trees)
    except (OSError, SafetensorError, RuntimeError, ValueError) as error:
        _refuse(folder / WEIGHTS, str(error).splitlines()[0], error)
    return model, roles


def _document(folder: Path) -> Mapping[str, Any]:
    path = folder / ARCHITECTURE
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        _refuse(path, str(error), error)
    version = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        _refuse(path, f"its format version is {version!r}, this pidreg reads {FORMAT_VERSION}", None)
    return dict(document)


def _built(document: Mapping[str, Any], device: torch.device) -> FittedModel:
    modalities = document["modalities"]
    features = {m["name"]: FeatureTransform.from_dict(m["transform"]) for m in modalities}
    transforms = Transforms(features, TargetTransform.from_dict(document["target_transform"]))
    columns = {m["name"]: tuple(m["columns"]) for m in modalities}
    networks = tuple(
        PIDRegNetwork(_shape(stored), torch.Generator()).to(device) for stored in document["networks"]
    )
    if not networks or any(len(network.shape.encoders) != len(columns) for network in networks):
        raise ValueError("networks without an encoder of each modality")
    boosted = document["boosted"]
    if boosted is None:
        return FittedModel(columns, transforms, networks)
    share = float(boosted["share"])
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}")
    encoded = replace(transforms, encoded=bool(boosted["encoded"]))
    return FittedModel(columns, encoded, networks, share)


def _shape(stored: Mapping[str, Any]) -> NetworkShape:
    encoders = tuple(EncoderShape(**encoder) for encoder in stored["encoders"])
    return NetworkShape(**{**stored, "encoders": encoders})


def _load_weights(model: FittedModel, weights: Mapping[str, Tensor]) -> None:
    """Give each network its weights. Raises RuntimeError where they do not fit, or belong to no network."""
    parts: dict[str, dict[str, Tensor]] = {str(number): {} for number in range(len(model.networks))}
    for name, tensor in weights.items():
        number, _, rest = name.partition(".")
        if number not in parts:
            raise RuntimeError(f"{name!r} belongs to no network of the model")
        parts[number][rest] = tensor
    for network, part in zip(model.networks, parts.values(), strict=True):
        network.load_state_dict(part)


def _folds(document: Mapping[str, Any]) -> int | None:
    """Fold models of a boosted score, None where the model has no trees."""
    stored = document.get("boosted")
    return None if stored is None else int(stored["folds"])


def _separated(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights of the network, and the boosted trees."""
    trees = {name.removeprefix(BOOSTED): t for name, t in tensors.items() if name.startswith(BOOSTED)}
    return {name: t for name, t in tensors.items() if not name.startswith(BOOSTED)}, trees


def _with_scores(model: FittedModel, folds: int | None, trees: Mapping[str, Tensor]) -> FittedModel:
    """The model with the boosted scores it was trained with. Raises ValueError where they are damaged."""
    if folds is None:
        if trees:
            raise ValueError(f"it holds boosted trees, {ARCHITECTURE} names none")
        return model
    features = {name: len(transform.columns) for name, transform in model.transforms.features.items()}
    scores = BoostedScores.from_tensors(features, folds, scored_sets(len(features)), trees)
    if model.tree_share and scores.full is None:
        raise ValueError("the trees of all modalities have a share of the prediction, but there are none")
    return replace(model, transforms=replace(model.transforms, boosted=scores))


def _refuse(path: Path, why: str, cause: Exception | None) -> NoReturn:
    hint = "give a run folder made by pidreg fit, or fit again"
    raise RunError("run.model", f"{path}: the model cannot be read: {why}", hint) from cause
