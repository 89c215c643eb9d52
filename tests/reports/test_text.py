from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.content import Table
from pidreg_cli.reports.evidence import Evidence, ModalityFacts
from pidreg_cli.reports.html import to_html
from pidreg_cli.reports.markdown import to_markdown
from pidreg_cli.reports.model import Atom, Report
from pidreg_cli.reports.sections.atoms import LONGEST, atom_names, short_id
from pidreg_cli.reports.serialise import from_json, to_json
from pidreg_cli.reports.text import WIDTH, aligned, columns, printable, to_text
from pidreg_cli.reports.wording import decimal, explained, measured, percent, rows_phrase

MEASURES = "Does the measure matter?"
Change = Callable[[dict[str, object]], None]


def section(text: str, title: str) -> str:
    """The lines of a section, joined as prose."""
    parts = re.split(r"\n\n+(?=[^\n]+\n-+\n)", text)
    return next(" ".join(part.split()) for part in parts if part.startswith(title))


def titles(text: str) -> list[str]:
    return re.findall(r"^([^\n]+)\n[-=]+$", text, flags=re.M)


@pytest.fixture(scope="module", params=["one", "two", "three", "eight", "nothing"])
def report(request: pytest.FixtureRequest) -> Report:
    return assemble(request.getfixturevalue(request.param))


def test_text_is_plain_and_narrow(report: Report) -> None:
    text = to_text(report)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\x1b" not in text
    assert text.isascii()
    tables = [line for line in text.splitlines() if line.startswith("  ") and "   " in line.strip()]
    prose = [line for line in text.splitlines() if line not in tables]
    assert max(map(len, prose)) <= WIDTH
    assert max(map(len, tables)) <= 110
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_text_speaks_no_python(report: Report) -> None:
    text = to_text(report)
    for word in ("None", "nan", "inf ", "()", "{'", "Undefined"):
        assert word not in text
    assert not re.search(r"-0\.0+\b", text)


def test_text_follows_from_the_json_alone(report: Report) -> None:
    assert to_text(from_json(to_json(report))) == to_text(report)


def test_headline_says_how_much_and_what_to_keep(two: Evidence) -> None:
    report = assemble(two)
    assert report.information is not None
    assert report.metrics is not None
    assert report.metrics.test is not None
    head = to_text(report).split("Before you rely")[0]
    assert f"{report.information.values[-1].value:.2f} bits (95 % CI" in head
    assert f"{100 * (report.metrics.test.r2 or 0):.0f} % of its variance" in " ".join(head.split())
    assert "Recommended: keep all" in head


def test_headline_of_nothing_claims_no_variance(nothing: Evidence) -> None:
    text = to_text(assemble(nothing))
    head = " ".join(text.split("Before you rely")[0].split())
    assert "a and b together tell nothing about 'y' that can be told from zero" in head
    assert "of its variance" not in head
    assert "Recommended: keep none" in head
    assert "do not read the parts" in section(text, "Before you rely")


def test_sections_of_two_three_and_one(two: Evidence, three: Evidence, one: Evidence) -> None:
    of_two, of_three, of_one = (titles(to_text(assemble(e))) for e in (two, three, one))
    assert "Atoms, largest first" in of_three
    assert "Atoms, largest first" not in of_two
    assert "One modality" in of_one
    assert not {"What each modality tells", "How the total is made up", "Does the measure matter?"} & set(
        of_one
    )


def test_parts_are_amounts_shares_and_intervals(two: Evidence) -> None:
    report = assemble(two)
    assert report.pid is not None
    summary = report.pid.summary
    text = section(to_text(report), "How the total is made up")
    for value in (summary.redundant, summary.synergistic, summary.unique["a"]):
        pattern = rf"{value:.2f} \({100 * value / summary.total:.0f} %\) \d\.\d\d to \d\.\d\d"
        assert re.search(pattern, text)
    assert "I(a) + I(b) - I(a, b)" in text
    assert "overlap outweighs interplay" in text


def test_verdicts_match_the_recommendation(report: Report) -> None:
    text = to_text(report)
    assert report.selection is not None
    for name in report.names if len(report.names) > 1 else ():
        assert f"* {name} ({'keep' if name in report.selection.recommended else 'drop'}) - " in text


