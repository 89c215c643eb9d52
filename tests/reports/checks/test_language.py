"""The language of requirements: what it says, and what it refuses, by column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.decisions.requirements.language import Name, Requirement, parse_name, parse_requirement
from pidreg_cli.errors import UsageError

WORDS = st.lists(
    st.text(st.characters(exclude_characters='"', exclude_categories=["Cs"]), max_size=8), min_size=1
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False).map(lambda value: float(f"{value:.12g}"))


@pytest.mark.parametrize(
    ("text", "words", "operator", "bound"),
    [
        ("unique.mri >= 0.05", ("unique", "mri"), ">=", 0.05),
        ("  total>.3 ", ("total",), ">", 0.3),
        ('information."blood.lab"<=1e-3', ("information", "blood.lab"), "<=", 0.001),
        ("information.mri+fmri < 2.", ("information", "mri+fmri"), "<", 2.0),
        ("weight.a*b != -0.5", ("weight", "a*b"), "!=", -0.5),
        ("fusion.converged == true", ("fusion", "converged"), "==", True),
        ('information.estimator == "held out"', ("information", "estimator"), "==", "held out"),
        ('pid.atoms."{a}{b}".value >= 0', ("pid", "atoms", "{a}{b}", "value"), ">=", 0.0),
    ],
)
def test_requirements_are_read(text, words, operator, bound):
    found = parse_requirement(text)
    assert found == Requirement(Name(words), operator, bound)
    assert type(found.bound) is type(bound)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("", 1, "a name"),
        (">= 3", 1, "a name"),
        ("unique. >= 3", 8, "a name"),
        ('unique."mri >= 3', 8, "a name"),
        ("unique.mri", 11, "one of >="),
        ("unique.mri = 3", 11, "one of >="),
        ("unique mri >= 3", 7, "one of >="),
        ("total >=", 9, "a finite number"),
        ("total >= 3 4", 10, "a finite number"),
        ("total >= inf", 10, "a finite number"),
        ("total >= 1e999", 10, "a finite number"),
        ("total >= 0x10", 10, "a finite number"),
        ("total >= 5%", 10, "a finite number"),
        ("fusion.converged >= true", 21, "compares numbers"),
    ],
)
def test_mistakes_are_refused_where_they_are(text, column, expected):
    with pytest.raises(UsageError, match=expected) as caught:
        parse_requirement(text)
    assert f"column {column}:" in caught.value.message
    assert "unique.mri >= 0.05" in caught.value.hint


@pytest.mark.parametrize(
    "text",
    ['pid.atoms."{a}{b}".value < 1', 'weight."a*b" > 0', "weight.a*b > 0", 'unique."blood lab" >= 0.5'],
)
def test_what_was_written_is_shown_with_its_quotes(text):
    assert str(parse_requirement(f"  {text} ")) == text


def test_how_it_was_written_makes_no_other_name():
    plain, quoted = (parse_requirement(text).name for text in ("weight.a*b > 0", 'weight."a*b" > 0'))
    assert plain == quoted
    assert hash(plain) == hash(quoted)
    assert quoted.canonical == "weight.a*b"


def test_the_hint_says_which_words_are_quoted():
    with pytest.raises(UsageError) as caught:
        parse_requirement("unique.blood lab > 0")
    assert 'quote words with dots, spaces or operators: unique."blood.lab"' in caught.value.hint


@given(WORDS, st.sampled_from([">=", ">", "<=", "<", "==", "!="]), NUMBERS)
def test_what_is_written_reads_back(words, operator, bound):
    requirement = Requirement(Name(tuple(words)), operator, bound)
    assert parse_requirement(str(requirement)) == requirement
    assert parse_name(str(requirement.name)) == requirement.name


@given(st.text())
def test_any_text_is_read_or_refused(text):
    try:
        found = parse_requirement(text)
    except UsageError:
        found = None
    if found is not None:
        assert parse_requirement(str(found)).name == found.name
