"""What latents tell of single rows: the truth of all rows, and the luck of some."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.known_truth import told
from benchmarks.known_truth.held_back import HELD_BACK
from benchmarks.known_truth.told import told_of
from pidreg_cli.data.synthetic import SYSTEMS, generate
from pidreg_cli.data.synthetic.generate import drawn_latents
from pidreg_cli.data.synthetic.truth import truth_of
from pidreg_cli.data.transforms import TargetTransform

EVERY = {**SYSTEMS, **HELD_BACK}


def target_of(name: str, rows: int, seed: int = 0) -> NDArray[np.float64]:
    return np.asarray(generate(EVERY[name], rows, seed).table["target"], np.float64)


@pytest.mark.parametrize(
    "name",
    ["unique", "pairwise", "xor", "integer", "heavy-tail", "exponential", "within", "threshold", "null"],
)
def test_of_many_rows_latents_tell_what_is_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few draws do, for the error of their mean is taken off."""
    monkeypatch.setattr(told, "DRAWS", 10)
    rows = 40_000
    found = told_of(EVERY[name], 0, target_of(name, rows), np.arange(rows))
    true = {
        tuple(entry["modalities"]): entry["reported"]
        for entry in truth_of(EVERY[name], rows, 0)["information"]
    }
    assert found.keys() == true.keys()
    assert [*found.values()] == pytest.approx([true[subset] for subset in found], abs=0.02)


def test_of_some_rows_they_tell_what_the_conditional_mean_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a normal target with one latent, which is known: its share of the score, in rows that are lucky and others."""
    monkeypatch.setattr(told, "DRAWS", 200)
    rows, system = 5000, SYSTEMS["unique"]
    target, latent = target_of("unique", rows), drawn_latents(system, rows, 0)["u"]
    score = TargetTransform.fit(target).forward(target)
    errors = np.square(score - latent / np.sqrt(1 + system.noise**2))
    for chosen in (np.argsort(errors)[:3000], np.arange(2000)):
        centred = score[chosen] - score[chosen].mean()
        expected = -0.5 * np.log2(errors[chosen].sum() / np.square(centred).sum())
        found = told_of(system, 0, target, chosen)
        assert found["a",] == pytest.approx(expected, abs=0.02)
        assert found["a", "b"] == pytest.approx(expected, abs=0.02)
        assert found["b",] == pytest.approx(0.0, abs=0.02)


def test_latents_are_those_behind_the_table() -> None:
    """Without noise the target is what they make of it."""
    system = replace(SYSTEMS["unique"], noise=1e-9)
    target = np.asarray(generate(system, 100, 3).table["target"], np.float64)
    assert drawn_latents(system, 100, 3)["u"] == pytest.approx(target, abs=1e-5)
