from __future__ import annotations

from dataclasses import replace

import pytest

from pidreg_cli.decisions.selection import Rule
from pidreg_cli.decisions.verdicts import Comparison, verdict

FOUND = Comparison(
    rmse=0.505,
    rmse_all=0.5,
    loss=0.01,
    loss_interval=(-0.005, 0.025),
    bits=0.014,
    bits_interval=(-0.01, 0.04),
    good=True,
    rule=Rule(tolerance=0.02),
    expected=0.004,
    confidence=0.95,
)
WORSE = replace(FOUND, loss=0.08, loss_interval=(0.05, 0.11), good=False)


def test_a_small_loss_confirms_what_was_dropped() -> None:
    confirmed, sentence = verdict(FOUND, ("b", "c"), kept_all=False, affordable=True)
    assert confirmed
    assert sentence == (
        "confirmed: retrained without b and c on the same splits, RMSE is 0.505 against 0.5 with all, 1.0 % higher "
        "(95 % CI -0.5 to 2.5 %), and 0.01 bits are lost (95 % CI -0.01 to 0.04); within the tolerance of 2 %"
    )


def test_a_loss_beyond_the_tolerance_does_not() -> None:
    confirmed, sentence = verdict(WORSE, ("b",), kept_all=False, affordable=True)
    assert not confirmed
    assert sentence.startswith("not confirmed: ")
    assert sentence.endswith("; more than the tolerance of 2 %")
    unsure = replace(WORSE, loss_interval=(-0.01, 0.17))
    text = verdict(unsure, ("b",), kept_all=False, affordable=True)[1]
    assert text.endswith("; more than the tolerance of 2 %, though chance explains it")
    sure = replace(FOUND, loss_interval=(0.005, 0.015), good=False)
    text = verdict(sure, ("b",), kept_all=False, affordable=True)[1]
    assert text.endswith("; within the tolerance of 2 % but more than chance explains")


def test_keeping_all_is_confirmed_by_what_the_least_needed_is_worth() -> None:
    confirmed, sentence = verdict(WORSE, ("b",), kept_all=True, affordable=True)
    assert confirmed
    assert "retrained without b, the least needed, on the same splits" in sentence
    assert not verdict(FOUND, ("b",), kept_all=True, affordable=True)[0]


def test_keeping_all_is_confirmed_also_where_chance_explains_the_loss() -> None:
    unsure = replace(WORSE, loss_interval=(-0.01, 0.17))
    confirmed, sentence = verdict(unsure, ("b",), kept_all=True, affordable=True)
    assert confirmed
    assert sentence.endswith("; more than the tolerance of 2 %, though chance explains it")


def test_a_budget_is_confirmed_where_the_interval_reaches_what_was_expected_or_tolerated() -> None:
    for low, confirmed in ((-0.01, True), (0.02, True), (0.021, False)):
        found = replace(WORSE, loss_interval=(low, 0.3))
        assert verdict(found, ("b",), kept_all=False, affordable=False)[0] is confirmed


@pytest.mark.parametrize(("expected", "confirmed"), [(0.1, True), (0.06, True), (0.03, False)])
def test_a_budget_is_confirmed_where_it_costs_what_was_expected(expected: float, confirmed: bool) -> None:
    found, sentence = verdict(replace(WORSE, expected=expected), ("b",), kept_all=False, affordable=False)
    assert found is confirmed
    assert sentence.endswith(f"; {100 * expected:.1f} % were expected")


def test_standard_errors_and_the_mean_have_words_of_their_own() -> None:
    by_error = replace(FOUND, rule=Rule("one-se"))
    assert verdict(by_error, ("b",), kept_all=False, affordable=True)[1].endswith("within one standard error")
    worse = replace(by_error, good=False)
    assert verdict(worse, ("b",), kept_all=False, affordable=True)[1].endswith("more than one standard error")
    nothing = verdict(WORSE, ("a",), kept_all=True, affordable=True, nothing=True)[1]
    assert nothing.startswith("confirmed: predicting the mean of the same rows, RMSE is")
