"""Files of a report or run folder from a stranger."""

from __future__ import annotations

import json
import re
import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import strategies as st

from pidreg_cli.data.metadata import parse_metadata
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.model_files import read_model
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.reports.figures.training import training
from pidreg_cli.reports.html import to_html
from pidreg_cli.reports.markdown import to_markdown
from pidreg_cli.reports.serialise import from_json
from pidreg_cli.reports.traces import Traces
from pidreg_cli.run_evidence import read_evidence
from pidreg_cli.run_traces import read_history, read_traces
from pidreg_cli.training.trees import lightgbm
from tests.earlier_runs import content_of, rewrite, without_digests
from tests.fuzz.hostile import amounts, as_json, broken_bytes, broken_document, odd_numbers, survives

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

CPU = torch.device("cpu")
DEEP = b"[" * 100_000
ONE_IN = 40
"""Histories of which one is drawn: a figure takes a hundred times as long as reading."""


@amounts
def test_reports(run_folder: Path, examples: int) -> None:
    content = (run_folder / "report.json").read_bytes()
    inputs = broken_document(json.loads(content)).map(as_json) | broken_bytes(content) | st.just(DEEP)
    survives(lambda text: to_markdown(from_json(text)), inputs, examples)


@pytest.fixture
def copied(run_folder: Path, tmp_path: Path) -> Path:
    """Without digests, which would refuse everything before the rest is looked at."""
    return without_digests(Path(shutil.copytree(run_folder, tmp_path / "run")))


def reading(folder: Path, name: str, read: Callable[[Path], object]) -> Callable[[bytes], None]:
    """Read the folder with another content of a file."""

    def replaced(content: bytes) -> None:
        # A new file: the old one may still be mapped into memory.
        (folder / name).unlink()
        (folder / name).write_bytes(content)
        read(folder)

    return replaced


@amounts
def test_models(copied: Path, examples: int) -> None:
    content = (copied / "model.json").read_bytes()
    inputs = broken_document(json.loads(content)).map(as_json) | broken_bytes(content) | st.just(DEEP)
    survives(reading(copied, "model.json", lambda folder: read_model(folder, CPU)), inputs, examples)


@st.composite
def claimed_sizes(draw: st.DrawFn, document: dict[str, Any]) -> bytes:
    """An architecture with some of its numbers replaced by small or huge ones."""
    changed = json.loads(json.dumps(document))
    shape = draw(st.sampled_from(changed["networks"]))
    places = [shape, *shape["encoders"]]
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(places))
        key = draw(
            st.sampled_from([key for key, value in place.items() if not isinstance(value, list | str)])
        )
        place[key] = draw(odd_numbers | st.integers(0, 2**40))
    return json.dumps(changed).encode()


@amounts
def test_sizes_that_a_model_claims(copied: Path, examples: int) -> None:
    document = json.loads((copied / "model.json").read_bytes())
    read = reading(copied, "model.json", lambda folder: read_model(folder, CPU))
    survives(read, claimed_sizes(document), examples)


@st.composite
def claimed_tensors(draw: st.DrawFn, content: bytes) -> bytes:
    """A safetensors file with a header that claims other tensors, or another length of itself."""
    (length,) = struct.unpack("<Q", content[:8])
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    text = json.dumps(draw(broken_document(header))).encode()
    claimed = draw(st.just(len(text)) | st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**63, 100_000_000]))
    return struct.pack("<Q", claimed) + text + data


READERS = {
    "model.safetensors": lambda folder: read_model(folder, CPU),
    "prediction.safetensors": lambda folder: read_predictor(folder, CPU),
    "evidence.safetensors": lambda folder: read_evidence(folder).estimates(nulls=False),
}


@amounts
@pytest.mark.parametrize("name", READERS)
def test_tensors(copied: Path, name: str, examples: int) -> None:
    content = (copied / name).read_bytes()
    inputs = claimed_tensors(content) | broken_bytes(content)
    survives(reading(copied, name, READERS[name]), inputs, examples)


