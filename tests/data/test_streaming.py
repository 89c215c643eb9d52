"""Tables larger than memory: what rows do, how they are dealt, and what a sample cannot know."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.splits import assign_split
from pidreg_cli.data.streaming import uses
from pidreg_cli.data.streaming.buckets import Buckets, check_space, read_matrix
from pidreg_cli.data.streaming.column_facts import ColumnFacts
from pidreg_cli.data.streaming.deal import DealtTable, Source, deal_table
from pidreg_cli.data.streaming.opening import Draws, open_rows
from pidreg_cli.data.streaming.plan import (
    FEWEST_HELD,
    FEWEST_SAMPLED,
    MOST_BUCKETS,
    POOL_BUCKETS,
    StreamPlan,
    TableSize,
    quantile_error,
)
from pidreg_cli.data.streaming.sharing import Sharing
from pidreg_cli.data.streaming.transforms import fit_on_sample
from pidreg_cli.data.streaming.uses import sample_mask
from pidreg_cli.data.tables import open_table
from pidreg_cli.data.transforms import FeatureTransform
from pidreg_cli.errors import DataError, OutputError, RunError, UsageError
from pidreg_cli.memory import bytes_of

ROWS = 3000
PLAN = StreamPlan(limit=10**9, sampled=400, held=100, bucket_rows=150)
ROLES = Roles({"a": ("a__0", "a__1"), "b": ("b",)}, "target", id="id")


def rng(seed=0):
    return np.random.default_rng(seed)


def columns(rows=ROWS):
    """Sorted by the target, some of which is missing; lists, holes, and whole modalities absent."""
    draws = rng(3)
    target = np.sort(draws.standard_normal(rows))
    target[::50] = np.nan
    a = draws.standard_normal((2, rows))
    a[0, draws.random(rows) < 0.1] = np.nan
    a[:, draws.random(rows) < 0.05] = np.nan
    b = draws.standard_normal((rows, 3)).astype(np.float32)
    return {
        "a__0": pa.array(a[0], from_pandas=True),
        "a__1": pa.array(a[1], from_pandas=True),
        "b": pa.array(list(b), pa.list_(pa.float32())),
        "target": pa.array(target, from_pandas=True),
        "id": pa.array([f"row {i}" for i in range(rows)]),
        "site": pa.array([f"s{i // 7 % 211}" for i in range(rows)]),
        "split": pa.array(np.array(["train", "valid", "test"])[draws.choice(3, rows, p=[0.7, 0.1, 0.2])]),
    }


def opened(folder: Path, roles: Roles = ROLES, plan: StreamPlan = PLAN, **changed: pa.Array) -> Source:
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns() | changed), path, row_group_size=700)
    source, _ = open_rows(open_table([path]), roles, "auto", plan, Draws(rng(1), rng(2)))
    (folder / "rows").mkdir()
    return source


def dealt(folder: Path, roles: Roles = ROLES, plan: StreamPlan = PLAN, **changed: pa.Array) -> DealtTable:
    return deal_table(opened(folder, roles, plan, **changed), plan, folder / "rows", 4)


def dealt_by(shares: int, folder: Path) -> list[DealtTable]:
    """By as many threads, each with its share of the rows."""
    source, barrier = opened(folder), threading.Barrier(shares)

    def wait() -> None:
        barrier.wait(60)

    def one(number: int) -> DealtTable:
        sharing = Sharing(number, shares, wait)
        try:
            return deal_table(source, PLAN, folder / "rows", 4, sharing)
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(shares) as pool:
        return list(pool.map(one, range(shares)))


def all_rows(buckets: Buckets) -> tuple[np.ndarray, np.ndarray]:
    parts = [buckets.read(number) for number in range(len(buckets.sizes))]
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A dealt table, and the same read into memory."""
    folder = tmp_path_factory.mktemp("dealt")
    found = dealt(folder)
    arrays = load_arrays(open_table([folder / "table.parquet"]), ROLES).arrays
    usable = arrays.take(np.isfinite(arrays.required_target))
    return found, usable, assign_split(usable, rng(1))


