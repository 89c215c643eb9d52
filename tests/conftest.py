"""For every test: how hypothesis tries inputs in a full campaign, where none may fail because a machine is slow."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Of the default and not of what is active: where CI is set that makes up the same inputs each time.
usual = settings.get_profile("default")
settings.register_profile("full", usual, deadline=None, suppress_health_check=[HealthCheck.too_slow])
