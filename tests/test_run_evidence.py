"""What a run keeps of its held-out rows says its report again, and survives interruptions; damage is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from threadpoolctl import threadpool_info, threadpool_limits

from pidreg_cli.config.loading import dump_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.roles import Roles
from pidreg_cli.decomposing.of_run import decompose_run
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.errors import RunError
from pidreg_cli.fitting import Fit, TableSource, fit_arrays
from pidreg_cli.information_facts import facts_of_estimates
from pidreg_cli.pipeline import write_run
from pidreg_cli.run_evidence import EVIDENCE, evidence_bytes, read_evidence
from pidreg_cli.runs import RunBuilder
from pidreg_cli.selecting.of_run import select_run
from pidreg_cli.selecting.request import SelectRequest
from pidreg_cli.training.device import limited_threads
from pidreg_cli.training.model_rows import Estimates, ModelRows
from pidreg_cli.training.progress import Silent
from tests.earlier_runs import without_digests
from tests.training.conftest import FolderStore, linear_arrays, quick_settings

SOURCE = TableSource(("table.parquet",), "sha256:0", "y")


def grouped(rows: int) -> MultimodalArrays:
    """Rows in groups of two, by names that do not sort as numbers do."""
    arrays = linear_arrays(rows)
    return replace(arrays, groups=np.array([f"s{row // 2}" for row in range(rows)]))


def written(folder: Path, arrays: MultimodalArrays, settings: Settings, *, keep: bool = True) -> Fit:
    fit = fit_arrays(arrays, SOURCE, settings, Silent())
    roles = Roles(dict(arrays.columns), "y")
    with RunBuilder(folder) as run:
        run.begin(dump_settings(settings), SOURCE.fingerprint)
        write_run(run, fit, roles, keep_heldout=keep)
        run.commit()
    return fit


@pytest.fixture(scope="module")
def by_folds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fit]:
    folder = tmp_path_factory.mktemp("evidence") / "folds"
    return folder, written(folder, grouped(160), quick_settings(threads=1))


@pytest.fixture(scope="module")
def by_split(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Fit]:
    folder = tmp_path_factory.mktemp("evidence") / "split"
    return folder, written(folder, linear_arrays(2000, modalities=3), quick_settings(folds="auto", threads=1))


@pytest.mark.parametrize("kind", ["by_folds", "by_split"])
def test_a_run_says_again_what_its_fit_said(kind: str, request: pytest.FixtureRequest) -> None:
    folder, fit = request.getfixturevalue(kind)
    evidence = read_evidence(folder)
    with limited_threads(1):
        found = evidence.estimates()
        readouts, labels = evidence.selection()
    facts = facts_of_estimates(found, evidence.held_labels, evidence.settings, evidence.protocol)
    said = fit.report.information
    assert said is not None
    full = (1 << len(evidence.names)) - 1
    assert said.values[-1].value_raw == facts.raw[full]
    assert said.values[-1].p_value == facts.p_values[full]
    held = fit.outcome.held_out
    assert found.readouts.score_influences.tolist() == held.readouts.score_influences.tolist()
    assert np.array_equal(found.debiased, held.debiased, equal_nan=True)
    assert evidence.report.data == fit.report.data
    assert readouts.target_errors.tolist() == fit.outcome.selection.target_errors.tolist()
    assert len(labels) == len(readouts.rows)


def test_threads_read_models_side_by_side_and_change_nothing(by_folds: tuple[Path, Fit]) -> None:
    evidence = read_evidence(by_folds[0])
    with limited_threads(1):
        one, two = (evidence.estimates(threads=threads) for threads in (1, 2))
    assert two.readouts.score_influences.tolist() == one.readouts.score_influences.tolist()
    assert two.null_sums.tolist() == one.null_sums.tolist()
    assert np.array_equal(two.debiased, one.debiased, equal_nan=True)


def test_no_operation_on_a_run_is_shared_by_threads(
    by_folds: tuple[Path, Fit], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads of BLAS that wait for busy cores take ten times as long."""
    seen: list[int] = []
    original = Estimates.of

    def watched(rows: ModelRows, settings: Settings, *, nulls: bool = True) -> Estimates:
        seen.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        return original(rows, settings, nulls=nulls)

    monkeypatch.setattr(Estimates, "of", staticmethod(watched))
    with threadpool_limits(2):
        decompose_run(by_folds[0], DecomposeRequest(threads=2))
        select_run(by_folds[0], SelectRequest())
    assert seen
    assert set(seen) == {1}