def test_the_split_is_that_of_a_fit_in_memory(whole):
    found, usable, split = whole
    assert found.counts == {part: int((split == part).sum()) for part in ("train", "valid", "test")}
    np.testing.assert_array_equal(found.sample.split, split[found.positions])
    np.testing.assert_array_equal(found.sample.ids, usable.ids[found.positions])
    np.testing.assert_array_equal(found.sample.target, usable.target[found.positions])
    for name, block in usable.features.items():
        np.testing.assert_array_equal(found.sample.features[name], block[found.positions])
    assert (found.sample.columns, found.sample.lists) == (usable.columns, frozenset("b"))
    kept = [int((found.sample.split == part).sum()) for part in ("train", "valid", "test")]
    assert kept == [PLAN.sampled, PLAN.held // 2, PLAN.held]


@pytest.mark.parametrize(
    "named", [{"group": "site"}, {"split": "split"}, {"group": "site", "split": "split"}]
)
def test_groups_and_split_columns_are_as_in_memory(tmp_path, named):
    roles = Roles(ROLES.modalities, "target", id="id", **named)
    found = dealt(tmp_path, roles)
    arrays = load_arrays(open_table([tmp_path / "table.parquet"]), roles).arrays
    usable = arrays.take(np.isfinite(arrays.required_target))
    split = assign_split(usable, rng(1))
    np.testing.assert_array_equal(found.sample.split, split[found.positions])
    if "group" in named:
        labels = usable.groups[found.positions]
        _, numbers = np.unique(usable.groups, return_inverse=True)
        np.testing.assert_array_equal(found.sample.groups, numbers[found.positions])
        assert len(set(zip(labels, found.sample.groups, strict=True))) == len(set(labels))


def test_every_training_row_lies_in_one_bucket_once_and_exactly(whole):
    found, usable, split = whole
    features, target = all_rows(found.buckets)
    training = usable.take(split == "train")
    order, expected = np.argsort(target), np.argsort(training.target)
    np.testing.assert_array_equal(target[order], training.target[expected])
    np.testing.assert_array_equal(features[order], np.hstack(list(training.features.values()))[expected])
    np.testing.assert_array_equal(np.sort(found.targets), np.sort(training.target))


@pytest.mark.parametrize("shares", [2, 3, 7])
def test_several_deal_what_one_does_and_each_knows_all(whole, tmp_path, shares):
    alone, _, _ = whole
    for found in dealt_by(shares, tmp_path):
        assert found.buckets.sizes == alone.buckets.sizes
        for number in range(len(alone.buckets.sizes)):
            for mine, theirs in zip(found.buckets.read(number), alone.buckets.read(number), strict=True):
                np.testing.assert_array_equal(mine, theirs)
        for name, block in alone.sample.features.items():
            np.testing.assert_array_equal(found.sample.features[name], block)
            facts = found.facts[name].to_arrays()
            for key, counted in alone.facts[name].to_arrays().items():
                np.testing.assert_array_equal(facts[key], counted)
        for mine, theirs in (
            (found.sample.target, alone.sample.target),
            (found.sample.ids, alone.sample.ids),
            (found.sample.split, alone.sample.split),
            (found.targets, alone.targets),
        ):
            np.testing.assert_array_equal(mine, theirs)
        assert (found.counts, found.rows) == (alone.counts, alone.rows)
    # What they told each other is gone: the rows are left, in a file for each bucket and share.
    left = sorted(path.suffix for path in (tmp_path / "rows").iterdir())
    assert left == [".rows"] * shares * len(alone.buckets.sizes)


def test_what_another_told_must_be_whole(tmp_path):
    def wait():
        (tmp_path / "share-0.safetensors").write_bytes(b"\xff" * 40)

    for spoil in (wait, (tmp_path / "share-0.safetensors").touch, lambda: None):
        (tmp_path / "share-0.safetensors").unlink(missing_ok=True)
        with pytest.raises(RunError, match=r"share-0\.safetensors cannot be read"):
            list(Sharing(1, 2, spoil).told(tmp_path, {"x": np.zeros(3)}))


def test_chosen_rows_of_a_file_are_read_alone(tmp_path):
    path, matrix = tmp_path / "x", rng().random((50, 3)).astype(np.float32)
    matrix.tofile(path)
    chosen = np.array([0, 7, 49])
    np.testing.assert_array_equal(read_matrix(path, 50, 3, chosen), matrix[chosen])
    for size in (0, 12, 601):
        path.write_bytes(b"\0" * size)
        with pytest.raises(RunError, match="is not whole"):
            read_matrix(path, 50, 3, chosen)
    path.write_bytes(b"")
    assert read_matrix(path, 0, 3, chosen[:0]).shape == (0, 3)


def test_a_sorted_table_gives_buckets_that_are_alike(whole):
    found, _, _ = whole
    sizes = np.array(found.buckets.sizes)
    assert len(sizes) == -(-found.counts["train"] // PLAN.bucket_rows)
    expected = found.counts["train"] / len(sizes)
    assert np.abs(sizes - expected).max() < 5 * np.sqrt(expected)
    _, target = all_rows(found.buckets)
    for number, size in enumerate(sizes):
        mean = found.buckets.read(number)[1].mean()
        assert abs(mean - target.mean()) < 5 * target.std() / np.sqrt(size)


def test_what_may_be_missing_is_known_of_all_rows(whole):
    found, usable, split = whole
    for name, block in usable.features.items():
        facts = found.facts[name]
        missing = np.isnan(block)
        assert facts.missing_fraction == missing.mean()
        assert facts.absent_fraction == missing.all(axis=1).mean()
        fitted = FeatureTransform.fit(block[split == "train"], usable.columns[name], "both")
        assert (facts.flagged, facts.train_absent > 0) == (fitted.flagged, fitted.flags_absence)


def test_a_column_that_is_constant_in_the_sample_alone_is_not_lost():
    facts = ColumnFacts(("rare", "always", "empty", "usual", "late"))
    block = np.zeros((1000, 5))
    block[:, 2] = np.nan
    block[:, 3] = rng().standard_normal(1000)
    block[500, 0], block[:, 4] = 1.0, np.nan
    block[700:702, 4] = 5.0, 6.0
    facts.update(block, np.ones(1000, bool))
    sample = block[:400].astype(np.float32)
    fitted = fit_on_sample(sample, facts.columns, facts, "both", "conditional")
    assert (fitted.constant_columns, fitted.empty_columns) == (("always",), ("empty",))
    assert fitted.flagged == (4,)
    alone = FeatureTransform.fit(sample, facts.columns, "both", "conditional")
    assert alone.constant_columns == ("rare", "always")
    assert fitted.scales[3].to_dict() == alone.scales[3].to_dict()
    read = fitted.apply(block[[0, 500]].astype(np.float32)).values[:, 0]
    assert read[1] > read[0] + 1


@pytest.mark.parametrize("most", [1, 37, 99])
def test_a_sample_is_of_its_size_and_no_row_is_preferred(monkeypatch, most):
    monkeypatch.setattr(uses, "BLOCK", 30)
    draws = rng()
    counts = sum(sample_mask(100, most, draws).astype(int) for _ in range(2000))
    assert counts.sum() == 2000 * most
    deviation = np.sqrt(2000 * most / 100 * (1 - most / 100))
    assert np.abs(counts - 20 * most).max() < 5 * deviation
    assert sample_mask(100, 100, draws).all()


def test_ranks_of_a_sample_are_within_the_stated_error():
    population = np.sort(rng(7).standard_cauchy(20_000))
    places, size, draws = np.arange(1, 20_001) / 20_000, 300, rng(8)
    errors = []
    for _ in range(400):
        sample = np.sort(draws.choice(population, size, replace=False))
        errors.append(np.abs(np.searchsorted(sample, population, "right") / size - places).max())
    share = float(np.mean(np.array(errors) > quantile_error(size)))
    # Two thirds of the bound would not hold: it is no empty promise.
    assert share < 0.07
    assert np.mean(np.array(errors) > quantile_error(size) * 2 / 3) > 0.2


def test_sizes_grow_with_the_memory_and_too_little_is_refused():
    size = TableSize(5_000_000, 200, 2)
    small, large = (StreamPlan.of(size, limit) for limit in (2 * 10**9, 8 * 10**9))
    assert small.sampled < large.sampled <= 10**6
    assert small.held < large.held <= 200_000
    assert small.bucket_rows < large.bucket_rows
    with pytest.raises(UsageError, match=r"650 MB of memory .* 5,000,000 rows of 200 features"):
        StreamPlan.of(size, 650 * 10**6)
    with pytest.raises(UsageError, match="to train on"):
        StreamPlan.of(TableSize(10**9, 200, 2), 2 * 10**10)


@given(
    st.integers(100, 10**10), st.integers(1, 20_000), st.integers(1, 12), st.booleans(), st.integers(1, 10**9)
)
def test_the_least_limit_is_enough_and_what_is_asked_for_is_the_least(
    rows, features, modalities, grouped, less
):
    size = TableSize(rows, features, modalities, grouped)
    plan = StreamPlan.of(size, size.streamed)
    assert plan.sampled >= FEWEST_SAMPLED
    assert plan.held >= FEWEST_HELD
    assert plan.bucket_rows * MOST_BUCKETS >= rows
    fewer = size.streamed - 1 - max(8, size.streamed // 1000)
    free = fewer - size.state
    assert (
        free / size.of_sampled < FEWEST_SAMPLED
        or free / size.of_held < FEWEST_HELD
        or free / size.of_pooled < POOL_BUCKETS * rows / MOST_BUCKETS
    )
    with pytest.raises(UsageError) as caught:
        StreamPlan.of(size, max(1, size.streamed - less))
    asked = bytes_of(caught.value.hint.split("--memory ")[1].split(" ")[0])
    assert asked < min(size.streamed, size.in_memory) * 1.1
    assert size.in_memory <= asked or StreamPlan.of(size, asked).limit == asked


@pytest.mark.parametrize(
    ("folds", "change", "why"),
    [
        (5, {}, "--folds 5 was asked for"),
        ("auto", {"split": pa.array(["train", "valid"] * (ROWS // 2))}, "no test rows"),
        (
            "auto",
            {"target": pa.array([*range(1900), *[None] * (ROWS - 1900)])},
            "only 1,900 rows have a target",
        ),
    ],
)
def test_folds_are_refused_with_a_remedy(tmp_path, folds, change, why):
    pq.write_table(pa.table(columns() | change), tmp_path / "table.parquet")
    roles = Roles(ROLES.modalities, "target", split="split" if "split" in change else None)
    with pytest.raises(UsageError, match=why) as caught:
        open_rows(open_table([tmp_path / "table.parquet"]), roles, folds, PLAN, Draws(rng(), rng()))
    assert "--memory" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "code", "row"),
    [
        ({"a__0": pa.array([1.0] * 2500 + [np.inf] + [2.0] * 499)}, "data.infinite_value", "row 2500"),
        ({"split": pa.array(["train"] * 2800 + ["dev"] * 200)}, "data.split_value", "row 2800"),
        ({"site": pa.array(["s"] * 2900 + [None] * 100)}, "data.missing_group", "row 2900"),
        (
            {"a__0": pa.nulls(ROWS, pa.float64()), "a__1": pa.nulls(ROWS, pa.float64())},
            "data.empty_modality",
            "'a'",
        ),
    ],
)
def test_rows_that_cannot_be_used_are_named_as_in_memory(tmp_path, change, code, row):
    roles = Roles(ROLES.modalities, "target", group="site", split="split")
    with pytest.raises(DataError, match=row.replace("(", r"\(")) as caught:
        dealt(tmp_path, roles, **change)
    assert caught.value.code == code


def test_a_split_that_divides_groups_is_told(tmp_path):
    pq.write_table(pa.table(columns()), tmp_path / "table.parquet")
    roles = Roles(ROLES.modalities, "target", group="site", split="split")
    table = open_table([tmp_path / "table.parquet"])
    _, notices = open_rows(table, roles, "auto", PLAN, Draws(rng(), rng()))
    assert "divides groups" in notices[0]
    whole = Roles(ROLES.modalities, "target", group="id", split="split")
    assert open_rows(table, whole, "auto", PLAN, Draws(rng(), rng()))[1] == ()


def test_files_that_are_not_whole_and_disks_that_are_full_are_refused(tmp_path):
    found = dealt(tmp_path).buckets
    (found.folder / "0-0.rows").write_bytes(b"\0" * 12)
    (found.folder / "1-0.rows").unlink()
    for number in (0, 1):
        with pytest.raises(RunError, match=rf"{number}-0\.rows"):
            found.read(number)
    with pytest.raises(OutputError, match=r"3\.0 GB, but the disk has 2\.0 GB left"):
        check_space(tmp_path, 3 * 10**9, 2 * 10**9)
