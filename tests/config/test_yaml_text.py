from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.config.yaml_text import MAX_CHARACTERS, dump_yaml, parse_yaml, parse_yaml_value
from pidreg_cli.errors import UsageError

REFUSED = {
    "a: 1\nb: 2\na: 3": ("line 3", "'a' appears twice"),
    "a: {b: 1, b: 1}": ("line 1", "'b' appears twice"),
    "a: &x 1\nb: *x": ("line 1", "anchors"),
    "a: *x": ("line 1", "anchors"),
    "a: !!python/object:os.system x": ("line 1", "tags"),
    "a: !!int x": ("line 1", "tags"),
    "a: " + "[" * 500: ("line 1", "nested too deeply"),
    "a: 1e999": ("line 1", "beyond the range"),
    "{[a]: 1}": ("line 1", "key must be text"),
    "a: [1": ("line 1", "expected"),
    "a:\n\tb: 1": ("line 2", "cannot start"),
    "a: 1\n---\nb: 1": ("line 2", "another document"),
    "a: \x07": ("", "not allowed"),
    "- 1": ("", "expected keys with values"),
    "text": ("", "expected keys with values"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plain_mapping_is_refused_with_its_place(text):
    with pytest.raises(UsageError) as caught:
        parse_yaml(text, "my.yaml")
    assert caught.value.code == "config.yaml"
    assert caught.value.message.startswith("my.yaml: ")
    for part in REFUSED[text]:
        assert part in caught.value.message


def test_a_file_that_is_no_configuration_is_refused_before_it_is_parsed():
    with pytest.raises(UsageError, match="larger than"):
        parse_yaml("a" * (MAX_CHARACTERS + 1), "big.yaml")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("true", True),
        ("null", None),
        ("", None),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("010", 10),
        ("-3", -3),
        ("1_000", "1_000"),
        ("0x10", "0x10"),
        ("1:30", "1:30"),
        ("2024-01-31", "2024-01-31"),
        (".nan", ".nan"),
        ("'5'", "5"),
        ("[a, 1, 2.0]", ["a", 1, 2.0]),
    ],
)
def test_scalars_follow_the_core_schema(text, value):
    parsed = parse_yaml_value(text, "--set")
    assert parsed == value
    assert type(parsed) is type(value)


def test_keys_are_text_and_an_empty_document_is_an_empty_mapping():
    assert parse_yaml("2020: 1\nnull: 2\ntrue: 3", "x") == {"2020": 1, "null": 2, "true": 3}
    assert parse_yaml("# nothing\n", "x") == {}


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(
        ["no", "on", "~", "1e5", "1e-3", "0x1F", "<<", "=", "2024-01-31", "1:30", "", "- a", "#", "é"]
    )
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=6), TREES, max_size=4))
def test_dumped_trees_are_read_back_with_their_types_and_order(tree):
    read = parse_yaml(dump_yaml(tree), "dumped")
    assert read == tree
    assert repr(read) == repr(tree)
