"""Boosted scores: who sees which rows, noise that reads as nothing, missing cells, equal bytes, models that travel."""

from __future__ import annotations

import builtins
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from pidreg_cli.config.settings import BoostingSettings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.errors import DataError, ExitStatus, UsageError
from pidreg_cli.training import boosting
from pidreg_cli.training.boosting import (
    BoostedScores,
    FittedScores,
    ScoreFits,
    deciding_sets,
    scored_sets,
    stacked,
)
from pidreg_cli.training.trees import FEW_CHARACTERS, Trees, fit_trees, lightgbm, shortened, threads_for

SMALL = BoostingSettings(rounds=20, learning_rate=0.2, leaves=15, folds=4)


def arrays_of(rows: int = 300, groups: bool = False, seed: int = 0) -> MultimodalArrays:
    """Modality a (3 columns, gaps) tells the target by a step, b (1 column) by its square."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(rows, 3)).astype(np.float32)
    b = rng.normal(size=(rows, 1)).astype(np.float32)
    target = np.where(a[:, 0] > 0, 1.0, -1.0) + b[:, 0] ** 2 + 0.1 * rng.normal(size=rows)
    a[rng.random(a.shape) < 0.1] = np.nan
    columns = {"a": ("x", "y", "z"), "b": ("w",)}
    named = np.repeat(np.arange(rows // 10), 10) if groups else None
    return MultimodalArrays({"a": a, "b": b}, columns, target, np.arange(rows), named)


def fit_scores(
    arrays: MultimodalArrays, target: np.ndarray, settings: BoostingSettings, seed: int, number: int
) -> FittedScores:
    """Scores of every set."""
    fits = ScoreFits(arrays, target, settings, seed, number)
    decided = fits.deciding(1)
    return replace(decided, scores=fits.completed(decided.scores, 2))


def standard(target: np.ndarray) -> np.ndarray:
    return (target - target.mean()) / target.std()


def r2(prediction: np.ndarray, target: np.ndarray) -> float:
    return 1 - float(np.mean((prediction - target) ** 2) / np.var(target))


def seen_rows(
    monkeypatch: pytest.MonkeyPatch, arrays: MultimodalArrays
) -> tuple[list[set[int]], list[set[int]]]:
    """Rows that each model fitted and those that it scored out of fold, by the identity of column w."""
    column = arrays.features["b"][:, 0]
    fitted: list[set[int]] = []
    scored: list[set[int]] = []

    class Watched:
        def predict(self, block: np.ndarray) -> np.ndarray:
            scored.append(set(np.flatnonzero(np.isin(column, block[:, -1])).tolist()))
            return np.zeros(len(block))

    def watch(block: np.ndarray, *_: Any) -> Watched:
        fitted.append(set(np.flatnonzero(np.isin(column, block[:, -1])).tolist()))
        return Watched()

    monkeypatch.setattr(boosting, "fit_trees", watch)
    fit_scores(arrays.only("b"), arrays.required_target, SMALL, 0, 0)
    return fitted, scored


def test_no_row_is_scored_by_a_model_that_saw_it(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, scored = seen_rows(monkeypatch, arrays_of())
    assert len(fitted) == SMALL.folds
    assert all(not a & b for a, b in zip(fitted, scored, strict=True))
    assert sorted(row for rows in scored for row in rows) == list(range(300))


def test_rows_of_a_group_are_scored_by_models_that_saw_none_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = arrays_of(groups=True)
    assert arrays.groups is not None
    for a, b in zip(*seen_rows(monkeypatch, arrays), strict=True):
        assert not set(arrays.groups[list(a)]) & set(arrays.groups[list(b)])


@pytest.mark.parametrize("kind", ["noise", "permuted"])
def test_a_target_that_the_features_do_not_know_reads_as_nothing(kind: str) -> None:
    arrays = arrays_of(1000)
    rng = np.random.default_rng(3)
    known = standard(arrays.required_target)
    target = rng.normal(size=1000) if kind == "noise" else rng.permutation(known)
    scores = fit_scores(arrays, target, SMALL, 0, 0).out_of_fold
    for column in scores.T:
        # Three standard errors of a correlation of independent rows.
        assert abs(np.corrcoef(column, target)[0, 1]) < 3 / np.sqrt(1000)
    # The same trees on rows that they did see would promise a lot.
    seen = fit_trees(arrays.features["a"], target, SMALL, 0).predict(arrays.features["a"])
    assert r2(seen, target) > 0.2


def test_each_modality_is_scored_by_its_own_columns_and_new_rows_by_the_mean() -> None:
    arrays, new = arrays_of(800), arrays_of(400, seed=1)
    fitted = fit_scores(arrays, arrays.required_target, SMALL, 0, 0)
    step, square = arrays.required_target, arrays.features["b"][:, 0] ** 2
    assert np.corrcoef(fitted.out_of_fold[:, 1], square)[0, 1] > 0.9
    assert abs(np.corrcoef(fitted.out_of_fold[:, 0], square)[0, 1]) < 0.15
    predicted = fitted.scores.predict(new.features, [1, 2, 3])
    mean = np.mean([trees.predict(new.features["a"]) for trees in fitted.scores.models[1]], axis=0)
    np.testing.assert_array_equal(predicted[1], mean)
    together = stacked((fitted.out_of_fold, step), np.column_stack([predicted[1], predicted[2]]))
    assert r2(together, new.required_target) > 0.5
    assert r2(predicted[3], new.required_target) > 0.5


def test_all_sets_of_four_modalities_are_scored_and_of_more_the_single_ones() -> None:
    assert scored_sets(1) == [1]
    assert scored_sets(4) == list(range(1, 16))
    assert scored_sets(5) == [1, 2, 4, 8, 16]
    assert deciding_sets(4) == [1, 2, 4, 8, 15]
    assert deciding_sets(5) == scored_sets(5)


def test_a_set_is_fitted_the_same_first_or_last() -> None:
    rng = np.random.default_rng(0)
    features = {name: rng.normal(size=(120, 2)).astype(np.float32) for name in "abc"}
    columns = dict.fromkeys("abc", ("x", "y"))
    arrays = MultimodalArrays(features, columns, rng.normal(size=120), np.arange(120))
    fits = ScoreFits(arrays, arrays.required_target, SMALL, 0, 0)
    decided = fits.deciding(1).scores
    whole = fits.completed(decided, 1)
    assert list(decided.models) == [1, 2, 4, 7]
    assert list(whole.models) == [1, 2, 3, 4, 5, 6, 7]
    every = fits.completed(replace(decided, models={}), 3)
    assert [t.text for t in every.models[7]] == [t.text for t in decided.models[7]]


def test_the_stack_of_exact_scores_has_no_error() -> None:
    rng = np.random.default_rng(0)
    scores, new = rng.normal(size=(50, 2)), rng.normal(size=(20, 2))
    weights = np.array([2.0, -1.0])
    np.testing.assert_allclose(stacked((scores, 3 + scores @ weights), new), 3 + new @ weights)


def packed(seed: int = 0, number: int = 0) -> list[bytes]:
    arrays = arrays_of()
    scores = fit_scores(arrays, arrays.required_target, SMALL, seed, number).scores
    return [tensor.numpy().tobytes() for tensor in scores.to_tensors().values()]


def test_equal_seeds_give_equal_bytes_and_other_seeds_or_models_do_not() -> None:
    first = packed()
    assert packed() == first
    assert packed(seed=1) != first
    assert packed(number=1) != first


def test_equal_threads_give_equal_bytes() -> None:
    rng = np.random.default_rng(0)
    block = rng.normal(size=(10_000, 12)).astype(np.float32)
    target = block[:, 0] * block[:, 1] + rng.normal(size=len(block))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert threads_for(block) == 2
        assert threads_for(block[:100]) == 1
        few = SMALL.model_copy(update={"rounds": 3})
        first, second = (fit_trees(block, target, few, 0) for _ in range(2))
        assert first.packed() == second.packed()
        both = first.predict(block)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(first.predict(block), both)


def test_trees_say_nothing_on_any_stream(capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    for block in (rng.normal(size=(30, 2)), np.ones((12, 2)), np.full((12, 1), np.nan)):
        rows = block.astype(np.float32)
        trees = Trees.unpacked(fit_trees(rows, rng.normal(size=len(rows)), SMALL, 0).packed())
        assert np.isfinite(trees.predict(rows)).all()
    assert capfd.readouterr() == ("", "")


def test_shortened_models_predict_the_same() -> None:
    library = lightgbm()
    rng = np.random.default_rng(0)
    block = rng.normal(size=(200, 4)).astype(np.float32)
    block[rng.random(block.shape) < 0.2] = np.nan
    parameters = {"verbosity": -1, "num_threads": 1}
    booster = library.train(parameters, library.Dataset(block, rng.normal(size=200), params=parameters), 10)
    whole = booster.model_to_string()
    short = shortened(whole)
    # Another version of the library may say more.
    assert shortened(whole.replace("num_leaves=", "gain_of_fit=1 2\nnum_leaves=")) == short
    assert len(short) < 0.6 * len(whole)
    np.testing.assert_array_equal(Trees(short).predict(block), booster.predict(block))


TEXT = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=Column_0 Column_1
feature_infos=[0:1] [0:1]

Tree=0
num_leaves=4
num_cat=0
split_feature=0 1 0
threshold=0.5 0.5 0.5
decision_type=2 2 2
left_child=1 2 -1
right_child=-2 -3 -4
leaf_value=1 2 3 4
is_linear=0
shrinkage=1


Tree=1
num_leaves=1
num_cat=0
split_feature=
threshold=
decision_type=
left_child=
right_child=
leaf_value=0.5
is_linear=0
shrinkage=1


end of trees
"""


