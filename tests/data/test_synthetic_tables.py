"""Tables of the synthetic systems: columns, laws, files, reproducibility, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri_exp
from scipy.stats import kstest

from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.metadata import ROLES_KEY, parse_metadata
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.synthetic import (
    SYSTEMS,
    SyntheticSystem,
    SyntheticTable,
    generate,
    truth_path,
    write_synthetic,
)
from pidreg_cli.data.synthetic.files import TRUTH_KEY
from pidreg_cli.data.synthetic.interactions import Floats, Product
from pidreg_cli.data.synthetic.mixing import FEATURES, bend, distractors, mixing_matrix
from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import ExitStatus, OutputError, UsageError

ROWS = 4000


def features(table: SyntheticTable, modality: str) -> Floats:
    columns = table.roles.modalities[modality]
    return np.column_stack([table.table[column].to_numpy() for column in columns]).astype(np.float64)


def recovered(table: SyntheticTable, system: SyntheticSystem, modality: str) -> dict[str, Floats]:
    """The latents that a modality shows, read back from its features."""
    shown, names = features(table, modality), system.modalities[modality]
    line = np.linspace(-12.0, 12.0, 40_001)
    curves = bend(np.repeat(line[:, None], FEATURES, axis=1))
    straight = np.column_stack([np.interp(shown[:, j], curves[:, j], line) for j in range(FEATURES)])
    matrix = mixing_matrix(f"{system.name}/{modality}", len(names) + distractors(len(names)))
    return dict(zip(names, (straight @ np.linalg.pinv(matrix).T).T, strict=False))


@pytest.mark.parametrize("name", SYSTEMS)
def test_columns_are_those_of_the_roles_and_finite(name: str) -> None:
    drawn = generate(name, ROWS, seed=3)
    expected = [f"{m}__f{j}" for m in SYSTEMS[name].modalities for j in range(FEATURES)]
    assert drawn.table.column_names == [*expected, "target", "id"]
    assert {str(drawn.table.schema.field(column).type) for column in expected} == {"float"}
    assert drawn.table["id"].to_pylist() == list(range(ROWS))
    assert all(np.isfinite(drawn.table[column].to_numpy()).all() for column in [*expected, "target"])


@pytest.mark.parametrize("name", SYSTEMS)
def test_features_have_the_scale_of_a_measurement(name: str) -> None:
    drawn = generate(name, ROWS, seed=3)
    for modality in SYSTEMS[name].modalities:
        block = features(drawn, modality)
        assert np.all(np.abs(block.mean(axis=0)) < 5.0 * block.std(axis=0) / np.sqrt(ROWS))
        assert np.all((block.std(axis=0) > 0.2) & (block.std(axis=0) < 3.0))


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if not system.edges])
def test_the_target_is_the_function_of_the_shown_latents_that_the_truth_is_of(name: str) -> None:
    system = SYSTEMS[name]
    drawn = generate(name, ROWS, seed=5)
    latents = {k: v for m in system.modalities for k, v in recovered(drawn, system, m).items()}
    known = sum((c * latents[k] for k, c in system.linear.items()), np.zeros(ROWS))
    known = known + system.interaction.values(latents)
    remainder = before_shaping(drawn.table["target"].to_numpy(), system) - known
    assert remainder.mean() == pytest.approx(0.0, abs=4.0 * system.noise / np.sqrt(ROWS))
    assert remainder.std() == pytest.approx(system.noise, rel=4.0 / np.sqrt(2 * ROWS))


def before_shaping(values: Floats, system: SyntheticSystem) -> Floats:
    if system.exponential:
        sd = np.sqrt(sum(c**2 for c in system.linear.values()) + system.noise**2)
        return np.asarray(-sd * ndtri_exp(-np.maximum(values, 1e-9)))
    line = np.linspace(-8.0, 8.0, 400_001)
    return np.interp(values, line * np.exp(0.5 * system.tail * line**2), line)


def test_an_exponential_target_has_that_distribution() -> None:
    assert kstest(generate("exponential", ROWS, seed=1).table["target"].to_numpy(), "expon").pvalue > 0.01


def test_any_target_can_be_made_exponential() -> None:
    product = replace(SYSTEMS["synergy"], exponential=True)
    target = generate(product, ROWS, seed=1).table["target"].to_numpy()
    assert kstest(target, "expon").pvalue > 0.01
    plain = generate("synergy", ROWS, seed=1).table["target"].to_numpy()
    np.testing.assert_array_equal(np.argsort(target, kind="stable"), np.argsort(plain, kind="stable"))


def test_an_integer_target_is_the_continuous_one_rounded() -> None:
    integers = generate("integer", ROWS, seed=1).table["target"]
    continuous = generate(replace(SYSTEMS["integer"], edges=()), ROWS, seed=1).table["target"].to_numpy()
    assert str(integers.type) == "int64"
    np.testing.assert_array_equal(integers.to_numpy(), np.clip(np.rint(2.0 * continuous) + 6.0, 0, 12))


@pytest.mark.parametrize("name", ["exponential", "integer"])
def test_other_margins_load_as_a_target(name: str, tmp_path: Path) -> None:
    drawn = generate(name, 200, seed=1)
    write_synthetic(drawn, tmp_path / "data.parquet")
    table = open_table([tmp_path / "data.parquet"])
    arrays = load_arrays(table, resolve_roles(table.schema, table.metadata, RoleRequest())).arrays
    assert arrays.target is not None
    np.testing.assert_array_equal(arrays.target, drawn.table["target"].to_numpy())


def test_modalities_that_show_a_latent_show_the_same_one() -> None:
    drawn, system = generate("redundant", ROWS, seed=1), SYSTEMS["redundant"]
    first, second = (recovered(drawn, system, modality)["m"] for modality in "ab")
    np.testing.assert_allclose(first, second, atol=0.01)


def test_noise_modalities_say_nothing_about_the_target() -> None:
    drawn = generate("null", ROWS, seed=2)
    block = np.column_stack([features(drawn, "a"), features(drawn, "b")])
    correlations = np.corrcoef(block.T, drawn.table["target"].to_numpy())[-1, :-1]
    assert np.all(np.abs(correlations) < 4.0 / np.sqrt(ROWS))


def test_seeds_differ_in_rows_but_not_in_law() -> None:
    one, two = (features(generate("mixed", ROWS, seed), "a") for seed in (0, 1))
    assert np.mean(one == two) < 0.01
    np.testing.assert_allclose(np.corrcoef(one.T), np.corrcoef(two.T), atol=6.0 / np.sqrt(ROWS))


def test_more_rows_begin_with_the_rows_of_fewer() -> None:
    assert generate("three", 50, seed=7).table.slice(0, 20) == generate("three", 20, seed=7).table


def test_a_variant_is_drawn_like_a_named_system() -> None:
    variant = SyntheticSystem(
        "variant", "two", {"x": ("p",), "y": ("q",)}, 0.5, interaction=Product("p", "q", 2.0)
    )
    drawn = generate(variant, 30, seed=0)
    assert drawn.truth["system"] == "variant"
    assert list(drawn.roles.modalities) == ["x", "y"]


@pytest.mark.parametrize("name", ["xor", "heavy-tail"])
def test_equal_requests_give_equal_bytes(name: str, tmp_path: Path) -> None:
    paths = [tmp_path / f"{k}.parquet" for k in "12"]
    for path in paths:
        write_synthetic(generate(name, 500, seed=4), path)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert truth_path(paths[0]).read_bytes() == truth_path(paths[1]).read_bytes()


def test_files_carry_roles_and_truth(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    drawn = generate("three", 40, seed=9)
    write_synthetic(drawn, path)
    metadata = pq.read_schema(path).metadata
    assert parse_metadata(metadata[ROLES_KEY]) == drawn.roles
    beside = json.loads((tmp_path / "data.truth.json").read_text())
    assert beside == json.loads(metadata[TRUTH_KEY]) == drawn.truth
    assert (beside["rows"], beside["seed"], beside["version"]) == (40, 9, "1.0")
    assert pq.read_table(path).replace_schema_metadata() == drawn.table
    assert sorted(file.name for file in tmp_path.iterdir()) == ["data.parquet", "data.truth.json"]


@pytest.mark.parametrize("existing", ["data.parquet", "data.truth.json"])
def test_existing_outputs_are_refused_without_force(existing: str, tmp_path: Path) -> None:
    (tmp_path / existing).write_text("kept")
    drawn = generate("null", 20, seed=0)
    with pytest.raises(UsageError, match=existing):
        write_synthetic(drawn, tmp_path / "data.parquet")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["kept"]
    write_synthetic(drawn, tmp_path / "data.parquet", force=True)
    assert pq.read_table(tmp_path / "data.parquet").num_rows == 20


def test_a_missing_folder_is_an_output_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"data.parquet could not be written: No such file") as raised:
        write_synthetic(generate("null", 20, seed=0), tmp_path / "nowhere" / "data.parquet")
    assert raised.value.status == ExitStatus.OUTPUT


@given(rows=st.integers(max_value=19))
def test_too_few_rows_are_refused(rows: int) -> None:
    with pytest.raises(UsageError, match=f"at least 20 rows.*rows={rows}"):
        generate("mixed", rows, seed=0)


@given(seed=st.integers(max_value=-1))
def test_negative_seeds_are_refused(seed: int) -> None:
    with pytest.raises(UsageError, match=f"seed={seed}"):
        generate("mixed", 20, seed)


def test_an_unknown_system_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'mixd'") as raised:
        generate("mixd", 20, seed=0)
    assert all(name in raised.value.hint for name in SYSTEMS)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"noise": 0.0}, "noise=0.0"),
        ({"linear": {"p": 1.0}}, r"interaction: \['p'\]"),
        ({"linear": {"z": 1.0}}, r"no modality shows: \['z'\]"),
        ({"tail": 0.2, "exponential": True}, "two of them"),
        ({"exponential": True, "edges": (0.0,)}, "two of them"),
        ({"edges": (1.0, 0.0)}, r"edges=\(1.0, 0.0\)"),
    ],
)
def test_systems_without_a_truth_are_refused(parts: dict[str, object], message: str) -> None:
    whole = {"noise": 1.0, "interaction": Product("p", "q", 1.0), **parts}
    with pytest.raises(ValueError, match=message):
        SyntheticSystem("variant", "", {"a": ("p",), "b": ("q",)}, **whole)  # type: ignore[arg-type]


def test_more_latents_than_features_are_refused() -> None:
    with pytest.raises(ValueError, match="latents=7"):
        mixing_matrix("variant/a", FEATURES + 1)


def test_naming_the_systems_needs_no_heavy_library() -> None:
    code = "import sys, pidreg_cli.data.synthetic; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"scipy", "pyarrow", "torch", "pandas"} & set(loaded.stdout.split())
