"""``PIDRegressor``: the fit as a scikit-learn estimator, for notebooks; ``load_model``: a run folder as one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d, validate_data

from pidreg_cli.config.loading import dump_settings, load_settings
from pidreg_cli.config.settings import Preset, Settings
from pidreg_cli.data.arrays import Floats
from pidreg_cli.data.frames import (
    arrays_fingerprint,
    as_frame,
    check_modalities,
    frame_arrays,
    known_modalities,
    modalities_of,
)
from pidreg_cli.data.naming import listing
from pidreg_cli.data.roles import Roles
from pidreg_cli.decisions.prediction.rows import Predictor, Request, RowPredictions
from pidreg_cli.errors import ArrayError, DataError, RunError, UsageError
from pidreg_cli.fitting import Fit, TableSource, fit_arrays
from pidreg_cli.pipeline import write_run
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.reports.model import Report
from pidreg_cli.run_evidence import read_report, read_settings
from pidreg_cli.runs import RunBuilder
from pidreg_cli.training.device import available_threads, limited_threads, resolve_device
from pidreg_cli.training.progress import Silent


class PIDRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Multimodal regression with a partial information decomposition of its codes (arXiv 2512.22102).

    Parameters:
        modalities: columns of each modality, by name or, for an array, by position; by default the prefixes of
            ``NAME__feature`` columns, and without such columns one modality, ``features``, of all.
        preset: 'fast', 'balanced', 'thorough' or 'paper'.
        random_state: seed of everything random.
        folds: 'auto' (5 under 2,000 rows, else one split), or a number of folds.
        device: 'auto', 'cpu', 'cuda', 'cuda:1', ...
        settings: further settings by dotted key, such as ``{"training.learning_rate": 0.001}``.

    After ``fit``: ``report_`` (the report object), ``n_features_in_`` and, for a DataFrame, ``feature_names_in_``.
    Data that cannot be used raise ArrayError, a DataError and a ValueError.
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
        with array_errors():
            return self._fitted(X, y, groups)

    def _fitted(self, X: pd.DataFrame | ArrayLike, y: ArrayLike, groups: ArrayLike | None) -> Self:
        frame = self._frame(X, reset=True)
        target = _target(y, len(frame))
        self.columns_ = dict(self.modalities or modalities_of(frame))
        check_modalities(self.columns_)
        arrays = frame_arrays(frame, self.columns_, target, groups)
        name = str(getattr(y, "name", None) or "target")
        group = None if groups is None else str(getattr(groups, "name", None) or "groups")
        source = TableSource((), arrays_fingerprint(arrays), name, group)
        self.settings_: Settings = self._settings()
        if self.settings_.memory is not None:
            raise UsageError(
                "usage.memory",
                "rows given as arrays are in memory: 'memory' is for tables in files",
                "leave it out",
            )
        self.fit_: Fit | None = fit_arrays(arrays, source, self.settings_, Silent())
        self.report_: Report = self.fit_.report
        self.predictor_ = Predictor(self.fit_.outcome.deployed.model, self.fit_.calibrated)
        return self

    def predict(self, X: pd.DataFrame | ArrayLike) -> Floats:
        """Predictions (n,) in the units of the target, of each row from the modalities that it has.

        Raises DataError where columns of a modality are missing; all of them may be, but not those of every modality.
        """
        return self._predicted(X, Request()).prediction

    def predict_interval(self, X: pd.DataFrame | ArrayLike, level: float = 0.9) -> Floats:
        """Lower and upper bounds (n, 2) that cover the target of a new row with probability ``level`` or more, as far
        as new rows are like those of the fit; infinite where it had too few rows to say.
        """
        found = self._predicted(X, Request(level))
        return np.column_stack([found.lower, found.upper])

    def explain(self, X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
        """What each modality does to the prediction of each row: ``bits.NAME`` by which it moves it, ``shift.NAME`` in
        the units of the target; NaN where a row lacks the modality.
        """
        found = self._predicted(X, Request(explain=True)).explanation
        assert found is not None  # noqa: S101  it was asked for
        parts = {"bits": found.bits, "shift": found.shift}
        names = list(self.columns_)
        columns = {f"{kind}.{name}": v[:, i] for kind, v in parts.items() for i, name in enumerate(names)}
        return pd.DataFrame(columns, index=X.index if isinstance(X, pd.DataFrame) else None)

    def _predicted(self, X: pd.DataFrame | ArrayLike, request: Request) -> RowPredictions:
        check_is_fitted(self, "predictor_")
        with array_errors():
            frame = self._frame(X, reset=False)
            held = known_modalities(frame, self.columns_)
            arrays = frame_arrays(frame, self.columns_, None, known=self.predictor_.model.columns)
        if len(held) < len(self.columns_):
            request = replace(
                request, use=sum(1 << i for i, name in enumerate(self.columns_) if name in held)
            )
        # Threads as the command shares them, for the same numbers.
        with limited_threads(1):
            return self.predictor_.predict(arrays, request, self.settings_.threads or available_threads())

    def _frame(self, X: pd.DataFrame | ArrayLike, *, reset: bool) -> pd.DataFrame:
        """X as a DataFrame; an array is checked as scikit-learn does, a DataFrame may bring other columns too.

        An array after a fit on named columns has them by position, of which scikit-learn warns.
        """
        if isinstance(X, pd.DataFrame):
            if X.empty:
                raise DataError(
                    "data.no_rows", f"X is empty: its shape is {X.shape}", "give a table with rows"
                )
            if reset:
                self.n_features_in_ = X.shape[1]
                self.feature_names_in_ = np.asarray(X.columns, dtype=object)
            return X
        if not reset and self.fit_ is None:
            return self._of_loaded(check_array(X, dtype="numeric", ensure_all_finite="allow-nan"))
        fewest = 2 if reset else 1
        checked = validate_data(
            self, X, reset=reset, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=fewest
        )
        names = getattr(self, "feature_names_in_", None)
        return as_frame(checked) if names is None else pd.DataFrame(checked, columns=names)

    def _of_loaded(self, table: NDArray[Any]) -> pd.DataFrame:
        """An array for a run: it knows columns by name, so their positions only where these are their names.

        How many others the array of the fit had it does not know. Raises DataError.
        """
        columns = [column for group in self.columns_.values() for column in group]
        positions = {str(position) for position in range(table.shape[1])}
        unknown = [column for column in columns if column not in positions]
        if unknown:
            raise DataError(
                "data.unknown_column",
                f"X is an array, its columns are 0 to {table.shape[1] - 1}; those that the run was fitted on are not "
                f"in X: {listing(unknown)}",
                "give a DataFrame that has them by name",
            )
        return as_frame(table)

    def __sklearn_tags__(self) -> Tags:
        """Missing values are legal in features."""
        tags: Tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def save(self, folder: str | Path, *, force: bool = False) -> Path:
        """Write a run folder. Raises UsageError where it exists, unless ``force``."""
        check_is_fitted(self, "predictor_")
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
    predictor, roles = read_predictor(path, resolve_device(device))
    settings = read_settings(path)
    regressor = PIDRegressor(
        {name: list(columns) for name, columns in roles.modalities.items()},
        preset=settings.preset,
        random_state=settings.seed,
        folds=settings.folds,
        device=device,
    )
    regressor.columns_ = dict(regressor.modalities or {})
    regressor.settings_, regressor.predictor_, regressor.fit_ = settings, predictor, None
    regressor.report_ = read_report(path)
    regressor.n_features_in_ = sum(map(len, regressor.columns_.values()))
    return regressor


@contextmanager
def array_errors() -> Iterator[None]:
    """Let data that cannot be used be a ValueError too."""
    try:
        yield
    except DataError as error:
        raise ArrayError(error.code, error.message, error.hint) from error


def _target(y: ArrayLike, rows: int) -> NDArray[np.float64]:
    try:
        target = np.asarray(column_or_1d(y, warn=True), dtype=np.float64)
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
