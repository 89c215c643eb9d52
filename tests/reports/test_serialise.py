from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pidreg_cli.errors import ExitStatus, RunError
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.evidence import Evidence, InformationFacts, ModalityFacts, RunFacts, TableFacts
from pidreg_cli.reports.markdown import to_markdown
from pidreg_cli.reports.model import Modality, Report
from pidreg_cli.reports.serialise import from_json, report_schema, to_json
from pidreg_cli.reports.text import to_text

TOP_LEVEL = [
    *(
        "schema_version",
        "tool_version",
        "command",
        "created_at",
        "seed",
        "device",
        "threads",
        "data",
        "modalities",
    ),
    *("metrics", "information", "pid", "one_versus_rest", "sensitivity", "shapley", "fusion", "selection"),
    "diagnostics",
]
VALIDATOR = jsonschema.Draft202012Validator(report_schema())


@pytest.fixture(scope="module", params=["one", "two", "three", "eight", "nothing"])
def report(request: pytest.FixtureRequest) -> Report:
    return assemble(request.getfixturevalue(request.param))


def bare(names: tuple[str, ...], raw: np.ndarray) -> Evidence:
    """As little evidence as a decomposition without a model has."""
    return Evidence(
        run=RunFacts("decompose", "2025-06-01T12:00:00Z", 0, "cpu", None),
        table=TableFacts(("t.parquet",), "sha256:ab", 9, 0, 0, 0, 9, None, "y", "normal"),
        modalities=tuple(ModalityFacts(name, 1, 0.0, 0.0) for name in names),
        accuracy=None,
        information=InformationFacts("plugin", "none", "features", 9, 0.95, raw, None, "readout"),
        fusion=None,
        selection=None,
    )


def test_schema_is_a_valid_draft_2020_12_schema() -> None:
    schema = report_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["required"] == TOP_LEVEL


def test_report_validates_against_the_schema(report: Report) -> None:
    content = json.loads(to_json(report))
    VALIDATOR.validate(content)
    assert list(content) == TOP_LEVEL


def test_schema_refuses_unknown_and_missing_keys(two: Evidence) -> None:
    content = json.loads(to_json(assemble(two)))
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate({**content, "extra": 1})
    del content["pid"]["summary"]["total"]
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(content)


def test_lambda_is_published_under_its_name(two: Evidence) -> None:
    fusion = json.loads(to_json(assemble(two)))["fusion"]
    assert fusion["lambda"] == {"a": 0.9, "b": 0.9}
    assert list(fusion["weights"]) == ["a", "b", "a*b"]


def test_round_trip_gives_the_same_report_and_bytes(report: Report) -> None:
    text = to_json(report)
    assert from_json(text) == report
    assert to_json(from_json(text)) == text
    assert from_json(text.encode()) == report
    assert text.endswith("}\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_of_other_shells_and_editors_are_read(report: Report, encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    assert from_json(mark + to_json(report).encode(encoding)) == report


@pytest.mark.parametrize("content", [b"\xff{}", b"\xff\xfe{", '{"a": "ä"}'.encode("latin-1")])
def test_bytes_that_are_no_text_are_refused(content: bytes) -> None:
    with pytest.raises(RunError, match="not valid JSON") as caught:
        from_json(content, "r.json")
    assert caught.value.code == "report.malformed"


def test_same_evidence_gives_the_same_bytes(three: Evidence) -> None:
    assert to_json(assemble(three)) == to_json(assemble(replace(three)))


def test_floats_are_not_rounded(two: Evidence) -> None:
    assert two.information is not None
    raw = two.information.raw.copy()
    content = json.loads(to_json(assemble(two)))
    assert [value["value_raw"] for value in content["information"]["values"]] == raw[1:].tolist()


def test_numbers_that_do_not_exist_are_null() -> None:
    modality = Modality(
        name="a", features=1, missing_fraction=float("nan"), absent_rows_fraction=float("inf")
    )
    assert (modality.missing_fraction, modality.absent_rows_fraction) == (None, None)


def test_negative_zero_is_zero() -> None:
    modality = Modality(name="a", features=1, missing_fraction=-0.0, absent_rows_fraction=0.0)
    assert "-0.0" not in modality.model_dump_json()


def test_types_are_strict() -> None:
    with pytest.raises(ValidationError):
        Modality(name="a", features="1", missing_fraction=0.0, absent_rows_fraction=0.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("{", "report.malformed", "not valid JSON"),
        ("[" * 100_000, "report.malformed", "not valid JSON"),
        ("[1]", "report.malformed", "no schema_version"),
        ('{"schema_version": 1.0}', "report.malformed", "no schema_version"),
        ('{"schema_version": "2.0"}', "report.version", "format 2.0"),
        ('{"schema_version": "10.0"}', "report.version", "format 10.0"),
        ('{"schema_version": "1.0", "seed": NaN}', "report.malformed", "NaN"),
        ('{"schema_version": "1.0"}', "report.malformed", "tool_version"),
    ],
)
def test_what_is_no_report_is_refused(text: str, code: str, says: str) -> None:
    with pytest.raises(RunError, match=r"old\.json") as caught:
        from_json(text, "old.json")
    assert caught.value.code == code
    assert caught.value.status is ExitStatus.RUN
    assert says in caught.value.message
    assert caught.value.hint


def test_a_later_format_that_does_not_fit_says_to_upgrade(two: Evidence) -> None:
    content = {**json.loads(to_json(assemble(two))), "schema_version": "1.9", "novelty": 1}
    with pytest.raises(RunError) as caught:
        from_json(json.dumps(content))
    assert "upgrade" in caught.value.hint
    assert "novelty" in caught.value.message


def test_a_damaged_number_is_named(two: Evidence) -> None:
    content = json.loads(to_json(assemble(two)))
    content["pid"]["summary"]["total"] = "much"
    with pytest.raises(RunError, match=r"pid\.summary\.total"):
        from_json(json.dumps(content))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3).flatmap(
        lambda n: st.lists(st.floats(-0.5, 4, allow_nan=False), min_size=2**n, max_size=2**n)
    )
)
def test_any_informations_give_a_valid_report(raw: list[float]) -> None:
    estimates = np.array([0.0, *raw[1:]])
    names = tuple("abcd")[: len(raw).bit_length() - 1]
    report = assemble(bare(names, estimates))
    text = to_json(report)
    VALIDATOR.validate(json.loads(text))
    assert "NaN" not in text
    assert "Infinity" not in text
    assert report.information is not None
    total = float(monotone_closure(estimates)[-1])
    assert report.information.values[-1].value == pytest.approx(total)
    if report.pid is not None:
        assert sum(atom.value for atom in report.pid.atoms) == pytest.approx(total, abs=1e-9)
    assert to_text(report).endswith("\n")
    assert to_markdown(report).endswith("\n")


@pytest.mark.parametrize("part", ["pid", "one_versus_rest", "sensitivity", "shapley", "selection"])
def test_parts_of_an_information_that_is_not_there_are_refused(two: Evidence, part: str) -> None:
    document = json.loads(to_json(assemble(two)))
    given = {"information": None, "pid": None, "shapley": None, "selection": None}
    given |= {"one_versus_rest": [], "sensitivity": [], part: document[part]}
    with pytest.raises(RunError, match=f"{part}: without information"):
        from_json(json.dumps(document | given))


def test_measures_are_compared_where_there_are_any_to_compare(two: Evidence) -> None:
    document = json.loads(to_json(assemble(two)))
    assert "Does the measure matter?" in to_text(from_json(json.dumps(document)))
    assert "Does the measure matter?" not in to_text(from_json(json.dumps(document | {"pid": None})))
