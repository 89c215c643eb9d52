"""``PIDRegressor``: the fit as a scikit-learn estimator, for notebooks; ``load_model``: a run folder as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from pidreg_cli.config.loading import dump_settings, load_settings, parse_settings
from pidreg_cli.config.settings import Preset, Settings
from pidreg_cli.data.arrays import Floats
from pidreg_cli.data.frames import arrays_fingerprint, as_frame, frame_arrays, prefixed_modalities
from pidreg_cli.data.roles import Roles
from pidreg_cli.errors import DataError, RunError
from pidreg_cli.fitting import Fit, TableSource, fit_arrays
from pidreg_cli.model_files import read_model
from pidreg_cli.pipeline import write_run
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import from_json
from pidreg_cli.runs import CONFIG, RunBuilder
from pidreg_cli.training.device import resolve_device
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.progress import Silent


class PIDRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Multimodal regression with a partial information decomposition of its codes (arXiv 2512.22102).

    Parameters:
        modalities: columns of each modality, by name or, for an array, by position; by default the prefixes of
            ``NAME__feature`` columns.
        preset: 'fast', 'balanced', 'thorough' or 'paper'.
        random_state: seed of everything random.
        folds: 'auto' (5 under 2,000 rows, else one split), or a number of folds.
        device: 'auto', 'cpu', 'cuda', 'cuda:1', ...
        settings: further settings by dotted key, such as ``{"training.learning_rate": 0.001}``.

    After ``fit``: ``report_`` (the report object), ``n_features_in_`` and, for a DataFrame, ``feature_names_in_``.
    """

    def __init__(
        self,
        modalities: Mapping[str, Sequence[Any]] | None = None,
        *,
        preset: Preset = "balanced",
        random_state: int = 0,
        folds: int | Literal["auto"] = "auto",
        device: str = "auto",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.modalities = modalities
        self.preset = preset
        self.random_state = random_state
        self.folds = folds
        self.device = device
        self.settings = settings

    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> Self:
        """Fit on rows X (n, p), NaN where missing, and target y (n,); rows of a group stay together in splits.

        Raises DataError for data that cannot be used and UsageError for settings that are not allowed.
        """
        frame = as_frame(X)
        target = _target(y, len(frame))
        self.columns_ = dict(self.modalities or prefixed_modalities(frame))
        arrays = frame_arrays(frame, self.columns_, target, groups)
        name = str(getattr(y, "name", None) or "target")
        source = TableSource((), arrays_fingerprint(arrays), name)
        self.settings_: Settings = self._settings()
        self.fit_: Fit | None = fit_arrays(arrays, source, self.settings_, Silent())
        self.report_: Report = self.fit_.report
        self.model_: FittedModel = self.fit_.outcome.deployed.model
        self.n_features_in_ = frame.shape[1]
        if isinstance(X, pd.DataFrame):
            self.feature_names_in_ = np.asarray(X.columns, dtype=object)
        return self

    def predict(self, X: pd.DataFrame | ArrayLike) -> Floats:
        """Predictions (n,) in the units of the target. Raises DataError where a column is missing."""
        check_is_fitted(self, "model_")
        return self.model_.predict(frame_arrays(as_frame(X), self.columns_, None))

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write a run folder. Raises UsageError where it exists, unless ``force``."""
        check_is_fitted(self, "model_")
        if self.fit_ is None:
            raise RunError(
                "run.loaded", "this model was loaded from a run folder", "copy that folder instead"
            )
        roles = Roles(
            modalities={name: tuple(map(str, columns)) for name, columns in self.columns_.items()},
            target=self.report_.data.target,
        )
        with RunBuilder(Path(folder), force=force) as run:
            run.begin(dump_settings(self.settings_), self.report_.data.fingerprint)
            write_run(run, self.fit_, roles, keep_heldout=True)
            return run.commit()

    def _settings(self) -> Settings:
        options = {
            "seed": self.random_state,
            "folds": self.folds,
            "device": self.device,
            **(self.settings or {}),
        }
        return load_settings(self.preset, options=options)


def load_model(folder: str | Path, device: str = "auto") -> PIDRegressor:
    """The fitted model of a run folder: ``predict`` and ``report_``. Raises RunError for a damaged folder."""
    path = Path(folder)
    model, roles = read_model(path, resolve_device(device))
    settings = parse_settings(_read(path / CONFIG), str(path / CONFIG))
    regressor = PIDRegressor(
        {name: list(columns) for name, columns in roles.modalities.items()},
        preset=settings.preset,
        random_state=settings.seed,
        folds=settings.folds,
        device=device,
    )
    regressor.columns_ = dict(regressor.modalities or {})
    regressor.settings_, regressor.model_, regressor.fit_ = settings, model, None
    regressor.report_ = from_json(_read(path / "report.json"), str(path / "report.json"))
    regressor.n_features_in_ = sum(map(len, regressor.columns_.values()))
    return regressor


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RunError("run.unreadable", f"{path} cannot be read: {error}", "give a run folder") from error


def _target(y: ArrayLike, rows: int) -> NDArray[np.float64]:
    try:
        target = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(
            "data.text_target", f"y is not numeric: {error}", "pidreg is for regression"
        ) from error
    if target.shape != (rows,):
        raise DataError(
            "data.shape", f"y has shape {target.shape}; it must be ({rows},)", "one target per row"
        )
    if np.isinf(target).any():
        raise DataError("data.infinite", "y has infinite values", "mark them as missing (NaN)")
    return target
