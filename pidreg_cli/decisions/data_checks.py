"""Diagnostics of the table: target, features, rows. Each returns None where there is nothing to say."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pidreg_cli.data.counted import Counted
from pidreg_cli.data.streaming.plan import quantile_error
from pidreg_cli.decisions.findings import Diagnostic, listed

FEW_VALUES = 20
"""With so few values the normal scores are steps, and a code that tells the values apart reads as more
information than the target's entropy (a two-valued target of 1 bit can read 3.3 bits).
"""
HEAVY_TIE = 0.1
"""Share of rows on one value from which the normal scores are visibly not normal (zero-inflated targets)."""
FEW_ROWS = 200
"""Below this the cross-fitted readouts are biased down by .02 to .16 bits."""
FEW_OUTSIDE, RARE = 0.01, 0.001
"""Share of new targets beyond those of the training rows that changes little, and chance from which more of them are no
chance.
"""
ABSENT_SHARE = 0.05
"""Share of rows without a modality from which its information is visibly that of the imputed modality."""

SAMPLED_ROWS = "data.sampled_rows"
"""Told of every streamed fit."""


def target_not_continuous(target: Counted, name: str) -> Diagnostic | None:
    """``target``: values of the training rows."""
    distinct = len(target.values)
    if distinct <= FEW_VALUES:
        found, value = f"has only {distinct} distinct values", float(distinct)
    else:
        most, value = target.commonest
        if value <= HEAVY_TIE:
            return None
        found = f"takes the value {most:g} in {value:.0%} of the training rows"
    return Diagnostic(
        "data.target_not_continuous",
        "warning",
        f"The target '{name}' {found}: its normal scores are not normal, so bits may be too high.",
        "Compare modalities by their shares and by RMSE rather than by bits, or use a finer target.",
        value,
    )


def missing_target(rows: int, missing: int, name: str) -> Diagnostic | None:
    """``missing`` of ``rows`` read have no target."""
    if missing == 0:
        return None
    return Diagnostic(
        "data.missing_target",
        "warning",
        f"{missing:,} of {rows:,} rows have no value of '{name}' and were not used.",
        "If they are not missing at random, the numbers speak of the other rows only.",
        float(missing),
    )


def constant_features(modality: str, names: tuple[str, ...]) -> Diagnostic | None:
    """``names``: features of the modality with one value on the training rows."""
    if not names:
        return None
    verb = "has" if len(names) == 1 else "have"
    return Diagnostic(
        "data.constant_features",
        "info",
        f"{listed(names)} of '{modality}' {verb} the same value in every row that fits: no effect.",
        "Leave such columns out, or check how they were made.",
        float(len(names)),
    )


def leaked_target(target: str, found: Mapping[tuple[str, str], float]) -> Diagnostic | None:
    """``found``: R2 of the target, its normal scores or values, by single features that determine it almost wholly, by
    their modality and name.
    """
    if not found:
        return None
    names = listed(tuple(f"'{column}' of '{name}'" for name, column in found))
    alone = "alone determines" if len(found) == 1 else "each alone determine"
    return Diagnostic(
        "data.leaked_target",
        "warning",
        f"{names} {alone} '{target}' almost wholly: information then says how exact the copy is, no more.",
        "Look for a leaked copy of the target, or what it was computed from, and leave it out.",
        max(found.values()),
    )


def absent_modality(modality: str, share: float) -> Diagnostic | None:
    """``share`` of the rows lack the whole modality, in [0, 1]."""
    if share == 0:
        return None
    return Diagnostic(
        "data.absent_modality",
        "warning" if share >= ABSENT_SHARE else "info",
        f"'{modality}' is absent in {share:.1%} of the rows; these count with imputed values and a flag.",
        f"Fit on the rows that have '{modality}' to learn what it tells when it is there.",
        share,
    )


def few_rows(rows: int, *, folds: bool = True) -> Diagnostic | None:
    """``rows`` that say the information; ``folds``: whether cross-fitting would give more of them."""
    if rows >= FEW_ROWS:
        return None
    return Diagnostic(
        "information.few_rows",
        "warning",
        f"Only {rows:,} held-out rows say the information: it may be too low by .02 to .16 bits.",
        f"Give more rows{', or use --folds so that every row is held out once' * folds}; trust intervals, not digits.",
        float(rows),
    )


def repeated_subjects(column: str, values: int, rows: int) -> Diagnostic:
    """``column`` reads as a subject's identifier, and has ``values`` distinct values in ``rows`` rows that have one."""
    return Diagnostic(
        "data.repeated_subjects",
        "warning",
        f"Column '{column}' repeats, {values:,} values in {rows:,} rows: where it names subjects, rows of one are not "
        "independent, information may be too high and intervals are too short.",
        f"Keep rows of a subject together: --group {shlex.quote(column)}.",
        float(rows - values),
    )


def sampled_rows(kept: Mapping[str, int], of: Mapping[str, int]) -> Diagnostic:
    """A streamed fit: rows of each part ('train', 'valid', 'test') that were ``kept`` in memory, and all of it."""
    shares = {part: f"{kept[part]:,} of {of[part]:,}" for part in kept}
    error = quantile_error(kept["train"]) if kept["train"] < of["train"] else 0.0
    return Diagnostic(
        SAMPLED_ROWS,
        "info",
        f"The table was streamed. {of['train']:,} rows train; random samples do the rest: {shares['train']} training "
        f"rows fit transforms and baselines (ranks within {error:.2%}), {shares['valid']} validation rows stop and "
        f"select, {shares['test']} test rows say metrics and information.",
        "Allow more with --memory for larger samples.",
        float(kept["test"]),
    )


def fitted_rows(run: str) -> Diagnostic:
    """The rows given as new are those of the table that ``run`` was fitted on."""
    return Diagnostic(
        "data.fitted_rows",
        "warning",
        f"This is the table that {run} was fitted on: rows that trained its model flatter it, and information is too "
        "high.",
        f"For the rows that it held out: pidreg decompose {shlex.quote(run)}.",
        None,
    )


def target_outside(column: str, outside: int, rows: int, trained: int) -> Diagnostic | None:
    """``outside``: how many of so many new ``rows`` have a target beyond those of the ``trained`` rows of the run."""
    share = outside / rows
    if share <= FEW_OUTSIDE or chance_outside(outside, rows, trained) > RARE:
        return None
    return Diagnostic(
        "data.target_outside",
        "warning",
        f"{share:.0%} of the rows have a target '{column}' beyond the range of the training rows of the run, where all "
        "on one side read as one value: what tells these apart does not count.",
        "Check the unit of the target; of another population decompose the table itself (--no-model), or fit it.",
        share,
    )


def chance_outside(outside: int, rows: int, trained: int) -> float:
    """Chance of so many and more new ``rows`` beyond the ends of ``trained`` rows of the same law, at most.

    Rows are new with one chance each, from either end up to the first that trained: two geometric numbers in sum.
    """
    new = rows / (rows + trained)
    return float(new**outside * (1 + outside * (1 - new)))
