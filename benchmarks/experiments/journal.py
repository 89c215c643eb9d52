"""Records of an experiment that runs, case by case, so that an interruption loses one case at most."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.experiments.experiment import Case, Experiment, Record, Setting


class Journal:
    """A file of lines: what runs and how, then each finished case with its records and seconds.

    Every setting has a file of its own, so that trying another one loses nothing. A line that an interruption tore is
    dropped; of a case that two runs finished at once, one counts.
    """

    def __init__(self, folder: Path, experiment: Experiment, setting: Setting) -> None:
        head = json.dumps({"revision": experiment.revision, **asdict(setting)})
        key = hashlib.sha256(head.encode()).hexdigest()[:8]
        self.path = folder / f"{experiment.name}-{key}.partial"
        self.done: dict[str, dict[str, Any]] = {}
        found = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        lines = [line for line in found.splitlines()[1:] if self._keep(line)]
        whole = "".join(line + "\n" for line in (head, *lines))
        if found != whole:
            self.path.write_text(whole, encoding="utf-8")

    def holds(self, case: Case) -> bool:
        """Whether the case is finished."""
        return json.dumps([*case]) in self.done

    def add(self, case: Case, records: Sequence[Record], seconds: float) -> None:
        """A finished case."""
        line = json.dumps({"case": [*case], "records": records, "seconds": seconds})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._keep(line)

    def remove(self) -> None:
        """When the results are saved."""
        self.path.unlink(missing_ok=True)

    @property
    def records(self) -> list[Record]:
        """Of all finished cases."""
        return [record for line in self.done.values() for record in line["records"]]

    @property
    def seconds(self) -> float:
        """That the finished cases took."""
        return float(sum(line["seconds"] for line in self.done.values()))

    def _keep(self, line: str) -> bool:
        """Note the case of a line, if it is whole."""
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            return False
        self.done.setdefault(json.dumps(found["case"]), found)
        return True
