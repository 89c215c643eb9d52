"""One pass over a table by several processes of a machine, each over its own row groups: what they tell each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from pidreg_cli.atomic import writing
from pidreg_cli.errors import RunError

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Sharing:
    """Share ``number`` of ``of``; ``wait`` returns when every process has come to it, of other machines, too.

    They leave word in files of the folder that they deal the rows to.
    """

    number: int = 0
    of: int = 1
    wait: Callable[[], None] = lambda: None

    @property
    def alone(self) -> bool:
        """Whether there is one share, the whole."""
        return self.of == 1

    def told(self, folder: Path, own: Arrays) -> Iterator[Arrays]:
        """What each process tells, in the order of the shares, read as each is asked for.

        Raises OutputError where it cannot be written, and RunError where it cannot be read.
        """
        if self.alone:
            # Others may be more on their machines.
            self.wait()
            yield own
            self.wait()
            return
        path = self._path(folder, self.number)
        with writing(path):
            save_file({name: np.asarray(array, order="C") for name, array in own.items()}, path)
        self.wait()
        for number in range(self.of):
            yield own if number == self.number else _read(self._path(folder, number))
        self.wait()
        with writing(path):
            path.unlink(missing_ok=True)

    @staticmethod
    def _path(folder: Path, number: int) -> Path:
        return folder / f"share-{number}.safetensors"


ALONE = Sharing()


def _read(path: Path) -> Arrays:
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise RunError("run.rows", f"{path} cannot be read: {error}", "repeat with --resume") from error
