"""Files that claim to be larger than they are, or never end: refused before the memory for the claim is taken."""

from __future__ import annotations

import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from pidreg_cli.config.loading import load_settings
from pidreg_cli.errors import PidregError, RunError, UsageError
from pidreg_cli.limited_reading import limited_stream
from pidreg_cli.model_files import read_model
from pidreg_cli.reports.opening import read_report
from pidreg_cli.run_evidence import read_evidence
from pidreg_cli.run_traces import read_traces
from tests.earlier_runs import without_digests
from tests.fuzz.hostile import limits

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
