"""Networks as a file describes them: plain values that are checked before anything of the size they claim is made."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from pidreg_cli.network.encoders import EncoderShape
from pidreg_cli.network.pidreg import NetworkShape, PIDRegNetwork

LARGEST = 2**31


def shape_from(stored: Mapping[str, Any]) -> NetworkShape:
    """The shape in ``stored``, as ``dataclasses.asdict`` and JSON wrote it.

    Raises KeyError, TypeError or ValueError on anything else.
    """
    encoders = tuple(EncoderShape(**_checked(EncoderShape, encoder)) for encoder in stored["encoders"])
    shape = NetworkShape(**{**_checked(NetworkShape, stored), "encoders": encoders})
    if not 0.0 < shape.bottleneck_start < 1.0:
        raise ValueError(f"bottleneck_start={shape.bottleneck_start!r}")
    return shape


def restored(shape: NetworkShape, weights: Mapping[str, Tensor], device: torch.device) -> PIDRegNetwork:
    """The network of that shape with these weights.

    It is made only where the weights are of its size: a few bytes could else claim all memory there is. Raises
    ValueError where they are not, or not finite.
    """
    _check_layers(shape, len(weights))
    _check_sizes(_sizes(shape), weights)
    network = PIDRegNetwork(shape, torch.Generator())
    network.load_state_dict(dict(weights))
    return network.to(device)


def _checked(kind: type, stored: Any) -> dict[str, Any]:
    """The values of ``stored`` if they are those of a ``kind``; values of other types than plain ones pass."""
    if not isinstance(stored, Mapping):
        raise TypeError(f"{kind.__name__} is not described by {type(stored).__name__}")
    hints = get_type_hints(kind)
    for field in fields(kind):
        # What earlier versions do not store has a default.
        if field.default is MISSING or field.name in stored:
            _check_value(field.name, stored[field.name], hints[field.name])
    return dict(stored)


def _check_value(name: str, value: Any, hint: Any) -> None:
    if get_origin(hint) is Literal:
        fits = value in get_args(hint)
    elif hint is int:
        fits = type(value) is int and 0 <= value < LARGEST
    elif hint is float:
        fits = type(value) in (int, float) and math.isfinite(value)
    else:
        return
    if not fits:
        raise ValueError(f"{name}={value!r}")


def _check_layers(shape: NetworkShape, tensors: int) -> None:
    """Raise ValueError where there are more layers than tensors: laying them out takes time for each."""
    encoders = sum(
        one.depth + (max(1, one.wave_layers) if one.kind == "fourier" else 1) for one in shape.encoders
    )
    layers = encoders + shape.predictor_depth
    if layers > tensors:
        raise ValueError(f"a network of {layers} layers in {tensors} tensors")


def _sizes(shape: NetworkShape) -> dict[str, torch.Size]:
    """Names and sizes of the weights, found without memory for them. Raises ValueError where there can be no such."""
    try:
        with torch.device("meta"), warnings.catch_warnings():
            # Layers without any input are not worth a warning: their weights are compared next.
            warnings.simplefilter("ignore")
            plan = PIDRegNetwork(shape, None)
    except (RuntimeError, OverflowError) as error:
        raise ValueError(f"no network has these sizes: {str(error).splitlines()[0]}") from error
    return {name: tensor.shape for name, tensor in plan.state_dict().items()}


def _check_sizes(expected: Mapping[str, torch.Size], weights: Mapping[str, Tensor]) -> None:
    if other := sorted(set(expected) ^ set(weights)):
        raise ValueError(f"{other[0]} is {'missing' if other[0] in expected else 'of no network'}")
    for name, size in expected.items():
        tensor = weights[name]
        if tensor.shape != size or tensor.dtype != torch.float32:
            found = f"{tensor.dtype} {tuple(tensor.shape)}"
            raise ValueError(f"{name} is {found}, not of the network's size {tuple(size)}")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds numbers that are not finite")
