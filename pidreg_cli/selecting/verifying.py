"""The recommendation put to the test: the recommended set retrained, and compared with all on rows that chose nothing.

Both are trained with the same settings, seed and splits; errors are compared row by row, in groups left out in turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.leaks import check_errors, determined_targets
from pidreg_cli.decisions.findings import listed
from pidreg_cli.decisions.selection import Contest, Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.decisions.verdicts import Comparison, verdict
from pidreg_cli.fitting import Fit, TableSource, checked, row_labels
from pidreg_cli.information.intervals import jackknife_of_errors
from pidreg_cli.reports.model import Report, Selection, Verification
from pidreg_cli.training.device import available_threads, limited_threads, resolve_device
from pidreg_cli.training.evaluation import Readouts, jackknife_groups
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.protocol import ProtocolRun
from pidreg_cli.training.retraining import judged
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.workers import KeptProcesses

Floats = NDArray[np.float64]
Labels = NDArray[np.generic]


@dataclass(frozen=True)
class HeldErrors:
    """Held-out rows in the order of the table, (N,): squared errors of predictions in the target's units.

    ``mean``: of the mean alone. ``score`` and ``influence`` (N, 2): squared errors of Y' of the readouts of nothing and
    of all that the model reads, and their influences. ``labels``: group of each row.
    """

    rows: NDArray[np.intp]
    labels: Labels
    model: Floats
    mean: Floats
    score: Floats
    influence: Floats

    @classmethod
    def of(cls, readouts: Readouts, prediction: Floats, labels: Labels) -> HeldErrors:
        """From readouts, predictions and groups of the same rows."""
        order = np.argsort(readouts.rows, kind="stable")
        ends = [0, -1]
        return cls(
            readouts.rows[order],
            labels[order],
            np.square(readouts.target - prediction)[order],
            readouts.target_errors[order, 0],
            readouts.score_errors[order][:, ends],
            readouts.score_influences[order][:, ends],
        )

    @classmethod
    def of_fit(cls, fit: Fit) -> HeldErrors:
        """Of the rows that a fit held out."""
        held = fit.outcome.held_out
        return cls.of(held.readouts, held.prediction, row_labels(held.readouts.rows, fit.arrays))

    def without_modalities(self) -> HeldErrors:
        """The empty set on the same rows: it predicts the mean."""
        return HeldErrors(
            self.rows, self.labels, self.mean, self.mean, self.score[:, [0, 0]], self.influence[:, [0, 0]]
        )


@dataclass(frozen=True)
class Retraining:
    """How sets are trained: rows with a target, their table, the settings of the fit, and whom to tell.

    ``kept``: processes that the fit began.
    """

    arrays: MultimodalArrays
    source: TableSource
    settings: Settings
    progress: Progress
    kept: KeptProcesses | None = None

    def of(self, names: tuple[str, ...]) -> HeldErrors:
        """Train on these modalities alone. Raises PidregError of every kind."""
        left = tuple(name for name in self.arrays.names if name not in names)
        self.progress.notice(f"verification: retraining {listed(names)} without {listed(left)}")
        settings = narrowed(self.settings, names)
        usable, protocol = checked(self.arrays.only(*names), self.source, settings)
        threads = settings.threads or available_threads()
        with limited_threads(1), determined_targets(usable.names, self.source.target):
            device = resolve_device(settings.device)
            run = ProtocolRun(usable, settings, device, self.progress, None, threads, kept=self.kept)
            found = judged(run, protocol)
            check_errors(found.readouts.score_errors, usable.names, self.source.target)
        return HeldErrors.of(found.readouts, found.prediction, row_labels(found.readouts.rows, usable))


def narrowed(settings: Settings, names: tuple[str, ...]) -> Settings:
    """The same settings for some of the modalities: what they say of others is left out."""
    encoder = settings.network.encoder
    kinds = {name: kind for name, kind in encoder.kinds.items() if name in names}
    network = settings.network.model_copy(update={"encoder": encoder.model_copy(update={"kinds": kinds})})
    selection = settings.selection.model_copy(update={"cost": {}, "budget": None})
    return settings.model_copy(update={"network": network, "selection": selection})


def verified(report: Report, full: HeldErrors, retraining: Retraining) -> Report:
    """The report with its recommendation verified; ``full``: of the model of all modalities."""
    chosen = report.selection
    if chosen is None or report.information is None:
        raise ValueError("a report without selection has nothing to verify")
    names = rival(chosen, report.names)
    smaller = retraining.of(names) if names else full.without_modalities()
    seed, confidence = report.seed, report.information.confidence
    found = compared(smaller, full, rule_of(chosen), expected_loss(chosen, names), seed, confidence)
    kept_all = chosen.recommended == report.names
    left = tuple(name for name in report.names if name not in names)
    confirmed, sentence = verdict(
        found, left, kept_all=kept_all, affordable=affordable(chosen), nothing=not names
    )
    part = Verification(
        confirmed=confirmed,
        sentence=sentence,
        modalities=names,
        protocol="folds" if report.data.folds else "split",
        rows=len(full.rows),
        rmse=found.rmse,
        rmse_all=found.rmse_all,
        rmse_loss=found.loss,
        rmse_loss_ci=found.loss_interval,
        bits_lost=found.bits,
        bits_lost_ci=found.bits_interval,
    )
    return report.model_copy(update={"selection": chosen.model_copy(update={"verification": part})})


def rival(chosen: Selection, names: tuple[str, ...]) -> tuple[str, ...]:
    """The set to compare with all: the recommended one; where that is all, the one without the least needed."""
    if chosen.recommended != names:
        return chosen.recommended
    less = [subset for subset in chosen.subsets if len(subset.modalities) == len(names) - 1]
    return min(less, key=lambda subset: subset.expected_rmse or 0.0).modalities if less else ()


def rule_of(chosen: Selection) -> Rule:
    """The rule of the choice."""
    return Rule(chosen.rule, chosen.tolerance, chosen.budget)


def affordable(chosen: Selection) -> bool:
    """Whether the budget allows all modalities: they are the last candidate."""
    cost = chosen.subsets[-1].cost
    return chosen.budget is None or cost is None or cost <= chosen.budget * (1 + 1e-9)


def expected_loss(chosen: Selection, names: tuple[str, ...]) -> float:
    """Share of RMSE that the set was expected to lose against all."""
    rmse = {subset.modalities: subset.expected_rmse for subset in chosen.subsets} | {(): chosen.mean_rmse}
    whole = chosen.subsets[-1].expected_rmse
    return (rmse[names] or 0.0) / whole - 1 if whole else 0.0


def compared(
    smaller: HeldErrors, full: HeldErrors, rule: Rule, expected: float, seed: int, confidence: float
) -> Comparison:
    """A set against all on the same rows, in pairs; ``expected``: loss of RMSE that the choice expected."""
    if not np.array_equal(smaller.rows, full.rows):
        raise ValueError("the sets were held out on different rows")
    groups = jackknife_groups(full.labels, numpy_generator(seed, Stream.VERIFICATION))
    errors = np.column_stack([full.mean, smaller.model, full.model])
    scored = SetErrors.of_rows(errors, groups)
    contest = Contest(scored, np.zeros(3), np.ones(3, dtype=np.bool_), rule)
    low, high = scored.jackknife.interval(2, 1, confidence)
    score = np.column_stack([full.score[:, 0], smaller.score[:, 1], full.score[:, 1]])
    influence = np.column_stack([full.influence[:, 0], smaller.influence[:, 1], full.influence[:, 1]])
    told = jackknife_of_errors(score, groups, influence)
    bits = told.interval(2, 1, confidence)
    return Comparison(
        rmse=float(scored.rmse[1]),
        rmse_all=float(scored.rmse[2]),
        loss=float(scored.rmse[1] / scored.rmse[2] - 1),
        # The jackknife is of the binary logarithm.
        loss_interval=(float(2.0**low - 1), float(2.0**high - 1)),
        bits=float(told.estimate[2] - told.estimate[1]),
        bits_interval=(float(bits[0]), float(bits[1])),
        good=bool(contest.good(2)[1]),
        rule=rule,
        expected=expected,
        confidence=confidence,
    )
