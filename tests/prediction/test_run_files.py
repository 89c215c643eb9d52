"""Files of a run that were changed since the fit are refused, and those of earlier versions are read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pidreg_cli import load_model
from pidreg_cli.errors import RunError
from pidreg_cli.model_files import read_model
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.run_evidence import read_evidence
from tests.earlier_runs import content_of, edit_json, rewrite, without_digests
from tests.prediction.conftest import Fitted

CPU = torch.device("cpu")
Document = dict[str, Any]


@pytest.fixture
def run(fitted: Fitted, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted.folder, tmp_path / "run"))


READERS = {
    "model.json": lambda folder: read_model(folder, CPU),
    "model.safetensors": lambda folder: read_model(folder, CPU),
    "prediction.safetensors": lambda folder: read_predictor(folder, CPU),
    "evidence.safetensors": read_evidence,
}


@pytest.mark.parametrize("name", READERS)
def test_any_changed_bit_is_refused(run: Path, name: str) -> None:
    whole = (run / name).read_bytes()
    rng = np.random.default_rng(0)
    ends = [*range(8, 48), *range(len(whole) - 8, len(whole))]
    for place in [*ends, *rng.integers(0, len(whole), 40)]:
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        (run / name).unlink()
        (run / name).write_bytes(changed)
        with pytest.raises(RunError, match=name.partition(".")[0]):
            READERS[name](run)


def swapped(document: Document) -> None:
    roles = document["roles"]["modalities"]
    roles["b"], roles["c"] = roles["c"], roles["b"]


def reversed_roles(document: Document) -> None:
    document["roles"]["modalities"] = dict(reversed(document["roles"]["modalities"].items()))


def renamed(document: Document) -> None:
    document["modalities"][0]["name"] = "z"


EDITS: dict[str, Callable[[Document], object]] = {
    "order of roles": reversed_roles,
    "columns of two modalities": swapped,
    "order of modalities": lambda document: document["modalities"].reverse(),
    "name": renamed,
    "a role less": lambda document: document["roles"]["modalities"].pop("b"),
    "target": lambda document: document["target_transform"].update(
        {k: 2 * v for k, v in document["target_transform"].items() if isinstance(v, float)}
    ),
    "a line end less": lambda document: None,
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_description_edited_by_hand_is_refused(run: Path, edit: str) -> None:
    edit_json(run, EDITS[edit])
    with pytest.raises(RunError, match=r"model\.json.*was changed since the fit") as found:
        load_model(run)
    assert found.value.hint


@pytest.mark.parametrize(
    "edit", ["order of roles", "columns of two modalities", "order of modalities", "name", "a role less"]
)
def test_roles_that_are_not_the_models_are_refused_without_digests(run: Path, edit: str) -> None:
    edit_json(without_digests(run), EDITS[edit])
    with pytest.raises(RunError, match="does not describe a model"):
        load_model(run)


def test_runs_of_earlier_versions_are_read(fitted: Fitted, run: Path) -> None:
    loaded = load_model(without_digests(run))
    np.testing.assert_array_equal(
        loaded.predict_interval(fitted.new), fitted.model.predict_interval(fitted.new)
    )
    kept, expected = (read_evidence(folder).estimates(nulls=False) for folder in (run, fitted.folder))
    np.testing.assert_array_equal(kept.readouts.score, expected.readouts.score)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_report_that_an_editor_saved_again_is_read(run: Path, encoding: str) -> None:
    path, before = run / "report.json", read_evidence(run).report
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    assert read_evidence(run).report == before


@pytest.mark.parametrize("name", ["model.safetensors", "prediction.safetensors", "evidence.safetensors"])
def test_a_file_that_lost_its_digest_is_refused(run: Path, name: str) -> None:
    header, arrays = content_of(run / name)
    assert header is not None
    del header["digest"]
    rewrite(run / name, header, arrays)
    with pytest.raises(RunError, match="not what was written"):
        READERS[name](run)


def test_narrower_intervals_by_hand_are_refused(run: Path) -> None:
    header, arrays = content_of(run / "prediction.safetensors")
    arrays = {name: 0.1 * a if "nonconformity" in name else a for name, a in arrays.items()}
    rewrite(run / "prediction.safetensors", header, arrays)
    with pytest.raises(RunError, match="not what was written"):
        load_model(run)


@pytest.mark.parametrize(("change", "why"), [("negative", "positive definite"), ("one side", "symmetric")])
def test_a_covariance_that_is_none_is_refused(run: Path, change: str, why: str) -> None:
    path = without_digests(run) / "prediction.safetensors"
    header, arrays = content_of(path)
    covariance = arrays["moments.covariance"].copy()
    if change == "negative":
        covariance *= -1
    else:
        covariance[0, 0, 1, 0] += 10
    rewrite(path, header, {**arrays, "moments.covariance": covariance})
    with pytest.raises(RunError, match=why):
        load_model(run)
