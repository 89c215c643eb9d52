"""Files that claim to be larger than they are, or never end: refused before the memory for the claim is taken."""

from __future__ import annotations

import functools
import io
import json
import os
import shutil
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from safetensors.torch import save

from pidreg_cli.config.loading import load_settings
from pidreg_cli.data.transforms import FeatureTransform
from pidreg_cli.errors import PidregError, RunError, UsageError
from pidreg_cli.limited_reading import (
    MOST_OF_JSON,
    json_memory,
    limited_json,
    limited_stream,
    most_of_numbers,
)
from pidreg_cli.model_files import MOST_BYTES, read_model
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.reports.opening import read_report
from pidreg_cli.run_evidence import read_evidence
from pidreg_cli.run_traces import read_traces
from pidreg_cli.streaming import stored_way
from pidreg_cli.training.checkpoints import read_checkpoint
from tests.earlier_runs import without_digests
from tests.fuzz.hostile import limits, values
from tests.training.conftest import FolderStore

CPU = torch.device("cpu")


@pytest.fixture
def copied(run_folder: Path, tmp_path: Path) -> Path:
    """Without digests, which would refuse everything before the rest is looked at."""
    return without_digests(Path(shutil.copytree(run_folder, tmp_path / "run")))


CLAIMS = {
    "wide": {"width": 10**9},
    "deep": {"depth": 2**30},
    "beyond a machine word": {"width": 10**30},
    "negative": {"width": -1},
    "no number": {"width": "wide"},
    "many frequencies": {"kind": "periodic", "frequencies": 10**9},
    "many waves": {"kind": "fourier", "waves": 10**9},
    "many combinations": {"kind": "fourier", "wave_layers": 2, "unfolded": 10**9},
    "many layers of waves": {"kind": "fourier", "wave_layers": 2**30},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_network_is_made_only_of_the_size_of_its_weights(copied: Path, claim: str) -> None:
    document = json.loads((copied / "model.json").read_bytes())
    document["networks"][0]["encoders"][0] |= CLAIMS[claim]
    (copied / "model.json").write_text(json.dumps(document))
    with limits(), pytest.raises(RunError, match="model cannot be read"):
        read_model(copied, CPU)


@pytest.mark.parametrize("share", [0, 1, -0.5, 2.0])
def test_a_bottleneck_starts_with_a_share_between_none_and_all(copied: Path, share: float) -> None:
    document = json.loads((copied / "model.json").read_bytes())
    document["networks"][0]["bottleneck_start"] = share
    (copied / "model.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match="bottleneck_start"):
        read_model(copied, CPU)


def test_weights_must_be_finite(copied: Path) -> None:
    from safetensors.torch import load, save

    weights = load((copied / "model.safetensors").read_bytes())
    next(iter(weights.values())).view(-1)[0] = float("nan")
    (copied / "model.safetensors").write_bytes(save(weights))
    with pytest.raises(RunError, match="not finite"):
        read_model(copied, CPU)


@pytest.mark.parametrize(
    "name", ["model.json", "model.safetensors", "report.json", "config.yaml", "history.jsonl"]
)
@pytest.mark.parametrize("kind", ["endless", "pipe"])
def test_a_file_that_never_ends_is_refused(copied: Path, name: str, kind: str) -> None:
    (copied / name).unlink()
    if kind == "pipe":
        os.mkfifo(copied / name)
    else:
        (copied / name).symlink_to("/dev/zero")
    read = {
        "model.json": lambda: read_model(copied, CPU),
        "model.safetensors": lambda: read_model(copied, CPU),
    }
    others = {"history.jsonl": lambda: read_traces(copied)}
    with limits(), pytest.raises(PidregError):
        (read | others).get(name, lambda: read_evidence(copied))()


PLAN = ("limit", "sampled", "held", "bucket_rows")
HUGE = 200 * 10**9
DEEP = "[" * 100_000


def reading(folder: Path, name: str) -> Callable[[], object]:
    """What reads this file of a run."""
    others: dict[str, Callable[[], object]] = {
        "prediction.safetensors": lambda: read_predictor(folder, CPU),
        "history.jsonl": lambda: read_traces(folder),
        "checkpoint.safetensors": lambda: read_checkpoint(FolderStore(folder), name, CPU),
    }
    if name in ("model.json", "model.safetensors"):
        return lambda: read_model(folder, CPU)
    return others.get(name, lambda: read_evidence(folder))


@pytest.mark.parametrize(
    "name",
    [
        "model.json",
        "model.safetensors",
        "prediction.safetensors",
        "evidence.safetensors",
        "checkpoint.safetensors",
        "report.json",
        "config.yaml",
        "history.jsonl",
    ],
)
def test_a_file_of_holes_is_refused_by_its_size(copied: Path, name: str) -> None:
    """As a tensor of all of it, where it is a file of tensors: no claim but its size is wrong."""
    header = {
        "x": {"dtype": "U8", "shape": [HUGE], "data_offsets": [0, HUGE]},
        "__metadata__": {"ledger": "{}"},
    }
    text = json.dumps(header).encode()
    (copied / name).unlink(missing_ok=True)
    (copied / name).write_bytes(struct.pack("<Q", len(text)) + text if name.endswith("tensors") else b"")
    os.truncate(copied / name, 8 + len(text) + HUGE)
    with limits(), pytest.raises(RunError, match=r"larger than|more than a quarter of the memory") as caught:
        reading(copied, name)()
    assert int(caught.value.status) == 4


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("model.safetensors", "pidreg"),
        ("prediction.safetensors", "pidreg"),
        ("evidence.safetensors", "pidreg"),
        ("checkpoint.safetensors", "ledger"),
    ],
)
def test_a_header_that_is_nested_too_deep_is_refused(copied: Path, name: str, key: str) -> None:
    (copied / name).unlink(missing_ok=True)
    (copied / name).write_bytes(save({"x": torch.zeros(1)}, {key: DEEP}))
    with limits(), pytest.raises(RunError, match="nested too deep"):
        reading(copied, name)()


