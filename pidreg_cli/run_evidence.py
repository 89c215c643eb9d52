"""``evidence.safetensors``: the rows of a run that did not train, as readouts see them.

With it a run says everything about its sets of modalities again, by other estimators, intervals or rules, without the
table and without the network. Plain tensors, the same bytes for equal fits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NoReturn

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save

from pidreg_cli.config.loading import parse_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.errors import RunError, UsageError
from pidreg_cli.information.errors import ConstantTargetError
from pidreg_cli.limited_reading import limited_bytes, refuse_special_file
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.opening import MOST_BYTES
from pidreg_cli.reports.serialise import from_json
from pidreg_cli.runs import CONFIG
from pidreg_cli.sealed_tensors import check_seal, read_sealed, sealed
from pidreg_cli.threads import in_order
from pidreg_cli.training.evaluation import Readouts
from pidreg_cli.training.model_rows import Estimates, ModelRows, validation_readouts

EVIDENCE = "evidence.safetensors"
FORMAT_VERSION = "1.1"  # 1.0: without a digest of its content

Labels = NDArray[np.int64]
Kind = Literal["split", "folds"]


@dataclass(frozen=True)
class RunEvidence:
    """What a run left behind: its settings, its report, and the rows of each model that did not train it.

    ``models``: the one model of a split, or that of each fold.
    """

    settings: Settings
    report: Report
    protocol: Kind
    models: tuple[ModelRows, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Modality names, in the order given."""
        return self.report.names

    def estimates(
        self, settings: Settings | None = None, *, nulls: bool = True, threads: int = 1
    ) -> Estimates:
        """What the held-out rows say of every set, pooled; by the settings of the fit exactly what its report says.

        Without ``nulls`` there are no p-values. ``threads``: models of folds that are read at the same time.
        """
        read = partial(Estimates.of, settings=settings or self.settings, nulls=nulls)
        workers = min(threads, len(self.models))
        with _varying_targets():
            parts = in_order(read, self.models, workers) if workers > 1 else map(read, self.models)
            return Estimates.pooled(list(parts))

    @cached_property
    def held_labels(self) -> Labels:
        """Group of each row of ``estimates().readouts``."""
        return np.concatenate([rows.held.groups for rows in self.models])

    def selection(self, settings: Settings | None = None) -> tuple[Readouts, Labels]:
        """Readouts of the rows that select, and the group of each: validation rows, or the cross-fitted ones."""
        if self.protocol == "folds":
            return self.estimates(settings).readouts, self.held_labels
        (rows,) = self.models
        with _varying_targets():
            return validation_readouts(rows, settings or self.settings), rows.valid.groups


@contextmanager
def _varying_targets() -> Iterator[None]:
    """A fit refuses a target without variance, so that of a run was changed."""
    try:
        yield
    except ConstantTargetError as error:
        _refuse(Path(EVIDENCE), error.message, error)


def evidence_bytes(protocol: Kind, models: Sequence[ModelRows]) -> bytes:
    """Content of ``evidence.safetensors``."""
    arrays = {
        f"{rows.number}.{name}": np.ascontiguousarray(array)
        for rows in models
        for name, array in rows.to_arrays().items()
    }
    header = {"format_version": FORMAT_VERSION, "protocol": protocol, "models": len(models)}
    return save(arrays, metadata=sealed(header, arrays))


def read_evidence(folder: Path) -> RunEvidence:
    """The evidence of a run folder.

    Raises RunError where the folder is no run, or a file is missing, damaged or of another major version.
    """
    report = read_report(folder)
    settings = read_settings(folder)
    protocol, models = _models(folder / EVIDENCE)
    for rows in models:
        if len(rows.held.blocks.codes) != len(report.names):
            _refuse(
                folder / EVIDENCE, f"codes of {len(rows.held.blocks.codes)} modalities, the report has others"
            )
    return RunEvidence(settings, report, protocol, models)


def read_report(folder: Path) -> Report:
    """The report of a run. Raises RunError where it cannot be read."""
    path = folder / "report.json"
    return from_json(_content(path), str(path))


def read_settings(folder: Path) -> Settings:
    """The configuration of a run. Raises RunError where it cannot be read."""
    path = folder / CONFIG
    try:
        return parse_settings(_text(path), str(path))
    except UsageError as error:
        raise RunError("run.config", error.message, "give a run folder made by pidreg fit") from error


def _text(path: Path) -> str:
    content = _content(path)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _unreadable(path, error) from error


def _content(path: Path) -> bytes:
    try:
        refuse_special_file(path)
        return limited_bytes(path, MOST_BYTES)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError | ValueError) -> RunError:
    hint = "give a run folder made by pidreg fit"
    return RunError("run.unreadable", f"{path} cannot be read: {_reason(error)}", hint)


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)


def _models(path: Path) -> tuple[Kind, tuple[ModelRows, ...]]:
    if not path.exists():
        raise RunError(
            "run.no_evidence",
            f"{path.parent} does not keep its held-out rows ({path.name}): it was fitted with --no-heldout, or by an "
            "earlier version",
            "fit again without --no-heldout, or decompose labelled rows as it reads them (pidreg decompose RUN DATA)",
        )
    try:
        return _built(*read_sealed(path))
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        _refuse(path, str(error), error)


def _built(
    header: Mapping[str, object], arrays: Mapping[str, NDArray[np.generic]]
) -> tuple[Kind, tuple[ModelRows, ...]]:
    version = str(header["format_version"])
    if version.partition(".")[0] != FORMAT_VERSION.partition(".")[0]:
        raise ValueError(f"its format version is {version}, this pidreg reads {FORMAT_VERSION}")
    check_seal(header, arrays, version)
    parts: dict[int, dict[str, NDArray[np.generic]]] = {}
    for name, array in arrays.items():
        number, _, rest = name.partition(".")
        parts.setdefault(int(number), {})[rest] = array
    models = tuple(ModelRows.from_arrays(number, parts[number]) for number in sorted(parts))
    kind = header["protocol"]
    if len(models) != header["models"] or not models or (kind == "split" and len(models) != 1):
        raise ValueError(f"rows of {len(models)} models, not of {header['models']}")
    if kind == "split":
        return "split", models
    if kind == "folds":
        return "folds", models
    raise ValueError(f"its protocol is {kind!r}")


def _refuse(path: Path, why: str, cause: Exception | None = None) -> NoReturn:
    hint = "fit again, or decompose labelled rows as the run reads them (pidreg decompose RUN DATA)"
    raise RunError("run.evidence", f"{path} cannot be read: {why}", hint) from cause
