from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from pidreg_cli.decisions.findings import listed
from pidreg_cli.decisions.reasons import percent, reason
from pidreg_cli.decisions.selection import Choice, Rule, Told, choose
from pidreg_cli.decisions.set_errors import SetErrors

NAMES = ("mri", "fmri", "age")


def choice_of(errors: np.ndarray, information: np.ndarray, tolerance: float = 0.01) -> Choice:
    scored = SetErrors.of_rows(errors, np.arange(len(errors)) % 30)
    costs = np.ones(len(information).bit_length() - 1)
    return choose(scored, Told(information, None), costs, Rule(tolerance=tolerance))


def test_drop_reason_names_what_goes_and_what_it_would_add(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    useful, useless, noise = draw(3)
    text = reason(select(np.column_stack([useful, useless]), useful + noise), NAMES, 0.95)
    assert re.match(r"drop fmri: keeping it adds 0\.0\d bits \(95 % CI -?0\.0\d to 0\.0\d\)", text)
    assert text.endswith("within the tolerance of 1 %")


def test_drop_reason_of_several(draw: Callable[..., np.ndarray], select: Callable[..., Choice]) -> None:
    useful, *useless, noise = draw(4)
    text = reason(select(np.column_stack([useful, *useless]), useful + noise), NAMES, 0.95)
    assert text.startswith("drop fmri and age: keeping them adds")


def test_keep_reason_says_what_the_least_needed_is_worth(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    a, b, c, noise = draw(4)
    choice = select(np.column_stack([a, b, 3 * c]), a + 0.5 * b + 3 * c + noise)
    text = reason(choice, NAMES, 0.9)
    assert text.startswith("keep all: without fmri, the least needed, ")
    assert "90 % CI" in text
    assert re.search(r"RMSE rises by \d+\.\d %, more than the tolerance of 1 %$", text)


def test_keep_reason_within_the_tolerance_says_why(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    strong, weak, noise = draw(3, rows=20_000)
    choice = select(np.column_stack([strong, weak]), strong + 0.1 * weak + noise, tolerance=0.05)
    text = reason(choice, NAMES, 0.95)
    assert text.endswith("within the tolerance of 5 % but more than chance explains")


def test_reason_of_nothing_and_of_one(draw: Callable[..., np.ndarray], select: Callable[..., Choice]) -> None:
    a, noise = draw(2)
    assert "do not predict measurably better" in reason(select(a[:, None], noise), NAMES, 0.95)
    kept = reason(select(a[:, None], a + noise), NAMES, 0.95)
    assert kept.startswith("keep it: without it 0.")


def test_reason_where_a_smaller_set_is_the_reference() -> None:
    noise = np.random.default_rng(0).standard_normal(600) ** 2
    errors = np.column_stack([noise + 3, noise, noise + 2, noise * 1.3 + 0.3])
    choice = choice_of(errors, np.array([0, 1, 0.2, 1]))
    text = reason(choice, NAMES, 0.95)
    assert re.fullmatch(r"drop fmri: with all modalities RMSE is \d+\.\d % higher than without", text)
    assert "CI" not in text


def test_reason_where_the_reference_is_reduced_further() -> None:
    noise = np.random.default_rng(0).standard_normal(600) ** 2
    bad = noise * 1.3 + 0.3
    columns = [noise + 3, noise, noise + 2, noise * 0.99, bad, bad, bad, bad]
    choice = choice_of(np.column_stack(columns), np.zeros(8))
    assert (choice.reference, choice.recommended) == (3, 3)
    little = noise * (1 + 0.2 * np.random.default_rng(1).standard_normal(600)) + 0.01
    errors = np.column_stack([noise + 3, np.abs(little), noise + 2, noise, bad, bad, bad, bad])
    generous = choice_of(errors, np.zeros(8), 0.02)
    assert (generous.reference, generous.recommended) == (3, 1)
    text = reason(generous, NAMES, 0.95)
    assert text.startswith("keep mri: the best set, mri and fmri, adds 0.00 bits")


@pytest.mark.parametrize(("share", "text"), [(0.003, "0.3 %"), (-1e-7, "0.0 %"), (1.234, "123.4 %")])
def test_percent(share: float, text: str) -> None:
    assert percent(share) == text


def test_listed_counts_the_rest() -> None:
    assert listed(("a",)) == "a"
    assert listed(("a", "b")) == "a and b"
    assert listed(tuple("abcdefg"), most=5) == "a, b, c, d, e and 2 more"


def test_costs_and_standard_errors_have_their_place_in_the_sentence(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    useful, useless, noise = draw(3)
    sources = np.column_stack([useful, useless])
    priced = reason(select(sources, useful + noise, costs={"b": 1200}), NAMES, 0.95)
    assert re.search(r"RMSE(?: by \d\.\d %)? at a cost of 1200, within the tolerance of 1 %$", priced)
    kept = reason(select(sources, useful + useless + noise, rule="one-se"), NAMES, 0.95)
    assert re.search(r"RMSE rises by \d+\.\d %, more than one standard error \(\d\.\d %\)$", kept)


def test_a_budget_says_what_more_would_bring(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    a, b, c, noise = draw(4)
    sources = np.column_stack([a, b, c])
    choice = select(sources, 3 * a + 2 * b + c + noise, costs={"a": 5}, budget=5)
    text = reason(choice, NAMES, 0.95)
    assert re.fullmatch(
        r"keep mri: the best set within the budget of 5; fmri and age would add \d\.\d\d bits "
        r"\(95 % CI \d\.\d\d to \d\.\d\d\) and lower RMSE by \d+\.\d % at a cost of 2",
        text,
    )


def test_nothing_within_the_budget_is_not_nothing_at_all(
    draw: Callable[..., np.ndarray], select: Callable[..., Choice]
) -> None:
    a, b, noise = draw(3)
    choice = select(np.column_stack([a, b]), a + noise, costs={"a": 5}, budget=2)
    text = reason(choice, NAMES, 0.95)
    assert text.startswith(
        "keep none: nothing within the budget of 2 predicts measurably better than the mean; all"
    )
    assert text.endswith("at a cost of 6")
