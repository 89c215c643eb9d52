"""Number types of the report: JSON has neither NaN nor infinity, and zero has one sign."""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, FailFast, Field


def finite_or_none(value: object) -> object:
    """None in place of NaN and the infinities: a number that does not exist is null in the report."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def positive_zero(value: float) -> float:
    """The same number, -0.0 as 0.0: the sign of a zero depends on the order of a sum, the report must not."""
    return value + 0.0


Number = Annotated[float, Field(allow_inf_nan=False), AfterValidator(positive_zero)]
MaybeNumber = Annotated[Number | None, BeforeValidator(finite_or_none)]
Count = Annotated[int, Field(ge=0)]
Interval = tuple[MaybeNumber, MaybeNumber] | None


class _FirstError(FailFast):
    """As ``FailFast``, and hashable, as types of optional fields must be."""

    def __hash__(self) -> int:
        return hash(self.fail_fast)


Part = TypeVar("Part")
Several = Annotated[tuple[Part, ...], _FirstError()]
"""Read up to its first error: a list of nothing but errors, a few bytes each, would cost a kilobyte for each."""
