"""The comparison of fits with the truth: its rules, its table and its exit status."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import run
from benchmarks.known_truth import __main__ as known_truth
from benchmarks.known_truth.comparison import Comparison, broken_rules, compared, mean_of, row, verdict
from pidreg_cli.data.synthetic import SYSTEMS
from pidreg_cli.data.synthetic.truth import truth_of

TRUE = {("a",): 0.6, ("b",): 0.0, ("a", "b"): 1.6}


def comparison(mixing: str = "mild", rows: int = 20_000, **found: float) -> Comparison:
    """Of a system with the truths ``TRUE``, found exactly except for ``found`` (a, b, ab)."""
    changed = {tuple(name): value for name, value in found.items()}
    return Comparison("s", mixing, rows, 9.6, TRUE | changed, TRUE, 1.0, 1.0, TRUE)


@pytest.mark.parametrize(
    ("mixing", "found", "broken"),
    [
        ("mild", {}, []),
        ("mild", {"a": 0.649}, []),
        ("mild", {"a": 0.651}, ["a"]),
        ("mild", {"a": 0.549, "b": 0.051}, ["a", "b"]),
        ("mild", {"ab": 1.521}, []),
        ("mild", {"ab": 1.519}, ["a+b"]),
        ("medium", {"a": 0.541, "ab": 1.441}, []),
        ("strong", {"a": 0.539, "ab": 1.439}, ["a", "a+b"]),
    ],
)
def test_informations_are_judged_by_the_mixing(
    mixing: str, found: dict[str, float], broken: list[str]
) -> None:
    assert broken_rules(comparison(mixing, **found)) == broken


def test_phantom_synergy_is_judged_where_there_is_none() -> None:
    none = replace(comparison("strong"), true_synergy=0.0, found_synergy=0.021)
    assert broken_rules(none) == ["phantom synergy"]
    assert broken_rules(replace(none, found_synergy=0.019)) == []
    assert broken_rules(replace(none, true_synergy=0.5, found_synergy=0.6)) == []


def test_a_null_system_must_read_as_nothing() -> None:
    nothing = dict.fromkeys(TRUE, 0.0)
    none = {"true": nothing, "told": nothing, "found": nothing}
    null = replace(comparison(), **none, true_synergy=0.0, found_synergy=0.0)
    assert broken_rules(null) == []
    assert broken_rules(replace(null, found=nothing | {("a", "b"): 0.011})) == ["null"]


def test_few_rows_are_not_judged() -> None:
    assert verdict(comparison(rows=2000, a=0.0)) == "not judged"
    assert verdict(comparison(a=0.0)) == "fails: a"
    assert verdict(comparison()) == "ok"


def test_a_row_shows_found_and_true_and_the_worst_subset() -> None:
    assert row(replace(comparison(a=0.58, ab=1.5), found_synergy=0.92)) == (
        "| s | mild | 20000 | a 0.580 (0.600; 0.600), b 0.000 (0.000; 0.000), all 1.500 (1.600; 1.600) | -0.100 a+b "
        "| -0.080 | 10 | fails: a+b |"
    )


def test_the_luck_of_the_rows_is_taken_off() -> None:
    unlucky = replace(comparison("strong", a=0.53), told=TRUE | {("a",): 0.58})
    assert unlucky.judged[("a",)] == pytest.approx(0.55)
    assert broken_rules(unlucky) == []
    lucky = replace(comparison("strong", a=0.55), told=TRUE | {("a",): 0.62})
    assert broken_rules(lucky) == ["a"]
    assert mean_of([unlucky, lucky]).judged[("a",)] == pytest.approx(0.54)
    assert "a 0.530 (0.600; 0.580)" in row(unlucky)
    assert "| -0.050 a |" in row(unlucky)


def test_of_several_draws_the_mean_is_judged() -> None:
    low, high = comparison("strong", a=0.52), replace(comparison("strong", a=0.58), found_synergy=1.2)
    mean = mean_of([low, high])
    assert (broken_rules(low), broken_rules(high), broken_rules(mean)) == (["a"], [], [])
    assert mean.found[("a",)] == pytest.approx(0.55)
    assert mean.found_synergy == pytest.approx(1.1)
    assert row(mean, "mean of 2").startswith("| s, mean of 2 | strong | 20000 | a 0.550 (0.600; 0.600)")
    with pytest.raises(ValueError, match="one system"):
        mean_of([low, comparison("mild")])


def report_of(truth: dict[str, Any], shift: float = 0.0) -> dict[str, Any]:
    values = [
        {"modalities": entry["modalities"], "value": entry["reported"] + shift}
        for entry in truth["information"]
    ]
    return {"information": {"units": "bits", "values": values}, "pid": {"summary": truth["summary"]}}


def told_as_true(truth: dict[str, Any]) -> dict[tuple[str, ...], float]:
    return {tuple(entry["modalities"]): entry["reported"] for entry in truth["information"]}


def test_every_subset_of_the_report_is_compared() -> None:
    truth = truth_of(SYSTEMS["pairwise"], 20_000, 0, "strong")
    found = compared(report_of(truth, 0.01), truth, told_as_true(truth), 1.0)
    assert len(found.true) == 7
    assert found.found[found.worst] - found.true[found.worst] == pytest.approx(0.01)
    assert (found.mixing, found.whole) == ("strong", ("a", "b", "c"))


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"pid": None}, "no decomposition"), ({"information": {"units": "nats", "values": []}}, "nats")],
)
def test_reports_that_cannot_be_compared_are_refused(changed: dict[str, Any], message: str) -> None:
    truth = truth_of(SYSTEMS["null"], 20, 0)
    with pytest.raises(ValueError, match=message):
        compared(report_of(truth) | changed, truth, {}, 1.0)


@pytest.mark.parametrize(("shift", "status"), [(0.0, 0), (0.2, 1)])
def test_the_exit_status_says_whether_the_rules_hold(
    shift: float, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fitted(system: Any, rows: int, mixing: str, *_: object) -> Comparison:
        truth = truth_of(system, rows, 0, mixing)
        return compared(report_of(truth, shift), truth, told_as_true(truth), 1.0)

    monkeypatch.setattr(known_truth, "fitted", fitted)
    assert known_truth.main(["--systems", "additive", "--mixing", "mild"]) == status
    lines = capsys.readouterr().out.splitlines()
    assert [line.count("|") for line in lines] == [lines[0].count("|")] * 4
    assert lines[2].endswith("| not judged |")
    assert lines[3].endswith("| ok |" if status == 0 else "| fails: a, b, a+b |")


def test_draws_are_rows_and_their_mean_decides(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fitted(system: Any, rows: int, mixing: str, options: object, folder: object, draw: int) -> Comparison:
        truth = truth_of(system, rows, draw, mixing)
        return compared(report_of(truth, (-0.1, 0.14)[draw]), truth, told_as_true(truth), 1.0)

    monkeypatch.setattr(known_truth, "fitted", fitted)
    assert known_truth.main(["--systems", "unique", "--rows", "20000", "--draws", "2"]) == 0
    first, second, mean = capsys.readouterr().out.splitlines()[2:]
    assert first.startswith("| unique, draw 0 |")
    assert "| fails:" in first
    assert "| fails:" in second
    assert mean.startswith("| unique, mean of 2 |")
    assert mean.endswith("| ok |")
    with pytest.raises(SystemExit, match="2"):
        known_truth.main(["--draws", "0"])


def test_a_failed_fit_is_a_row_and_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert known_truth.main(["--systems", "null", "--rows", "50", "--set", "stage1.max_epoch=3"]) == 1
    assert "exit status 2: error: " in capsys.readouterr().out


@pytest.mark.parametrize(("option", "name"), [([], "bystander"), (["--held-back"], "mixed")])
def test_systems_are_chosen_from_one_of_the_two_sets(
    option: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        known_truth.main([*option, "--systems", name])
    assert f"no system {name}" in capsys.readouterr().err


def test_it_is_among_the_benchmarks() -> None:
    assert "known_truth" in run.names()


@pytest.mark.slow
def test_two_systems_are_fitted_and_compared_end_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    status = known_truth.main(["--systems", "unique", "null", "--rows", "3000", "--preset", "fast"])
    unique, null = capsys.readouterr().out.splitlines()[2:]
    assert status == 0
    numbers = re.findall(r"(a|b|all) (\d\.\d+) \((\d\.\d+); (-?\d\.\d+)\)", unique)
    assert [name for name, *_ in numbers] == ["a", "b", "all"]
    for _, found, true, told in numbers:
        assert float(found) == pytest.approx(float(true), abs=0.15)
        assert float(told) == pytest.approx(float(true), abs=0.1)
    assert float(re.findall(r"all (\d\.\d+) \(0\.000; ", null)[0]) < 0.03
