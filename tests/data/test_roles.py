"""Roles of columns: precedence, convention, globs, and what is refused."""

from __future__ import annotations

import pyarrow as pa
import pytest

from pidreg_cli.config.settings import DataSettings
from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.roles import RoleRequest, Roles, resolve_roles
from pidreg_cli.errors import DataError, PidregError, UsageError

NUMBER, TEXT = pa.float64(), pa.string()


def schema(*names, **kinds):
    return pa.schema([(name, NUMBER) for name in names] + list(kinds.items()))


def resolve(columns, *names, metadata=None, patterns=None, **roles):
    modalities = {**dict.fromkeys(names, ()), **(patterns or {})}
    if not isinstance(columns, pa.Schema):
        columns = schema(*columns)
    return resolve_roles(columns, metadata, RoleRequest(modalities, **roles))


def refused(kind, code, *args, **kwargs):
    with pytest.raises(PidregError) as caught:
        resolve(*args, **kwargs)
    assert isinstance(caught.value, kind)
    assert caught.value.code == code
    assert caught.value.hint
    return caught.value


# The naming convention


def test_the_line_that_must_simply_work():
    roles = resolve(["mri__a", "mri__b", "fmri__a", "target"], "mri", "fmri")
    assert roles == Roles({"mri": ("mri__a", "mri__b"), "fmri": ("fmri__a",)}, "target")


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (["a__1", "a.1", "a_1"], ("a__1",)),
        (["a.1", "a_1"], ("a.1",)),
        (["a_1", "ab"], ("a_1",)),
    ],
)
def test_the_strongest_separator_wins(columns, expected):
    assert resolve([*columns, "target"], "a").modalities == {"a": expected}


@pytest.mark.parametrize("kind", [pa.list_(NUMBER), pa.list_(pa.float32(), 3), pa.large_list(pa.int8())])
def test_a_list_column_of_the_name_wins(kind):
    columns = pa.schema([("a__1", NUMBER), ("a", kind), ("target", NUMBER)])
    assert resolve(columns, "a").modalities == {"a": ("a",)}


def test_a_number_column_of_the_name_is_no_list():
    assert resolve(["a", "a__1", "target"], "a").modalities == {"a": ("a__1",)}
    refused(DataError, "data.empty_modality", ["a", "b__1", "target"], "a", "b")


@pytest.mark.parametrize("names", [("lab", "lab_blood"), ("lab_blood", "lab")])
def test_the_longest_name_wins_in_any_order(names):
    columns = ["lab_ph", "lab_blood_wbc", "lab_blood_rbc", "target"]
    roles = resolve(columns, *names)
    assert roles.modalities == {"lab": ("lab_ph",), "lab_blood": ("lab_blood_wbc", "lab_blood_rbc")}
    assert tuple(roles.modalities) == names


def test_a_shorter_name_never_gets_the_leftovers_of_a_longer_one():
    roles = resolve(["lab_ph", "lab_blood__wbc", "lab_blood_type", "target"], "lab", "lab_blood")
    assert roles.modalities == {"lab": ("lab_ph",), "lab_blood": ("lab_blood__wbc",)}
    assert any("'lab_blood_type'" in notice for notice in roles.notices)


def test_three_names_that_are_prefixes_of_each_other():
    roles = resolve(["a__1", "a_b__1", "a_b_c__1", "target"], "a", "a_b", "a_b_c")
    assert roles.modalities == {"a": ("a__1",), "a_b": ("a_b__1",), "a_b_c": ("a_b_c__1",)}


def test_unicode_and_emoji_names():
    roles = resolve(["🧠__x", "größe.α", "target"], "🧠", "größe")
    assert roles.modalities == {"🧠": ("🧠__x",), "größe": ("größe.α",)}


def test_a_column_with_another_role_is_never_a_feature():
    columns = ["y__1", "y__age", "y__site", "y__id", "z__1"]
    roles = resolve(columns, "y", "z", target="y__age", group="y__site", id="y__id")
    assert roles.modalities["y"] == ("y__1",)


