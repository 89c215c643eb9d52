"""Commands run within the process of a test, and a configuration that trains in a moment."""

from __future__ import annotations

import io
import json
from typing import Any

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console

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
stage1: {min_epochs: 1, max_epochs: 2}
stage2: {min_epochs: 1, max_epochs: 2}
"""


class Ended:
    """A command that ran: its status, and what it wrote."""

    def __init__(self, *arguments: object) -> None:
        out, err = io.StringIO(), io.StringIO()
        self.status = main([str(argument) for argument in arguments], Console(out, err))
        self.out, self.err = out.getvalue(), err.getvalue()

    @property
    def report(self) -> dict[str, Any]:
        """The report on stdout of a command that ended well."""
        assert self.status == 0, self.err
        found: dict[str, Any] = json.loads(self.out)
        return found
