"""Processors and programs that stand in for another machine, and whether the libraries took what they were told.

Of oneDNN there is no setting: the networks' products are MKL's, and a fit does not call oneDNN (``ONEDNN_VERBOSE=1``).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
NO_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA"}
CHOOSING = (
    "ATEN_CPU_CAPABILITY",
    "GLIBC_TUNABLES",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "NPY_DISABLE_CPU_FEATURES",
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
)
"""Variables by which libraries choose instructions: each setting has its own, and nothing from outside."""
OTHER = "another"
"""Expected of a library that is to choose anything but what it chooses by itself."""
Chosen = Mapping[str, str]


@dataclass(frozen=True)
class Setting:
    """One way to run a fit. ``expected``: what a library (a key of the probe) must have chosen for it to count."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    device: str = "cpu"
    python: str = sys.executable

    @property
    def environment(self) -> dict[str, str]:
        """Of its processes."""
        kept = {name: value for name, value in os.environ.items() if name not in CHOOSING}
        return {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **self.variables}

    def chosen(self) -> Chosen:
        """What the libraries choose under it. Raises CalledProcessError where Python ends in an error."""
        done = subprocess.run(
            [self.python, "-m", "benchmarks.machines.probe"],
            env={**self.environment, "MKL_VERBOSE": "1"},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        branch = re.search(r"CNR:(\w+)", done.stdout)
        return {**json.loads(done.stdout.splitlines()[-1]), "MKL": branch[1] if branch else "none"}


def missing(setting: Setting, chosen: Chosen, plain: Chosen) -> str:
    """Why a setting did not take effect, in words; empty where it did. ``plain``: what libraries choose by themselves.

    A stand-in that is what the machine chooses anyway takes effect: it is a control.
    """
    for library, wanted in setting.expected.items():
        if chosen[library] == plain[library] if wanted == OTHER else chosen[library] != wanted:
            return f"{library}: {chosen[library] or 'none'}"
    return ""


def settings(plain: Chosen) -> list[Setting]:
    """The machine as it is first. ``plain``: what its libraries choose by themselves."""
    features = plain["NumPy"].split()
    short = [name for name in features if not ("512" in name or "V4" in name)]
    half = _numpy(features, short)
    bare = _numpy(features, [])
    return [
        Setting("this machine"),
        _torch("AVX2"),
        _torch("DEFAULT"),
        *(_mkl(branch) for branch in ("COMPATIBLE", "AVX2", "AVX512")),
        *(_openblas(kernel) for kernel in ("Nehalem", "Haswell", "SkylakeX")),
        Setting("NumPy: no AVX-512", *half),
        Setting("NumPy: no AVX2 either", *bare),
        Setting("C library: no AVX2, no FMA", NO_FMA, {"C library": OTHER}),
        _together("all but MKL: AVX2", _torch("AVX2"), _openblas("Haswell"), Setting("", *half)),
        _together(
            "all: SSE",
            *(_torch("DEFAULT"), _mkl("COMPATIBLE"), _openblas("Nehalem"), Setting("", *bare)),
            Setting("", NO_FMA, {"C library": OTHER}),
        ),
        Setting("a GPU", {}, {"GPU": "yes"}, device="cuda"),
        *(Setting(f"seed {seed}", seed=seed) for seed in (1, 2, 3)),
    ]


def _torch(capability: str) -> Setting:
    shown = {"DEFAULT": "no AVX2"}.get(capability, capability)
    variables = {"ATEN_CPU_CAPABILITY": capability.lower()}
    return Setting(f"PyTorch: {shown}", variables, {"PyTorch": capability})


def _mkl(branch: str) -> Setting:
    """On processors that are not Intel's it knows but COMPATIBLE, which is SSE2."""
    shown = {"COMPATIBLE": "SSE2"}.get(branch, branch)
    return Setting(f"MKL: {shown}", {"MKL_CBWR": branch}, {"MKL": branch})


def _openblas(kernel: str) -> Setting:
    return Setting(f"OpenBLAS: {kernel}", {"OPENBLAS_CORETYPE": kernel}, {"OpenBLAS": kernel})


def _numpy(features: list[str], kept: list[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Variables and expectation of NumPy with only some of the features that it found."""
    disabled = " ".join(name for name in features if name not in kept)
    expected = " ".join(kept) if disabled else OTHER
    return {"NPY_DISABLE_CPU_FEATURES": disabled}, {"NumPy": expected}


def _together(name: str, *parts: Setting) -> Setting:
    variables = {key: value for part in parts for key, value in part.variables.items()}
    return Setting(name, variables, {key: value for part in parts for key, value in part.expected.items()})
