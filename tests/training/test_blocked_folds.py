"""The share of trees where validation rows are all later: blocks of training rows judge it, too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.errors import TrainingError
from pidreg_cli.fitting import Fit
from pidreg_cli.training import worthwhile
from pidreg_cli.training.blocked_folds import BlockedFold, LeftOut, best_share, common_share, consecutive
from pidreg_cli.training.progress import EpochRecord, Progress
from tests.training.conftest import FolderStore, linear_arrays
from tests.training.test_fit import Stopping, files, fitted
from tests.training.test_model_choice import TREES, Naming, Noticing

BLOCKED = TREES | {"boosting__blocked_folds": 3}
BLOCKS = [f"model, without block {number}" for number in (1, 2, 3)]


def seasons(rows: int = 2000) -> MultimodalArrays:
    """The target jumps, which trees learn, but in the season of the validation rows, when it is a line."""
    rng = np.random.default_rng(0)
    split = np.array(["train"] * (rows * 7 // 10) + ["valid"] * (rows // 10) + ["test"] * (rows // 5))
    features = {name: rng.uniform(size=(rows, 3)).astype(np.float32) for name in "ab"}
    still = np.where(split == "valid", 1, rng.uniform(size=rows) < 0.2)
    features["b"][:, 2] = still
    jumps = rng.normal(size=40)[(40 * features["a"][:, 0]).astype(int)]
    line = 3 * features["a"][:, 1] + 3 * features["b"][:, 1]
    target = np.where(still == 1, line, line + jumps) + 0.05 * rng.normal(size=rows)
    columns = {name: tuple(f"{name}__{i}" for i in range(3)) for name in "ab"}
    return MultimodalArrays(features, columns, target, np.arange(rows), split=split)


def models(fit: Fit) -> list[str]:
    return list(dict.fromkeys(record.model for record in fit.outcome.histories[0].history))


@pytest.fixture(scope="module")
def blocked() -> tuple[Fit, list[str]]:
    progress = Noticing()
    return fitted(seasons(), progress, **BLOCKED), progress.notices


@pytest.fixture(scope="module")
def alone() -> Fit:
    """By validation rows alone."""
    return fitted(seasons(), **(BLOCKED | {"boosting__blocked_folds": 0}))


def test_blocks_of_training_rows_ask_for_trees_that_one_season_does_not_want(
    blocked: tuple[Fit, list[str]], alone: Fit
) -> None:
    fit, notices = blocked
    assert models(fit) == [*BLOCKS, "model"]
    assert models(alone) == ["model"]
    assert not fit.outcome.deployed.model.transforms.encoded
    shares = [one.outcome.deployed.model.tree_share for one in (alone, fit)]
    assert shares[1] > shares[0] + 0.1
    assert fit.report.metrics.test.rmse < alone.report.metrics.test.rmse
    assert "3 blocks of these are left out in turn" in notices[-2]
    assert (
        f"are {shares[1]:.0%} of the prediction (best for validation rows and training rows left"
        in notices[-1]
    )
    [told] = [d for d in fit.report.diagnostics if d.code == "training.tree_share"]
    assert told.value == shares[1]


def test_the_model_itself_is_that_without_blocks(blocked: tuple[Fit, list[str]], alone: Fit) -> None:
    fits = (blocked[0], alone)
    networks = [replace(fit.outcome.deployed.model, tree_share=0.0).predict(seasons(100)) for fit in fits]
    np.testing.assert_array_equal(*networks)


def test_the_share_is_the_best_of_all_rows_that_were_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = seasons()
    train = arrays.take(arrays.split == "train") if arrays.split is not None else arrays
    seen: list[slice] = []

    def told(fit: BlockedFold, _: Progress) -> tuple[LeftOut, list[EpochRecord]]:
        target = fit.rows[0].required_target[fit.block]
        np.testing.assert_array_equal(fit.rows[0].required_target, train.required_target)
        seen.append(fit.block)
        # Trees err ever more, so that parts weigh differently.
        return LeftOut(target + 0.7, target - 0.3 + 0.001 * np.arange(len(target)), target), []

    monkeypatch.setattr(BlockedFold, "__call__", told)
    model = fitted(arrays, **BLOCKED).outcome.deployed.model
    assert seen == consecutive(train.rows, 3)
    valid, unit = arrays.take(arrays.split == "valid"), model.transforms.target.original.sd
    predicted = [replace(model, tree_share=share).predict(valid) / unit for share in (0.0, 1.0)]
    parts = [LeftOut(*predicted, valid.required_target / unit)]
    nothing = [np.zeros(block.stop - block.start) for block in seen]
    parts += [
        LeftOut(zero + 0.7 / unit, (-0.3 + 0.001 * np.arange(len(zero))) / unit, zero) for zero in nothing
    ]
    assert model.tree_share == pytest.approx(common_share(parts), rel=1e-6)
    assert model.tree_share != pytest.approx(common_share(parts[:1]), abs=0.05)


def test_each_part_weighs_by_the_error_of_its_own_best_share() -> None:
    rng = np.random.default_rng(0)
    network, trees = rng.normal(size=(2, 3000))
    noise = rng.normal(size=3000)
    near = LeftOut(network, trees, 0.8 * network + 0.2 * trees + 0.1 * noise)
    far = LeftOut(network, trees, 0.2 * network + 0.8 * trees + 10 * noise)
    alone = [common_share([part]) for part in (near, far)]
    assert alone[0] == best_share(near.network, near.trees, near.target)
    # By its squares the far part would pull as much as the near one, whatever noise it has.
    assert common_share([near, far]) == pytest.approx(alone[0], abs=1e-3)
    precision = np.array([1 / near.least_error, 1 / far.least_error])
    assert common_share([near, far]) == pytest.approx(precision @ alone / precision.sum(), abs=1e-9)
    assert common_share([near.scaled(7), far.scaled(7)]) == pytest.approx(common_share([near, far]))
    exact = LeftOut(network, trees, 0.5 * network + 0.5 * trees)
    assert common_share([exact, far]) == pytest.approx(0.5)


def test_a_block_trains_nothing_that_predicts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = seasons()
    assert arrays.target is not None
    fits: list[BlockedFold] = []
    monkeypatch.setattr(
        BlockedFold,
        "__call__",
        lambda fit, _: fits.append(fit) or (LeftOut(*np.zeros((3, 1))), []),
    )
    fitted(arrays, **BLOCKED)
    monkeypatch.undo()
    first = fits[0]
    other = first.rows[0].required_target.copy()
    other[first.block] = 1e9
    spoilt = replace(first, rows=(replace(first.rows[0], target=other), first.rows[1]))
    (found, _), (again, _) = (fit(Noticing()) or pytest.fail("no fit") for fit in (first, spoilt))
    np.testing.assert_array_equal(found.network, again.network)
    np.testing.assert_array_equal(found.trees, again.trees)
    assert (again.target == 1e9).all()


@pytest.mark.slow
def test_validation_rows_may_come_first() -> None:
    arrays = seasons()
    assert models(fitted(arrays.take(np.arange(arrays.rows)[::-1]), **BLOCKED)) == [*BLOCKS, "model"]


@pytest.mark.parametrize(
    "kept",
    [
        "one row apart",
        "groups",
        *(pytest.param(k, marks=pytest.mark.slow) for k in ("scores as inputs", "five modalities")),
    ],
)
def test_no_blocks_are_left_out_where_they_would_say_nothing(kept: str) -> None:
    arrays = seasons()
    assert arrays.split is not None
    options = dict(BLOCKED)
    match kept:
        case "one row apart":
            order = np.arange(arrays.rows)
            order[[0, np.flatnonzero(arrays.split == "valid")[0]]] = order[
                [np.flatnonzero(arrays.split == "valid")[0], 0]
            ]
            arrays = arrays.take(order)
        case "groups":
            arrays = replace(arrays, groups=np.arange(arrays.rows) // 5)
        case "five modalities":
            more = linear_arrays(arrays.rows, modalities=5)
            arrays = replace(arrays, features=more.features, columns=more.columns)
        case "scores as inputs":
            options["features__boosted"] = "on"
    fit = fitted(arrays, **options)
    assert fit.outcome.deployed.model.transforms.encoded == (kept == "scores as inputs")
    assert not any("block" in name for name in models(fit))


@pytest.mark.parametrize("why", ["diverged", "still"])
def test_a_block_for_which_nothing_is_learnt_has_no_say(
    blocked: tuple[Fit, list[str]], monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    real = BlockedFold.__call__

    def unlearnt(fit: BlockedFold, progress: Progress) -> tuple[LeftOut, list[EpochRecord]] | None:
        if fit.task.block == 2 and why == "diverged":
            raise TrainingError("training.diverged", "not a number", "lower the rate")
        if fit.task.block == 2:
            still = np.full(fit.rows[0].rows, 2.0)
            still[fit.block] = fit.rows[0].required_target[fit.block]
            fit = replace(fit, rows=(replace(fit.rows[0], target=still), fit.rows[1]))
        return real(fit, progress)

    monkeypatch.setattr(BlockedFold, "__call__", unlearnt)
    progress = Noticing()
    fit = fitted(seasons(), progress, **BLOCKED)
    assert models(fit) == [BLOCKS[0], BLOCKS[2], "model"]
    assert f"{BLOCKS[1]}: nothing could be learnt, it has no say" in progress.notices
    assert fit.outcome.deployed.model.tree_share != blocked[0].outcome.deployed.model.tree_share


def test_what_else_goes_wrong_in_a_block_ends_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise TrainingError("training.worker_lost", "a process was killed", "try again")

    monkeypatch.setattr(BlockedFold, "__call__", lost)
    with pytest.raises(TrainingError, match="was killed"):
        fitted(seasons(), **BLOCKED)


def test_a_fit_resumed_within_a_block_ends_in_the_same_bytes(
    blocked: tuple[Fit, list[str]], store: FolderStore
) -> None:
    unbroken = Naming()
    fitted(seasons(), unbroken, **BLOCKED)
    names = unbroken.names
    done = names.index(BLOCKS[1]) + 2
    with pytest.raises(KeyboardInterrupt):
        fitted(seasons(), Stopping(done), store, **BLOCKED)
    assert store.path("checkpoint-0-block-2.safetensors") is not None
    rest = Naming()
    assert files(fitted(seasons(), rest, store, **BLOCKED)) == files(blocked[0])
    assert rest.names == names[done:]


@pytest.mark.slow
def test_blocks_side_by_side_end_in_the_same_bytes(
    blocked: tuple[Fit, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worthwhile, "STEPS_WORTH_PROCESSES", 0)
    options = BLOCKED | {"network__further": ["linear"]}
    one, both = (fitted(seasons(), threads=threads, **options) for threads in (1, 2))
    assert files(one)[1:] == files(both)[1:]


@given(st.integers(20, 5000), st.integers(2, 20))
def test_blocks_are_all_rows_in_order(rows: int, count: int) -> None:
    blocks = consecutive(rows, count)
    assert np.array_equal(np.concatenate([np.arange(rows)[block] for block in blocks]), np.arange(rows))
    sizes = [block.stop - block.start for block in blocks]
    assert len(sizes) == count
    assert max(sizes) - min(sizes) <= 1
    assert consecutive(rows, 0) == []
