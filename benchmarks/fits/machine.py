"""The machine that a benchmark ran on, in one line that the program finds out itself."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import torch

from pidreg_cli.threads import available_threads


def machine() -> str:
    """Processor, cores and versions."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, NumPy {np.__version__}"
    return f"{processor}, {available_threads()} cores; {versions}"
