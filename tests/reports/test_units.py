"""A report in nats: every information by one factor, nothing else."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.data.counted import Counted
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.evidence import Evidence, TrainingFacts
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.text import to_text
from pidreg_cli.reports.units import _words, in_nats


@pytest.fixture
def both(three: Evidence) -> tuple[Report, Report]:
    report = assemble(three)
    return report, in_nats(report)


def test_informations_shrink_by_ln_2_and_still_add_up(both: tuple[Report, Report]) -> None:
    bits, nats = both
    assert bits.information is not None
    assert nats.information is not None
    assert nats.pid is not None
    assert bits.pid is not None
    assert nats.information.units == "nats"
    for one, other in zip(bits.information.values, nats.information.values, strict=True):
        assert other.value == pytest.approx(one.value * math.log(2))
        assert other.p_value == one.p_value
        if one.ci is not None and one.ci[0] is not None:
            assert other.ci is not None
            assert other.ci[0] == pytest.approx(one.ci[0] * math.log(2))
    summary = nats.pid.summary
    parts = sum(summary.unique.values()) + summary.redundant + summary.synergistic
    assert parts == pytest.approx(summary.total)
    assert sum(atom.value for atom in nats.pid.atoms) == pytest.approx(summary.total)
    assert [atom.share for atom in nats.pid.atoms] == [atom.share for atom in bits.pid.atoms]
    assert nats.metrics == bits.metrics
    assert nats.data == bits.data
    for row, other in zip(bits.one_versus_rest, nats.one_versus_rest, strict=True):
        assert other.added == pytest.approx(row.added * math.log(2))
        assert other.modality == row.modality


def test_no_text_speaks_of_bits(both: tuple[Report, Report]) -> None:
    _, nats = both
    text = to_text(nats)
    assert "nats" in text
    assert " bits" not in text


def test_a_report_in_nats_stays_as_it_is(both: tuple[Report, Report]) -> None:
    assert in_nats(both[1]) is both[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("too low by .02 to .16 bits.", "too low by 0.014 to 0.111 nats."),
        ("(0.40 and 0.50 bits)", "(0.277 and 0.347 nats)"),
        ("change is 0.031 bits (lowest -0.100 bits)", "change is 0.0215 nats (lowest -0.0693 nats)"),
        ("predicts 95 % of 3 rows; bits may be too high", "predicts 95 % of 3 rows; nats may be too high"),
        ("Compare by RMSE rather than by bits.", "Compare by RMSE rather than by nats."),
        ("Read bits as a lower bound.", "Read nats as a lower bound."),
        ("drop bits: keeping it adds 0.01 bits", "drop bits: keeping it adds 0.007 nats"),
        ("Column 'bits' is 'at 0.5 bits', 0.50 bits", "Column 'bits' is 'at 0.5 bits', 0.347 nats"),
        ("Keep it: --group bits.", "Keep it: --group bits."),
        (
            "the target's 0.50 bits and the rows' 0.50 bits",
            "the target's 0.347 nats and the rows' 0.347 nats",
        ),
        ("0.50 bits (95 % CI 0.40 to 0.60)", "0.347 nats (95 % CI 0.277 to 0.416)"),
    ],
)
def test_amounts_in_sentences_are_converted(text: str, expected: str) -> None:
    assert _words(text) == expected


def test_names_of_columns_stay_as_they_are() -> None:
    names = ("bits", "at 0.5 bits")
    told = _words("keep bits and at 0.5 bits: dropping bits loses 0.50 bits", names)
    assert told == "keep bits and at 0.5 bits: dropping bits loses 0.347 nats"


def test_every_message_in_bits_becomes_one_in_nats(two: Evidence) -> None:
    y = np.repeat([0.0, 1.0, 2.0], 20)
    report = assemble(replace(two, training=TrainingFacts(target=Counted.of(y), code_divergence=0.5)))
    told = {one.code: f"{one.message} {one.hint}" for one in in_nats(report).diagnostics}
    for code in ("data.target_not_continuous", "training.codes_not_normal"):
        assert "nats" in told[code]
    assert not [text for text in told.values() if "bits" in text]