def test_prefixes_are_found_and_said():
    roles = resolve(["b__1", "a__1", "a__2", "target", "other"])
    assert roles.modalities == {"b": ("b__1",), "a": ("a__1", "a__2")}
    assert any("b, a" in notice for notice in roles.notices)
    assert any("'other'" in notice for notice in roles.notices)


def test_prefixes_that_cannot_be_names_are_left_out_and_said():
    roles = resolve(["a+b__1", "c__1", "__d", "target"])
    assert tuple(roles.modalities) == ("c",)
    assert any("'a+b'" in notice for notice in roles.notices)


def test_nothing_says_which_modalities():
    assert "--modalities" in refused(UsageError, "usage.modalities", ["x", "y", "target"]).hint


# Explicit patterns


def test_globs_and_plain_names():
    roles = resolve(["x1", "x2", "p[0]", "p0", "target"], patterns={"a": ("x*",), "b": ("p[0]",)})
    assert roles.modalities == {"a": ("x1", "x2"), "b": ("p[0]",)}


def test_a_glob_passes_over_other_roles_and_repeats():
    roles = resolve(["x1", "x2", "x_target", "id"], patterns={"a": ("x*", "x1")}, target="x_target")
    assert roles.modalities == {"a": ("x1", "x2")}


def test_patterns_come_before_the_convention():
    roles = resolve(["lab_1", "lab_2", "target"], "lab", patterns={"one": ("lab_2",)})
    assert roles.modalities == {"lab": ("lab_1",), "one": ("lab_2",)}


def test_a_pattern_without_columns_has_near_ones():
    error = refused(DataError, "data.empty_modality", ["weight", "target"], patterns={"a": ("wieght",)})
    assert "'weight'" in error.message


def test_a_column_in_two_modalities_is_refused():
    error = refused(DataError, "data.two_roles", ["x1", "target"], patterns={"a": ("x*",), "b": ("x1",)})
    assert "'a'" in error.message
    assert "'b'" in error.message


def test_settings_are_requests():
    settings = DataSettings(
        modalities={"a": ["x*"], "b": []}, target="y", split_column="s", id="i", group="g"
    )
    assert RoleRequest.from_settings(settings) == RoleRequest({"a": ("x*",), "b": ()}, "y", "i", "g", "s")
    assert RoleRequest.from_settings(DataSettings()) == RoleRequest()


# Modalities that cannot be


@pytest.mark.parametrize(
    "name", ["", "a,b", "a{", "a}", "a*b", "a=b", "a+b", "a|b", "a/b", "a\\b", 'a"', "a\nb", "\x7f"]
)
def test_illegal_names_are_usage_errors(name):
    refused(UsageError, "usage.modality_name", ["x", "target"], name)
    refused(UsageError, "usage.modality_name", ["x", "target"], patterns={name: ("x",)})


@pytest.mark.parametrize(("wrong", "near"), [("mir", "'mri'"), ("MRI", "'mri'"), ("mr", "'mri'")])
def test_an_unknown_modality_has_near_names(wrong, near):
    error = refused(DataError, "data.empty_modality", ["mri__1", "pet__1", "target"], wrong)
    assert near in error.message


@pytest.mark.parametrize(
    "kind",
    [
        TEXT,
        pa.large_string(),
        pa.timestamp("us"),
        pa.date32(),
        pa.binary(),
        pa.dictionary(pa.int32(), TEXT),
        pa.list_(TEXT),
        pa.list_(pa.list_(NUMBER)),
        pa.struct([("x", NUMBER)]),
    ],
)
def test_features_must_be_numbers(kind):
    error = refused(DataError, "data.feature_type", schema("a__1", "target", a__text=kind), "a")
    assert "'a__text'" in error.message