def test_a_target_that_no_longer_varies_is_damage(by_folds: tuple[Path, Fit]) -> None:
    found = read_evidence(by_folds[0])
    flat = [replace(m, held=replace(m.held, targets=np.zeros_like(m.held.targets))) for m in found.models]
    with pytest.raises(RunError, match="target does not vary"):
        replace(found, models=tuple(flat)).estimates(nulls=False)


def test_codes_are_kept_in_single_precision_and_nothing_is_lost(by_split: tuple[Path, Fit]) -> None:
    folder, fit = by_split
    arrays = load_file(folder / EVIDENCE)
    assert arrays["0.held.code.0"].dtype == np.float32
    (rows,) = fit.outcome.held_out.models
    model = fit.outcome.deployed.model
    exact = model.read(fit.arrays.take(rows.held.rows), []).codes
    for kept, code in zip(rows.held.blocks.codes, exact, strict=True):
        assert np.array_equal(kept, code)


def test_a_resumed_fit_keeps_the_same_evidence(tmp_path: Path) -> None:
    store, arrays, settings = FolderStore(tmp_path), grouped(120), quick_settings()
    first = fit_arrays(arrays, SOURCE, settings, Silent(), store)
    assert {path.name for path in tmp_path.glob("fold-*")} == {"fold-0.safetensors", "fold-1.safetensors"}
    resumed = fit_arrays(arrays, SOURCE, settings, Silent(), store)
    kept = [evidence_bytes("folds", fit.outcome.held_out.models) for fit in (first, resumed)]
    assert kept[0] == kept[1]


def refused(folder: Path) -> RunError:
    with pytest.raises(RunError) as caught:
        read_evidence(folder)
    return caught.value


def test_a_run_without_its_rows_says_what_to_give(tmp_path: Path) -> None:
    written(tmp_path / "run", linear_arrays(60), quick_settings(), keep=False)
    error = refused(tmp_path / "run")
    assert (error.code, int(error.status)) == ("run.no_evidence", 4)
    assert "--no-heldout" in error.message
    assert "RUN DATA" in error.hint


def copied(source: Path, target: Path) -> Path:
    target.mkdir()
    for path in source.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def damages() -> dict[str, object]:
    def less(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-100])

    def text(path: Path) -> None:
        path.write_text("nothing")

    def without_header(path: Path) -> None:
        save_file(load_file(path), path)

    def changed(**arrays: object) -> object:
        def change(path: Path) -> None:
            found = load_file(path)
            for name, array in arrays.items():
                found[name.replace("_", ".")] = np.asarray(array)
            from safetensors import safe_open

            with safe_open(path, framework="numpy") as file:
                header = file.metadata()
            save_file(found, path, metadata=header)

        return change

    def signalling(path: Path) -> None:
        codes = load_file(path)["0.held.code.0"].copy()
        codes.view(np.uint32)[0, 0] = 0x7F800001  # no number, of the kind that warns when it becomes a double
        change = changed(**{"0_held_code_0": codes})
        assert callable(change)
        change(path)

    return {
        "signalling": signalling,
        "truncated": less,
        "text": text,
        "no header": without_header,
        "other rows": changed(**{"0_held_code_0": np.zeros((3, 8), np.float32)}),
        "not finite": changed(**{"0_valid_targets": np.full((3, 2), np.nan)}),
        "another model": changed(**{"7_held_rows": np.zeros(3, np.int64)}),
    }


@pytest.mark.parametrize("damage", damages())
def test_a_damaged_file_is_refused(damage: str, by_folds: tuple[Path, Fit], tmp_path: Path) -> None:
    folder = without_digests(copied(by_folds[0], tmp_path / "run"))
    change = damages()[damage]
    assert callable(change)
    change(folder / EVIDENCE)
    error = refused(folder)
    assert (error.code, int(error.status)) == ("run.evidence", 4)
    assert EVIDENCE in error.message


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("report.json", "{", "report.malformed"),
        ("report.json", None, "run.unreadable"),
        ("config.yaml", "preset: loud", "run.config"),
        ("config.yaml", None, "run.unreadable"),
    ],
)
def test_other_files_of_the_run_are_checked(
    name: str, content: str | None, code: str, by_folds: tuple[Path, Fit], tmp_path: Path
) -> None:
    folder = copied(by_folds[0], tmp_path / "run")
    (folder / name).unlink() if content is None else (folder / name).write_text(content)
    error = refused(folder)
    assert (error.code, int(error.status)) == (code, 4)
