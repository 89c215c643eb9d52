"""Sections of docs/speed.md on whole fits and on the information core."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import information_speed, training_speed
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import svg_of
from benchmarks.experiments.experiment import Results, Setting
from benchmarks.training_speed import fits, information

SAMPLE = Path(__file__).parents[2] / "sample_data" / "diabetes.parquet"
TINY = ("stage1.min_epochs=1", "stage1.max_epochs=1", "stage2.min_epochs=1", "stage2.max_epochs=1")


def fit(preset: str, seconds: float, table: str = "superconductivity") -> dict[str, Any]:
    shape = {"table": table, "rows": 21263, "columns": 168, "threads": 2}
    return {"preset": preset, "seconds": seconds, "rmse": 9.25, "r2": 0.93, **shape}


@pytest.mark.parametrize(
    ("records", "told"),
    [
        ([fit("fast", 30.2)], "`fast` takes 30 s, under the goal of 45 s, with an RMSE of 9.250."),
        ([fit("balanced", 190)], "`balanced` takes 190 s, over the goal of 180 s"),
        ([fit("fast", 30, "wine")], "`fast` takes 30 s, with an RMSE"),
    ],
)
def test_fits_say_whether_goals_are_kept(records: list[dict[str, Any]], told: str) -> None:
    assert told in " ".join(fits.says(records))
    assert records[0]["table"] in fits.says(records)[0]
    assert b"<svg" in svg_of(fits.EXPERIMENT, records)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "nothing to measure"),
        (["--table", "no.parquet"], "no such file: no.parquet"),
        (["--table", str(SAMPLE)], "--table, --target and --modalities go together"),
        (["--target", "a"], "--table, --target and --modalities go together"),
    ],
)
def test_fits_want_a_table_and_its_roles(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(training_speed.PAGE, fits.EXPERIMENT, [*options, "-o", str(tmp_path)])
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_a_table_is_fitted_and_its_place_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fits, "PRESETS", ("fast",))
    roles = ["--table", str(SAMPLE), "--target", "progression", "--modalities", "clinical,serum"]
    assignments = [word for assignment in TINY for word in ("--set", assignment)]
    main(training_speed.PAGE, fits.EXPERIMENT, [*roles, *assignments, "--threads", "1", "-o", str(tmp_path)])
    found = Results.load(tmp_path / "speed", "fits")
    (record,) = found.records
    assert (record["preset"], record["rows"], record["table"]) == ("fast", 442, "diabetes")
    assert record["seconds"] > 0
    assert 40 < record["rmse"] < 100
    page = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert (
        "fits --threads 1 --table diabetes.parquet --target progression --modalities clinical,serum" in page
    )
    assert str(SAMPLE.parent) not in page


def test_the_information_core_is_timed_call_by_call(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    timed = [("one", lambda: calls.append("one"), 3), ("two", lambda: calls.append("two"), 2)]
    monkeypatch.setattr(information_speed, "cases", lambda: timed)
    setting = Setting("fast", 2000, 1, 1)
    records = [information.measure(setting, place)[0] for (place,) in information.cases(setting)]
    assert calls == ["one"] * 3 + ["two"] * 2
    assert [(record["case"], record["repetitions"]) for record in records] == [("one", 3), ("two", 2)]
    assert all(0 <= record["best"] <= record["median"] for record in records)


def test_the_information_core_names_the_quickest_and_the_slowest() -> None:
    records = [
        {"case": name, "repetitions": 3, "best": median, "median": median}
        for name, median in (("a", 0.4), ("b", 9365.2), ("c", 60.0))
    ]
    assert "From 0.40 ms (a) to 9,365 ms (b)" in information.says(records)[0]
    assert information.table(records).lines[1] == ("b", "3", "9365.20", "9365.20")
    assert b"$" not in svg_of(information.EXPERIMENT, records)