def test_caveat_and_agreement_of_measures(two: Evidence, three: Evidence) -> None:
    def said(raw: list[float]) -> str:
        assert two.information is not None
        facts = replace(two.information, raw=np.array(raw), jackknife=None)
        return section(to_text(assemble(replace(two, information=facts))), MEASURES)

    agreeing = said([0, 0.9, 0.02, 0.91])
    assert "at most one modality have a unique part" in agreeing
    assert "The measures agree" in agreeing
    # 0.10 bits that one measure calls unique to b are none by another, however much there is in total.
    assert re.search(r"differ by up to 0\.1\d bits, \d+ % of the total", said([0, 0.48, 0.18, 1.64]))
    differing = section(to_text(assemble(three)), MEASURES)
    assert re.search(r"differ by up to \d\.\d\d bits, \d+ % of the total", differing)


def test_atoms_are_the_largest_first_and_the_rest_counted(eight: Evidence) -> None:
    report = assemble(eight)
    assert report.pid is not None
    text = section(to_text(report), "Atoms, largest first")
    shares = [int(share) for share in re.findall(r"\(\s*(\d+) %\)", text)]
    assert shares == sorted(shares, reverse=True)
    rest = re.search(r"(\d+) smaller atoms hold the remaining (\d\.\d\d) bits", text)
    assert rest
    assert int(rest[1]) + len(shares) == len(report.pid.atoms)
    left = sorted(atom.value for atom in report.pid.atoms)[: int(rest[1])]
    assert float(rest[2]) == pytest.approx(sum(left), abs=0.006)


def test_long_atoms_are_shortened_and_their_members_counted(eight: Evidence) -> None:
    report = assemble(eight)
    assert report.pid is not None
    longest = max(report.pid.atoms, key=lambda atom: len(atom.id))
    counted = f"... ({len(longest.members)} members)"
    shown = short_id(longest)
    assert shown.endswith(counted)
    assert longest.id.startswith(shown.removesuffix(counted))
    assert len(shown) <= LONGEST + len(counted) < len(longest.id)
    assert short_id(Atom.model_validate({**dict(longest), "id": "{a}", "members": (("a",),)})) == "{a}"


def test_atoms_that_differ_are_told_apart() -> None:
    def atom(*members: tuple[str, ...]) -> Atom:
        name = "".join("{" + ",".join(member) + "}" for member in members)
        return Atom(id=name, members=members, kind="mixed", value=0.1, ci=None, share=None)

    first = ("demographics_of_all_patients",)
    few = [atom(first, (other,)) for other in ("clinical_labs", "genetics_of_blood")]
    assert atom_names(few) == [one.id for one in few]
    many = [atom(first, ("a",), ("b",), (last,)) for last in ("clinical_labs", "genetics_of_blood")]
    assert short_id(many[0]) == short_id(many[1]) != many[0].id
    assert atom_names(many) == [one.id for one in many]
    assert atom_names([many[0], few[0]]) == [short_id(many[0]), few[0].id]


def test_many_files_are_counted(two: Evidence) -> None:
    many = tuple(f"part-{i:03}.parquet" for i in range(100))
    said = to_text(assemble(replace(two, table=replace(two.table, files=many, group="subject"))))
    assert "100 files, part-000.parquet to part-099.parquet" in " ".join(said.split())
    assert "Rows with one value of 'subject' belong together." in " ".join(said.split())


def test_candidates_are_marked_and_counted(eight: Evidence, three: Evidence) -> None:
    text = section(to_text(assemble(eight)), "Which modalities to keep")
    assert text.count("* ") == 2
    assert "240 more sets are in report.json" in text
    assert "more sets" not in section(to_text(assemble(three)), "Which modalities to keep")


def test_costs_appear_where_given(two: Evidence) -> None:
    assert two.selection is not None
    plain, priced = two, replace(two, selection=replace(two.selection, costs={"a": 7.5}))
    assert "against all cost" not in section(to_text(assemble(plain)), "Which modalities to keep")
    assert "against all cost" in section(to_text(assemble(priced)), "Which modalities to keep")
    assert "8.5" in section(to_text(assemble(priced)), "Which modalities to keep")


def test_a_set_without_cost_beside_others_with_one_is_shown(two: Evidence) -> None:
    report = assemble(two)
    assert report.selection is not None
    first, *others = report.selection.subsets
    subsets = (first.model_copy(update={"cost": None}), *others)
    changed = report.model_copy(
        update={"selection": report.selection.model_copy(update={"subsets": subsets})}
    )
    chosen = section(to_text(changed), "Which modalities to keep")
    assert "against all cost" in chosen
    for rendered in (to_markdown(changed), to_html(changed)):
        assert rendered.count("cost") > to_markdown(report).count("cost")


