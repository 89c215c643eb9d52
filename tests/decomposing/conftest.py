"""Small tables on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.preparation.findings import SilentRows
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.tables import open_table
from pidreg_cli.decomposing.of_features import decompose_features
from pidreg_cli.decomposing.per_row import Decomposed
from pidreg_cli.decomposing.request import DecomposeRequest

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write columns to a Parquet file of small row groups."""

    def written(columns: Mapping[str, object], name: str = "table.parquet", group: int = 64) -> Path:
        path = tmp_path / name
        pq.write_table(pa.table(dict(columns)), path, row_group_size=group)
        return path

    return written


def linear_columns(rows: int = 400, seed: int = 0) -> dict[str, object]:
    """Modality a says half of y, b a quarter of the rest; c is noise."""
    rng = np.random.default_rng(seed)
    a, b, c, noise = rng.normal(size=(4, rows))
    return {
        "a__0": a + 0.1 * rng.normal(size=rows),
        "a__1": rng.normal(size=rows),
        "b__0": b,
        "c__0": c,
        "target": a + 0.7 * b + 0.7 * noise,
    }


def decomposed(
    path: Path, covariates: tuple[str, ...] = (), roles: RoleRequest | None = None, **asked: object
) -> Decomposed:
    request = DecomposeRequest(threads=1, **asked)  # type: ignore[arg-type]
    return decompose_features(open_table([path]), roles or RoleRequest(), request, covariates, SilentRows())


def values(found: Decomposed) -> dict[str, float]:
    assert found.report.information is not None
    return {"".join(v.modalities): v.value for v in found.report.information.values}
