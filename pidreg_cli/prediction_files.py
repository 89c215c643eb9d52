"""``prediction.safetensors``: what predictions of a run need beside its model. Plain tensors, the same bytes for equal
fits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from pidreg_cli.decisions.prediction.calibrated import Calibrated
from pidreg_cli.decisions.prediction.rows import Predictor
from pidreg_cli.decisions.prediction.set_predictor import SetPredictor
from pidreg_cli.errors import RunError
from pidreg_cli.information.completion import CodeMoments
from pidreg_cli.limited_reading import refuse_special_file
from pidreg_cli.model_files import WEIGHTS, ModelRoles, read_model
from pidreg_cli.training.fitted import FittedModel

PREDICTION = "prediction.safetensors"
FORMAT_VERSION = "1.0"
HEADER = "pidreg"  # the one key of the file's metadata: the order of several would be by chance


def prediction_bytes(calibrated: Calibrated, weights: bytes) -> bytes:
    """Content of ``prediction.safetensors``; ``weights``: those of the model it belongs to."""
    arrays: dict[str, NDArray[Any]] = {
        "moments.mean": calibrated.moments.mean,
        "moments.covariance": calibrated.moments.covariance,
        "far": calibrated.far,
        "far_rows": calibrated.far_rows,
    }
    for mask, predictor in calibrated.sets.items():
        arrays |= {f"set.{mask}.{name}": array for name, array in predictor.to_arrays().items()}
    header = {
        "format_version": FORMAT_VERSION,
        "weights": _digest(weights),
        "protocol": calibrated.protocol,
        "heads": calibrated.heads,
        "trees": calibrated.trees,
    }
    return save({name: np.ascontiguousarray(a) for name, a in arrays.items()}, {HEADER: json.dumps(header)})


def read_predictor(folder: Path, device: torch.device) -> tuple[Predictor, ModelRoles]:
    """The model of a run with all that predictions need.

    Raises RunError where a file is missing, damaged, of another major version, or not of this model.
    """
    model, roles = read_model(folder, device)
    path = folder / PREDICTION
    if not path.exists():
        raise RunError(
            "run.no_prediction",
            f"{folder} has no {PREDICTION}: it was fitted by an earlier version of pidreg, or the file was lost",
            "fit again, or copy the whole run folder",
        )
    header, arrays = _content(path)
    if header["weights"] != _digest((folder / WEIGHTS).read_bytes()):
        _refuse(path, f"it was calibrated for another model than that in {WEIGHTS}")
    try:
        return Predictor(model, _built(header, arrays, model)), roles
    except (KeyError, TypeError, ValueError) as error:
        _refuse(path, str(error), error)


def _content(path: Path) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    try:
        refuse_special_file(path)
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})[HEADER])
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        version = str(header["format_version"])
        header["weights"], header["protocol"], bool(header["heads"]), bool(header["trees"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        _refuse(path, str(error), error)
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        _refuse(path, f"its format version is {version}, this pidreg reads {FORMAT_VERSION}")
    return header, arrays


def _built(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], model: FittedModel) -> Calibrated:
    n, d = len(model.columns), model.networks[0].shape.code_dim
    moments = CodeMoments(arrays["moments.mean"], arrays["moments.covariance"])
    if moments.mean.shape != (n, d) or moments.covariance.shape != (n, d, n, d):
        raise ValueError("moments of other codes than the model's")
    if arrays["far"].shape != (n,) or arrays["far_rows"].shape != (n,):
        raise ValueError("limits of other modalities than the model's")
    parts: dict[int, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        kind, _, rest = name.partition(".")
        if kind == "set":
            mask, _, field = rest.partition(".")
            parts.setdefault(int(mask), {})[field] = array
        if name != "far" and not np.isfinite(array).all():
            raise ValueError(f"{name} holds numbers that are not finite")
    sets = {mask: SetPredictor.from_arrays(parts[mask]) for mask in sorted(parts)}
    if 0 not in sets or max(sets) >= 1 << n:
        raise ValueError("sets of other modalities than the model's")
    found = Calibrated(
        sets, moments, arrays["far"], arrays["far_rows"], header["heads"], header["trees"], header["protocol"]
    )
    _check_widths(found, model)
    return found


def _check_widths(calibrated: Calibrated, model: FittedModel) -> None:
    """Raise ValueError where a set's weights are not of the scores that the model gives of it."""
    boosted = model.transforms.boosted
    full = (1 << calibrated.modalities) - 1
    for mask, predictor in calibrated.sets.items():
        trees = calibrated.trees and boosted is not None and mask in boosted.models
        width = 0 if mask == 0 else 1 + 2 * (calibrated.heads + trees) + (mask == full)
        if len(predictor.weights.slopes) != width:
            raise ValueError(
                f"weights of set {mask} are of {len(predictor.weights.slopes)} scores, not {width}"
            )


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _refuse(path: Path, why: str, cause: Exception | None = None) -> NoReturn:
    hint = "give a run folder made by pidreg fit, or fit again"
    raise RunError("run.prediction", f"{path} cannot be read: {why}", hint) from cause
