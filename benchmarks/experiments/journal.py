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

    A file of another setting is begun anew; of a case that two runs finished at once, one counts.
    """

    def __init__(self, path: Path, setting: Setting) -> None:
        self.path = path
        self.done: dict[str, dict[str, Any]] = {}
        head = json.loads(json.dumps(asdict(setting)))
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        if lines and json.loads(lines[0]) == head:
            for line in lines[1:]:
                self._keep(line)
        else:
            path.write_text(json.dumps(head) + "\n", encoding="utf-8")

    def holds(self, case: Case) -> bool:
        """Whether the case is finished."""
        return json.dumps([*case]) in self.done

    def add(self, case: Case, records: Sequence[Record], seconds: float) -> None:
        """A finished case."""
        line = json.dumps({"case": [*case], "records": records, "seconds": seconds})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._keep(line)

    @property
    def records(self) -> list[Record]:
        """Of all finished cases."""
        return [record for line in self.done.values() for record in line["records"]]

    @property
    def seconds(self) -> float:
        """That the finished cases took."""
        return float(sum(line["seconds"] for line in self.done.values()))

    def _keep(self, line: str) -> None:
        found = json.loads(line)
        self.done.setdefault(json.dumps(found["case"]), found)
