from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.in_process import TINY, Ended


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a small table, to be read and not changed."""
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "tiny.yaml").write_text(TINY)
    for arguments in (
        ("synth", "unique", "-o", folder / "data.parquet", "--rows", 200),
        ("fit", folder / "data.parquet", "-q", "--config", folder / "tiny.yaml", "-o", folder / "run"),
    ):
        ended = Ended(*arguments)
        assert ended.status == 0, ended.err
    return folder / "run"


@pytest.fixture(scope="session")
def boosted_folder(run_folder: Path) -> Path:
    """A run of the same table with boosted trees, few and small."""
    folder = run_folder.parent
    sets = ("features.boosted=on", "boosting.rounds=3", "boosting.leaves=4", "boosting.folds=2")
    options = [part for setting in sets for part in ("--set", setting)]
    ended = Ended(
        "fit",
        folder / "data.parquet",
        "-q",
        "--config",
        folder / "tiny.yaml",
        "-o",
        folder / "boosted",
        *options,
    )
    assert ended.status == 0, ended.err
    return folder / "boosted"