@pytest.mark.parametrize("name", ["model.json", "report.json", "history.jsonl"])
def test_a_text_that_is_nested_too_deep_is_refused(copied: Path, name: str) -> None:
    (copied / name).write_text(DEEP)
    with limits(), pytest.raises(RunError, match="nested too deep"):
        reading(copied, name)()


@pytest.mark.parametrize("name", ["model.json", "report.json"])
@pytest.mark.parametrize("piece", ["[]", "{}", '{"":0}', '"ab"', "1.5"])
def test_a_text_that_takes_little_and_becomes_much_is_refused(copied: Path, name: str, piece: str) -> None:
    (copied / name).write_text(f"[{','.join([piece] * (12_000_000 // (1 + len(piece))))}]")
    with limits(), pytest.raises(RunError, match=r"of memory|has no schema_version|format version is None"):
        reading(copied, name)()


@pytest.mark.parametrize("piece", [{}, [], 0, ""])
@pytest.mark.parametrize("place", ["pid.atoms", "information.values", "one_versus_rest", "data.files"])
def test_a_report_is_read_up_to_its_first_errors(copied: Path, place: str, piece: object) -> None:
    """Each of a million takes a kilobyte and more."""
    document = json.loads((copied / "report.json").read_bytes())
    *path, last = place.split(".")
    functools.reduce(dict.__getitem__, path, document)[last] = [
        piece if place != "data.files" else [piece]
    ] * 10**6
    (copied / "report.json").write_text(json.dumps(document))
    with limits(), pytest.raises(RunError, match=rf"{place}\.0"):
        read_report(str(copied), io.BytesIO())


def test_an_object_of_a_report_has_few_keys(copied: Path) -> None:
    document = json.loads((copied / "report.json").read_bytes())
    document["shapley"] = {str(key): "" for key in range(10**6)}
    (copied / "report.json").write_text(json.dumps(document))
    with limits(), pytest.raises(RunError, match="1,000,000 keys, more than 1,000"):
        read_report(str(copied), io.BytesIO())


def test_a_model_of_thousands_of_features_is_no_bomb(monkeypatch: pytest.MonkeyPatch) -> None:
    block = np.random.default_rng(0).normal(size=(20_000, 4)).astype(np.float32)
    one = FeatureTransform.fit(block, tuple("abcd"), "both", "conditional").to_dict()
    text = json.dumps(one, indent=1)
    assert 5000 / 4 * json_memory(text) < MOST_OF_JSON
    # Of more where there is memory for them.
    monkeypatch.setattr("pidreg_cli.limited_reading.available_bytes", lambda: 2**34)
    size = 20_000 // 4 * len(text)
    assert size < MOST_BYTES
    assert 20_000 / 4 * json_memory(text) < most_of_numbers(size)
    # Of other texts there is never more than for those.
    assert json_memory("[]," * 10**6) > 50 * 3 * 10**6
    monkeypatch.setattr("pidreg_cli.limited_reading.available_bytes", lambda: 0)
    assert most_of_numbers(size) == MOST_OF_JSON


@settings(max_examples=50, deadline=None)
@given(values)
def test_the_memory_of_a_text_is_not_underestimated(value: object) -> None:
    text = json.dumps([value] * 500)
    tracemalloc.start()
    limited_json(text.replace("NaN", "0").replace("Infinity", "0"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < json_memory(text) + 100_000


@pytest.mark.parametrize(
    "content", ["[" * 100_000, "{", '{"limit": 1}', '{"limit":1,"sampled":"","held":1,"bucket_rows":1}']
)
def test_a_plan_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    class Run:
        resumed, checkpoints = True, FolderStore(tmp_path)

    (tmp_path / "streaming.json").write_text(content)
    with limits(), pytest.raises(RunError, match="cannot be read"):
        stored_way(Run())  # type: ignore[arg-type]


def test_rows_that_a_small_table_claims(copied: Path) -> None:
    rows = 4_000_000
    columns = {
        "split": pa.array(["test"]).take(np.zeros(rows, int)),
        "y": np.zeros(rows),
        "prediction": np.zeros(rows),
    }
    pq.write_table(pa.table(columns), copied / "heldout.parquet", compression="zstd")
    assert (copied / "heldout.parquet").stat().st_size < rows / 50
    with limits(), pytest.raises(RunError, match="more rows"):
        read_traces(copied)


def test_an_endless_report_or_configuration_is_refused() -> None:
    with limits(), pytest.raises(RunError, match="larger than"):
        read_report("/dev/zero", io.BytesIO())
    with limits(), pytest.raises(UsageError, match="not a configuration"):
        load_settings(config=Path("/dev/zero"))


def test_a_stream_of_just_the_limit_is_read() -> None:
    assert limited_stream(io.BytesIO(b"x" * 10), 10) == b"x" * 10
    with pytest.raises(ValueError, match="larger than 9 bytes"):
        limited_stream(io.BytesIO(b"x" * 10), 9)
