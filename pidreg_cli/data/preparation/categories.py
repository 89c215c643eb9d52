"""Which texts become which numbers: encoders made from the values that a column holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

import pyarrow as pa

from pidreg_cli.data.columns import is_list
from pidreg_cli.data.naming import listing, nearest
from pidreg_cli.data.preparation.encoders import Encoder, OneHot, Ordinal, as_texts
from pidreg_cli.data.preparation.findings import Finding, RowProgress, note
from pidreg_cli.data.preparation.request import CategoryRequest
from pidreg_cli.data.sources.source import Source, rows_per_batch
from pidreg_cli.errors import DataError

# A column of more different texts is free text or an identifier; counting on would only fill the memory.
MOST_VALUES = 10_000
# Over the limit, the values with a column of their own must cover this share of the rows.
COVERED_SHARE = 0.5
ORDINAL, ONE_HOT = "ordinal", "one-hot"


def category_columns(schema: pa.Schema, features: Sequence[str], request: CategoryRequest) -> dict[str, str]:
    """Feature columns that are encoded as categories, and how: texts, and those asked for.

    Raises DataError where a pattern of the request matches no feature, or a column of lists.
    """
    kinds = {name: ONE_HOT for name in features if pa.types.is_string(schema.field(name).type)}
    for kind, patterns in ((ONE_HOT, request.one_hot), (ORDINAL, tuple(request.ordinal))):
        for pattern in patterns:
            for name in _matching(pattern, features, kind):
                if is_list(schema.field(name).type):
                    raise DataError(
                        "data.category_type",
                        f"Column {name!r} holds lists, which are no categories.",
                        "Leave it out.",
                    )
                kinds[name] = kind
    return kinds


def fit_categories(
    source: Source,
    kinds: Mapping[str, str],
    outputs: Mapping[str, str],
    request: CategoryRequest,
    progress: RowProgress,
) -> tuple[dict[str, Encoder], tuple[Finding, ...]]:
    """An encoder for each column of ``kinds``, named by ``outputs``. Raises DataError for too many values."""
    if not kinds:
        return {}, ()
    counts = _counted(source, list(kinds), progress)
    encoders: dict[str, Encoder] = {}
    findings: list[Finding] = []
    for column, kind in kinds.items():
        if kind == ORDINAL:
            encoders[column] = _ordinal(column, outputs[column], counts[column], request)
        else:
            encoders[column] = _one_hot(column, outputs[column], counts[column], request.limit)
        findings.extend(_facts(encoders[column], request))
    return encoders, tuple(findings)


def _matching(pattern: str, features: Sequence[str], kind: str) -> list[str]:
    found = [pattern] if pattern in features else [name for name in features if fnmatchcase(name, pattern)]
    if not found:
        raise DataError(
            "data.unknown_column",
            f"No feature matches {pattern!r} of --{kind}.{nearest(pattern, features)}",
            f"Features are {listing(features)}.",
        )
    return found


def _counted(source: Source, columns: Sequence[str], progress: RowProgress) -> dict[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {column: Counter() for column in columns}
    progress.begin("categories", source.rows)
    for batch in source.batches(columns, rows_per_batch(len(columns))):
        for column, cells in zip(columns, batch.columns, strict=True):
            for entry in as_texts(cells).drop_null().value_counts().to_pylist():
                counts[column][entry["values"]] += entry["counts"]
            if len(counts[column]) > MOST_VALUES:
                raise _too_many(column, f"more than {MOST_VALUES:,}")
        progress.advance(batch.num_rows)
    progress.finish()
    return counts


def _one_hot(column: str, name: str, counts: Counter[str], limit: int) -> OneHot:
    # Frequent ones first, equal ones in the order of the alphabet; columns then in that order again.
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    if len(ranked) <= limit:
        return OneHot(column, name, tuple(sorted(ranked)), other=False)
    kept = ranked[: limit - 1]
    if sum(counts[value] for value in kept) < COVERED_SHARE * counts.total():
        raise _too_many(column, f"{len(ranked):,}")
    return OneHot(column, name, tuple(sorted(kept)), other=True)


def _ordinal(column: str, name: str, counts: Counter[str], request: CategoryRequest) -> Ordinal:
    pattern = column if column in request.ordinal else _pattern_of(column, request.ordinal)
    given = request.ordinal[pattern]
    if not given:
        return Ordinal(column, name, tuple(sorted(counts)))
    unknown = sorted(set(counts) - set(given))
    if unknown:
        raise DataError(
            "data.unknown_category",
            f"Column {column!r} holds {listing(unknown)}, which the order of --ordinal leaves out.",
            f"Name all values in their order, as in --ordinal '{column}={','.join([*given, unknown[0]])}'.",
        )
    return Ordinal(column, name, given)


def _pattern_of(column: str, patterns: Mapping[str, tuple[str, ...]]) -> str:
    return next(pattern for pattern in patterns if fnmatchcase(column, pattern))


def _facts(encoder: Encoder, request: CategoryRequest) -> Iterator[Finding]:
    if isinstance(encoder, Ordinal):
        asked = any(encoder.values == values for values in request.ordinal.values())
        order = "" if asked else ", in the order of the alphabet"
        yield note(
            "categories.ordinal", f"{encoder.column!r} is encoded by place: {listing(encoder.values)}{order}."
        )
    elif isinstance(encoder, OneHot):
        rest = "; rarer values share one more" if encoder.other else ""
        yield note(
            "categories.one_hot",
            f"{encoder.column!r} is encoded as {len(encoder.values)} columns: {listing(encoder.values)}{rest}.",
        )


def _too_many(column: str, how_many: str) -> DataError:
    return DataError(
        "data.too_many_categories",
        f"Column {column!r} holds {how_many} different texts; as categories most rows would share one column.",
        "Leave it out of the modality, encode it by place with --ordinal, raise --category-limit, or, where it holds "
        f"dates, have them read with --date '{column}'.",
    )
