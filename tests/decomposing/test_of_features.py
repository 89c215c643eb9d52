"""Decompositions of tables without a model: what is seen, what is refused, and that streaming changes nothing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pidreg_cli.data import batches, kept_columns
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.decomposing.per_row import RowTable
from pidreg_cli.decomposing.streamed import group_count
from pidreg_cli.errors import DataError, PidregError, UsageError
from pidreg_cli.information.errors import TooFewRowsError
from tests.decomposing.conftest import Write, decomposed, linear_columns, values


def test_a_gaussian_system_reads_as_it_is(write: Write) -> None:
    found = values(decomposed(write(linear_columns(4000))))
    variance = 1 + 0.49 + 0.49
    expected = {
        "a": 0.5 * np.log2(variance / (variance - 1 / 1.01)),
        "b": 0.5 * np.log2(variance / (variance - 0.49)),
        "ab": 0.5 * np.log2(variance / (variance - 0.49 - 1 / 1.01)),
        "c": 0.0,
    }
    for name, information in expected.items():
        assert found[name] == pytest.approx(information, abs=0.03), name


def test_single_precision_and_one_decoding_change_less_than_a_millionth_of_a_bit(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(4)
    latent = rng.normal(size=(3, 5000))
    gaps = latent[0] + rng.normal(size=5000)
    gaps[rng.random(5000) < 0.1] = np.nan
    kinds = rng.integers(0, 4, 5000)
    path = write(
        {f"a__{i}": latent[0] + 0.3 * rng.normal(size=5000) for i in range(8)}
        # A copy, and categories that add up to one: the sums of squares are singular.
        | {"a__copy": latent[0], "b__copy": latent[0], "b__time": 1.7e9 + 1e3 * latent[1], "b__gaps": gaps}
        | {f"c__{kind}": (kinds == kind).astype(float) for kind in range(4)}
        | {"target": latent[0] * latent[1] + latent[1] + 0.3 * kinds + 0.5 * rng.normal(size=5000)}
    )
    once = decomposed(path).report
    monkeypatch.setattr(kept_columns, "MOST_BYTES", 0)
    twice = decomposed(path).report
    for mine, exact in zip(once.information.values, twice.information.values, strict=True):  # type: ignore[union-attr]
        assert mine.value == pytest.approx(exact.value, abs=1e-6)
        assert mine.value_raw == pytest.approx(exact.value_raw, abs=1e-6)
        assert mine.ci == pytest.approx(exact.ci, abs=1e-5)


def test_the_quick_look_loads_no_library_that_takes_longer_than_it(write: Write) -> None:
    rows = 400
    path = write(
        linear_columns(rows)
        | {
            "id": [None if row == 3 else float(row // 2) for row in range(rows)],
            "d__list": [None if row == 7 else [float(row % 5), float(row % 3)] for row in range(rows)],
            "age": [None if row == 5 else row / 7 for row in range(rows)],
        }
    )
    named = ["--id", "id", "--covariates", "age", "--modalities", "a,b,c,d"]
    program = (
        "import sys; from pidreg_cli.cli.app import main; "
        f"status = main(['decompose', {str(path)!r}, '--no-model', '-q', *{named}]); "
        "print(sorted({'torch', 'pandas', 'lightgbm', 'sklearn', 'matplotlib'} & set(sys.modules))); sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_products_of_leading_scores_show_what_no_modality_tells_alone(write: Write) -> None:
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(2, 3000))
    columns = {
        f"{name}__{i}": latent * rng.choice([-1, 1]) + 0.3 * rng.normal(size=3000)
        for name, latent in zip("ab", hidden, strict=True)
        for i in range(10)
    }
    path = write({**columns, "target": hidden[0] * hidden[1] + 0.2 * rng.normal(size=3000)})
    seen = decomposed(path)
    assert values(seen)["ab"] > 0.7
    assert max(values(seen)["a"], values(seen)["b"]) < 0.02
    assert seen.report.pid is not None
    assert seen.report.pid.summary.synergistic > 0.7
    assert values(decomposed(path, interactions="none"))["ab"] < 0.02


def test_a_square_that_both_see_is_shared_and_no_synergy(write: Write) -> None:
    rng = np.random.default_rng(1)
    latent = rng.normal(size=3000)
    columns = {f"{name}__0": latent + 0.05 * rng.normal(size=3000) for name in "ab"}
    found = decomposed(write({**columns, "target": latent**2 + 0.1 * rng.normal(size=3000)}))
    assert found.report.pid is not None
    summary = found.report.pid.summary
    assert summary.redundant > 0.8 * summary.total > 0.5


def test_noise_reads_as_nothing_and_intervals_contain_the_values(write: Write) -> None:
    columns = linear_columns() | {"target": np.random.default_rng(9).normal(size=400)}
    report = decomposed(write(columns)).report
    assert report.information is not None
    assert report.information.values[-1].value < 0.02
    assert report.information.values[-1].p_value > 0.05
    assert "information.indistinguishable_from_zero" in {d.code for d in report.diagnostics}
    for one in report.information.values:
        assert one.ci is not None
        assert one.ci[0] <= one.value <= one.ci[1]


def test_batches_and_files_change_nothing(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(linear_columns())
    whole = values(decomposed(path))
    table = pq.read_table(path)
    folder = tmp_path / "parts"
    folder.mkdir()
    for number in range(4):
        pq.write_table(table.slice(number * 100, 100), folder / f"{number}.parquet")
    monkeypatch.setattr(batches, "MOST_ROWS", 37)
    monkeypatch.setattr(batches, "FEWEST_ROWS", 37)
    parts = values(decomposed(folder))
    assert parts == pytest.approx(whole, abs=1e-9)
    assert values(decomposed(path)) == pytest.approx(whole, abs=1e-9)


def test_the_same_rows_give_the_same_report_and_another_seed_another(write: Write) -> None:
    path = write(linear_columns())
    first, again, other = (values(decomposed(path, seed=seed)) for seed in (0, 0, 1))
    assert first == again
    assert first != other


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(1e-6, 1e6), shift=st.floats(-1e3, 1e3), flip=st.booleans())
def test_units_of_features_and_target_do_not_matter(
    write: Write, scale: float, shift: float, flip: bool
) -> None:
    columns = linear_columns(200)
    moved = {name: scale * (np.asarray(column) + shift) for name, column in columns.items()}
    moved["a__0"] = -moved["a__0"] if flip else moved["a__0"]
    # A monotone map of the target leaves its normal scores.
    moved["target"] = np.exp(np.asarray(columns["target"]))
    assert values(decomposed(write(moved))) == pytest.approx(values(decomposed(write(columns))), abs=1e-6)


def test_missing_cells_rows_and_targets_are_counted_and_do_not_stop_it(write: Write) -> None:
    columns = linear_columns()
    rng = np.random.default_rng(2)
    for name in ("a__0", "a__1", "target"):
        column = np.array(columns[name])
        column[rng.random(400) < 0.1] = np.nan
        columns[name] = column
    columns["a__0"][:4], columns["a__1"][:4], columns["target"][:4] = np.nan, np.nan, 0.0
    report = decomposed(write(columns)).report
    missing = int(np.isnan(columns["target"]).sum())
    assert report.data.rows_missing_target == missing
    assert report.information is not None
    assert report.information.rows == 400 - missing
    first = report.modalities[0]
    assert 0.05 < first.missing_fraction < 0.15
    assert 0.0 < first.absent_rows_fraction < 0.05
    assert values(decomposed(write(columns)))["a"] > 0.3


def test_that_a_cell_is_missing_can_tell_something(write: Write) -> None:
    rng = np.random.default_rng(3)
    target = rng.normal(size=600)
    columns = {"a__0": np.where(target > 0, np.nan, rng.normal(size=600)), "b__0": rng.normal(size=600)}
    found = values(decomposed(write({**columns, "target": target})))
    assert found["a"] > 0.4
    assert found["b"] < 0.02


def test_lists_integers_booleans_and_nulls_are_features(write: Write) -> None:
    rng = np.random.default_rng(4)
    lists = rng.normal(size=(300, 3))
    cells = [None if i % 50 == 0 else row.tolist() for i, row in enumerate(lists)]
    columns = {
        "scan": pa.array(cells, pa.list_(pa.float32())),
        "lab__count": pa.array([None if i % 7 == 0 else i % 5 for i in range(300)]),
        "lab__flag": pa.array((rng.random(300) > 0.5).tolist()),
        "target": lists[:, 0] + 0.3 * rng.normal(size=300),
    }
    request = RoleRequest({"scan": (), "lab": ()})
    found = decomposed(write(columns), roles=request)
    assert [m.features for m in found.report.modalities] == [3, 2]
    assert values(found)["scan"] > 1.0


def test_constant_and_rare_columns_are_told_and_harmless(write: Write) -> None:
    columns = linear_columns(1000) | {
        "c__1": np.full(1000, 3.0),
        "c__2": (np.arange(1000) == 5).astype(float),
    }
    report = decomposed(write(columns)).report
    told = [d.message for d in report.diagnostics if d.code == "data.constant_features"]
    assert len(told) == 1
    assert "c__1 of 'c'" in told[0]


def test_one_modality_and_twelve_work_and_thirteen_are_refused(write: Write) -> None:
    rng = np.random.default_rng(5)
    rows = 600
    columns = {f"m{i}__0": rng.normal(size=rows) for i in range(13)}
    target = columns["m0__0"] + columns["m1__0"] * columns["m2__0"] + 0.5 * rng.normal(size=rows)
    one = decomposed(write({"m0__0": columns["m0__0"], "target": target}))
    assert one.report.pid is None
    assert values(one)["m0"] > 0.2
    seven = dict(list(columns.items())[:7])
    many = decomposed(write({**seven, "target": target}))
    assert len(values(many)) == 127
    assert many.report.pid is not None
    assert sum(atom.value for atom in many.report.pid.atoms) == pytest.approx(many.report.pid.summary.total)
    with pytest.raises(UsageError, match="at most 12"):
        decomposed(write({**columns, "target": target}))


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
def test_estimators_agree_where_rows_are_many(write: Write, estimator: str) -> None:
    path = write(linear_columns(3000))
    found = decomposed(path, estimator=estimator)
    assert values(found)["ab"] == pytest.approx(values(decomposed(path))["ab"], abs=0.03)
    assert found.report.information is not None
    assert found.report.information.estimator == estimator


def test_rows_of_a_group_stay_together(write: Write) -> None:
    """Subjects seen ten times each: their own level shows as information unless they are kept together."""
    rng = np.random.default_rng(6)
    subject = np.repeat(np.arange(60), 10)
    level, mark = rng.normal(size=60)[subject], rng.normal(size=(60, 30))[subject]
    columns = {f"a__{i}": mark[:, i] for i in range(30)} | {"b__0": rng.normal(size=600)}
    columns |= {"target": level + 0.3 * rng.normal(size=600), "subject": subject}
    path = write(columns)
    apart = decomposed(path)
    together = decomposed(path, roles=RoleRequest(group="subject"))
    assert values(apart)["a"] > 0.4
    assert values(together)["a"] < 0.1
    assert "data.repeated_subjects" in {d.code for d in apart.report.diagnostics}
    assert "data.repeated_subjects" not in {d.code for d in together.report.diagnostics}


@pytest.mark.parametrize(("groups", "tested"), [(5, False), (6, False), (7, True), (12, True)])
def test_few_groups_tell_nothing_by_chance_and_no_strong_signal_reads_as_nothing(
    write: Write, groups: int, tested: bool
) -> None:
    columns = {**linear_columns(1500), "site": np.arange(1500) % groups}
    found = decomposed(write(columns), roles=RoleRequest(group="site")).report
    assert found.information is not None
    assert (found.information.values[-1].p_value is not None) == tested
    assert "information.indistinguishable_from_zero" not in {one.code for one in found.diagnostics}


@pytest.mark.parametrize("name", ["subject_id", "PatientID", "participant", "study.subject", "mrn", "sub-id"])
def test_columns_that_name_subjects_are_known_by_their_names(write: Write, name: str) -> None:
    rows = np.repeat(np.arange(200), 2)
    report = decomposed(write(linear_columns() | {name: rows})).report
    (finding,) = [d for d in report.diagnostics if d.code == "data.repeated_subjects"]
    assert name in finding.message
    assert "200 values in 400 rows" in finding.message
    assert "--group" in finding.hint


@pytest.mark.parametrize(
    ("name", "column"),
    [("subject_id", np.arange(400)), ("site", np.arange(400) % 4), ("subjective", np.arange(400) % 4)],
)
def test_other_columns_and_subjects_seen_once_are_not(write: Write, name: str, column: np.ndarray) -> None:
    report = decomposed(write(linear_columns() | {name: column})).report
    assert "data.repeated_subjects" not in {d.code for d in report.diagnostics}


def refusals() -> dict[str, tuple[dict[str, object], str, str]]:
    columns = linear_columns()
    infinite = np.array(columns["a__1"])
    infinite[333] = np.inf
    return {
        "infinite": (columns | {"a__1": infinite}, "data.infinite_value", "row 333 "),
        "no target": ({k: v for k, v in columns.items() if k != "target"}, "data.missing_target", "target"),
        "text target": (columns | {"target": ["x"] * 400}, "data.target_type", "numbers"),
        "constant": (columns | {"target": np.ones(400)}, "data.constant_target", "must vary"),
        "empty": (columns | {"c__0": np.full(400, np.nan)}, "data.empty_modality", "'c'"),
        "few": ({k: np.asarray(v)[:15] for k, v in columns.items()}, "data.too_few_rows", "15 rows"),
    }


@pytest.mark.parametrize("case", refusals())
def test_what_cannot_be_decomposed_is_refused_with_its_place(write: Write, case: str) -> None:
    columns, code, part = refusals()[case]
    with pytest.raises(DataError) as caught:
        decomposed(write(columns))
    assert caught.value.code == code
    assert part in caught.value.message


def test_a_leaked_copy_of_the_target_is_refused(write: Write) -> None:
    rng = np.random.default_rng(0)
    target = rng.normal(size=400)
    leaked = {"a__0": np.round(target, 6) * 3, "b__0": rng.normal(size=400), "target": target}
    ranks = np.argsort(np.argsort(target))
    from scipy.special import ndtri

    exact = leaked | {"a__0": ndtri((ranks + 1 - 0.375) / 400.25)}
    with pytest.raises(DataError, match="determined"):
        decomposed(write(exact))


def test_one_group_is_refused(write: Write) -> None:
    with pytest.raises(DataError, match="one group"):
        decomposed(write(linear_columns() | {"ward": np.ones(400)}), roles=RoleRequest(group="ward"))


def test_debiased_needs_rows(write: Write) -> None:
    rng = np.random.default_rng(0)
    wide = {f"a__{i}": rng.normal(size=40) for i in range(30)} | {"target": rng.normal(size=40)}
    with pytest.raises(TooFewRowsError, match=r"1\.5 rows per feature"):
        decomposed(write(wide), estimator="debiased")
    assert decomposed(write(wide)).report.information is not None


@pytest.mark.parametrize("covariates", [(), ("c__0",)])
def test_rows_average_to_the_report(write: Write, covariates: tuple[str, ...]) -> None:
    columns = linear_columns()
    columns |= {"c__1": np.random.default_rng(0).normal(size=400)}
    target = np.array(columns["target"])
    target[:7] = np.nan
    found = decomposed(write(columns | {"target": target}), covariates)
    table = RowTable.of(found.report, found.pooled, "bits")
    rows = pa.concat_tables([table.table(batch) for batch in found.rows()])
    assert rows["id"].to_pylist() == list(range(7, 400))
    assert rows["y"].to_pylist() == target[7:].tolist()
    said = values(found)
    means = {name: np.mean(rows[name].to_numpy()) for name in rows.column_names if name not in ("id", "y")}
    for name in "abc":
        assert means[f"information.{name}"] == pytest.approx(said[name], abs=1e-9)
        rest = "abc".replace(name, "")
        assert means[f"added.{name}"] == pytest.approx(said["abc"] - said[rest], abs=1e-9)
    assert means["information.total"] == pytest.approx(said["abc"], abs=1e-9)
    assert found.report.pid is not None
    atoms = {f"atom.{atom.id}": atom.value for atom in found.report.pid.atoms if atom.value > 0}
    assert {name for name in means if name.startswith("atom.")} == set(atoms)
    for name, value in atoms.items():
        assert means[name] == pytest.approx(value, abs=1e-9)


def clinical(rows: int = 2000) -> dict[str, object]:
    """y = age + site + own; modality a shows age and own, b shows the site."""
    rng = np.random.default_rng(7)
    age, own, noise = rng.normal(size=(3, rows))
    site = rng.integers(0, 3, rows)
    effect = np.array([-1.0, 0.0, 1.0])[site]
    return {
        "a__0": age + 0.1 * rng.normal(size=rows),
        "a__1": own,
        "b__0": effect + 0.1 * rng.normal(size=rows),
        "age": age,
        "site": np.array(["north", "east", "south"])[site],
        "target": age + effect + own + noise,
    }


def test_information_beyond_covariates_is_what_they_leave(write: Write) -> None:
    path = write(clinical())
    plain = values(decomposed(path))
    found = decomposed(path, ("age", "site"))
    beyond = values(found)
    # Gaussian: own against noise of the same variance.
    assert beyond["a"] == pytest.approx(0.5, abs=0.04)
    assert beyond["b"] < 0.01 < plain["b"]
    information = found.report.information
    assert information is not None
    assert information.covariates == ("age", "site")
    # The chain rule: what covariates tell, and what the modalities tell beyond them, is what all tell together.
    known = 1 + 2 / 3
    assert information.covariate_information == pytest.approx(0.5 * np.log2((known + 2) / 2), abs=0.05)
    tested = {"".join(v.modalities): v.p_value for v in information.values}
    assert tested["a"] <= 0.02
    assert tested["b"] > 0.02


def test_covariates_are_taken_out_of_modalities_with_a_notice(write: Write) -> None:
    columns = clinical()
    columns["a__age"] = columns.pop("age")
    found = decomposed(write(columns), ("a__age",))
    assert any("'a__age' of modality 'a'" in text for text in found.notices)
    assert found.report.modalities[0].features == 2


@pytest.mark.parametrize(
    ("covariates", "code"),
    [
        (("nope",), "data.unknown_column"),
        (("target",), "usage.covariates"),
        (("age", "age"), "usage.covariates"),
        (("b__0",), "usage.covariates"),
        (("ward",), "data.constant_covariate"),
        (("name",), "data.covariate_categories"),
        (("when",), "data.covariate_type"),
    ],
)
def test_what_cannot_be_a_covariate_is_refused(write: Write, covariates: tuple[str, ...], code: str) -> None:
    columns = clinical(100) | {
        "ward": np.ones(100),
        "name": [f"n{i}" for i in range(100)],
        "when": pa.array(np.arange(100), pa.timestamp("s")),
    }
    with pytest.raises(PidregError) as caught:
        decomposed(write(columns), covariates)
    assert caught.value.code == code


def test_wide_modalities_are_read_as_their_components(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(8)
    hidden = rng.normal(size=(500, 3))
    scan = hidden @ rng.normal(size=(3, 400)) + 0.1 * rng.normal(size=(500, 400))
    cells = [None if i < 20 else row.tolist() for i, row in enumerate(scan)]
    columns = {
        "scan": pa.array(cells, pa.list_(pa.float32())),
        "lab__0": rng.normal(size=500),
        "target": hidden[:, 0] + 0.3 * rng.normal(size=500),
    }
    monkeypatch.setattr("pidreg_cli.decomposing.readers.WIDEST", 64)
    found = decomposed(write(columns), roles=RoleRequest({"scan": (), "lab": ()}))
    assert [m.features for m in found.report.modalities] == [400, 1]
    assert values(found)["scan"] > 1.2
    assert values(found)["lab"] < 0.02


def test_fewer_groups_are_kept_where_features_are_many() -> None:
    assert group_count(100) == 30
    assert group_count(5_000) == 10
