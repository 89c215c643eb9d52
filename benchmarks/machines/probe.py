"""What the numerical libraries of this process chose to compute with: ``python -m benchmarks.machines.probe``.

Prints one line of JSON. Of MKL the choice is known from its own log alone: start it with ``MKL_VERBOSE=1``, and read
``CNR:...`` before that line.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import hashlib
import json
import struct

import numpy as np
import scipy.linalg
import torch
from threadpoolctl import threadpool_info


def chosen() -> dict[str, str]:
    """By library."""
    torch.ones(64, 64) @ torch.ones(64, 64)  # a line of MKL's log
    kernels = {pool["architecture"] for pool in threadpool_info() if pool["internal_api"] == "openblas"}
    return {
        "PyTorch": torch.backends.cpu.get_cpu_capability(),
        "OpenBLAS": " ".join(sorted(kernels)),
        "NumPy": " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])),
        "C library": _functions(),
        "GPU": "yes" if torch.cuda.is_available() else "none",
        "versions": f"PyTorch {torch.__version__}, NumPy {np.__version__}, SciPy {scipy.__version__}",
    }


def _functions() -> str:
    """A digest of what functions of the C library give, which has them with fused multiplication and without."""
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    found = []
    for name in ("exp", "log", "sin"):
        function = getattr(library, name)
        function.argtypes, function.restype = [ctypes.c_double], ctypes.c_double
        found += [function(number / 1000) for number in range(1, 20_000)]
    return hashlib.sha256(struct.pack(f"{len(found)}d", *found)).hexdigest()[:8]


if __name__ == "__main__":
    print(json.dumps(chosen()))
