"""Errors of the information core: arrays that no honest number can be computed from.

They carry a stable dotted ``code`` and a ``hint`` so that the command line can translate them; they know
nothing of files or exit statuses.
"""

from __future__ import annotations


class InformationError(ValueError):
    """Base class: ``code`` is stable, ``message`` says what was wrong and the rule, ``hint`` what to do."""

    code = "information.invalid"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class ShapeError(InformationError):
    """Arrays whose shapes do not fit together."""

    code = "information.shape"


class NonFiniteError(InformationError):
    """NaN or infinite values where numbers are needed."""

    code = "information.not_finite"


class IncoherentInformationError(InformationError):
    """Subset informations that no system can have: negative, or smaller for a larger set."""

    code = "information.incoherent"


class ConstantTargetError(InformationError):
    """A target without variance: no information about it is defined."""

    code = "information.constant_target"


class DeterministicTargetError(InformationError):
    """A target predicted without error: its information is infinite."""

    code = "information.deterministic_target"


class TooFewRowsError(InformationError):
    """Fewer rows than the estimator needs."""

    code = "information.too_few_rows"


class UnknownMeasureError(InformationError):
    """A measure that is not defined, or not for this number of sources or this target."""

    code = "information.measure"


class ConstantColumnError(InformationError):
    """A column without variance where every column must vary; ``columns`` names them."""

    code = "information.constant_columns"

    def __init__(self, columns: tuple[str, ...]) -> None:
        super().__init__(f"no variance in {', '.join(columns)}", "leave constant columns out")
        self.columns = columns


class CollinearColumnsError(InformationError):
    """A column that others determine; ``columns`` names it first, then those it depends on."""

    code = "information.collinear_columns"

    def __init__(self, columns: tuple[str, ...]) -> None:
        dependent, *others = columns
        super().__init__(
            f"{dependent} is a linear combination of {', '.join(others)}",
            "leave one of them out, or use shrinkage > 0",
        )
        self.columns = columns


class NotPositiveDefiniteError(InformationError):
    """A matrix that is no covariance: asymmetric, or with a negative variance in some direction."""

    code = "information.not_a_covariance"
