"""What can go wrong in numbers ends in a stated recovery, or in exit 5 with the last good state; never in a report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pidreg_cli import fitting
from pidreg_cli.information.errors import NonFiniteError
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training import model_fit
from tests.cli.in_process import TINY, Ended

ROWS = 160
FIT = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "--format", "json")


def written(**columns: object) -> None:
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, ROWS))
    plain = {"a__0": a, "a__1": rng.normal(size=ROWS), "b__0": b, "target": a + b + 0.3 * noise}
    pq.write_table(pa.table({**plain, **columns}), "data.parquet")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    written()
    return tmp_path


def after(steps: int, harm: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> Any:
    """``loss_terms`` that does harm from some step on."""
    whole, done = model_fit.loss_terms, [0]

    def harmed(*arguments: Any) -> dict[str, torch.Tensor]:
        done[0] += 1
        terms = whole(*arguments)
        return harm(terms) if done[0] > steps else terms

    return harmed


HARM = {
    "a loss that is no number": lambda terms: {name: value * math.nan for name, value in terms.items()},
    "an infinite loss": lambda terms: {name: value + math.inf for name, value in terms.items()},
    "gradients that explode": lambda terms: {name: value * 1e38 * 1e38 for name, value in terms.items()},
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[int]]:
    """The report of a fit that nothing happens to, and the steps of each of its epochs."""
    steps: list[int] = []
    train = model_fit.ModelFit._train_epoch

    def counted(self: model_fit.ModelFit, rate: Any) -> dict[str, float]:
        steps.append(self.plan.steps)
        return train(self, rate)

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("whole"))
        patch.setattr(model_fit.ModelFit, "_train_epoch", counted)
        Path("tiny.yaml").write_text(TINY)
        written()
        return Ended(*FIT).report, steps


@pytest.mark.parametrize(
    ("harm", "epochs"), [(name, 1 + k) for k, name in enumerate(HARM)] + [("an infinite loss", 0)]
)
def test_training_that_breaks_down_keeps_the_last_good_epoch(
    place: Path, whole: tuple[dict[str, Any], list[int]], harm: str, epochs: int
) -> None:
    report, steps = whole
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_fit, "loss_terms", after(sum(steps[:epochs]), HARM[harm]))
        broken = Ended(*FIT)
    error = json.loads(broken.err.splitlines()[-1])["error"]
    assert (broken.status, broken.out, error["code"]) == (5, "", "training.diverged")
    assert "no longer a number" in error["message"]
    assert "learning_rate" in error["hint"]
    assert not (place / "data.pidreg").exists()
    assert (place / "data.pidreg.partial").exists() == (epochs > 0)
    # What was kept is whole: without the harm it leads to the numbers of a fit that never broke.
    resumed = Ended(*FIT, "--resume").report
    assert {**resumed, "created_at": ""} == {**report, "created_at": ""}


DEGENERATE = {
    "a modality that collapses to one value": {"b__0": np.ones(ROWS)},
    "the same modality twice": {"b__0": np.random.default_rng(0).normal(size=(3, ROWS))[0]},
    "columns in a straight line": {"a__1": 2 * np.random.default_rng(0).normal(size=(3, ROWS))[0] + 1},
    "values of every size": {"b__0": 10.0 ** np.linspace(-40, 38, ROWS)},
}


@pytest.mark.parametrize("case", DEGENERATE)
def test_singular_moments_and_collapsed_codes_end_in_finite_numbers(case: str) -> None:
    written(**DEGENERATE[case])
    ended = Ended(*FIT)
    report = ended.report
    summary = report["pid"]["summary"]
    assert summary["total"] >= 0
    assert all(math.isfinite(atom["value"]) for atom in report["pid"]["atoms"])
    if case == "a modality that collapses to one value":
        assert report["information"]["values"][1]["value"] < 0.1
        assert any("b" in finding["message"] for finding in report["diagnostics"])


CODES = {
    "no numbers": lambda code: code * math.nan,
    "one value": torch.zeros_like,
    "far too large": lambda code: code * 1e30,
    "one column, as often as there are": lambda code: code[:, :1].expand_as(code),
}


@pytest.mark.parametrize("case", CODES)
def test_codes_of_a_trained_network_that_collapse_or_break_never_reach_a_report(
    case: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = PIDRegNetwork.encode

    def harmed(self: PIDRegNetwork, *arguments: Any) -> Any:
        codes = encode(self, *arguments)
        return codes if torch.is_grad_enabled() else [CODES[case](code) for code in codes]

    monkeypatch.setattr(PIDRegNetwork, "encode", harmed)
    ended = Ended(*FIT)
    if ended.status == 0:
        report = ended.report
        numbers = [atom["value"] for atom in report["pid"]["atoms"]]
        assert all(map(math.isfinite, [*numbers, report["metrics"]["test"]["rmse"]]))
        assert (case, report["pid"]["summary"]["total"] < 0.3) != ("one value", False)
    else:
        error = json.loads(ended.err.splitlines()[-1])["error"]
        assert (ended.status, ended.out) == (5, "")
        assert error["code"] in ("training.diverged", "training.broken_numbers")
        assert not (place / "data.pidreg").exists()


@pytest.mark.parametrize("error", [NonFiniteError("no"), np.linalg.LinAlgError("no")])
def test_numbers_that_break_after_training_keep_what_was_trained(
    place: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(*_: Any) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "collect", breaking)
        broken = Ended(*FIT)
    told = json.loads(broken.err.splitlines()[-1])["error"]
    assert (broken.status, told["code"]) == (5, "training.broken_numbers")
    assert "--resume" in told["hint"]
    assert (place / "data.pidreg.partial" / "checkpoints").is_dir()
    assert Ended(*FIT, "--resume").report["pid"]["summary"]["total"] > 0
