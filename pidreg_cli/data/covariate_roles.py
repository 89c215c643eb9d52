"""Which columns covariates may be, beside those that have another role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pidreg_cli.data.naming import listing
from pidreg_cli.data.roles import Roles
from pidreg_cli.errors import UsageError

IDLE = ("Columns without a role",)
"""Notices of roles that say nothing beside covariates, which have one."""


def check_covariates(covariates: Sequence[str], target: str, identifier: str | None) -> None:
    """Raise UsageError for a covariate that has another role, or is named twice."""
    for role, column in (("target", target), ("id", identifier)):
        if column in covariates:
            raise UsageError(
                "usage.covariates",
                f"{column!r} is the {role} and cannot be a covariate",
                "leave it out of --covariates",
            )
    twice = [column for column in covariates if list(covariates).count(column) > 1]
    if twice:
        raise UsageError("usage.covariates", f"{twice[0]!r} is among the covariates twice", "name it once")


def without_covariates(
    roles: Roles, covariates: Sequence[str], idle: tuple[str, ...] = IDLE
) -> tuple[Roles, tuple[str, ...]]:
    """Covariates are no features; the roles without them, and notices but for those that begin with one of ``idle``.

    Raises UsageError for a covariate with another role, and for a modality of nothing else.
    """
    check_covariates(covariates, roles.target, roles.id)
    taken = {name: [c for c in columns if c in covariates] for name, columns in roles.modalities.items()}
    left = {
        name: tuple(c for c in columns if c not in covariates) for name, columns in roles.modalities.items()
    }
    for name, columns in left.items():
        if not columns:
            raise UsageError(
                "usage.covariates",
                f"every column of modality {name!r} is a covariate: nothing of it is left to decompose",
                "leave the modality out, or the covariates",
            )
    notices = tuple(
        f"{listing(columns)} of modality {name!r}: covariates, and so no features of it."
        for name, columns in taken.items()
        if columns
    )
    said = tuple(text for text in roles.notices if not text.startswith(idle))
    return replace(roles, modalities=left), (*said, *notices)


def check_outside(covariates: Sequence[str], roles: Roles) -> None:
    """Raise UsageError for covariates that the model reads: its codes hold them, and nothing takes them out again."""
    check_covariates(covariates, roles.target, roles.id)
    for name, columns in roles.modalities.items():
        inside = [column for column in columns if column in covariates]
        if inside:
            raise UsageError(
                "usage.covariates",
                f"{listing(inside)} of modality {name!r} cannot be a covariate: the model of the run reads it",
                "fit without it first, or take the table itself with --no-model",
            )
