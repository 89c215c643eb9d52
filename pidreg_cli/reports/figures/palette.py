"""Colours of the page and its figures: told apart by people who see few colours, and never alone in saying so.

The hues of parts are those of Okabe and Ito (Color Universal Design, 2008), the orange darker. Text has a
contrast of at least 4.5 to 1 with the page (WCAG 2.2, 1.4.3), marks and lines at least 3 to 1 (1.4.11).
"""

from __future__ import annotations

PAGE = "#ffffff"
PANEL = "#f4f6f8"
INK = "#1a1f24"
MUTED = "#555d66"
LINK = "#005a9c"
CAUTION = "#8a4b00"

UNIQUE = "#0072b2"
SHARED = "#6e7780"
TOGETHER = "#c25100"
CHOSEN = "#006d4e"
GRID = "#dfe3e7"

TEXT_COLOURS = (INK, MUTED, LINK, CAUTION)
MARK_COLOURS = (UNIQUE, SHARED, TOGETHER, CHOSEN)
CLOUD = 0.75
"""Of a point among many, how opaque: where points overlap they get darker, and a single one is seen yet."""
FEWEST_ROWS, MOST_ROWS = "#5b9ac4", "#00243d"
"""Hexagons of one row, and of the most."""
LINES = (UNIQUE, TOGETHER, CHOSEN, SHARED, "#a0457f", "#8c6d1f")
STYLES: tuple[str, ...] = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "\\\\\\", "|||", "---", "xxx", "+++")
"""Of lines alone: a dot takes some hundred bytes, and there are hundreds of them in a pattern."""


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours ``#rrggbb``, from 1 to 21 (WCAG 2.2)."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb``, from 0 to 1 (WCAG 2.2)."""
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