@pytest.mark.parametrize(
    "kind",
    [
        pa.float16(),
        pa.float32(),
        pa.int8(),
        pa.uint64(),
        pa.bool_(),
        pa.decimal128(9, 2),
        pa.dictionary(pa.int32(), pa.int64()),
        pa.null(),
        pa.list_(pa.bool_()),
    ],
)
def test_numbers_of_every_kind_are_features(kind):
    assert resolve(schema("target", a__1=kind), "a").modalities == {"a": ("a__1",)}


# Target, id, group, split


def test_a_missing_target_lists_numeric_candidates():
    columns = schema("age", "a__1", "score", name=TEXT, id=pa.int64())
    error = refused(DataError, "data.missing_target", columns, "a")
    assert "'age', 'score'." in error.message
    assert "--target age" in error.hint


def test_a_missing_target_where_nothing_is_numeric():
    error = refused(DataError, "data.missing_target", schema(a__1=pa.list_(NUMBER), name=TEXT), "a")
    assert "no column holds single numbers" in error.message


@pytest.mark.parametrize("role", ["target", "id", "group", "split_column"])
def test_an_unknown_column_of_a_role_has_near_names(role):
    error = refused(DataError, "data.unknown_column", ["a__1", "weight", "target"], "a", **{role: "wieght"})
    assert "'weight'" in error.message


@pytest.mark.parametrize("kind", [TEXT, pa.timestamp("s"), pa.list_(NUMBER), pa.dictionary(pa.int8(), TEXT)])
def test_the_target_must_be_numeric(kind):
    refused(DataError, "data.target_type", schema("a__1", target=kind), "a")


def test_id_and_split_are_used_unasked_and_said_but_group_is_not():
    roles = resolve(schema("a__1", "target", id=TEXT, split=TEXT, group=TEXT), "a")
    assert (roles.id, roles.split, roles.group) == ("id", "split", None)
    assert sum("'id'" in notice or "'split'" in notice for notice in roles.notices) == 2


def test_named_columns_need_no_notice():
    roles = resolve(["a__1", "target", "who", "part"], "a", id="who", split_column="part")
    assert (roles.id, roles.split, roles.notices) == ("who", "part", ())


def said_of_features(roles):
    return [notice for notice in roles.notices if "no feature" in notice]


def test_a_feature_by_name_that_has_another_role_is_said():
    roles = resolve(
        ["a__1", "a__site", "a__y", "b.1", "b.who"], "a", "b", target="a__y", group="a__site", id="b.who"
    )
    assert roles.modalities == {"a": ("a__1",), "b": ("b.1",)}
    assert said_of_features(roles) == [
        "Column 'a__site' is the group, and so no feature of 'a'.",
        "Column 'a__y' is the target, and so no feature of 'a'.",
        "Column 'b.who' is the id, and so no feature of 'b'.",
    ]


def test_a_feature_by_metadata_that_has_another_role_is_said():
    stored = TableMetadata(modalities={"a": ("p", "q"), "b": ("r",)}, target="y")
    assert said_of_features(resolve(["p", "q", "r", "y", "p__x"], metadata=stored, group="q")) == [
        "Column 'q' is the group, and so no feature of 'a'."
    ]


def test_each_column_is_judged_as_if_it_alone_had_no_other_role():
    # Beside a__y, a feature, a_site would be none; beside a_1, as it is, it would.
    roles = resolve(["a__y", "a_1", "a_site"], "a", target="a__y", group="a_site", id="a_site")
    assert roles.modalities == {"a": ("a_1",)}
    assert sorted(said_of_features(roles)) == [
        "Column 'a__y' is the target, and so no feature of 'a'.",
        "Column 'a_site' is the id and group, and so no feature of 'a'.",
    ]


def test_names_take_over_where_metadata_leave_a_modality_nothing():
    stored = TableMetadata(modalities={"a": ("p",)}, target="y")
    roles = resolve(["p", "a__1", "a__part", "y"], "a", metadata=stored, group="p", split_column="a__part")
    assert roles.modalities == {"a": ("a__1",)}
    assert len(said_of_features(roles)) == 2


