"""What names mean, which requirements hold, and how far a report moved."""

from __future__ import annotations

import copy
import math

import pytest

from pidreg_cli.decisions.requirements.judging import drift_verdicts, judge
from pidreg_cli.decisions.requirements.language import parse_name, parse_requirement
from pidreg_cli.decisions.requirements.names import amount_of
from pidreg_cli.errors import UsageError
from pidreg_cli.reports.checks.outcome import Outcome, to_text
from pidreg_cli.reports.paths import may_have


def value(report, name):
    return amount_of(report, parse_name(name)).value


def held(report, text, use="value"):
    return judge(report, parse_requirement(text), use).held


def test_every_short_name_is_the_number_of_the_report(report):
    summary = report["pid"]["summary"]
    assert value(report, "total") == summary["total"]
    assert value(report, "redundant") == summary["redundant"]
    assert value(report, "synergistic") == summary["synergistic"]
    assert value(report, "unique.age") == summary["unique"]["age"]
    assert value(report, "share.unique.age") == summary["unique"]["age"] / summary["total"]
    assert value(report, "share.total") == 1
    for one in report["information"]["values"]:
        assert value(report, f"information.{'+'.join(one['modalities'])}") == one["value"]
    assert value(report, "shapley.fmri") == report["shapley"]["fmri"]
    assert value(report, "weight.mri*fmri") == report["fusion"]["weights"]["mri*fmri"]


def test_paths_reach_every_other_value(report):
    assert value(report, "metrics.test.rmse") == report["metrics"]["test"]["rmse"]
    assert value(report, "information.estimator") == "heldout"
    assert value(report, "modalities.fmri.features") == 11
    assert value(report, "modalities.1.features") == 11
    atom = report["pid"]["atoms"][0]
    found = amount_of(report, parse_name(f'pid.atoms."{atom["id"]}".value'))
    assert (found.value, list(found.ci)) == (atom["value"], atom["ci"])
    added = report["one_versus_rest"][0]
    found = amount_of(report, parse_name("one_versus_rest.mri.added"))
    assert (found.value, list(found.ci)) == (added["added"], added["added_ci"])


