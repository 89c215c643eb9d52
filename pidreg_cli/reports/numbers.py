"""Number types of the report: JSON has neither NaN nor infinity, and zero has one sign."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field


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
