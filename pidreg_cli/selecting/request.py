"""What a selection is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pidreg_cli.config.settings import SelectionSettings
from pidreg_cli.decisions.selection import RuleName


@dataclass(frozen=True)
class SelectRequest:
    """The rule, the budget and the costs that were asked for; None and no costs for those of the settings."""

    tolerance: float | None = None
    rule: RuleName | None = None
    budget: float | None = None
    costs: Mapping[str, float] = field(default_factory=dict)

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
