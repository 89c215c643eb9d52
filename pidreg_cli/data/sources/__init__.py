"""Readers: Parquet, Feather and delimited text as one kind of thing, a table that is read by batches of rows."""

from __future__ import annotations

from pidreg_cli.data.sources.opening import TextOptions, open_source
from pidreg_cli.data.sources.source import Source

__all__ = ["Source", "TextOptions", "open_source"]
