"""Synthetic tables whose information and atoms are known exactly."""

from pidreg_cli.data.synthetic.files import refuse_existing, refuse_suffix, truth_path, write_synthetic
from pidreg_cli.data.synthetic.generate import MINIMUM_ROWS, SyntheticTable, check_request, generate
from pidreg_cli.data.synthetic.systems import SYSTEMS, SyntheticSystem, system_named

__all__ = [
    "MINIMUM_ROWS",
    "SYSTEMS",
    "SyntheticSystem",
    "SyntheticTable",
    "check_request",
    "generate",
    "refuse_existing",
    "refuse_suffix",
    "system_named",
    "truth_path",
    "write_synthetic",
]
