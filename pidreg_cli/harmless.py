"""Text from files that may be shown: it must not steer a terminal, nor turn the order of what is around it."""

from __future__ import annotations

import re

STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Control characters, line breaks of Unicode, and marks that change the direction of text."""
BEYOND_JSON = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
"""Those that JSON leaves as they are."""


def harmless_lines(text: str) -> str:
    """``text`` with every steering character but line ends as ``\\u001b``."""
    return "\n".join(STEERING.sub(_escaped, line) for line in text.split("\n"))


def harmless_json(text: str) -> str:
    """The same JSON value, in characters that any terminal shows as they are."""
    return BEYOND_JSON.sub(_escaped, text)


def marked(text: str) -> str:
    """``text`` with a question mark for every steering character."""
    return STEERING.sub("?", text)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
