"""Strengths of mixing: how much a linear readout is left, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pidreg_cli.data.synthetic import SYSTEMS, SyntheticSystem, generate, write_synthetic
from pidreg_cli.data.synthetic.generate import _Draw
from pidreg_cli.data.synthetic.interactions import Floats
from pidreg_cli.data.synthetic.mixing import (
    FEATURES,
    STRENGTHS,
    Folds,
    bend,
    distractors,
    folds_of,
    mixing_matrix,
    shown_features,
)
from pidreg_cli.errors import UsageError

ROWS = 4000
FOLDED = ("medium", "strong")
# Share of the variance of the latents that a linear readout of the features recovers.
SHARES = {"mild": (0.95, 1.0), "medium": (0.60, 0.75), "strong": (0.30, 0.45)}


def linear_shares(features: Floats, latents: Floats) -> Floats:
    design = np.column_stack([np.ones(len(features)), features])
    missed = latents - design @ np.linalg.lstsq(design, latents)[0]
    return 1.0 - missed.var(axis=0) / latents.var(axis=0)


def unfolded(folds: Folds, folded: Floats) -> Floats:
    """The latents whose folds these are: each step undone, the last first."""
    turned = folded
    for directions in reversed(folds.directions):
        kept, moved = np.split(turned, [turned.shape[1] - len(directions)], axis=1)
        turned = np.hstack([moved * folds.scale - folds.wave(kept, directions), kept])
    return np.asarray(turned @ folds.rotation)


def unbent(features: Floats) -> Floats:
    line = np.linspace(-15.0, 15.0, 20_001)
    curves = bend(np.repeat(line[:, None], FEATURES, axis=1))
    columns = (np.interp(f, curves[:, j % FEATURES], line) for j, f in enumerate(features.T))
    return np.column_stack(list(columns))


def recovered(features: NDArray[np.float32], system: SyntheticSystem, modality: str) -> dict[str, Floats]:
    """The latents that a modality shows, read back from its rounded, strongly mixed features."""
    names = system.modalities[modality]
    count, key = len(names) + distractors(len(names)), f"{system.name}/{modality}/strong"
    strength = STRENGTHS["strong"]
    matrix = mixing_matrix(key, count, strength.features)
    folded = unbent(features.astype(np.float64)) @ np.linalg.pinv(matrix).T
    return dict(zip(names, unfolded(folds_of(key, count, strength.height), folded).T, strict=False))


def drawn_latents(latents: int) -> Floats:
    return np.random.default_rng(latents).standard_normal((ROWS, latents))


@pytest.mark.parametrize("mixing", STRENGTHS)
def test_a_linear_readout_recovers_the_stated_share_in_every_modality(mixing: str) -> None:
    latents, (low, high) = drawn_latents(4), SHARES[mixing]
    keys = [f"{system.name}/{modality}" for system in SYSTEMS.values() for modality in system.modalities]
    shares = [linear_shares(shown_features(latents, key, mixing), latents) for key in keys]
    for key, share in zip(keys, shares, strict=True):
        assert low <= share.mean() <= high, key
    # Whichever of its latents informs, a modality of a stronger mixing is harder to read.
    assert np.max(shares) <= {"mild": 1.0, "medium": 0.85, "strong": 0.65}[mixing]


@pytest.mark.parametrize("latents", [2, 3, 4, 5, 6])
def test_folds_can_be_undone(latents: int) -> None:
    folds = folds_of("system/a", latents, height=5.0)
    drawn = drawn_latents(latents)
    np.testing.assert_allclose(folds.rotation @ folds.rotation.T, np.eye(latents), atol=1e-12)
    np.testing.assert_allclose(unfolded(folds, folds.folded(drawn)), drawn, atol=1e-12)


@pytest.mark.parametrize("latents", [2, 3, 4, 5, 6])
def test_every_latent_is_folded(latents: int) -> None:
    drawn = drawn_latents(latents)
    rotated = folds_of("system/a", latents, height=0.0).folded(drawn)
    folded = folds_of("system/a", latents, height=5.0).folded(drawn)
    moved = linear_shares(rotated, folded)
    assert np.all(moved < 0.8)
    np.testing.assert_allclose(linear_shares(rotated, drawn), 1.0, atol=1e-12)


@pytest.mark.parametrize("name", SYSTEMS)
def test_rounding_hides_less_than_a_thousandth_of_a_bit(name: str) -> None:
    # Read from latents found back in the rounded features, the target has ``d`` more beside its normal noise.
    # That loses at most 1/2 log2(1 + var d / var noise) bits, whichever subset is asked.
    system = SYSTEMS[name]
    draw = _Draw(system, ROWS, 5, "strong")
    latents = {k: draw.normal(k) for k in system.latents_of(system.modalities)}
    true, back = {k: draw.shown(k, latents[k]) for k in latents}, dict[str, Floats]()
    for modality, names in system.modalities.items():
        back |= recovered(draw.features(modality, latents), system, modality)
        assert all(np.std(back[k] - true[k]) < 2e-3 for k in names)
    errors = known_part(system, back) - known_part(system, true)
    assert 0.5 * np.log2(1.0 + np.mean(errors**2) / system.noise**2) < 1e-4


def known_part(system: SyntheticSystem, latents: dict[str, Floats]) -> Floats:
    linear = sum((c * latents[k] for k, c in system.linear.items()), np.zeros(1))
    return linear + system.interaction.values(latents)


@pytest.mark.parametrize("mixing", FOLDED)
def test_the_target_is_that_of_mild_mixing(mixing: str) -> None:
    assert generate("dominant", 50, 5, mixing).table["target"] == generate("dominant", 50, 5).table["target"]


@pytest.mark.parametrize("mixing", FOLDED)
def test_the_law_does_not_depend_on_the_seed(mixing: str) -> None:
    one, two = (
        np.column_stack(generate("dominant", ROWS, seed, mixing).table.columns[:24]).astype(np.float64)
        for seed in (0, 1)
    )
    assert np.mean(one == two) < 0.01
    np.testing.assert_allclose(np.corrcoef(one.T), np.corrcoef(two.T), atol=7.0 / np.sqrt(ROWS))


@pytest.mark.parametrize("mixing", FOLDED)
def test_features_keep_the_scale_of_a_measurement(mixing: str) -> None:
    table = generate("three", ROWS, 3, mixing).table
    spread = [table[c].to_numpy().std() for c in table.column_names if c[0] in "abc" and "__" in c]
    assert len(spread) == 3 * 24
    assert 0.2 < min(spread) < max(spread) < 3.0


def test_more_rows_begin_with_the_rows_of_fewer() -> None:
    more, fewer = (generate("three", rows, 7, "strong").table for rows in (50, 20))
    assert more.slice(0, 20) == fewer


def test_the_mixing_is_recorded_unless_it_is_mild(tmp_path: Path) -> None:
    mild, strong = generate("dominant", 30, 0, "mild").truth, generate("dominant", 30, 0, "strong").truth
    assert "mixing" not in mild
    assert mild == generate("dominant", 30, 0).truth
    assert strong.pop("mixing") == "strong"
    assert strong.pop("description") == f"{mild.pop('description')}; strong mixing"
    assert mild == strong
    write_synthetic(generate("dominant", 30, 0, "medium"), tmp_path / "data.parquet")
    stored = json.loads(pq.read_schema(tmp_path / "data.parquet").metadata[b"pidreg_truth"])
    assert stored == json.loads((tmp_path / "data.truth.json").read_text())
    assert stored["mixing"] == "medium"


def test_an_unknown_mixing_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'wild'") as raised:
        generate("mixed", 20, 0, "wild")
    assert all(name in raised.value.hint for name in STRENGTHS)


def test_a_single_latent_cannot_be_folded() -> None:
    with pytest.raises(ValueError, match="latents=1"):
        folds_of("system/a", 1, height=5.0)
