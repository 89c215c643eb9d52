"""The commands that faults are injected into: their lines, what they write, and whether two results are the same."""

from __future__ import annotations

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks.faults import forked

CLOCK = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)?")
"""Times of day: all that two equal runs differ in."""
LOCK, CHECKPOINTS = ".lock", "checkpoints/"
"""In a run folder that was complete when the process was killed, but not yet tidied."""
Digests = dict[str, str]
TINY = """
preset: fast
threads: 1
folds: 2
network:
  code_dim: 3
  predictor_width: 8
  head_width: 4
  encoder: {kind: mlp, width: 8, depth: 1}
loss: {directions: 2, rows: 16}
stage1: {min_epochs: 1, max_epochs: 3}
stage2: {min_epochs: 1, max_epochs: 3}
"""


@dataclass(frozen=True)
class Subject:
    """A command line; ``outputs``: names of what it writes; ``again``: options that finish it after a fault.

    ``data`` and ``files``: what it reads, relative to the inputs; ``streams``: the line that writes its result to
    stdout.
    """

    name: str
    arguments: tuple[str, ...]
    outputs: tuple[str, ...]
    again: tuple[str, ...]
    files: tuple[str, ...]
    streams: tuple[str, ...]


FIT = Subject(
    "fit",
    ("fit", "{inputs}/data.parquet", "-q", "--config", "{inputs}/tiny.yaml", "-o", "out.pidreg"),
    ("out.pidreg",),
    ("--resume",),
    ("data.parquet",),
    ("fit", "{inputs}/data.parquet", "--config", "{inputs}/tiny.yaml", "-o", "out.pidreg"),
)
PREPARE = Subject(
    "prepare",
    ("prepare", "{inputs}/rows.csv.gz", "-o", "out.parquet", "--modalities", "a,b"),
    ("out.parquet", "out.pidreg.json"),
    ("--force",),
    ("rows.csv.gz",),
    ("prepare", "{inputs}/rows.csv.gz", "-o", "out.parquet", "--modalities", "a,b", "--dry-run"),
)
PREDICT = Subject(
    "predict",
    ("predict", "{inputs}/run.pidreg", "{inputs}/data.parquet", "-o", "out.parquet", "--explain"),
    ("out.parquet",),
    ("--force",),
    (
        "data.parquet",
        "run.pidreg/model.json",
        "run.pidreg/model.safetensors",
        "run.pidreg/prediction.safetensors",
    ),
    ("predict", "{inputs}/run.pidreg", "{inputs}/data.parquet", "-o", "-"),
)
DECOMPOSE = Subject(
    "decompose",
    ("decompose", "{inputs}/run.pidreg", "--format", "json", "-o", "out.json", "--per-row", "out.csv"),
    ("out.json", "out.csv"),
    ("--force",),
    ("run.pidreg/evidence.safetensors", "run.pidreg/report.json", "run.pidreg/config.yaml"),
    ("decompose", "{inputs}/run.pidreg", "--format", "json"),
)
SELECT = Subject(
    "select-modalities",
    ("select-modalities", "{inputs}/run.pidreg", "--format", "json", "-o", "out.json"),
    ("out.json",),
    ("--force",),
    ("run.pidreg/evidence.safetensors", "run.pidreg/report.json", "run.pidreg/config.yaml"),
    ("select-modalities", "{inputs}/run.pidreg", "--format", "json"),
)
OTHERS = (PREPARE, PREDICT, DECOMPOSE, SELECT)


class Workshop:
    """Inputs that every attempt reads, a folder for each attempt, and what an unbroken run of each command makes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.inputs, self.logs = folder, folder / "inputs", folder / "logs"
        for place in (self.inputs, self.logs):
            place.mkdir(parents=True)
        self._count = 0
        self._prepare_inputs()
        self._whole: dict[str, tuple[Digests, float]] = {}

    def _prepare_inputs(self) -> None:
        (self.inputs / "tiny.yaml").write_text(TINY, encoding="utf-8")
        self._made("synth", "unique", "-o", "data.parquet", "--rows", "400")
        import pyarrow.parquet as pq

        rows = pq.read_table(self.inputs / "data.parquet").to_pandas()
        rows.to_csv(self.inputs / "rows.csv.gz", index=False)
        self._made("fit", "data.parquet", "-q", "--config", "tiny.yaml", "-o", "run.pidreg")

    def _made(self, *arguments: str) -> None:
        ended = forked.run(arguments, self.inputs, self.logs)
        if ended.status:
            raise RuntimeError(f"{arguments}: {ended.err}")

    def attempt(self) -> Path:
        """An empty folder."""
        self._count += 1
        place = self.folder / f"attempt-{self._count}"
        place.mkdir()
        return place

    def line(self, subject: Subject, *, resume: bool = False, inputs: Path | None = None) -> list[str]:
        """The command line; with ``resume`` the one that finishes it after a fault."""
        return self.filled((*subject.arguments, *(subject.again if resume else ())), inputs)

    def filled(self, arguments: tuple[str, ...], inputs: Path | None = None) -> list[str]:
        """Arguments with the place of the inputs."""
        return [argument.format(inputs=inputs or self.inputs) for argument in arguments]

    def whole(self, subject: Subject) -> tuple[Digests, float]:
        """What an unbroken run writes, by output, and its seconds: the median of three."""
        if subject.name not in self._whole:
            runs = [self._unbroken(subject) for _ in range(3)]
            if any(found != runs[0][0] for found, _ in runs):
                raise RuntimeError(f"{subject.name} writes something else each time")
            self._whole[subject.name] = (runs[0][0], sorted(seconds for _, seconds in runs)[1])
        return self._whole[subject.name]

    def _unbroken(self, subject: Subject) -> tuple[Digests, float]:
        place = self.attempt()
        ended = forked.run(self.line(subject), place, self.logs)
        if ended.status:
            raise RuntimeError(f"{subject.name}: {ended.err}")
        found = digests(place, subject)
        shutil.rmtree(place)
        return found, ended.seconds

    def copied_inputs(self, place: Path) -> Path:
        """A copy of the inputs to break."""
        shutil.copytree(self.inputs, place / "inputs")
        return place / "inputs"


def digests(place: Path, subject: Subject) -> Digests:
    """Of what the command wrote, less the clock, by output; only of outputs that are there."""
    return {name: digest(place / name) for name in subject.outputs if (place / name).exists()}


def digest(output: Path) -> str:
    """Of a file, or of all files of a folder and their names, less the clock."""
    found = hashlib.sha256()
    files = (path for path in output.rglob("*") if path.is_file()) if output.is_dir() else [output]
    for path in sorted(files):
        name = str(path.relative_to(output))
        if path.name != LOCK and not name.startswith(CHECKPOINTS):
            found.update(name.encode() + b"\0" + CLOCK.sub(b"", path.read_bytes()))
    return found.hexdigest()


def left(place: Path, subject: Subject, whole: Digests, old: Digests) -> str:
    """In a word what a fault left under the final names, else beside them; ``broken`` for anything but whole files."""
    present = digests(place, subject)
    if any(found not in (whole[name], old.get(name)) for name, found in present.items()):
        return "broken"
    if present == whole:
        return "the whole result"
    beside = {path.name for path in place.iterdir()} - {*subject.outputs, "inputs"}
    if any(name.endswith(".partial") for name in beside):
        return "an unfinished run" if not old else "the old result and an unfinished run"
    if old:
        return "the old result" if present == old else "old and new files, each whole"
    if present:
        return "some of its files, each whole"
    return "a temporary file" if beside else "nothing"
