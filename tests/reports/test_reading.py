from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.evidence import Evidence
from pidreg_cli.reports.model import Measure
from pidreg_cli.reports.reading import NEGLIGIBLE, Amount, Verdict, meaning, readings, verdict_of
from pidreg_cli.reports.wording import Wording

NOTHING = Amount(0.0, (0.0, 0.01))
TRACE = Amount(0.01, (0.005, 0.015))
MUCH = Amount(0.5, (0.4, 0.6))
VAGUE = Amount(0.1, (-0.05, 0.25))


@pytest.mark.parametrize(
    ("alone", "unique", "most", "added", "verdict"),
    [
        (MUCH, MUCH, 0.5, MUCH, "adds its own"),
        (MUCH, NOTHING, 0.2, MUCH, "adds"),
        (MUCH, NOTHING, 0.0, MUCH, "adds in combination"),
        (NOTHING, NOTHING, 0.0, MUCH, "only in combination"),
        (MUCH, NOTHING, 0.0, TRACE, "adds little"),
        (MUCH, TRACE, 0.01, TRACE, "adds little"),
        (MUCH, NOTHING, 0.0, NOTHING, "replaceable"),
        (NOTHING, NOTHING, 0.0, NOTHING, "nothing visible"),
        (MUCH, NOTHING, 0.0, VAGUE, "unclear"),
        (NOTHING, NOTHING, 0.0, VAGUE, "unclear"),
    ],
)
def test_verdicts(alone: Amount, unique: Amount, most: float, added: Amount, verdict: Verdict) -> None:
    assert verdict_of(alone, unique, most, added, NEGLIGIBLE) == verdict


def test_without_intervals_the_values_decide() -> None:
    def plain(value: float) -> Amount:
        return Amount(value, None)

    assert verdict_of(plain(0.5), plain(0), 0.0, plain(0.5), NEGLIGIBLE) == "adds in combination"
    assert verdict_of(plain(0.5), plain(0), 0.0, plain(0), NEGLIGIBLE) == "replaceable"
    assert Amount(0.5, (None, None)).low == Amount(0.5, (None, None)).high == 0.5


def reading_of(evidence: Evidence) -> dict[str, Verdict]:
    return {reading.modality: reading.verdict for reading in readings(assemble(evidence))}


def test_readings_of_the_systems(two: Evidence, three: Evidence, one: Evidence, nothing: Evidence) -> None:
    assert reading_of(two) == {"a": "adds its own", "b": "adds"}
    assert reading_of(three) == {"mri": "adds", "fmri": "adds", "age": "adds its own"}
    assert reading_of(nothing) == {"a": "nothing visible", "b": "nothing visible"}
    assert reading_of(one) == {}


def test_equal_independent_modalities_are_not_called_replaceable_or_unused(two: Evidence) -> None:
    """broja gives neither a unique part; the reader must not conclude that one can go."""
    assert two.information is not None
    raw = np.array([0, 0.5, 0.5, 1.2])
    facts = replace(two.information, raw=raw, jackknife=None, rest_correlations=np.zeros(2))
    report = assemble(replace(two, information=facts))
    assert report.pid is not None
    assert report.pid.summary.unique == {"a": 0.0, "b": 0.0}
    for reading in readings(report):
        assert reading.verdict == "adds"
        assert "0.70 bits" in meaning(reading, Wording.of(report))
        assert "depends on the measure" in meaning(reading, Wording.of(report))


@pytest.mark.parametrize("measure", ["dep", "ccs"])
def test_the_unique_part_ranges_from_the_least_to_the_most_of_all_measures(
    two: Evidence, measure: Measure
) -> None:
    assert two.information is not None
    raw = np.array([0, 0.48, 0.18, 1.64])
    facts = replace(two.information, raw=raw, jackknife=None, measure=measure)
    report = assemble(replace(two, information=facts))
    assert report.pid is not None
    wording = Wording.of(report)
    for reading in readings(report):
        others = [s.summary.unique[reading.modality] for s in report.sensitivity if s.summary is not None]
        known = [report.pid.summary.unique[reading.modality], *others]
        assert (reading.least_unique, reading.most_unique) == (min(known), max(known))
        least = "none" if min(known) < 0.005 else f"{min(known):.2f}"
        assert f"from {least} to {max(known):.2f} bits, depends" in meaning(reading, wording)
    assert "from 0.30 to" in meaning(readings(report)[0], wording)
    same = replace(readings(report)[0], least_unique=0.3, most_unique=0.3)
    assert "by every measure 0.30 bits of this are unique to it" in meaning(same, wording)


def test_copies_are_replaceable(two: Evidence) -> None:
    assert two.information is not None
    facts = replace(two.information, raw=np.array([0, 0.5, 0.5, 0.5]), jackknife=None)
    found = readings(assemble(replace(two, information=facts)))
    assert [reading.verdict for reading in found] == ["replaceable", "replaceable"]


def test_interplay_alone_is_only_in_combination(two: Evidence) -> None:
    assert two.information is not None
    facts = replace(two.information, raw=np.array([0, 0.0, 0.0, 0.8]), jackknife=None)
    found = readings(assemble(replace(two, information=facts)))
    assert [reading.verdict for reading in found] == ["only in combination"] * 2


def test_every_verdict_has_its_sentence(two: Evidence) -> None:
    report = assemble(two)
    wording = Wording.of(report)
    reading = readings(report)[0]
    sentences = {verdict: meaning(replace(reading, verdict=verdict), wording) for verdict in Verdict.__args__}
    assert len(set(sentences.values())) == len(sentences)
    assert all(text.startswith(f"{verdict}: ") for verdict, text in sentences.items())
