from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from pidreg_cli.information.bivariate import scalar_pid
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.decomposition import rest_correlations
from pidreg_cli.reports.evidence import Evidence, ModalityFacts
from pidreg_cli.reports.model import Report


@pytest.fixture(scope="module", params=["two", "three", "eight", "nothing"])
def report(request: pytest.FixtureRequest) -> Report:
    return assemble(request.getfixturevalue(request.param))


def test_atoms_and_summary_add_up_to_the_total(report: Report) -> None:
    assert report.pid is not None
    assert report.information is not None
    summary = report.pid.summary
    assert sum(atom.value for atom in report.pid.atoms) == pytest.approx(summary.total, abs=1e-12)
    parts = sum(summary.unique.values()) + summary.redundant + summary.synergistic
    assert parts == pytest.approx(summary.total, abs=1e-12)
    assert summary.total == report.information.values[-1].value
    assert sum(report.shapley.values()) == pytest.approx(summary.total) if report.shapley else False


def test_unique_of_the_summary_is_the_atom_of_that_name(report: Report) -> None:
    assert report.pid is not None
    atoms = {atom.id: atom.value for atom in report.pid.atoms}
    for name, value in report.pid.summary.unique.items():
        assert atoms.get(f"{{{name}}}", 0.0) == pytest.approx(value, abs=1e-12)


def test_kinds_follow_the_members(report: Report) -> None:
    assert report.pid is not None
    for atom in report.pid.atoms:
        single = [len(member) == 1 for member in atom.members]
        expected = (
            ("unique" if len(single) == 1 else "redundant")
            if all(single)
            else ("synergistic" if len(single) == 1 else "mixed")
        )
        assert atom.kind == expected
        assert atom.id == "".join("{" + ",".join(member) + "}" for member in atom.members)


def test_shares_and_intervals_fit_the_values(report: Report) -> None:
    assert report.pid is not None
    for atom in report.pid.atoms:
        assert atom.share == pytest.approx(atom.value / report.pid.summary.total)
        assert atom.ci is not None
        low, high = atom.ci
        assert low is not None
        assert high is not None
        assert 0 <= low <= atom.value <= high


def test_every_atom_is_listed_up_to_five_modalities(two: Evidence, three: Evidence, eight: Evidence) -> None:
    counts = [len(report.pid.atoms) for e in (two, three, eight) if (report := assemble(e)).pid is not None]
    assert counts[:2] == [4, 18]
    eighth = assemble(eight).pid
    assert eighth is not None
    assert all(atom.value > 0 for atom in eighth.atoms)


def test_informations_are_ordered_by_size_then_as_given(three: Evidence) -> None:
    report = assemble(three)
    assert report.information is not None
    expected = [subset for size in (1, 2, 3) for subset in combinations(("mri", "fmri", "age"), size)]
    assert [value.modalities for value in report.information.values] == expected
    assert report.selection is not None
    assert [subset.modalities for subset in report.selection.subsets] == expected


def test_values_are_coherent_and_raw_ones_kept(two: Evidence) -> None:
    assert two.information is not None
    raw = np.array([0.0, -0.1, 0.5, 0.45])
    report = assemble(replace(two, information=replace(two.information, raw=raw)))
    assert report.information is not None
    assert [value.value for value in report.information.values] == [0.0, 0.5, 0.5]
    assert [value.value_raw for value in report.information.values] == [-0.1, 0.5, 0.45]
    repaired = next(d for d in report.diagnostics if d.code == "information.repaired")
    assert repaired.value == pytest.approx(0.1)


def test_co_information_is_shared_less_only_together(two: Evidence, three: Evidence, one: Evidence) -> None:
    report = assemble(two)
    assert report.pid is not None
    assert report.information is not None
    expected = report.pid.summary.redundant - report.pid.summary.synergistic
    assert report.information.co_information == pytest.approx(expected)
    of_three, of_one = assemble(three).information, assemble(one).information
    assert of_three is not None
    assert of_one is not None
    signs = {1: 1, 2: -1, 3: 1}
    assert of_three.co_information == pytest.approx(
        sum(signs[len(v.modalities)] * v.value for v in of_three.values)
    )
    assert of_one.co_information is None


def test_one_modality_has_nothing_to_decompose(one: Evidence) -> None:
    report = assemble(one)
    assert report.pid is None
    assert report.one_versus_rest == report.sensitivity == ()
    assert report.information is not None
    assert report.shapley == {"only": report.information.values[0].value}
    assert report.fusion is not None
    assert report.fusion.weights == {"only": 1.0}


