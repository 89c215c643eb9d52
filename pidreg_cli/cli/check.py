"""``pidreg check``: a gate for CI jobs on what a report says."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.errors import ExitStatus, UsageError

if TYPE_CHECKING:
    from pidreg_cli.decisions.requirements.judging import Verdict
    from pidreg_cli.decisions.requirements.rules import Rules
    from pidreg_cli.reports.checks.outcome import Outcome


class CheckFormat(StrEnum):
    """How verdicts are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    JUNIT = "junit"


class Use(StrEnum):
    """What of a value is judged."""

    VALUE = "value"
    CI = "ci"


def _limit(text: str) -> float:
    """A number from 0. Raises typer.BadParameter."""
    try:
        value = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise typer.BadParameter(f"{text} is not a number from 0")
    return value


def check(
    context: typer.Context,
    report: Annotated[
        str, typer.Argument(metavar="REPORT|RUN|-", help="A report.json, a run folder, or standard input.")
    ],
    require: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'NAME OP NUMBER'", help="What must hold, such as 'unique.mri >= 0.05'. Repeatable."
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="YAML with rules, use, baseline, max_drift and max_drift_widths."),
    ] = None,
    use: Annotated[
        Use | None,
        typer.Option(
            metavar="value|ci",
            help="Judge values (default), or the end of each interval that is nearer to breaking the rule.",
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="OLD", help="A report or run folder to compare with.")
    ] = None,
    max_drift: Annotated[
        float | None,
        typer.Option(
            parser=_limit,
            metavar="BITS",
            help="Most bits that total, redundant, synergistic and unique parts may have moved.",
        ),
    ] = None,
    max_drift_widths: Annotated[
        float | None,
        typer.Option(
            parser=_limit, metavar="X", help="The same, in widths of the wider of the two intervals."
        ),
    ] = None,
    output_format: Annotated[
        CheckFormat, typer.Option("--format", help="How the verdicts are printed.")
    ] = CheckFormat.TEXT,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of stdout.")
    ] = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Check what a report says; exit status 1 where a check does not hold.

    Example: pidreg check data.pidreg --require 'unique.mri >= 0.05' --require 'total >= 0.3'
    """
    from pidreg_cli.cli.outputs import check_result, write_result

    console: Console = context.obj
    console.listen(quiet=quiet, debug=debug)
    asked = _asked(require or [], rules, use, baseline, (max_drift, max_drift_widths))
    given = [str(one) for one in (report, rules, asked.baseline) if one is not None]
    check_result(console, output, given, force=force)
    outcome = _outcome(report, asked)
    write_result(console, _rendered(outcome, output_format), output)
    if not outcome.held:
        raise typer.Exit(int(ExitStatus.CHECK_FAILED))


def _asked(
    require: list[str],
    file: Path | None,
    use: Use | None,
    baseline: str | None,
    limits: tuple[float | None, float | None],
) -> Rules:
    """What options and file ask for together; options win. Raises UsageError where that is nothing."""
    from pidreg_cli.decisions.requirements.language import parse_requirement
    from pidreg_cli.decisions.requirements.rules import Rule, Rules, read_rules

    given = Rules(()) if file is None else read_rules(file)
    rules = (*given.rules, *(Rule(parse_requirement(text)) for text in require))
    old = given.baseline if baseline is None else baseline
    bits, widths = (
        of_file if of_option is None else of_option
        for of_option, of_file in zip(limits, (given.max_drift, given.max_drift_widths), strict=True)
    )
    _check_drift(old, bits, widths)
    if not rules and old is None:
        hint = "give --require 'NAME >= NUMBER', --rules FILE, or --baseline OLD with --max-drift BITS"
        raise UsageError("check.nothing", "there is nothing to check", hint)
    judged = given.use if use is None else use.value
    return Rules(rules, judged, None if old is None else Path(old), bits, widths)


def _check_drift(baseline: object, bits: float | None, widths: float | None) -> None:
    limited = bits is not None or widths is not None
    if baseline is not None and not limited:
        hint = "add --max-drift BITS or --max-drift-widths X"
        raise UsageError("check.baseline", "a baseline needs a limit of drift", hint)
    if baseline is None and limited:
        raise UsageError("check.baseline", "a limit of drift needs a baseline", "add --baseline OLD.json")


def _outcome(place: str, asked: Rules) -> Outcome:
    from pidreg_cli.decisions.requirements.judging import drift_verdicts, judge
    from pidreg_cli.reports.checks.outcome import Outcome
    from pidreg_cli.reports.opening import STDIN, read_report, source_name
    from pidreg_cli.reports.paths import may_have

    if place == STDIN and str(asked.baseline) == STDIN:
        raise UsageError("check.stdin", "report and baseline cannot both be standard input", "give a file")
    report = read_report(place).model_dump(mode="json", by_alias=True)
    use = asked.use or "value"
    verdicts: list[Verdict] = [
        judge(report, rule.requirement, rule.use or use, rule.title, may_have) for rule in asked.rules
    ]
    if asked.baseline is not None:
        old = read_report(str(asked.baseline)).model_dump(mode="json", by_alias=True)
        verdicts += drift_verdicts(report, old, asked.max_drift, asked.max_drift_widths)
    return Outcome(source_name(place), report["data"]["target"], tuple(verdicts))


def _rendered(outcome: Outcome, output_format: CheckFormat) -> str:
    from pidreg_cli.reports.checks import github, junit
    from pidreg_cli.reports.checks import outcome as plain

    match output_format:
        case CheckFormat.TEXT:
            return plain.to_text(outcome)
        case CheckFormat.JSON:
            return plain.to_json(outcome)
        case CheckFormat.GITHUB:
            return github.to_github(outcome)
        case CheckFormat.JUNIT:
            return junit.to_junit(outcome)
