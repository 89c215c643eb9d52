"""What a selection is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Any

from pidreg_cli.errors import UsageError

if TYPE_CHECKING:
    from pidreg_cli.config.settings import SelectionSettings
    from pidreg_cli.decisions.selection import RuleName


@dataclass(frozen=True)
class Reading:
    """How rows given beside a run are read: columns of ids and groups, and where; None as the run was fitted."""

    identifier: str | None = None
    group: str | None = None
    threads: int | None = None
    device: str | None = None

    def place(self) -> dict[str, int | str]:
        """Threads and device that were asked for, by key of the configuration."""
        return {
            key: value
            for key, value in (("threads", self.threads), ("device", self.device))
            if value is not None
        }

    def needless(self) -> str | None:
        """The first option that says nothing of rows whose codes are kept."""
        asked = {"--id": self.identifier, "--group": self.group, "--device": self.device}
        return next((option for option, value in asked.items() if value is not None), None)


@dataclass(frozen=True)
class SelectRequest:
    """The rule, the budget and the costs that were asked for; None and no costs for those of the settings.

    Raises UsageError for numbers that no table could make sense of.
    """

    tolerance: float | None = None
    rule: RuleName | None = None
    budget: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.tolerance is not None and not 0 <= self.tolerance < 1:
            raise UsageError(
                "selection.tolerance",
                f"the tolerance must be a share of RMSE from 0 to below 1, however: {self.tolerance:g}",
                "give 0.01 for one per cent",
            )
        if self.tolerance is not None and self.rule == "one-se":
            raise UsageError(
                "selection.tolerance",
                "a tolerance does not apply to the rule one-se, which takes the standard error instead",
                "leave out --tolerance, or give --rule tolerance",
            )
        if self.budget is not None and not (isfinite(self.budget) and self.budget >= 0):
            raise UsageError(
                "selection.budget",
                f"the budget must be a number of at least 0, however: {self.budget:g}",
                "leave it out for none",
            )
        for name, cost in self.costs.items():
            if not (isfinite(cost) and cost >= 0):
                raise UsageError(
                    "selection.cost",
                    f"the cost of '{name}' must be a number of at least 0, however: {cost:g}",
                    f"give for example {name}=2.5",
                )

    def applied(self, settings: SelectionSettings) -> SelectionSettings:
        """These settings with what was asked for; costs of other modalities stay."""
        return settings.model_copy(update=self._given() | {"cost": {**settings.cost, **self.costs}})

    def options(self) -> dict[str, Any]:
        """What was asked for by dotted key of the configuration."""
        given = {f"selection.{key}": value for key, value in self._given().items()}
        return given | ({"selection.cost": dict(self.costs)} if self.costs else {})

    def _given(self) -> dict[str, Any]:
        asked = {"tolerance": self.tolerance, "rule": self.rule, "budget": self.budget}
        return {key: value for key, value in asked.items() if value is not None}
