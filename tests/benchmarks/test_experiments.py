"""Pages of experiments are what their saved numbers say, and an experiment runs from end to end."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import experiments, training_speed
from benchmarks.experiments import modality_drop, oscillation, rows, truth
from benchmarks.experiments.command import main, run
from benchmarks.experiments.drawing import svg_of
from benchmarks.experiments.experiment import Experiment, Results, Setting, Table
from benchmarks.experiments.measuring import parts, worst_error
from benchmarks.experiments.options import TRIAL
from benchmarks.experiments.page import DOCS, STALE, Page, diagnostics_of

PAGES = [experiments.PAGE, training_speed.PAGE]
CASES = [
    pytest.param(page, one, id=f"{page.name}-{one.name}")
    for page in PAGES
    for one in page.experiments
    if (page.folder(DOCS) / f"{one.name}.json").exists()
]
TINY = (
    "network.code_dim=4",
    "network.encoder.width=8",
    "network.head_width=8",
    "network.predictor_width=8",
    "loss.rows=16",
    "loss.directions=2",
    "stage1.min_epochs=1",
    "stage1.max_epochs=2",
    "stage2.min_epochs=1",
    "stage2.max_epochs=2",
    "information.folds=3",
)


def texts(svg: bytes) -> list[str]:
    """Every text of a figure, in order."""
    root = ElementTree.fromstring(svg)  # noqa: S314
    return ["".join(element.itertext()) for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_made_of_its_saved_numbers(page: Page) -> None:
    saved = (DOCS / f"{page.name}.md").read_text(encoding="utf-8")
    assert saved == page.rendered(DOCS)


@pytest.mark.parametrize(("page", "experiment"), CASES)
def test_a_figure_is_drawn_of_its_saved_numbers(page: Page, experiment: Experiment) -> None:
    folder = page.folder(DOCS)
    found = Results.load(folder, experiment.name)
    saved = (folder / f"{experiment.name}.svg").read_bytes()
    assert texts(saved) == texts(svg_of(experiment, found.records))
    assert svg_of(experiment, found.records) == svg_of(experiment, found.records)
    assert any("(" in text or "%" in text or "rows" in text for text in texts(saved))  # units, axes


def test_results_survive_in_a_file(tmp_path: Path) -> None:
    setting = Setting("fast", 2000, 1, 1, ("loss.rows=16",))
    results = Results("one", "1", "machine", setting, 3, [{"true": [0.0, 0.5]}, {"true": [0.0, None]}])
    results.save(tmp_path)
    assert Results.load(tmp_path, "one") == results
    assert len((tmp_path / "one.json").read_text(encoding="utf-8").splitlines()) > 10


@pytest.mark.parametrize("experiment", experiments.PAGE.experiments, ids=lambda one: one.name)
def test_the_command_without_options_is_the_one_that_made_the_page(experiment: Experiment) -> None:
    assert Results.load(experiments.PAGE.folder(DOCS), experiment.name).setting == experiment.setting


def section(page: Page, experiment: Experiment, results: Results, tmp_path: Path) -> str:
    """Of a page that has these results alone."""
    page.folder(tmp_path).mkdir(exist_ok=True)
    results.save(page.folder(tmp_path))
    return page.rendered(tmp_path).partition(f"## {experiment.title}")[2]


@pytest.mark.parametrize(("seeds", "over"), [(1, "one fit each"), (3, "means over 3 seeds")])
def test_means_are_told_where_there_are_several_fits(seeds: int, over: str, tmp_path: Path) -> None:
    saved = Results.load(experiments.PAGE.folder(DOCS), "truth")
    told = replace(saved, setting=replace(saved.setting, seeds=seeds))
    assert f"in bits, {over}." in section(experiments.PAGE, truth.EXPERIMENT, told, tmp_path)


def test_results_of_an_older_way_of_measuring_show_as_such(tmp_path: Path) -> None:
    saved = replace(Results.load(experiments.PAGE.folder(DOCS), "truth"), revision=0)
    assert STALE in section(experiments.PAGE, truth.EXPERIMENT, saved, tmp_path)
    assert STALE not in experiments.PAGE.rendered(DOCS)


def test_a_section_names_only_options_that_its_command_has() -> None:
    (command,) = re.findall(
        r"`(python -m benchmarks.training_speed.startup .*?)`", training_speed.PAGE.rendered(DOCS)
    )
    assert command == "python -m benchmarks.training_speed.startup --seeds 7"


def test_diagnostics_count_fits_not_records() -> None:
    fit = {"system": "one", "seed": 0, "rmse": 0.5, "diagnostics": ["b.c", "a.b", "b.c"]}
    other = {**fit, "seed": 1, "rmse": 0.6, "diagnostics": ["b.c"]}
    (found,) = diagnostics_of([fit, {**fit, "left_out": "b"}, other])
    assert found == "What the reports of 2 fits warn of or note: `b.c` in 2, `a.b` in 1."
    assert diagnostics_of([{**fit, "diagnostics": []}])[0].endswith("nothing.")
    assert diagnostics_of([{"batch": 32}]) == []


@pytest.mark.parametrize(
    ("page", "name", "options", "told"),
    [
        (experiments.PAGE, "truth", "--seeds 0", "--seeds: must be at least 1, however: 0"),
        (experiments.PAGE, "truth", "--seeds -1", "must be at least 1, however: -1"),
        (experiments.PAGE, "truth", "--threads 0", "--threads: must be at least 1"),
        (experiments.PAGE, "truth", "--rows abc", "--rows: not a whole number: 'abc'"),
        (experiments.PAGE, "truth", "--rows 100", "--rows: must be at least 2000, so that"),
        (experiments.PAGE, "truth", "--set nonsense", "expected KEY=VALUE"),
        (experiments.PAGE, "truth", "--set nonsense=3", "unknown key nonsense"),
        (experiments.PAGE, "truth", "--set training.batch_size=none", "training.batch_size"),
        (experiments.PAGE, "truth", "--render", "no saved numbers in"),
        (experiments.PAGE, "truth", "-o here --save", "not allowed with"),
        (training_speed.PAGE, "startup", "--preset fast", "unrecognized arguments: --preset fast"),
        (training_speed.PAGE, "steps", "--preset fast", "unrecognized arguments: --preset fast"),
        (training_speed.PAGE, "cores", "--threads 2", "unrecognized arguments: --threads 2"),
    ],
)
def test_wrong_options_are_errors_of_usage_and_save_nothing(
    page: Page, name: str, options: str, told: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (experiment,) = (one for one in page.experiments if one.name == name)
    with pytest.raises(SystemExit) as ended:
        main(page, experiment, options.split())
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def squares(measured: list[int]) -> Experiment:
    """An experiment without fits, which notes what it measures."""

    def measure(setting: Setting, number: int) -> list[dict[str, int]]:
        measured.append(number)
        return [{"square": number**2}]

    return replace(
        truth.EXPERIMENT,
        name="squares",
        cases=lambda setting: [(number,) for number in range(setting.seeds)],
        measure=measure,
        table=lambda records: Table(("square",), tuple((str(r["square"]),) for r in records)),
        draw=lambda records, figure: None,
        says=lambda records: ["Squares."],
    )


def test_a_run_goes_on_from_the_cases_that_it_finished(tmp_path: Path) -> None:
    measured: list[int] = []
    experiment, setting = squares(measured), Setting("fast", 2000, 3, 1)
    assert not run(experiment, setting, tmp_path, 2)
    # Of another setting nothing is taken over, and trying it costs nothing of the first.
    assert not run(experiment, replace(setting, rows=3000), tmp_path, 1)
    assert measured == [0, 1, 0]
    assert run(experiment, setting, tmp_path, 2)
    assert measured == [0, 1, 0, 2]
    records = Results.load(tmp_path, "squares").records
    assert records == [{"square": 0}, {"square": 1}, {"square": 4}]
    assert len([*tmp_path.glob("*.partial")]) == 1


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_last_line_costs_its_case_alone(cut: int, tmp_path: Path) -> None:
    measured: list[int] = []
    experiment, setting = squares(measured), Setting("fast", 2000, 3, 1)
    assert not run(experiment, setting, tmp_path, 2)
    (journal,) = tmp_path.glob("*.partial")
    journal.write_bytes(journal.read_bytes()[:-cut])
    assert run(experiment, setting, tmp_path)
    assert measured in ([0, 1, 2], [0, 1, 1, 2])
    records = Results.load(tmp_path, "squares").records
    assert records == [{"square": 0}, {"square": 1}, {"square": 4}]


def test_missing_measures_what_is_absent_or_older(tmp_path: Path) -> None:
    measured: list[int] = []
    experiment, options = squares(measured), ["--seeds", "1", "--missing", "-o", str(tmp_path)]
    for one in (experiment, experiment, replace(experiment, revision=2)):
        main(experiments.PAGE, one, options)
    assert measured == [0, 0]


def test_a_trial_stays_in_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = (DOCS / "experiments.md").read_bytes()
    main(experiments.PAGE, squares([]), ["--seeds", "1"])
    assert (tmp_path / TRIAL / "experiments" / "squares.json").exists()
    assert (DOCS / "experiments.md").read_bytes() == before
    assert not (DOCS / "experiments" / "squares.json").exists()


def test_a_table_aligns_numbers() -> None:
    made = Table(("name", "bits"), (("a", "1.0"),)).markdown()
    assert made == "| name | bits |\n|---|---:|\n| a | 1.0 |"


def test_sizes_halve_down_to_what_has_one_split() -> None:
    assert rows.sizes(32_000) == [2000, 4000, 8000, 16_000, 32_000]
    assert rows.sizes(3000) == [3000]


def test_parts_and_errors_are_those_of_the_informations() -> None:
    assert parts([0.0, 0.5, 0.3, 0.9]) == pytest.approx((0.2, 0.3, 0.4))
    assert worst_error({"found": [0, 0.5, 0.3, 0.8], "true": [0, 0.4, 0.5, 0.9]}) == pytest.approx(-0.2)


def test_weights_swing_by_their_largest_change() -> None:
    assert oscillation.swing(np.array([[0.5, 0.5], [0.7, 0.3], [0.6, 0.4]])) == pytest.approx(0.15)


def test_a_modality_counts_with_its_product() -> None:
    record = {"weights": {"a": 0.6, "b": 0.1, "a*b": 0.3}, "left_out": "b", "rmse": 2.0, "rmse_without": 3.0}
    assert modality_drop.weight(record) == pytest.approx(0.4)
    assert modality_drop.growth(record) == pytest.approx(0.5)


@pytest.mark.slow
def test_an_experiment_runs_and_writes_page_figure_and_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "SYSTEMS", ("unique", "redundant", "null"))
    assignments = [part for setting in TINY for part in ("--set", setting)]
    main(
        experiments.PAGE,
        truth.EXPERIMENT,
        ["--rows", "2000", "--seeds", "1", "-o", str(tmp_path), *assignments],
    )
    found = Results.load(tmp_path / "experiments", "truth")
    assert found.setting == replace(truth.EXPERIMENT.setting, rows=2000, seeds=1, assignments=TINY)
    assert [record["system"] for record in found.records] == ["unique", "redundant", "null"]
    page = (tmp_path / "experiments.md").read_text(encoding="utf-8")
    assert "Not run yet: rows, no_cmi" in page
    assert capsys.readouterr().out.strip().splitlines()[-1] in page
    unique = found.records[0]
    assert unique["found"][1] == pytest.approx(unique["true"][1], abs=0.4)
    assert re.search(r"<svg", (tmp_path / "experiments" / "truth.svg").read_text(encoding="utf-8"))
