"""Runs as processes leave them: complete, interrupted, refused."""

from __future__ import annotations

import pytest

from pidreg_cli.errors import UsageError
from pidreg_cli.runs import RunBuilder

CONFIG = "seed: 0\nstage1:\n  max_epochs: 5\n"
DATA = "sha256:00"
NOBODY = 65534


def complete(folder, text="report", **options):
    with RunBuilder(folder, **options) as run:
        run.begin(CONFIG, DATA)
        run.checkpoints.write("fold1/state.safetensors", b"state")
        run.write_text("report.json", text)
        run.commit()


def interrupted(folder, **options):
    with pytest.raises(ZeroDivisionError) as caught, RunBuilder(folder, **options) as run:
        begin_and_fail(run)
    return caught.value


def begin_and_fail(run):
    run.begin(CONFIG, DATA)
    run.checkpoints.write("state", b"epoch 3")
    1 / 0  # noqa: B018


def begin_and_refuse(run, error):
    run.begin(CONFIG, DATA)
    run.checkpoints.write("state", b"epoch 3")
    raise error


def fail_without_checkpoint(run):
    run.begin(CONFIG, DATA)
    1 / 0  # noqa: B018


def refusal(folder, **options):
    with pytest.raises(UsageError) as caught, RunBuilder(folder, **options):
        pytest.fail("entered")
    return caught.value


def names(folder):
    return sorted(path.name for path in folder.iterdir())