def test_a_report_in_nats_is_judged_in_bits(report):
    bits = value(report, "total"), value(report, "information.age"), value(report, "shapley.age")
    nats = copy.deepcopy(report)
    nats["information"]["units"] = "nats"
    for one in [nats["pid"]["summary"], nats["shapley"]]:
        for key, number in one.items():
            one[key] = number * math.log(2) if isinstance(number, float) else number
    for one in nats["information"]["values"]:
        one["value"] *= math.log(2)
        one["ci"] = [end * math.log(2) for end in one["ci"]]
    found = value(nats, "total"), value(nats, "information.age"), value(nats, "shapley.age")
    assert found == pytest.approx(bits)
    assert drift_verdicts(nats, report, 1e-9, None)[0].held


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("unique.mrii", "unique.mri"),
        ("uniqe.mri", "unique.mri"),
        ("synergy", "synergistic"),
        ("metrics.tst.rmse", "metrics.test.rmse"),
        ("information.mri+fmr", "information.mri+fmri"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(report, name, meant):
    with pytest.raises(UsageError, match="no value") as caught:
        value(report, name)
    assert caught.value.code == "check.unknown_name"
    assert meant in caught.value.hint


@pytest.mark.parametrize(
    "name", ["pid", "pid.atoms", "metrics.test.rmse.x", "modalities.9.features", "zzz.qqq"]
)
def test_what_is_no_single_value_is_unknown(report, name):
    with pytest.raises(UsageError) as caught:
        value(report, name)
    assert caught.value.hint


def test_a_list_is_called_one(report):
    report["selection"]["recommended"] = ["mri"]
    with pytest.raises(UsageError, match=r"^selection\.recommended is a list of 1 ") as caught:
        held(report, 'selection.recommended == "mri"')
    assert caught.value.code == "check.unknown_name"
    assert caught.value.hint.endswith(": selection.recommended.0")
    assert held(report, 'selection.recommended.0 == "mri"')
    report["selection"]["recommended"] = []
    with pytest.raises(UsageError) as caught:
        held(report, 'selection.recommended == "mri"')
    assert "it is empty" in caught.value.hint


def test_values_hold_on_the_bound_or_not_by_the_operator(report):
    report["pid"]["summary"]["total"] = 0.5
    assert held(report, "total >= 0.5")
    assert held(report, "total <= 0.5")
    assert held(report, "total == 0.5")
    assert not held(report, "total > 0.5")
    assert not held(report, "total < 0.5")
    assert not held(report, "total != 0.5")


def test_intervals_are_judged_at_the_end_that_is_nearer_to_breaking_the_rule(report):
    report["pid"]["summary"]["total"], report["pid"]["summary_ci"]["total"] = 0.5, [0.4, 0.7]
    for text, holds in {
        "total >= 0.4": True,
        "total > 0.4": False,
        "total >= 0.41": False,
        "total <= 0.7": True,
        "total < 0.7": False,
        "total <= 0.69": False,
        "total == 0.5": False,
        "total != 0.5": False,
        "total != 0.39": True,
        "total != 0.71": True,
    }.items():
        assert held(report, text, "ci") is holds, text
    verdict = judge(report, parse_requirement("total >= 0.6"), "ci")
    assert verdict.judged == 0.4
    assert "0.4" in verdict.reason


def test_nulls_and_missing_intervals_do_not_hold(report, single):
    assert not held(single, "unique.only >= 0")
    assert not held(single, "redundant >= 0")
    assert held(single, "total >= 0.1")
    assert not held(report, "metrics.test.rmse >= 0", "ci")
    report["metrics"]["test"]["rmse"] = None
    assert not held(report, "metrics.test.rmse >= 0")
    report["pid"]["summary"]["total"] = 0.0
    assert not held(report, "share.redundant >= 0")


@pytest.mark.parametrize(
    "name",
    ["metrics.test.r2", "fusion.lambda.mri", "weight.mri*fmri", "shapley.age", "selection.subsets.0.cost"],
)
def test_what_lies_in_a_part_that_is_null_is_null(report, name):
    for part in ("metrics", "fusion", "shapley", "selection"):
        report[part] = None
    verdict = judge(report, parse_requirement(f"{name} >= 0"), "value", may_have=may_have)
    assert (verdict.held, verdict.value) == (False, None)
    for wrong in (
        f"{name}.x",
        f"x{name}",
        "metrics.tst.r2",
        "weight.pet",
        "selection.subsets",
    ):
        with pytest.raises(UsageError):
            judge(report, parse_requirement(f"{wrong} >= 0"), "value", may_have=may_have)


@pytest.mark.parametrize(
    ("name", "interval"),
    [
        ("pid.summary.total", lambda report: report["pid"]["summary_ci"]["total"]),
        ("pid.summary.unique.fmri", lambda report: report["pid"]["summary_ci"]["unique"]["fmri"]),
        ("selection.subsets.0.expected_rmse", lambda report: report["selection"]["subsets"][0]["rmse_ci"]),
        ("selection.subsets.0.information", lambda report: report["selection"]["subsets"][0]["ci"]),
    ],
)
def test_intervals_are_found_wherever_the_report_has_them(report, name, interval):
    assert list(amount_of(report, parse_name(name)).ci) == interval(report)


def test_widths_are_of_what_modalities_add_where_parts_have_no_intervals(report):
    spans = report["pid"]["summary_ci"]
    spans |= {"unique": dict.fromkeys(spans["unique"]), "redundant": None, "synergistic": None}
    old = copy.deepcopy(report)
    verdicts = drift_verdicts(report, old, None, 0.0)
    assert [str(v.requirement).split()[2] for v in verdicts] == [
        "total",
        *(f"one_versus_rest.{name}.added" for name in ("mri", "fmri", "age")),
    ]
    assert all(v.held for v in verdicts)
    assert {v.title.split()[2] for v in drift_verdicts(report, old, 0.0, None)} >= {
        "redundant",
        "synergistic",
    }
    old["one_versus_rest"][0]["added"] += 9
    failed = [v.title for v in drift_verdicts(report, old, None, 0.5) if not v.held]
    assert failed == ["drift of one_versus_rest.mri.added <= 0.5 interval widths"]


def test_parts_against_all_others_stand_in_where_the_measure_has_no_lattice(report):
    report["pid"] = None
    old = copy.deepcopy(report)
    assert all(v.held for v in drift_verdicts(report, old, 0.0, 0.0))
    old["one_versus_rest"][1]["unique"] += 0.2
    failed = [v.title for v in drift_verdicts(report, old, 0.1, None) if not v.held]
    assert failed == ["drift of one_versus_rest.fmri.unique <= 0.1 bits"]
    old["one_versus_rest"][1]["added"] += 9
    failed = [v.title for v in drift_verdicts(report, old, None, 0.5) if not v.held]
    assert failed == ["drift of one_versus_rest.fmri.added <= 0.5 interval widths"]
    old["one_versus_rest"][0]["measure"] = "dep"
    with pytest.raises(UsageError, match="another measure"):
        drift_verdicts(report, old, 1, None)


def test_texts_and_truth_values_are_compared_with_their_like(report):
    assert held(report, "fusion.converged == true", "ci")
    assert not held(report, "fusion.converged != true")
    assert held(report, 'information.estimator == "heldout"')
    for text in ('total == "high"', "fusion.converged == 1", "information.estimator == true"):
        with pytest.raises(UsageError) as caught:
            held(report, text)
        assert caught.value.code == "check.type"


def test_truth_values_and_null_are_told_as_rules_write_them(report):
    report["fusion"]["converged"] = False
    asked = parse_requirement("fusion.converged == true")
    assert judge(report, asked, "value").reason == "it is false"
    with pytest.raises(UsageError, match="has false there, which is no number"):
        held(report, "fusion.converged == 1")
    outcome = Outcome("report.json", "y", (judge(report, asked, "value"),))
    assert to_text(outcome).startswith("FAILS  fusion.converged == true: false; it is false\n")
    report["fusion"] = None
    for text, what in ((str(asked), "value"), ("fusion.lambda.mri > 0", "number")):
        verdict = judge(report, parse_requirement(text), "value", may_have=may_have)
        assert verdict.reason == f"the report has no {what} there (null)"


def test_drift_is_the_absolute_difference_in_bits_of_each_part(report):
    old = copy.deepcopy(report)
    for part, moved in {"total": 0.04, "redundant": -0.06}.items():
        old["pid"]["summary"][part] += moved
    verdicts = {v.title: v for v in drift_verdicts(report, old, 0.05, None)}
    assert len(verdicts) == 6
    assert verdicts["drift of total <= 0.05 bits"].held
    assert verdicts["drift of total <= 0.05 bits"].judged == pytest.approx(0.04)
    failed = [v for v in verdicts.values() if not v.held]
    assert [v.title for v in failed] == ["drift of redundant <= 0.05 bits"]
    assert failed[0].judged == pytest.approx(0.06)


def test_drift_in_widths_of_the_wider_interval(report):
    old = copy.deepcopy(report)
    report["pid"]["summary"]["total"], report["pid"]["summary_ci"]["total"] = 0.5, [0.4, 0.6]
    old["pid"]["summary"]["total"], old["pid"]["summary_ci"]["total"] = 0.6, [0.4, 0.8]
    verdict = drift_verdicts(report, old, None, 0.25)[0]
    assert (verdict.held, verdict.judged) == (True, pytest.approx(0.25))
    assert not drift_verdicts(report, old, None, 0.24)[0].held
    old["pid"]["summary_ci"] = None
    verdict = drift_verdicts(report, old, None, 9)[0]
    assert (verdict.held, verdict.judged) == (False, None)


def test_zero_widths_allow_no_drift(report):
    old = copy.deepcopy(report)
    for one, total in ((report, 0.0), (old, 0.0)):
        one["pid"]["summary"]["total"], one["pid"]["summary_ci"]["total"] = total, [0.0, 0.0]
    assert drift_verdicts(report, old, None, 0.5)[0].held
    old["pid"]["summary"]["total"] = 0.1
    assert not drift_verdicts(report, old, None, 0.5)[0].held


@pytest.mark.parametrize("change", ["modality", "target", "measure", "estimator", "interactions"])
def test_a_baseline_of_another_question_is_refused(report, change):
    old = copy.deepcopy(report)
    if change == "modality":
        old["modalities"][0]["name"] = "pet"
    elif change == "target":
        old["data"]["target"] = "other"
    elif change in ("estimator", "interactions"):
        old["information"][change] = "another"
    else:
        old["pid"]["measure"] = "mmi"
    with pytest.raises(UsageError, match=f"another .*{change[:6]}") as caught:
        drift_verdicts(report, old, 1, None)
    assert caught.value.code == "check.other_baseline"