@st.composite
def broken_trees(draw: st.DrawFn, text: str) -> bytes:
    """A text of trees with bytes, numbers or lines of it changed."""
    kind = draw(st.sampled_from(["bytes", "numbers", "numbers", "lines"]))
    if kind == "bytes":
        return draw(broken_bytes(text.encode()))
    parts = re.split(r"(?<![\w.])(-?[\d.]+)" if kind == "numbers" else r"(.*\n)", text)
    places = range(1, len(parts), 2)
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(places))
        if kind == "numbers":
            parts[place] = str(draw(st.integers(-6, 6) | odd_numbers))
        else:
            parts[place] = draw(st.sampled_from(["", 2 * parts[place], parts[draw(st.sampled_from(places))]]))
    return "".join(parts).encode()


@pytest.fixture
def boosted(boosted_folder: Path, tmp_path: Path) -> Path:
    lightgbm()  # Before memory is limited.
    return without_digests(Path(shutil.copytree(boosted_folder, tmp_path / "run")))


@amounts
def test_boosted_trees(boosted: Path, examples: int) -> None:
    """What LightGBM is given it can read and predict with: its faults would end the process of the test."""
    path = boosted / "model.safetensors"
    name = "boosted.1.0"
    _, tensors = content_of(path)
    text = zlib.decompress(tensors[name].tobytes()).decode()
    block = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)

    def read(content: bytes) -> None:
        rewrite(path, None, tensors | {name: np.frombuffer(zlib.compress(content), np.uint8)})
        scores = read_model(boosted, CPU)[0].transforms.boosted
        assert scores is not None
        blocks = dict.fromkeys(scores.modalities, block)
        assert np.isfinite(scores.predict(blocks, [1])[1]).all()

    read(text.encode())
    survives(read, broken_trees(text), examples)


@amounts
def test_packed_boosted_trees(boosted: Path, examples: int) -> None:
    path = boosted / "model.safetensors"
    _, tensors = content_of(path)

    def read(content: bytes) -> None:
        rewrite(path, None, tensors | {"boosted.1.0": np.frombuffer(content, np.uint8)})
        read_model(boosted, CPU)

    survives(read, broken_bytes(tensors["boosted.1.0"].tobytes()), examples)


@amounts
def test_tensors_of_a_model_with_trees(boosted: Path, examples: int) -> None:
    content = (boosted / "model.safetensors").read_bytes()
    inputs = claimed_tensors(content) | broken_bytes(content)
    survives(reading(boosted, "model.safetensors", READERS["model.safetensors"]), inputs, examples)


@st.composite
def broken_history(draw: st.DrawFn, lines: list[Any]) -> bytes:
    """Epochs, one of them broken."""
    changed = list(lines)
    place = draw(st.integers(0, len(lines) - 1))
    changed[place] = draw(broken_document(lines[place]))
    return b"\n".join(map(as_json, changed)) + b"\n"


@amounts
def test_histories_and_their_figures(run_folder: Path, tmp_path: Path, examples: int) -> None:
    lines = [json.loads(line) for line in (run_folder / "history.jsonl").read_text().splitlines()]
    report = from_json((run_folder / "report.json").read_bytes())
    path = tmp_path / "history.jsonl"
    to_html(report, Traces(read_traces(run_folder).training))  # Fonts are looked for once.

    def read(content: bytes) -> None:
        path.write_bytes(content)
        epochs = read_history(path)
        if len(content) % ONE_IN == 0:
            training(report, Traces(epochs))

    survives(read, broken_history(lines), examples)


@amounts
@pytest.mark.parametrize("name", ["history.jsonl", "heldout.parquet", "config.yaml"])
def test_the_rest_of_a_run(copied: Path, name: str, examples: int) -> None:
    def read(folder: Path) -> None:
        read_traces(folder)
        read_evidence(folder)

    content = (copied / name).read_bytes()
    survives(reading(copied, name, read), broken_bytes(content), examples)


@amounts
def test_roles_in_the_metadata_of_a_table(run_folder: Path, examples: int) -> None:
    schema = pq.read_schema(run_folder.parent / "data.parquet")
    stored = json.loads(schema.metadata[b"pidreg"])
    inputs = broken_document(stored).map(as_json) | broken_bytes(schema.metadata[b"pidreg"]) | st.just(DEEP)

    def read(raw: bytes) -> None:
        resolve_roles(schema, parse_metadata(raw), RoleRequest())

    survives(read, inputs, examples)
