"""Encoders of networks that are timed or counted without a fit, which would choose them."""

from __future__ import annotations

from pidreg_cli.config.settings import Settings
from pidreg_cli.training.encoder_choice import AUTO, USUAL, with_encoders


def untried(settings: Settings) -> Settings:
    """The settings with the usual kind where ``auto`` leaves it open."""
    return with_encoders(settings, USUAL) if settings.network.encoder.kind == AUTO else settings
