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
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from pidreg_cli.data.features import feature_names
from pidreg_cli.data.new_rows import list_width
from pidreg_cli.data.transforms import FeatureTransform, TargetTransform
from pidreg_cli.errors import RunError
from pidreg_cli.limited_reading import (
    limited_bytes,
    limited_json,
    most_of_numbers,
    refuse_beyond_memory,
    refuse_special_file,
)
from pidreg_cli.network.pidreg import NetworkShape
from pidreg_cli.network.stored import restored, shape_from
from pidreg_cli.sealed_tensors import check_seal, digest_of, header_of, metadata_of, sealed
from pidreg_cli.training.boosting import BoostedScores, scored_sets
from pidreg_cli.training.fitted import FittedModel, Transforms
from pidreg_cli.version import __version__

ARCHITECTURE = "model.json"
WEIGHTS = "model.safetensors"
FORMAT_VERSION = "3.2"  # 3.1: sines in one layer, a fusion of equal floors
MOST_BYTES = 2**29  # of ``model.json``, of which a feature takes 22 kB: 20,000 have less
UNTIED = "3.0"  # the version that was written without digests
TIED = "architecture"  # in the header of the tensors: digest of ``model.json``
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


def weights_bytes(model: FittedModel, architecture: str) -> bytes:
    """Content of ``model.safetensors``, tied to that of ``model.json``."""
    tensors = {
        f"{number}.{name}": tensor.detach().cpu().contiguous()
        for number, network in enumerate(model.networks)
        for name, tensor in network.state_dict().items()
    }
    if model.transforms.boosted is not None:
        trees = model.transforms.boosted.to_tensors()
        tensors |= {BOOSTED + name: tensor for name, tensor in trees.items()}
    return save(tensors, sealed({TIED: digest_of(architecture.encode())}, _arrays(tensors)))


def read_model(folder: Path, device: torch.device) -> tuple[FittedModel, ModelRoles]:
    """The model of a run folder. Raises RunError where a file is missing, damaged or of another major version."""
    document, digest = _document(folder)
    tensors = _tensors(folder / WEIGHTS, digest, str(document["format_version"]))
    weights, trees = _separated(tensors)
    try:
        columns, transforms, share = _described(document)
        shapes = [shape_from(stored) for stored in document["networks"]]
        _check_inputs(shapes, transforms)
        folds, roles = _folds(document), _roles(document["roles"], columns)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        _refuse(folder / ARCHITECTURE, f"it does not describe a model ({error!r})", error)
    try:
        parts = _of_networks(weights, len(shapes))
        networks = tuple(restored(shape, part, device) for shape, part in zip(shapes, parts, strict=True))
        model = _with_scores(FittedModel(columns, transforms, networks, share), folds, trees)
    except (RuntimeError, ValueError) as error:
        _refuse(folder / WEIGHTS, str(error).splitlines()[0], error)
    return model, roles


def _document(folder: Path) -> tuple[Mapping[str, Any], str]:
    """The description of the model, and the digest of its file."""
    path = folder / ARCHITECTURE
    try:
        refuse_special_file(path)
        content = limited_bytes(path, MOST_BYTES)
        document = limited_json(content, most_of_numbers(len(content)), refuse_constant=_refuse_constant)
    except (OSError, ValueError) as error:
        _refuse(path, str(error), error)
    version = document.get("format_version") if isinstance(document, dict) else None
    if not isinstance(version, str) or version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        _refuse(path, f"its format version is {version!r}, this pidreg reads {FORMAT_VERSION}", None)
    return dict(document), digest_of(content)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _tensors(path: Path, architecture: str, version: str) -> dict[str, Tensor]:
    """The tensors of a model whose ``model.json`` has this digest and format version."""
    try:
        refuse_special_file(path)
        refuse_beyond_memory(path)
        content = limited_bytes(path, path.stat().st_size)
        tensors, metadata = load(content), metadata_of(content)
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        _refuse(path, str(error).splitlines()[0], error)
    if not metadata and version == UNTIED:
        return tensors
    try:
        header = header_of(metadata)
        check_seal(header, _arrays(tensors), version)
    except (TypeError, ValueError) as error:
        _refuse(path, str(error), error)
    if header.get(TIED) != architecture:
        why = f"it was changed since the fit, or belongs to another model than {WEIGHTS}"
        _refuse(path.with_name(ARCHITECTURE), why, None)
    return tensors


def _arrays(tensors: Mapping[str, Tensor]) -> dict[str, NDArray[Any]]:
    return {name: tensor.numpy() for name, tensor in tensors.items()}


def _described(document: Mapping[str, Any]) -> tuple[dict[str, tuple[str, ...]], Transforms, float]:
    """Columns by modality, transforms without their trees, and these trees' share of predictions."""
    modalities = document["modalities"]
    features = {m["name"]: FeatureTransform.from_dict(m["transform"]) for m in modalities}
    transforms = Transforms(features, TargetTransform.from_dict(document["target_transform"]))
    columns = {m["name"]: tuple(m["columns"]) for m in modalities}
    if not features or len(features) != len(modalities) or not all(isinstance(n, str) for n in features):
        raise ValueError("modalities without a name of their own")
    if any(columns[name] != transform.columns for name, transform in features.items()):
        raise ValueError("transforms of other columns than the modality's")
    boosted = document["boosted"]
    if boosted is None:
        return columns, transforms, 0.0
    share = float(boosted["share"])
    if not 0 <= share <= 1:
        raise ValueError(f"share={share}")
    return columns, replace(transforms, encoded=bool(boosted["encoded"])), share


def _check_inputs(shapes: Sequence[NetworkShape], transforms: Transforms) -> None:
    """Raise ValueError where a network reads other numbers than the transforms give."""
    given = [
        (len(one.columns), len(one.units) + one.indicators + transforms.encoded)
        for one in transforms.features.values()
    ]
    if not shapes or any([(e.features, e.plain) for e in shape.encoders] != given for shape in shapes):
        raise ValueError("networks without an encoder of the columns of each modality")
    if any(encoder.code_dim != shape.code_dim for shape in shapes for encoder in shape.encoders):
        raise ValueError("encoders of other codes than the network's")


def _roles(stored: Mapping[str, Any], features: Mapping[str, Sequence[str]]) -> ModelRoles:
    """Columns of the table. Raises ValueError where the model's ``features`` are not those of these columns."""
    roles = ModelRoles(**stored)
    names = [*roles.modalities, *(column for block in roles.modalities.values() for column in block)]
    if not all(isinstance(name, str) for name in (*names, roles.target, roles.id or "")):
        raise ValueError("roles must name columns")
    if list(roles.modalities) != list(features):
        raise ValueError("roles of other modalities than the model's")
    for name, columns in roles.modalities.items():
        made = [made for c in columns for made in feature_names(c, list_width(c, features[name]))]
        if made != list(features[name]):
            raise ValueError(f"features of {name!r} of other columns than its roles")
    return roles


def _of_networks(weights: Mapping[str, Tensor], count: int) -> list[dict[str, Tensor]]:
    """The weights of each network. Raises ValueError where some belong to none."""
    parts: dict[str, dict[str, Tensor]] = {str(number): {} for number in range(count)}
    for name, tensor in weights.items():
        number, _, rest = name.partition(".")
        if number not in parts:
            raise ValueError(f"{name!r} belongs to no network of the model")
        parts[number][rest] = tensor
    return list(parts.values())


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