def test_nothing_is_said_of_what_no_modality_would_have():
    # A text is no feature, whatever its name.
    assert not said_of_features(resolve(schema("a__1", "target", a__who=TEXT), "a", id="a__who"))
    # Not of globs, either: whoever writes * knows that the target is no feature.
    assert not said_of_features(resolve(["a__1", "c__site", "target"], "a", group="c__site"))
    assert not said_of_features(resolve(["a__1", "a_site", "target"], "a", group="a_site"))
    assert not said_of_features(resolve(["x", "site", "target"], patterns={"a": ("*",)}, group="site"))


def test_a_column_that_is_something_else_is_not_used_unasked():
    assert resolve(["a__1", "id"], "a", target="id").id is None
    assert resolve(["a__1", "split", "target"], patterns={"a": ("split", "a__1")}).split is None


@pytest.mark.parametrize(
    "roles", [{"target": "x", "id": "x"}, {"target": "x", "group": "x"}, {"id": "x", "split_column": "x"}]
)
def test_two_roles_of_a_column_are_refused(roles):
    refused(DataError, "data.two_roles", ["a__1", "x", "target"], "a", **roles)


def test_a_target_named_as_a_feature_is_refused():
    refused(DataError, "data.two_roles", ["x", "y"], patterns={"a": ("x", "y")}, target="y")


def test_the_id_may_be_the_group():
    roles = resolve(["a__1", "subject", "target"], "a", id="subject", group="subject")
    assert (roles.id, roles.group) == ("subject", "subject")
    roles = resolve(["a__1", "id", "target"], "a", group="id")
    assert (roles.id, roles.group) == ("id", "id")


# Metadata

STORED = TableMetadata({"a": ("p", "q"), "b": ("r",)}, target="y", id="who", group="site", split="part")
STORED_COLUMNS = ["p", "q", "r", "y", "who", "site", "part", "target", "id", "c__1"]


def test_metadata_gives_every_role():
    roles = resolve(STORED_COLUMNS, metadata=STORED)
    assert roles.modalities == {"a": ("p", "q"), "b": ("r",)}
    assert (roles.target, roles.id, roles.group, roles.split) == ("y", "who", "site", "part")


def test_options_come_before_metadata():
    roles = resolve(STORED_COLUMNS, target="target", id="id", metadata=STORED)
    assert (roles.target, roles.id, roles.group) == ("target", "id", "site")


def test_names_pick_from_metadata_and_the_convention():
    roles = resolve(STORED_COLUMNS, "c", "a", metadata=STORED)
    assert roles.modalities == {"c": ("c__1",), "a": ("p", "q")}


def test_patterns_come_before_metadata():
    assert resolve(STORED_COLUMNS, patterns={"a": ("q",)}, metadata=STORED).modalities == {"a": ("q",)}


def test_a_stored_feature_asked_for_as_target_is_no_feature():
    roles = resolve(STORED_COLUMNS, target="q", metadata=STORED)
    assert roles.modalities == {"a": ("p",), "b": ("r",)}


def test_a_stored_role_yields_to_an_option_on_its_column_but_a_group_stays_beside_an_id():
    roles = resolve(STORED_COLUMNS, target="who", metadata=STORED)
    assert (roles.target, roles.id) == ("who", "id")
    assert resolve(STORED_COLUMNS, id="site", metadata=STORED).group == "site"


def test_stored_columns_must_exist_where_they_are_needed():
    columns = [c for c in STORED_COLUMNS if c not in ("q", "y")]
    assert "metadata" in refused(DataError, "data.unknown_column", columns, metadata=STORED).message
    roles = resolve(columns, "b", target="target", metadata=STORED)
    assert roles.modalities == {"b": ("r",)}


def test_stored_names_must_be_legal():
    refused(DataError, "data.metadata", ["x", "target"], metadata=TableMetadata({"a+b": ("x",)}))


def test_stored_names_alone_use_the_convention():
    roles = resolve(["a__1", "b__1", "target"], metadata=TableMetadata({"b": (), "a": ()}))
    assert roles.modalities == {"b": ("b__1",), "a": ("a__1",)}
