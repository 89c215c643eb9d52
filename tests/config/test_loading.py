from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.config.loading import dump_settings, load_settings, parse_settings
from pidreg_cli.errors import ExitStatus, UsageError


@pytest.fixture
def config(tmp_path):
    def write(text: str):
        path = tmp_path / "my.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def refusal(**layers) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load_settings(**layers)
    assert caught.value.status is ExitStatus.USAGE
    return caught.value


def test_each_layer_wins_over_those_before_it(config):
    file = config("preset: fast\nseed: 1\nthreads: 1\nfolds: 3\n")
    settings = load_settings(None, file, ["threads=2", "folds=4"], {"folds": 5})
    assert (settings.preset, settings.seed, settings.threads, settings.folds) == ("fast", 1, 2, 5)


def test_a_later_assignment_wins():
    assert load_settings(assignments=["seed=1", "seed=2"]).seed == 2


def test_a_file_changes_only_its_keys(config):
    changed = load_settings(config=config("stage1:\n  max_epochs: 7\nloss:\n"))
    before = load_settings()
    assert changed.stage1.max_epochs == 7
    assert changed.model_copy(update={"stage1": before.stage1}) == before


def test_the_preset_of_an_option_wins_over_assignment_and_file(config):
    file = config("preset: paper")
    assert load_settings("fast", file, ["preset=thorough"]) == load_settings("fast")
    assert load_settings(None, file, ["preset=thorough"]) == load_settings("thorough")
    assert load_settings(None, file) == load_settings("paper")


@pytest.mark.parametrize(
    ("text", "modalities"),
    [
        ("[b, a]", {"b": [], "a": []}),
        ("{b: b_*, a: [x, y]}", {"b": ["b_*"], "a": ["x", "y"]}),
        ("{b: , a: null}", {"b": [], "a": []}),
        ("null", None),
    ],
)
def test_modalities_are_names_or_names_with_patterns(config, text, modalities):
    found = load_settings(config=config(f"data: {{modalities: {text}}}")).data.modalities
    assert found == modalities
    assert list(found or []) == list(modalities or [])


def test_modalities_of_a_later_layer_replace_the_earlier_ones(config):
    file = config("data: {modalities: [a, b], target: y}")
    assert load_settings(config=file, options={"data.modalities": {"c": ["x"]}}).data.modalities == {
        "c": ["x"]
    }
    assert load_settings(config=file, assignments=["data.modalities=[d]"]).data.modalities == {"d": []}
    assert load_settings(config=file, options={"data.modalities": {"c": []}}).data.target == "y"


def test_assignments_add_and_change_single_modalities(config):
    file = config("data: {modalities: [a, b]}")
    settings = load_settings(
        config=file, assignments=["data.modalities.b=x_*", 'data.modalities."c.d"=[p, q]']
    )
    assert settings.data.modalities == {"a": [], "b": ["x_*"], "c.d": ["p", "q"]}


def test_named_values_merge(config):
    file = config("selection: {cost: {a: 1, b: 2}}")
    assert load_settings(config=file, assignments=["selection.cost.b=3"]).selection.cost == {"a": 1, "b": 3}


