"""``prediction.safetensors``: what predictions of a run need beside its model. Plain tensors, the same bytes for equal
fits.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from pidreg_cli.decisions.prediction.calibrated import Calibrated
from pidreg_cli.decisions.prediction.rows import Predictor
from pidreg_cli.decisions.prediction.set_predictor import SetPredictor
from pidreg_cli.errors import RunError
from pidreg_cli.information.completion import CodeMoments
from pidreg_cli.model_files import WEIGHTS, ModelRoles, read_model
from pidreg_cli.sealed_tensors import check_seal, digest_of, digest_of_file, read_sealed, sealed
from pidreg_cli.training.fitted import FittedModel

PREDICTION = "prediction.safetensors"
FORMAT_VERSION = "1.1"  # 1.0: without a digest of its own content


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
        "weights": digest_of(weights),
        "protocol": calibrated.protocol,
        "heads": calibrated.heads,
        "trees": calibrated.trees,
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return save(arrays, sealed(header, arrays))


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
    if header["weights"] != digest_of_file(folder / WEIGHTS):
        _refuse(path, f"it was calibrated for another model than that in {WEIGHTS}")
    try:
        return Predictor(model, _built(header, arrays, model)), roles
    except (KeyError, TypeError, ValueError) as error:
        _refuse(path, str(error), error)


def _content(path: Path) -> tuple[Mapping[str, Any], dict[str, NDArray[Any]]]:
    try:
        header, arrays = read_sealed(path)
        version = str(header["format_version"])
        header["weights"], header["protocol"], bool(header["heads"]), bool(header["trees"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        _refuse(path, str(error), error)
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        _refuse(path, f"its format version is {version}, this pidreg reads {FORMAT_VERSION}")
    try:
        check_seal(header, arrays, version)
    except ValueError as error:
        _refuse(path, str(error), error)
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
    _check_moments(found)
    return found


def _check_moments(calibrated: Calibrated) -> None:
    """Raise ValueError where the covariance of the codes is none."""
    moments = calibrated.moments
    n, d = moments.mean.shape
    matrix = moments.covariance.reshape(n * d, n * d)
    if not np.allclose(matrix, matrix.T):
        raise ValueError("the covariance of the codes is not symmetric")
    try:
        # What predictions make of it, and keep.
        moments.distances(list(moments.mean[:, None]))
        calibrated.completions  # noqa: B018
    except np.linalg.LinAlgError as error:
        raise ValueError("the covariance of the codes is not positive definite") from error


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


def _refuse(path: Path, why: str, cause: Exception | None = None) -> NoReturn:
    hint = "give a run folder made by pidreg fit, or fit again"
    raise RunError("run.prediction", f"{path} cannot be read: {why}", hint) from cause
