"""Which data sources matter: partial information decomposition of multimodal tables.

The names below are imported on first use, so that the command line answers ``--help`` without loading torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pidreg_cli.version import __version__

if TYPE_CHECKING:
    from pidreg_cli.estimator import PIDRegressor, load_model
    from pidreg_cli.information.gaussian_pid import gaussian_pid

__all__ = ["PIDRegressor", "__version__", "gaussian_pid", "load_model"]

_HOMES = {
    "PIDRegressor": "pidreg_cli.estimator",
    "gaussian_pid": "pidreg_cli.information.gaussian_pid",
    "load_model": "pidreg_cli.estimator",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
