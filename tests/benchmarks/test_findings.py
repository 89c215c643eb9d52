"""Findings are said of the records: of another outcome they say something else."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.experiments import many_modalities, modality_drop, no_cmi, oscillation, rows, targets, truth
from benchmarks.experiments.experiment import Results
from benchmarks.experiments.page import DOCS


def saved(name: str) -> list[dict[str, Any]]:
    """Published records, each to be changed at will."""
    return [dict(record) for record in Results.load(DOCS / "experiments", name).records]


def said(findings: list[str]) -> str:
    return " ".join(findings)


def found_at(records: list[dict[str, Any]], factor: float) -> list[dict[str, Any]]:
    """Records in which every set has so much of its true information."""
    return [{**record, "found": [factor * bits for bits in record["true"]]} for record in records]


@pytest.mark.parametrize(
    ("factor", "told", "not_told"),
    [
        (1.0, "The whole reads as it is in all systems.", "above"),
        (0.9, "reads below the truth in 15 of 16 systems", "above"),
        (1.02, "above the truth in 15, by 0.04 bits at most: no more than the choice of test rows", "below"),
        (1.1, "above the truth in 15, by 0.18 bits at most: more than chance", "below"),
    ],
)
def test_truth_explains_what_happened(factor: float, told: str, not_told: str) -> None:
    text = said(truth.says(found_at(saved("truth"), factor)))
    assert told in text
    assert not_told not in text


def test_truth_without_systems_that_say_nothing() -> None:
    records = [record for record in saved("truth") if record["system"] == "mixed"]
    assert "(0 fits)" in said(truth.says(records))


@pytest.mark.parametrize(
    ("factors", "told"),
    [
        ({}, "95% of the whole: 1,400 or less, the fewest tried, for `redundant` and `mixed`."),
        ({2000: 0.5, 4000: 0.96}, "95% of the whole: 2,800, for `redundant` and `mixed`."),
        (
            dict.fromkeys((2000, 4000, 8000, 16_000), 0.9),
            "more than the 11,200 tried, for `redundant` and `mixed`.",
        ),
    ],
)
def test_rows_needed_are_a_number_only_where_one_was_found(factors: dict[int, float], told: str) -> None:
    records = [
        {**record, "found": [factors.get(record["rows"], 1.0) * bits for bits in record["true"]]}
        for record in saved("rows")
    ]
    assert told in said(rows.says(records))


def test_rows_of_one_size_are_told_once() -> None:
    records = [
        record for record in saved("rows") if record["rows"] == 2000 and record["system"] == "redundant"
    ]
    text = said(rows.says(records))
    assert "; with" not in text
    assert "in combination only" not in text  # nothing of it is there


def test_rows_name_the_set_that_is_furthest_off() -> None:
    assert "with 1,400 rows seed 1 of `mixed` finds 0.41 of 0.64 bits of a." in said(rows.says(saved("rows")))


def test_a_leak_is_not_said_to_be_impossible() -> None:
    assert "tells no more" in said(no_cmi.says(saved("no_cmi")))
    leaking = [{**record, "from_code": [0.9, 0.9]} for record in saved("no_cmi")]
    text = said(no_cmi.says(leaking))
    assert "tells more" in text
    assert "cannot be otherwise" not in text


def test_a_term_that_works_is_said_to() -> None:
    shift = {0.0: 0.0, 0.1: -0.05, 1.0: 0.2}
    records = [
        {**record, "from_code": [0.3 + shift[record["weight"]]] * 2, "from_features": [0.3, 0.3]}
        for record in saved("no_cmi")
    ]
    text = said(no_cmi.says(records))
    assert "At its published weight the term lowers the mean leakage by up to 0.05 of R2" in text
    assert "with ten times the weight it raises the mean leakage by up to 0.20" in text


def test_presets_are_named_with_their_weights() -> None:
    assert "0.01 (`fast`, `balanced`, `thorough`) or 0.1 (`paper`)" in no_cmi.presets()


def test_modalities_share_weight_only_where_they_tell_the_same() -> None:
    records = saved("modality_drop")
    assert "because modalities that tell the same share it" in said(modality_drop.says(records))
    cheap = [{**record, "rmse_without": record["rmse"]} for record in records]
    text = said(modality_drop.says(cheap))
    assert "a of `mixed`" in text
    assert "because" not in text
    heavy = [{**record, "weights": {"a": 0.4, "b": 0.4, "a*b": 0.2}} for record in records]
    assert "0 of 6 modalities." in said(modality_drop.says(heavy))


def test_many_modalities_that_keep_their_unique_part_are_not_unwelcome() -> None:
    assert "Unwelcome" in said(many_modalities.says(saved("many_modalities")))
    alone = [record for record in saved("many_modalities") if record["count"] == 2]
    assert "Unwelcome" not in said(many_modalities.says(alone))


def test_targets_tell_where_the_transform_costs() -> None:
    text = said(targets.says(saved("targets")))
    assert (
        "`two-humped` target errors in its own units would say 2.02 bits; on normal scores 1.77 are found"
        in text
    )
    assert "The transform loses 0.12 bits, and errors in units say more than there is." in text
    same = [{**record, "r2": 1 - 4 ** -record["found"][-1]} for record in saved("targets")]
    assert "errors in its own units" not in said(targets.says(same))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({}, "settle with every batch size: after the first 10 epochs they change by 0.04 to 0.25"),
        ({}, "0.06 with 32 rows, 0.25 with 512"),
        ({}, "but not each time: from 256 to 512 rows the swing grows from 3.03 to 4.06 points"),
        ({"epochs": 0.02}, "do not settle with batches of 32, 64, 128, 256, 512"),
        ({"heads": 0.1}, "larger batches do not help."),
        ({"covariance": None}, "can be had for no batch size"),
        ({"covariance": 0.1}, "all batches tried have them"),
    ],
)
def test_oscillation_tells_what_swings(change: dict[str, Any], told: str) -> None:
    assert told in said(oscillation.says([{**record, **change} for record in saved("oscillation")]))


def test_texts_and_table_of_the_swings_round_alike() -> None:
    records = saved("oscillation")
    cells = {cell for line in oscillation.table(records).lines for cell in line[1:4]}
    text = oscillation.settled(
        {record["batch"]: oscillation.points([record], "epochs") for record in records}
    )
    assert {"0.04", "0.06", "0.25"} < cells
    assert "0.04 to 0.25" in text
