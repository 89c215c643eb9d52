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
