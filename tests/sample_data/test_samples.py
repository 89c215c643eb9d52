"""The sample tables: made again byte for byte, and as their README describes them."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_diabetes

from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.metadata import ROLES_KEY, parse_metadata
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import open_table

FOLDER = Path(__file__).parents[2] / "sample_data"
SYNTHETIC = ("mixed", "synergy", "unique", "null", "three")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_samples", FOLDER / "make_samples.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_sample_is_what_the_script_makes(script: ModuleType) -> None:
    assert script.differences(FOLDER) == []


def test_check_names_the_files_that_differ(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    monkeypatch.setattr(script, "SYSTEMS", ())
    (tmp_path / "diabetes.parquet").write_bytes(b"edited")
    assert script.main(["--check"]) == 1
    assert "diabetes.parquet" in capsys.readouterr().err
    assert script.main([]) == 0
    assert script.main(["--check"]) == 0


def test_the_samples_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in FOLDER.iterdir() if path.is_file()}
    assert max(sizes.values()) < 1_000_000
    assert sum(sizes.values()) < 6_000_000


def test_diabetes_holds_the_patients_as_measured() -> None:
    table = pq.read_table(FOLDER / "diabetes.parquet")
    roles = parse_metadata(table.schema.metadata[ROLES_KEY])
    patients = load_diabetes(scaled=False)
    columns = [*roles.modalities["clinical"], *roles.modalities["serum"]]
    assert [column.partition("__")[2] for column in columns] == list(patients.feature_names)
    values = np.column_stack([table[column].to_numpy() for column in columns])
    np.testing.assert_array_equal(values, patients.data)
    np.testing.assert_array_equal(table["progression"].to_numpy(), patients.target)
    assert (roles.target, roles.id, table.num_rows) == ("progression", "id", 442)


@pytest.mark.parametrize(
    "request_",
    [
        RoleRequest(),
        RoleRequest(modalities={"clinical": (), "serum": ()}, target="progression"),
    ],
)
def test_diabetes_loads_with_and_without_options(request_: RoleRequest) -> None:
    table = open_table([FOLDER / "diabetes.parquet"])
    arrays = load_arrays(table, resolve_roles(table.schema, table.metadata, request_)).arrays
    assert {name: block.shape for name, block in arrays.features.items()} == {
        "clinical": (442, 4),
        "serum": (442, 6),
    }
    assert arrays.target is not None
    assert (arrays.target.min(), arrays.target.max()) == (25.0, 346.0)


@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("name", SYNTHETIC)
def test_synthetic_samples_load_with_metadata_and_by_convention(name: str, stored: bool) -> None:
    table = open_table([FOLDER / f"{name}.parquet"])
    roles = resolve_roles(table.schema, table.metadata if stored else None, RoleRequest())
    truth = json.loads((FOLDER / f"{name}.truth.json").read_text())
    assert {modality: len(columns) for modality, columns in roles.modalities.items()} == dict.fromkeys(
        truth["modalities"], 6
    )
    assert (roles.target, roles.id, table.rows) == ("target", "id", truth["rows"])


@pytest.mark.parametrize("name", SYNTHETIC)
def test_the_readme_states_the_truth(name: str) -> None:
    truth = json.loads((FOLDER / f"{name}.truth.json").read_text())
    lines = (FOLDER / "README.md").read_text().splitlines()
    (row,) = [line for line in lines if line.startswith(f"| `{name}.parquet`")]
    stated = [cell.strip() for cell in row.strip("|").split("|")][2:]
    singles = {e["modalities"][0]: e["reported"] for e in truth["information"] if len(e["modalities"]) == 1}
    summary = truth["summary"]
    unique = [f"{k} {v:.3f}" for k, v in summary["unique"].items() if v > 0.0]
    assert stated == [
        *(f"{singles[m]:.3f}" if m in singles else "" for m in "abc"),
        f"{summary['total']:.3f}",
        ", ".join(unique) or "0.000",
        f"{summary['redundant']:.3f}",
        f"{summary['synergistic']:.3f}",
    ]
