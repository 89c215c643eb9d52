"""From roles to the first recipe: an encoder for each feature column, under the name it gets in the prepared table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

import pyarrow.compute as pc

from pidreg_cli.data.columns import is_list
from pidreg_cli.data.naming import SEPARATORS, listing
from pidreg_cli.data.preparation.categories import category_columns, fit_categories
from pidreg_cli.data.preparation.dates import is_date
from pidreg_cli.data.preparation.encoders import Calendar, Encoder, Numbers
from pidreg_cli.data.preparation.findings import Finding, RowProgress
from pidreg_cli.data.preparation.recipe import Recipe
from pidreg_cli.data.preparation.request import CategoryRequest
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.sources.source import Oddity, Source
from pidreg_cli.errors import DataError

# Enough, most often, to meet a first list.
ROWS_AT_FIRST = 256
_AS_CATEGORIES = ", or encode the column as categories with --one-hot '{}'"


def first_recipe(
    source: Source,
    roles: Roles,
    request: CategoryRequest,
    kept: Sequence[str],
    progress: RowProgress,
) -> tuple[Recipe, tuple[Finding, ...]]:
    """The recipe before anything is dropped. Raises DataError for mistakes among numbers and for names that clash."""
    features = [column for columns in roles.modalities.values() for column in columns]
    kinds = category_columns(source.schema, features, request)
    check_oddities(source, [column for column in features if not _is_asked(column, request)])
    widths = list_widths(source, features)
    outputs = {
        column: name
        for modality, columns in roles.modalities.items()
        for column, name in output_names(modality, columns).items()
    }
    categories, findings = fit_categories(source, kinds, outputs, request, progress)
    encoders = {
        modality: tuple(_encoder(source, column, outputs[column], categories, widths) for column in columns)
        for modality, columns in roles.modalities.items()
    }
    singles = {
        role: column
        for role in ("target", "id", "group", "split")
        if (column := getattr(roles, role)) is not None
    }
    recipe = Recipe(encoders, singles, tuple(kept))
    check_names(recipe)
    return recipe, findings


def output_names(modality: str, columns: Sequence[str]) -> dict[str, str]:
    """``modality__feature`` for each column, the modality's own name in front of it not said twice.

    The list column that is the modality keeps its name.
    """
    if tuple(columns) == (modality,):
        return {modality: modality}
    short = {column: _without_prefix(modality, column) for column in columns}
    counts = Counter(short.values())
    return {column: f"{modality}__{name if counts[name] == 1 else column}" for column, name in short.items()}


def list_widths(source: Source, columns: Sequence[str]) -> dict[str, int]:
    """Elements of the first list of each column of lists. Raises DataError where a column has none."""
    lists = [name for name in columns if is_list(source.schema.field(name).type)]
    return {name: _first_length(source, name) for name in lists}


def _first_length(source: Source, name: str) -> int:
    for batch in source.batches([name], ROWS_AT_FIRST):
        lengths = pc.list_value_length(batch.column(0))
        filled = lengths.filter(pc.greater(lengths, 0))
        if len(filled):
            return int(filled[0].as_py())
    raise DataError(
        "data.empty_lists",
        f"The lists of column {name!r} are all empty or missing.",
        "Leave the column out, or fill its lists.",
    )


def check_oddities(source: Source, columns: Sequence[str], *, single: bool = False) -> None:
    """Raise DataError where one of these columns holds texts among numbers; ``single``: it is no feature."""
    for column in columns:
        if oddity := source.oddities.get(column):
            raise DataError(
                "data.mixed_types",
                f"Column {column!r} of {source.label} holds {oddity.numbers} numbers and {oddity.others} "
                f"{'text' if oddity.others == 1 else 'texts'}, first {oddity.value!r} in row {oddity.row} (counted "
                "from 0); a feature or target must hold numbers.",
                f"{_remedy(oddity)}{'' if single else _AS_CATEGORIES.format(column)}.",
            )


def _remedy(oddity: Oddity) -> str:
    if oddity.dressed:
        return (
            "Write numbers with digits and one decimal mark alone (--decimal says which), without marks of thousands, "
            "percent or currency"
        )
    return f"Correct it, read it as missing with --missing '{oddity.value}'"


def check_names(recipe: Recipe) -> None:
    """Raise DataError where two columns of the prepared table would have one name."""
    # Id and group may be one column, which is written once.
    names = [*dict.fromkeys([*recipe.singles.values(), *recipe.kept])]
    names += [name for modality in recipe.features for name in recipe.outputs(modality)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            "data.name_clash",
            f"Two columns of the prepared table would be called {listing(twice)}.",
            "Rename one of the columns they come from, or leave it out.",
        )


def _is_asked(column: str, request: CategoryRequest) -> bool:
    """Whether the user says that a column is one of categories: texts among its numbers are then no mistakes."""
    patterns = (*request.one_hot, *request.ordinal)
    return any(column == pattern or fnmatchcase(column, pattern) for pattern in patterns)


def _encoder(
    source: Source, column: str, name: str, categories: Mapping[str, Encoder], widths: Mapping[str, int]
) -> Encoder:
    if column in categories:
        return categories[column]
    if is_date(source.schema.field(column).type):
        return Calendar(column, name)
    return Numbers(column, name, widths.get(column))


def _without_prefix(modality: str, column: str) -> str:
    for separator in SEPARATORS:
        prefix = modality + separator
        if column.startswith(prefix) and len(column) > len(prefix):
            return column[len(prefix) :]
    return column
