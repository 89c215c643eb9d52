"""Records of an experiment that runs, case by case, so that an interruption loses one case at most."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.experiments.experiment import Case, Record, Setting


class Journal:
    """A file of lines: the setting, then each finished case with its records and seconds.

    A file of another setting is begun anew.
    """

    def __init__(self, path: Path, setting: Setting) -> None:
        self.path = path
        self.done: list[dict[str, Any]] = []
        head = json.loads(json.dumps(asdict(setting)))
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]) == head:
            self.done = [json.loads(line) for line in lines[1:]]
        else:
            path.write_text(json.dumps(head) + "\n", encoding="utf-8")

    def holds(self, case: Case) -> bool:
        """Whether the case is finished."""
        return any(line["case"] == [*case] for line in self.done)

    def add(self, case: Case, records: Sequence[Record], seconds: float) -> None:
        """A finished case."""
        line = json.dumps({"case": [*case], "records": records, "seconds": seconds})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self.done.append(json.loads(line))

    @property
    def records(self) -> list[Record]:
        """Of all finished cases."""
        return [record for line in self.done for record in line["records"]]

    @property
    def seconds(self) -> float:
        """That the finished cases took."""
        return float(sum(line["seconds"] for line in self.done))
