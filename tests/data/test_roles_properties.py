"""Roles over random schemas, requests and metadata: an error a user can act on, or roles that keep every rule."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.naming import FORBIDDEN, SEPARATORS, is_modality_name
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.errors import PidregError

NUMBERS = [pa.float64(), pa.float16(), pa.int8(), pa.bool_(), pa.decimal128(5, 1)]
LISTS = [pa.list_(pa.float32()), pa.list_(pa.int64(), 3)]
ANY_LIST = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
OTHERS = [pa.string(), pa.timestamp("s"), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.string())]

# Short names over few letters, so that prefixes, roles and modalities collide.
names = st.text("ab_", min_size=1, max_size=4) | st.sampled_from(["🧠", "é", "target", "id", "split", "a.b"])
columns = (
    st.builds("".join, st.tuples(names, st.sampled_from(SEPARATORS), st.sampled_from(["", "x", "1", "y_z"])))
    | names
)
kinds = st.sampled_from(NUMBERS * 6 + LISTS * 3 + OTHERS)
schemas = st.builds(
    lambda fields, target: pa.schema(list({**fields, **target}.items())),
    st.dictionaries(columns, kinds, min_size=1, max_size=8),
    st.sampled_from([{"target": pa.float64()}] * 4 + [{}]),
)


def often(choice, known):
    """Mostly one of the known, else any."""
    return st.integers(0, 39).flatmap(lambda n: choice if n == 17 or not known else st.sampled_from(known))


def starts_of(schema):
    """Names that start a column of the schema, and so may claim it."""
    return sorted(
        {name[:end] for name in schema.names for end in (1, 2, 3) if name[end:].startswith(("_", "."))}
    )


@st.composite
def cases(draw):
    """A schema, perhaps metadata, and a request; most of them name what exists."""
    schema = draw(schemas)
    one_name, one_column = often(names, starts_of(schema)), often(columns, schema.names)
    globs = st.lists(one_column | st.sampled_from(["a*", "[ab]_*", "?_*"]), max_size=2).map(tuple)
    role = st.sampled_from([True] + [False] * 9).flatmap(lambda named: one_column if named else st.none())
    stored = st.builds(
        TableMetadata,
        st.dictionaries(one_name, st.lists(one_column, max_size=2).map(tuple), max_size=2),
        *[role] * 4,
    )
    asked = st.dictionaries(one_name, st.just(()) | globs, max_size=2)
    return schema, draw(st.none() | stored), draw(st.builds(RoleRequest, asked, *[role] * 4))


def resolved(schema, metadata, request):
    """Roles, or None where the request was refused properly."""
    try:
        return resolve_roles(schema, metadata, request)
    except PidregError as error:
        if not (error.code.startswith(("data.", "usage.")) and error.message and error.hint):
            raise AssertionError("an error without code, message or hint") from error
        return None


@given(cases())
@settings(max_examples=200, deadline=None)
def test_every_rule_holds_or_the_request_is_refused(case):
    schema, metadata, request = case
    roles = resolved(schema, metadata, request)
    if roles is None:
        return
    kinds_of = dict(zip(schema.names, schema.types, strict=True))
    features = [column for block in roles.modalities.values() for column in block]
    single = [roles.target, roles.id, roles.group, roles.split]
    assert len(set(features)) == len(features)
    assert not set(features) & set(single)
    assert all(kinds_of[column] in NUMBERS + LISTS for column in features)
    assert kinds_of[roles.target] in NUMBERS
    assert all(column is None or column in kinds_of for column in single)
    assert all(roles.modalities.values())
    assert all(is_modality_name(name) for name in roles.modalities)
    if request.modalities:
        assert list(roles.modalities) == list(request.modalities)
    for asked, got in zip(
        (request.target, request.id, request.group, request.split_column), single, strict=True
    ):
        assert asked in (None, got)


def slow_convention(names_given, schema, taken):
    """The rule read aloud, a modality at a time: list column, else a__, else a., else a_; the longest name wins."""
    claimed = {}
    for name in sorted(names_given, key=len, reverse=True):
        longer = [other for other in names_given if len(other) > len(name)]
        free = [
            column
            for column in schema.names
            if column not in taken
            and not any(column == o or column.startswith((o + "__", o + ".", o + "_")) for o in longer)
        ]
        if name in free and isinstance(schema.field(name).type, ANY_LIST):
            claimed[name] = (name,)
            continue
        levels = (tuple(c for c in free if c.startswith(name + separator)) for separator in ("__", ".", "_"))
        claimed[name] = next((level for level in levels if level), ())
    return claimed


@st.composite
def schemas_and_names(draw):
    schema = draw(schemas)
    return schema, draw(st.lists(often(names, starts_of(schema)), min_size=1, max_size=3, unique=True))


@given(schemas_and_names())
@settings(max_examples=200, deadline=None)
def test_the_convention_is_the_one_stated(case):
    schema, asked = case
    roles = resolved(schema, None, RoleRequest(dict.fromkeys(asked, ())))
    taken = {name for name in ("target", "id", "split") if name in schema.names}
    expected = slow_convention(asked, schema, taken)
    if roles is not None:
        assert roles.modalities == {name: expected[name] for name in asked}
        return
    flawless = (
        "target" in schema.names
        and schema.field("target").type in NUMBERS
        and all(expected.values())
        and all(schema.field(c).type in NUMBERS + LISTS for block in expected.values() for c in block)
    )
    assert not flawless, "a table that keeps the convention was refused"


@given(cases(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_the_order_of_columns_does_not_change_who_has_them(case, random):
    schema, _, request = case
    shuffled = list(schema)
    random.shuffle(shuffled)
    before, after = (resolved(s, None, request) for s in (schema, pa.schema(shuffled)))
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert {n: set(c) for n, c in before.modalities.items()} == {
            n: set(c) for n, c in after.modalities.items()
        }
        assert (before.target, before.id, before.split) == (after.target, after.id, after.split)


@given(st.text(max_size=6))
def test_names_are_legal_unless_they_hold_a_forbidden_character(name):
    forbidden = not name or any(c in FORBIDDEN or ord(c) < 32 or 127 <= ord(c) < 160 for c in name)
    assert is_modality_name(name) == (not forbidden)
