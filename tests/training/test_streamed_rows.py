"""Rows in files: every row once an epoch, in an order that owes nothing to that of the table."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.streaming.buckets import BucketWriter
from pidreg_cli.data.streaming.column_facts import ColumnFacts
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.data.streaming.plan import POOL_BUCKETS
from pidreg_cli.data.streaming.sharing import Sharing
from pidreg_cli.network.whole_batch import slices
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.fitted import Transforms
from pidreg_cli.training.rounds import round_batches, round_steps
from pidreg_cli.training.streamed_rows import StreamedRows

ROWS, BUCKETS = 4000, 18
CPU = torch.device("cpu")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def sorted_table(folder: Path) -> tuple[MultimodalArrays, DealtTable]:
    """Rows in the order of their target, with holes, dealt to more files than are mixed at a time."""
    rng = np.random.default_rng(0)
    target = np.sort(rng.standard_normal(ROWS))
    features = {name: rng.standard_normal((ROWS, 2)).astype(np.float32) for name in "ab"}
    features["a"][::9] = np.nan
    features["b"][1::7, 1] = np.nan
    columns = {name: (f"{name}0", f"{name}1") for name in "ab"}
    arrays = MultimodalArrays(features, columns, target, np.arange(ROWS))
    facts = {name: ColumnFacts(columns[name]) for name in "ab"}
    writer = BucketWriter(folder, BUCKETS, 4, 1)
    for start in range(0, ROWS, 640):
        piece = slice(start, start + 640)
        blocks = [block[piece] for block in features.values()]
        writer.add(blocks, target[piece], np.arange(ROWS)[piece])
        for name, block in zip("ab", blocks, strict=True):
            facts[name].update(block, np.ones(len(block), bool))
    counts = {"train": ROWS, "valid": 0, "test": 0}
    dealt = DealtTable(arrays, np.arange(ROWS), ROWS, counts, facts, target, writer.finished([writer.sizes]))
    return arrays, dealt


@pytest.fixture
def streamed(tmp_path: Path) -> tuple[StreamedRows, Rows]:
    """Rows in files, and the same in memory, in the order of their target."""
    arrays, dealt = sorted_table(tmp_path)
    transforms = Transforms.fit(arrays, "both", "conditional", dealt)
    return StreamedRows(dealt, transforms, CPU), transforms.rows(arrays, CPU)


def joined(batches: list[Rows]) -> torch.Tensor:
    """All that is said of the rows, in the order of the batches."""
    parts = [[*b.inputs, b.target[:, None], b.score[:, None], b.present.float()] for b in batches]
    return torch.cat([torch.cat(part, 1) for part in parts])


def places(batches: list[Rows], whole: Rows) -> np.ndarray:
    """Places of the rows in the table, which is sorted by the target."""
    return np.searchsorted(whole.target.numpy(), torch.cat([b.target for b in batches]).numpy())


@pytest.mark.parametrize("size", [1, 64, 256, 1500])
def test_an_epoch_has_every_row_once_but_the_remainder(
    streamed: tuple[StreamedRows, Rows], size: int
) -> None:
    rows, whole = streamed
    batches = list(rows.batches(size, generator()))
    assert [len(batch) for batch in batches] == [size] * (ROWS // size)
    seen = places(batches, whole)
    assert len(set(seen.tolist())) == ROWS // size * size
    # And what is said of each row is what a fit in memory reads.
    torch.testing.assert_close(joined(batches), joined([whole])[torch.from_numpy(seen)], rtol=0, atol=0)
    for own, other in zip(batches[0].absent, whole.absent, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=0)


def test_epochs_differ_and_are_the_same_for_the_same_numbers(streamed: tuple[StreamedRows, Rows]) -> None:
    rows, whole = streamed
    first, again, second = (places(list(rows.batches(50, generator(seed))), whole) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first == second).mean() < 0.01


def test_batches_of_a_sorted_table_are_random_samples(streamed: tuple[StreamedRows, Rows]) -> None:
    rows, whole = streamed
    batches = list(rows.batches(100, generator()))
    # Means of 100 rows, without replacement: their spread is that of random samples, not of runs of a sorted table.
    means = np.array([float(batch.target.mean()) for batch in batches]) * 10
    assert np.abs(means).max() < 4
    assert 0.6 < means.std() < 1.4
    order = places(batches, whole).astype(float)
    for lag in (1, 2, 10, 100, 1000):
        assert abs(np.corrcoef(order[lag:], order[:-lag])[0, 1]) < 4 / np.sqrt(ROWS - lag)
    # Nor does the place in the epoch tell the place in the table.
    assert abs(np.corrcoef(order, np.arange(len(order)))[0, 1]) < 4 / np.sqrt(ROWS)


def test_chosen_batches_are_those_of_the_epoch_and_other_files_stay_unread(
    streamed: tuple[StreamedRows, Rows],
) -> None:
    rows, whole = streamed
    some = list(rows.batches(64, generator(), range(3, 7)))
    read = sum(1 for _ in rows.buckets.folder.glob("*.inputs"))
    assert POOL_BUCKETS <= read <= 2 * POOL_BUCKETS
    every = list(rows.batches(64, generator()))
    np.testing.assert_array_equal(places(some, whole), places(every[3:7], whole))
    # Each file is transformed once, and takes the place of the raw one.
    assert sorted(path.suffix for path in rows.buckets.folder.iterdir()) == [".inputs"] * BUCKETS


@pytest.mark.parametrize(("size", "processes"), [(64, 2), (100, 3), (1500, 2), (5, 5)])
@pytest.mark.parametrize("chosen", [None, range(1, 2)], ids=["whole", "some"])
def test_rows_of_several_processes_are_the_batches_of_one(
    streamed: tuple[StreamedRows, Rows], size: int, processes: int, chosen: range | None
) -> None:
    rows, _ = streamed
    expected = list(rows.batches(size, generator(), chosen))
    parts = [list(rows.batches(size, generator(), chosen, own)) for own in slices(size, processes)]
    assert {len(part) for part in parts} == {len(expected)}
    for together, whole in zip(zip(*parts, strict=True), expected, strict=True):
        assert torch.equal(joined(list(together)), joined([whole]))


def test_several_processes_transform_each_file_once_and_before_they_train(tmp_path: Path) -> None:
    _, dealt = sorted_table(tmp_path)
    transforms = Transforms.fit(dealt.sample, "both", "conditional", dealt)
    made: list[set[str]] = []

    def wait() -> None:
        made.append({path.name for path in tmp_path.glob("*.inputs")})

    for number in range(3):
        StreamedRows(replace(dealt, sharing=Sharing(number, 3, wait)), transforms, CPU)
    assert [len(names) for names in made] == [BUCKETS // 3, 2 * BUCKETS // 3, BUCKETS]
    assert {path.suffix for path in tmp_path.iterdir()} == {".inputs"}


def test_an_error_ahead_reaches_the_reader(streamed: tuple[StreamedRows, Rows]) -> None:
    rows, _ = streamed
    for number in range(BUCKETS):
        (rows.buckets.folder / f"{number}-0.rows").unlink()
    with pytest.raises(Exception, match=r"\.rows cannot be read"):
        list(rows.batches(64, generator()))


@pytest.mark.parametrize("steps", [7, 20, 62])
def test_rounds_go_on_through_the_passes_wherever_they_start(
    streamed: tuple[StreamedRows, Rows], steps: int
) -> None:
    for rows in streamed:
        size, whole = 64, ROWS // 64

        def order(number: int) -> torch.Generator:
            return generator(number)

        rounds = [
            [batch.target for batch in round_batches(rows, size, (number, steps), generator(), order)]
            for number in range(5)
        ]
        assert [len(one) for one in rounds] == [steps] * 5
        if steps == whole:
            continue
        passes = [b.target for number in range(7) for b in rows.batches(size, generator(number))]
        for found, expected in zip(chain(*rounds), passes, strict=False):
            assert torch.equal(found, expected)


def test_a_round_is_a_pass_unless_the_table_is_long() -> None:
    assert round_steps(1_000_000, 256, 1_000_000) == 1_000_000 // 256
    assert round_steps(10_000_000, 256, 1_000_000) == 1_000_000 // 256
    assert round_steps(700, 256, 1_000_000) == 2
    assert round_steps(5000, 4096, 1000) == 1