@pytest.mark.parametrize(
    ("assignment", "parts"),
    [
        ("stage1.max_epoch=3", ["stage1.max_epoch", "3", "stage1.max_epochs"]),
        ("max_steps=3", ["max_steps", "stage1.max_steps or stage2.max_steps"]),
        ("network.encodr.width=3", ["network.encodr", "network.encoder"]),
        ("nonsense=3", ["unknown key nonsense"]),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_ones(assignment, parts):
    error = refusal(assignments=[assignment])
    assert error.code == "config.unknown_key"
    assert error.message.startswith(f"--set {assignment}: ")
    for part in parts:
        assert part in error.message
    assert "keys of" in error.hint


@pytest.mark.parametrize(
    ("assignment", "allowed"),
    [
        ("stage1.max_epochs=many", "a whole number, at least 1, however: 'many'"),
        ("memory=3", "text, such as 500MB, 2GB, 1.5TB, however"),
        ("stage1.max_epochs=0", "a whole number, at least 1, however: 0"),
        ("stage1.max_epochs=2.5", "a whole number, at least 1, however: 2.5"),
        ("stage1.max_epochs=true", "a whole number, at least 1, however: True"),
        ("stage1.max_epochs=[1]", "a whole number, at least 1, however: [1]"),
        ("training.learning_rate=2", "a number, above 0, at most 1, however: 2"),
        ("training.learning_rate=", "a number, above 0, at most 1, however: None"),
        (
            "network.encoder.kind=tree",
            "one of auto, periodic, piecewise, fourier, mlp, linear, however: 'tree'",
        ),
        ("network.encoder.kinds.a=tree", "one of periodic, piecewise, fourier, mlp, linear, however: 'tree'"),
        ("data.target=5", "text, however: 5"),
        ("data.modalities=5", "however: 5"),
        ("data.modalities.a=[1]", "a list of text, however: [1]"),
        ("folds=few", "a whole number"),
        ("stage1=5", "a section with the keys min_epochs"),
    ],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(assignment, allowed):
    error = refusal(assignments=[assignment])
    key = assignment.partition("=")[0]
    assert error.message.startswith(f"--set {assignment}: {key} must be ")
    assert allowed in error.message


def test_every_wrong_value_is_named_at_once(config):
    message = refusal(config=config("seed: x\n"), options={"threads": 0}).message
    first, second = message.splitlines()
    assert first.endswith("my.yaml: seed must be a whole number, at least 0, below 4294967296, however: 'x'")
    assert second == "threads must be a whole number, at least 1, or null, however: 0"


@pytest.mark.parametrize(
    "assignment", ["seed", "=3", "a..b=3", '"a=3', ".a=3", "a.=3", 'a"b"=3', "seed.x.y=1=2"]
)
def test_an_assignment_that_is_none_is_refused(assignment):
    assert assignment in refusal(assignments=[assignment]).message


def test_a_section_that_is_a_value_is_refused_with_its_file(config):
    assert "my.yaml: stage1 must be a section" in refusal(config=config("stage1: 3")).message


def test_a_key_below_a_value_is_refused():
    assert "training.learning_rate has no keys" in refusal(assignments=["training.learning_rate.x=1"]).message


def test_an_emptied_section_names_what_is_missing():
    assert "stage2.patience is missing" in refusal(assignments=["stage2={}"]).message


def test_a_modality_named_twice_is_refused(config):
    assert "'a' is named twice" in refusal(config=config("data: {modalities: [a, b, a]}")).message


def test_an_unreadable_file_is_refused(tmp_path):
    assert "cannot be read" in refusal(config=tmp_path / "absent.yaml").message
    assert "cannot be read" in refusal(config=tmp_path).message
    (tmp_path / "latin.yaml").write_bytes(b"seed: 1 # \xe9")
    assert "not UTF-8" in refusal(config=tmp_path / "latin.yaml").message


NAMES = st.text(min_size=1, max_size=8)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(0, 2**32 - 1),
        "threads": st.none() | st.integers(1, 10**20),
        "folds": st.just("auto") | st.integers(2, 50),
        "device": st.sampled_from(["auto", "cpu", "cuda", "cuda:1"]),
        "data.target": st.none() | st.text(max_size=10),
        "data.modalities": st.none()
        | st.dictionaries(NAMES, st.lists(st.text(max_size=5), max_size=3), max_size=4),
        "training.learning_rate": st.floats(1e-300, 1),
        "selection.cost": st.dictionaries(NAMES, st.floats(-1e300, 1e300), max_size=3),
        "network.code_dim": st.just("auto") | st.integers(1, 512),
    },
)


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(["fast", "paper"]), OPTIONS)
def test_dumped_settings_load_back(preset, options):
    resolved = load_settings(preset, options=options)
    text = dump_settings(resolved)
    assert parse_settings(text, "saved") == resolved
    assert dump_settings(parse_settings(text, "saved")) == text


def test_a_saved_configuration_reproduces_the_run_over_any_default(tmp_path):
    settings = load_settings("paper", assignments=["seed=4", "data.modalities=[b, a]"])
    saved = tmp_path / "config.yaml"
    saved.write_text(dump_settings(settings))
    assert load_settings(config=saved) == settings
    assert list(load_settings(config=saved).data.modalities or []) == ["b", "a"]


@pytest.mark.parametrize(
    ("key", "value"),
    [("largest_batch", 8), ("round_rows", 1_000_000), ("blocked_folds", 0), ("rule", "tolerance")],
)
def test_runs_of_versions_without_a_key_are_read_as_they_were_fitted(key: str, value: object) -> None:
    text = dump_settings(load_settings("thorough"))
    [line] = [line for line in text.splitlines() if line.strip().startswith(f"{key}:")]
    assert parse_settings(text.replace(line + "\n", ""), "saved") == parse_settings(
        text.replace(line, f"{line.partition(':')[0]}: {value}"), "saved"
    )