def test_one_versus_rest_is_the_bivariate_measure(three: Evidence) -> None:
    report = assemble(three)
    assert three.information is not None
    assert three.information.rest_correlations is not None
    v = monotone_closure(three.information.raw)
    correlation = float(three.information.rest_correlations[2])
    for entry in report.sensitivity:
        expected = scalar_pid(entry.measure, v[4], v[3], v[7], correlation)  # type: ignore[arg-type]
        assert entry.one_versus_rest is not None
        row = entry.one_versus_rest[2]
        assert (row.modality, row.measure) == ("age", entry.measure)
        assert (row.unique, row.redundant) == (expected.unique_1, expected.redundant)
    assert [row.measure for row in report.one_versus_rest] == ["broja"] * 3


def test_added_is_the_total_less_that_of_the_rest_whatever_the_measure(report: Report) -> None:
    assert report.information is not None
    total = report.information.values[-1].value
    values = {frozenset(v.modalities): v.value for v in report.information.values}
    rows = [row for s in report.sensitivity for row in s.one_versus_rest or ()]
    for row in [*report.one_versus_rest, *rows]:
        rest = values[frozenset(report.names) - {row.modality}]
        assert row.added == pytest.approx(total - rest)
        assert row.added == pytest.approx(row.unique + row.synergistic)


def test_sensitivity_of_two_has_atoms_of_three_one_versus_rest(two: Evidence, three: Evidence) -> None:
    of_two, of_three = assemble(two).sensitivity, assemble(three).sensitivity
    assert [s.measure for s in of_two] == [s.measure for s in of_three] == ["mmi", "dep", "ig"]
    for entry in of_two:
        assert entry.summary is not None
        assert [atom.id for atom in entry.atoms or ()] == ["{a}", "{b}", "{a}{b}", "{a,b}"]
        assert sum(atom.value for atom in entry.atoms or ()) == pytest.approx(entry.summary.total)
        assert entry.one_versus_rest is None
    assert [s.summary is None for s in of_three] == [False, True, True]


def test_ig_is_left_out_without_correlations(two: Evidence) -> None:
    assert two.information is not None
    report = assemble(replace(two, information=replace(two.information, rest_correlations=None)))
    assert [entry.measure for entry in report.sensitivity] == ["mmi", "dep"]


def test_rest_correlations_of_constant_predictions_are_zero() -> None:
    rng = np.random.default_rng(0)
    predictions = np.column_stack([np.zeros(50), np.zeros(50), rng.standard_normal((50, 2))])
    assert rest_correlations(predictions).tolist() == [0.0, 0.0]
    predictions[:, 1] = 1 - 2 * predictions[:, 2]
    assert rest_correlations(predictions) == pytest.approx([-1, -1])


def test_without_jackknife_there_are_no_intervals(three: Evidence) -> None:
    assert three.information is not None
    report = assemble(replace(three, information=replace(three.information, jackknife=None)))
    assert report.pid is not None
    assert report.information is not None
    assert report.pid.summary_ci is None
    assert {atom.ci for atom in report.pid.atoms} == {None}
    assert {value.ci for value in report.information.values} == {None}


def test_parts_without_evidence_are_null(two: Evidence) -> None:
    report = assemble(
        replace(two, accuracy=None, information=None, fusion=None, selection=None, training=None)
    )
    assert report.metrics is report.information is report.pid is report.fusion is report.selection is None
    assert report.shapley is None
    assert report.one_versus_rest == ()


def test_diagnostics_are_ordered_by_gravity(two: Evidence) -> None:
    modalities = (ModalityFacts("a", 3, 0.5, 0.01, ("a__0",)), ModalityFacts("b", 3, 0.5, 0.5))
    report = assemble(replace(two, modalities=modalities))
    found = [diagnostic.severity for diagnostic in report.diagnostics]
    assert found == sorted(found, key=["error", "warning", "info"].index)
    codes = [diagnostic.code for diagnostic in report.diagnostics]
    assert codes.count("data.absent_modality") == 2
    assert "data.constant_features" in codes


def test_no_reading_of_order_where_there_is_nothing(nothing: Evidence) -> None:
    codes = [diagnostic.code for diagnostic in assemble(nothing).diagnostics]
    assert "information.indistinguishable_from_zero" in codes
    assert "information.order_unresolved" not in codes


def test_stage_1_that_swings_or_loses_its_synergy_is_told(two: Evidence) -> None:
    assert two.fusion is not None
    calm = np.full((12, 4), 0.4)
    swinging, losing = calm.copy(), calm.copy()
    swinging[:, 0] += 0.1 * (-1.0) ** np.arange(12)
    losing[6:, 3] = 0
    told = []
    for atoms in (calm, swinging, losing):
        report = assemble(replace(two, fusion=replace(two.fusion, stage1_atoms=atoms, window=5)))
        codes = {diagnostic.code for diagnostic in report.diagnostics}
        told.append(codes & {"training.weights_oscillate", "training.synergy_vanished"})
    assert told == [set(), {"training.weights_oscillate"}, {"training.synergy_vanished"}]
