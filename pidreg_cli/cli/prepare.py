"""``pidreg prepare``: from tables as they are to one Parquet file that ``fit`` reads."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli import prepare_options as own
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.modalities import named_modalities
from pidreg_cli.cli.outputs import check_outputs
from pidreg_cli.cli.row_progress import open_row_progress
from pidreg_cli.data.formats import TABLES
from pidreg_cli.errors import UsageError

if TYPE_CHECKING:
    from pidreg_cli.config.settings import Settings
    from pidreg_cli.data.preparation.findings import Finding, RowProgress
    from pidreg_cli.data.preparation.plan import Plan
    from pidreg_cli.data.preparation.request import PrepareRequest
    from pidreg_cli.data.sources.text_options import TextOptions


def prepare(
    context: typer.Context,
    inputs: own.Inputs,
    output: own.Output = None,
    modalities: options.Modalities = None,
    modality: options.Modality = None,
    target: options.Target = None,
    identifier: options.Identifier = None,
    group: options.Group = None,
    split_column: options.SplitColumn = None,
    key: own.Key = None,
    join: own.Join = own.JoinKind.LEFT,
    duplicates: own.DuplicateKeys = own.Duplicates.ERROR,
    one_hot: own.OneHot = None,
    ordinal: own.Ordinal = None,
    category_limit: own.CategoryLimit = 32,
    date: own.Date = None,
    split: own.SplitKind = own.Split.AUTO,
    time: own.Time = None,
    keep: own.Keep = None,
    no_drop: own.NoDrop = False,
    delimiter: own.Delimiter = None,
    decimal: own.Decimal = None,
    missing: own.Missing = None,
    encoding: own.Encoding = None,
    like: own.Like = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    seed: options.Seed = None,
    dry_run: own.DryRun = False,
    force: options.Force = False,
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: own.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Join, encode, check and split tables, and write one that fit reads.

    Example: pidreg prepare people.csv labs=labs.csv scans=scans.parquet --key subject --target age -o data.parquet
    """
    console: Console = context.obj
    console.listen(quiet=quiet, verbose=verbose, debug=debug, animated=not no_progress)
    _check_like(context, like)
    _check_key(context, key, inputs)
    named = [own.named_input(one) for one in inputs]
    _check_destination(output, [path for path, _ in named], dry_run=dry_run, force=force)
    if dry_run:
        console.check_stdout()
    settings = _settings(
        config,
        assignments,
        {
            "data.modalities": named_modalities(modalities, modality or []),
            "data.target": target,
            "data.id": identifier,
            "data.group": group,
            "data.split_column": split_column,
            "seed": seed,
        },
    )
    text = _text_options(delimiter, decimal, encoding, missing)
    keys, kept = own.parts_of(key, "key"), own.parts_of(keep, "keep")
    categories = own.parts_of(one_hot, "one-hot"), own.ordinal_columns(ordinal), _limit(category_limit)
    dates = own.date_columns(date)

    # Everything above needs no reader: usage errors must not wait for one.
    from pidreg_cli.data.preparation import request as asked
    from pidreg_cli.data.preparation.joins import JoinRequest
    from pidreg_cli.data.roles import RoleRequest

    first = duplicates is own.Duplicates.FIRST
    _run(
        console,
        asked.PrepareRequest(
            inputs=tuple(asked.NamedInput(path, name) for path, name in named),
            roles=RoleRequest.from_settings(settings.data),
            text=text,
            join=JoinRequest(keys, join.value, first_of_duplicates=first) if keys else None,
            categories=asked.CategoryRequest(*categories),
            dates=tuple(asked.DateRequest(*one) for one in dates),
            split=split.value,
            time=time,
            keep=kept,
            drop_useless=not no_drop,
            seed=settings.seed,
        ),
        like,
        None if dry_run else output,
    )


def _run(console: Console, request: PrepareRequest, like: Path | None, output: Path | None) -> None:
    from pidreg_cli.data.preparation.describe import plan_text

    with open_row_progress(console) as progress, _planned(request, like, progress) as plan:
        if output is None:
            console.result(plan_text(plan))
            return
        from pidreg_cli.data.preparation.output import write_plan

        late = write_plan(plan, request, output, progress)
    _tell(console, (*plan.findings, *late))
    console.notice(f"wrote {output} ({plan.rows:,} rows)")


def _planned(
    request: PrepareRequest, like: Path | None, progress: RowProgress
) -> AbstractContextManager[Plan]:
    if like is None:
        from pidreg_cli.data.preparation.plan import planned

        return planned(request, progress)
    from pidreg_cli.data.preparation.applying import planned_like, read_recipe

    return planned_like(read_recipe(like), request, progress)


def _tell(console: Console, findings: Iterable[Finding]) -> None:
    for finding in findings:
        tell = console.warning if finding.severity == "warning" else console.notice
        tell(finding.message)


# What the recipe of --like decides, by the names of the parameters.
_DECIDED = {
    "modalities": "--modalities",
    "modality": "--modality",
    "target": "--target",
    "identifier": "--id",
    "group": "--group",
    "split_column": "--split-column",
    "key": "--key",
    "join": "--join",
    "duplicates": "--duplicates",
    "one_hot": "--one-hot",
    "ordinal": "--ordinal",
    "category_limit": "--category-limit",
    "date": "--date",
    "split": "--split",
    "time": "--time",
    "keep": "--keep",
    "no_drop": "--no-drop",
    "config": "--config",
    "assignments": "--set",
    "seed": "--seed",
}


def _is_given(context: typer.Context, parameter: str) -> bool:
    source = context.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _check_like(context: typer.Context, like: Path | None) -> None:
    given = [option for name, option in _DECIDED.items() if _is_given(context, name)]
    if like is not None and given:
        raise UsageError(
            "usage.like",
            f"--like takes roles and encodings from {like}; {', '.join(given)} would differ",
            "leave it out",
        )


def _check_key(context: typer.Context, key: list[str] | None, inputs: list[str]) -> None:
    if key is not None and len(inputs) == 1:
        raise UsageError(
            "usage.key",
            f"--key joins inputs, but one is given: {inputs[0]}",
            "give each table as an input of its own (files of one folder or glob are one table), or leave --key out",
        )
    idle = [_DECIDED[name] for name in ("join", "duplicates") if _is_given(context, name)]
    if key is None and idle:
        raise UsageError(
            "usage.key", f"{idle[0]} is about joining, but no --key is given", "name it with --key"
        )


def _check_destination(output: Path | None, inputs: list[str], *, dry_run: bool, force: bool) -> None:
    if output is None:
        if not dry_run:
            raise UsageError("usage.output", "prepare needs -o FILE", "give -o data.parquet, or --dry-run")
        return
    from pidreg_cli.data.preparation.output_names import check_suffix, sidecar_path

    check_suffix(output)
    check_outputs([output, sidecar_path(output)], inputs, force=force or dry_run, suffixes=TABLES)


def _settings(config: Path | None, assignments: list[str] | None, given: dict[str, object]) -> Settings:
    from pidreg_cli.config.loading import load_settings

    chosen = {key: value for key, value in given.items() if value is not None}
    return load_settings(None, config, assignments or [], chosen)


def _text_options(
    delimiter: str | None, decimal: str | None, encoding: str | None, missing: list[str] | None
) -> TextOptions:
    from pidreg_cli.data.sources.text_options import TextOptions

    mark = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    return TextOptions(mark, decimal, encoding, tuple(missing or ()))


def _limit(number: int) -> int:
    if number < 2:
        raise UsageError(
            "usage.category_limit", f"--category-limit {number}: must be 2 or more", "see --help for it"
        )
    return number
