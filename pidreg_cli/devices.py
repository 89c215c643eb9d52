"""How devices are named; knows nothing of the library that works on them."""

from __future__ import annotations

import re

NAMES = r"^(auto|cpu|cuda(:[0-9]+)?)$"
RULE = "auto, cpu, cuda, or cuda:I for the I-th GPU, counted from 0"


def is_device(name: str) -> bool:
    """Whether a device can be called so; it need not be there."""
    return re.fullmatch(NAMES, name) is not None
