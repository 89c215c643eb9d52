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
from pidreg_cli.training.boosting import BoostedScores
from pidreg_cli.training.fitted import FittedModel, Transforms
from pidreg_cli.version import __version__

ARCHITECTURE = "model.json"
WEIGHTS = "model.safetensors"
FORMAT_VERSION = "1.0"
BOOSTED = "boosted."  # tensors of the trees start like this, no weight of the network does


@dataclass(frozen=True)
class ModelRoles:
    """Columns of the table: of each modality (a list column counts once), of the target, of the row's id if any."""

    modalities: Mapping[str, Sequence[str]]
    target: str
    id: str | None


def architecture_text(model: FittedModel, roles: ModelRoles) -> str:
    """Content of ``model.json``."""
    shape, boosted = model.shape, model.transforms.boosted
    document = {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "roles": asdict(roles),
        "network": {key: value for key, value in asdict(shape).items() if key != "encoders"},
        "modalities": [
            {
                "name": name,
                "columns": list(columns),
                "encoder": asdict(encoder),
                "transform": model.transforms.features[name].to_dict(),
            }
            for (name, columns), encoder in zip(model.columns.items(), shape.encoders, strict=True)
        ],
        "target_transform": model.transforms.target.to_dict(),
        "boosted": None if boosted is None else {"folds": boosted.folds},
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def weights_bytes(model: FittedModel) -> bytes:
    """Content of ``model.safetensors``."""
    tensors = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()
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
        model.network.load_state_dict(weights)
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
    encoders = tuple(EncoderShape(**modality["encoder"]) for modality in modalities)
    shape = NetworkShape(encoders=encoders, **document["network"])
    features = {m["name"]: FeatureTransform.from_dict(m["transform"]) for m in modalities}
    transforms = Transforms(features, TargetTransform.from_dict(document["target_transform"]))
    columns = {m["name"]: tuple(m["columns"]) for m in modalities}
    network = PIDRegNetwork(shape, torch.Generator()).to(device)
    return FittedModel(columns, transforms, shape, network)


def _folds(document: Mapping[str, Any]) -> int | None:
    """Fold models of the boosted scores of a modality, None where encoders read no scores."""
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
    features = {
        name: encoder.features for name, encoder in zip(model.columns, model.shape.encoders, strict=True)
    }
    scores = BoostedScores.from_tensors(features, folds, trees)
    return replace(model, transforms=replace(model.transforms, boosted=scores))


def _refuse(path: Path, why: str, cause: Exception | None) -> NoReturn:
    hint = "give a run folder made by pidreg fit, or fit again"
    raise RunError("run.model", f"{path}: the model cannot be read: {why}", hint) from cause