def test_model_stands_beside_its_baseline(two: Evidence) -> None:
    text = section(to_text(assemble(two)), "How well it predicts")
    assert re.search(r"pidreg 0\.\d+ 0\.\d+ 0\.\d{3} 0\.\d{3} 900 ridge 0\.\d+", text)


def test_rows_read_dropped_and_used(two: Evidence) -> None:
    text = section(to_text(assemble(two)), "Data, and which rows say what")
    report = assemble(two)
    in_memory = report.model_copy(update={"data": report.data.model_copy(update={"files": ()})})
    assert "A table in memory: 4,507 rows" in section(to_text(in_memory), "Data, and which rows say what")
    assert "4,507 rows read, 7 dropped (no target), 4,500 used" in text
    assert "the 900 test rows" in text
    assert "the 900 validation rows" in text
    assert "Intervals are those of the readout" in text


def test_debiased_estimates_are_printed_beside(two: Evidence) -> None:
    assert two.information is not None
    facts = replace(two.information, debiased=np.array([0, 1.11, 0.22, 1.33]), interval_of="information")
    text = to_text(assemble(replace(two, information=facts)))
    assert "a 1.11, b 0.22 and all 1.33 bits" in section(text, "How the total is made up")
    assert "Intervals are those of the readout" not in text


def test_folds_are_named(two: Evidence) -> None:
    assert two.information is not None
    table = replace(two.table, folds=5)
    facts = replace(two.information, protocol="folds")
    text = section(to_text(assemble(replace(two, table=table, information=facts))), "Data, and")
    assert "each read by a model that did not see it" in text
    assert "5 folds" in text
    assert "cross-fitted rows" in text


def test_infos_are_notes_and_warnings_come_first(two: Evidence) -> None:
    found = (
        Diagnostic("x.info", "info", "A note.", "Read it."),
        Diagnostic("x.error", "error", "A flaw.", "Mend it."),
    )
    text = to_text(assemble(replace(two, diagnostics=found)))
    assert "A note. Read it." in section(text, "Notes")
    assert section(text, "Before you rely").index("A flaw.") < section(text, "Before you rely").index("7 of")


def test_names_cannot_steer_the_terminal(two: Evidence) -> None:
    table = replace(two.table, files=("a\x1b[31mb\n.parquet",), target="y\x9b2J")
    text = to_text(assemble(replace(two, table=table)))
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "a?[31mb?.parquet" in text


def test_wide_characters_keep_columns_in_line(two: Evidence) -> None:
    modalities = (ModalityFacts("脳画像", 1, 0.0, 0.0), ModalityFacts("🧠é", 1, 0.0, 0.0))
    text = to_text(assemble(replace(two, modalities=modalities)))
    lines = [line for line in text.splitlines() if line.startswith(("  脳画像   ", "  🧠é   "))][:2]
    assert columns(lines[0]) == columns(lines[1])


def test_numeric_columns_are_set_right() -> None:
    table = Table(("name", "rows", "what"), (("a", "1,200", "x 1"), ("bb", "7", "-")))
    assert aligned(table).splitlines() == [
        "  name    rows   what",
        "  a      1,200   x 1",
        "  bb         7   -",
    ]


def test_one_bit_is_no_plural(report: Report) -> None:
    assert "1.0 bits = 75 %" in to_text(report)
    assert not re.search(r"(?<![\d.])1 bits", to_text(report))


def test_nats_are_named_and_explained(two: Evidence) -> None:
    content = json.loads(to_json(assemble(two)))
    content["information"]["units"] = "nats"
    text = to_text(from_json(json.dumps(content)))
    assert " nats " in text
    assert " bits " not in text.split("How to read this")[1]


@pytest.mark.parametrize(
    ("information", "units", "share"),
    [(0.5, "bits", 0.5), (1, "bits", 0.75), (0.5, "nats", 1 - np.exp(-1)), (0, "bits", 0)],
)
def test_explained_variance(information: float, units: str, share: float) -> None:
    assert explained(information, units) == pytest.approx(share)


def test_words_of_numbers() -> None:
    assert decimal(-0.001) == "0.00"
    assert percent(None) == "-"
    assert [measured(value) for value in (None, 0.123456, 12345.6, 3e12)] == [
        "-",
        "0.1235",
        "12,346",
        "3e+12",
    ]
    assert rows_phrase("unheard-of", 5) == "5 rows"
    assert printable("a\tb") == "a?b"