def test_scores_survive_as_tensors() -> None:
    arrays = arrays_of()
    scores = fit_scores(arrays, arrays.required_target, SMALL, 0, 0).scores
    again = BoostedScores.from_tensors({"a": 3, "b": 1}, SMALL.folds, [1, 2, 3], scores.to_tensors())
    for mask, score in scores.predict(arrays.features, [1, 2, 3]).items():
        np.testing.assert_array_equal(again.predict(arrays.features, [mask])[mask], score)


@pytest.mark.parametrize("damage", ["flipped", "cut", "text", "missing", "more", "columns", "empty", "model"])
def test_damaged_trees_are_refused(damage: str) -> None:
    arrays = arrays_of()
    tensors = fit_scores(arrays, arrays.required_target, SMALL, 0, 0).scores.to_tensors()
    features = {"a": 3, "b": 1}
    first = tensors["1.0"]
    match damage:
        case "flipped":
            first[len(first) // 2] ^= 1
        case "cut":
            tensors["1.0"] = first[:-20]
        case "text":
            tensors["1.0"] = torch.zeros(40, dtype=torch.uint8)
        case "missing":
            del tensors["1.0"]
        case "more":
            tensors["1.9"] = first
        case "columns":
            features["a"] = 4
        case "empty":
            tensors["1.0"] = torch.zeros(0, dtype=torch.uint8)
        case "model":
            content = Trees("tree\nversion=v4\nend of trees\n").packed()
            tensors["1.0"] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    with pytest.raises(ValueError, match="boosted trees"):
        BoostedScores.from_tensors(features, SMALL.folds, [1, 2, 3], tensors)


@pytest.mark.parametrize(
    "change",
    [
        ("num_leaves=4", "num_leaves=2147483647"),
        ("num_leaves=4", "num_leaves=3"),
        ("num_leaves=4", "num_leaves=4097"),
        ("left_child=1", "left_child=0"),
        ("left_child=1", "left_child=999999"),
        ("left_child=1", "left_child=-9"),
        ("left_child=1", "left_child=1 1"),
        ("split_feature=0", "split_feature=3"),
        ("decision_type=2", "decision_type=1"),
        ("num_cat=0", "num_cat=1"),
        ("is_linear=0", "is_linear=1"),
        ("num_cat=0", "num_cat=0\nleaf_count=9"),
        ("num_class=1", "num_class=1000000"),
        ("max_feature_idx=1", "max_feature_idx=999999999"),
        ("objective=regression", "objective=regression\ntree_sizes=999999999"),
        ("leaf_value=1 2", "leaf_value=nan 2"),
        ("leaf_value=1 2", "leaf_value=1e308 2"),
        ("threshold=", "threshold=1 "),
        ("Tree=1", "Tree=1\nTree=1"),
        ("version=v4\n", ""),
    ],
    ids="=".join,
)
def test_texts_that_a_fit_does_not_write_never_reach_lightgbm(
    change: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take the memory they claim, or read beyond its own."""
    assert TEXT.count(change[0])
    content = Trees(TEXT.replace(*change, 1)).packed()
    monkeypatch.setattr(Trees, "_booster", property(lambda self: pytest.fail("reached LightGBM")))
    with pytest.raises(ValueError, match="boosted trees are damaged"):
        Trees.unpacked(content)


def test_the_text_that_these_are_changes_of_is_read() -> None:
    assert Trees.unpacked(Trees(TEXT).packed()).predict(np.zeros((1, 2), np.float32)) == pytest.approx([1.5])


def test_trees_of_a_model_share_the_characters_they_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = arrays_of()
    scores = fit_scores(arrays, arrays.required_target, SMALL, 0, 0).scores
    total = sum(len(trees.text) for models in scores.models.values() for trees in models)
    given = ({"a": 3, "b": 1}, SMALL.folds, [1, 2, 3], scores.to_tensors())
    monkeypatch.setattr("pidreg_cli.training.boosting.most_characters", lambda packed: total)
    BoostedScores.from_tensors(*given)
    monkeypatch.setattr("pidreg_cli.training.boosting.most_characters", lambda packed: total - 1)
    with pytest.raises(ValueError, match="much larger than their file"):
        BoostedScores.from_tensors(*given)


def test_packed_trees_that_become_much_are_refused_before_they_do() -> None:
    """A megabyte that becomes a gigabyte."""
    packer = zlib.compressobj(9)
    content = b"".join([*(packer.compress(b" " * 2**24) for _ in range(64)), packer.flush()])
    tensor = torch.frombuffer(bytearray(content), dtype=torch.uint8)
    tracemalloc.start()
    with pytest.raises(ValueError, match="much larger than their file"):
        BoostedScores.from_tensors({"a": 1}, 1, [1], {"1.0": tensor})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * FEW_CHARACTERS


def test_few_groups_make_fewer_folds_and_one_is_refused() -> None:
    arrays = arrays_of(60)
    three = MultimodalArrays(
        arrays.features, arrays.columns, arrays.target, arrays.ids, np.repeat([0, 1, 2], 20)
    )
    assert fit_scores(three, three.required_target, SMALL, 0, 0).scores.folds == 3
    one = MultimodalArrays(arrays.features, arrays.columns, arrays.target, arrays.ids, np.zeros(60))
    with pytest.raises(DataError, match="1 groups"):
        fit_scores(one, one.required_target, SMALL, 0, 0)


@pytest.mark.parametrize("error", [OSError("libgomp.so.1: cannot open"), ImportError("no module")])
def test_a_library_that_cannot_be_loaded_is_named_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "lightgbm":
            raise error
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(UsageError, match=str(error)) as caught:
        lightgbm()
    assert "libgomp1" in caught.value.hint
    assert "features.boosted=off" in caught.value.hint
    assert caught.value.status == ExitStatus.USAGE
