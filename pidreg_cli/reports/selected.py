"""The part of the report that says which modalities to keep."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.candidates import Candidate, modality_costs
from pidreg_cli.decisions.reasons import reason
from pidreg_cli.decisions.selection import Choice, Told, choose
from pidreg_cli.decisions.stability import stability, stability_sentence
from pidreg_cli.reports import model
from pidreg_cli.reports.decomposition import names_of
from pidreg_cli.reports.evidence import SelectionFacts
from pidreg_cli.training.seeds import Stream, numpy_generator

Floats = NDArray[np.float64]


def chosen(names: Sequence[str], facts: SelectionFacts, told: Told, confidence: float) -> Choice:
    """The choice behind ``selected``. Raises UsageError for unknown names, wrong costs, and a budget nothing meets."""
    return choose(facts.scored, told, modality_costs(names, facts.costs), facts.rule, confidence)


def selected(names: tuple[str, ...], facts: SelectionFacts, told: Told, confidence: float) -> model.Selection:
    """The recommendation and its candidates; ``told``: information of the sets of ``facts``. Raises UsageError."""
    choice = chosen(names, facts, told, confidence)
    tried = len(facts.scored.masks) - 1
    return model.Selection(
        recommended=names_of(choice.recommended, names),
        reason=reason(choice, names, confidence),
        tolerance=facts.rule.tolerance,
        rule=facts.rule.name,
        budget=facts.rule.budget,
        protocol=facts.protocol,
        rows=facts.scored.count,
        mean_rmse=choice.mean_rmse,
        subsets=tuple(subset_part(candidate, names) for candidate in choice.candidates),
        search=model.Search(
            method="exhaustive" if tried == choice.full else "greedy", tried=tried, sets=choice.full
        ),
        stability=stability_part(names, facts, choice.recommended),
    )


def subset_part(candidate: Candidate, names: tuple[str, ...]) -> model.Subset:
    """A candidate."""
    return model.Subset(
        modalities=names_of(candidate.mask, names),
        information=candidate.information,
        ci=candidate.interval,
        expected_rmse=candidate.expected_rmse,
        rmse_ci=candidate.rmse_interval,
        cost=candidate.cost,
        dominated=candidate.dominated,
    )


def stability_part(names: tuple[str, ...], facts: SelectionFacts, recommended: int) -> model.Stability:
    """The choice again on resampled rows."""
    rng = numpy_generator(facts.seed, Stream.RESAMPLES)
    found = stability(facts.scored, modality_costs(names, facts.costs), facts.rule, rng)
    return model.Stability(
        resamples=found.draws,
        same=found.share(recommended),
        modalities={name: found.member_share(place) for place, name in enumerate(names)},
        sets=tuple(
            model.SetShare(modalities=names_of(mask, names), share=share) for mask, share in found.sets
        ),
        sentence=stability_sentence(found, recommended, names),
    )
