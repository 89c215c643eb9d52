from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from benchmarks.machines.comparison import differences, predictions_apart
from benchmarks.machines.settings import Setting, missing, settings

REPORT: dict[str, Any] = {
    "information": {
        "values": [
            {"modalities": ["a"], "value": 0.5},
            {"modalities": ["b"], "value": 0.25},
            {"modalities": ["a", "b"], "value": 1.0},
        ]
    },
    "pid": {"measure": "broja", "atoms": [{"id": "{a}", "value": 0.25}, {"id": "{b}", "value": 0.0}]},
    "metrics": {"test": {"rmse": 0.5}},
    "selection": {"recommended": ["a", "b"]},
}
PLAIN = {
    **{"PyTorch": "AVX512", "MKL": "OFF", "OpenBLAS": "SkylakeX", "NumPy": "X86_V3 X86_V4"},
    **{"C library": "fused", "GPU": "none"},
}


def changed() -> dict[str, Any]:
    return copy.deepcopy(REPORT)


def test_a_report_is_as_far_from_itself_as_nothing() -> None:
    found = differences(REPORT, REPORT)
    assert (found.information, found.atoms, found.rmse, found.same_modalities) == (0, 0, 0, True)


def test_the_largest_difference_counts_whichever_way_it_goes() -> None:
    other = changed()
    other["information"]["values"][0]["value"] += 0.125
    other["information"]["values"][1]["value"] -= 0.25
    other["pid"]["atoms"][0]["value"] -= 0.0625
    other["metrics"]["test"]["rmse"] = 0.375
    found = differences(REPORT, other)
    assert (found.information, found.atoms, found.rmse) == (0.25, 0.0625, 25)


@pytest.mark.parametrize(("recommended", "same"), [(["b", "a"], True), (["a"], False)])
def test_modalities_are_the_same_in_any_order(recommended: list[str], same: bool) -> None:
    other = changed()
    other["selection"]["recommended"] = recommended
    assert differences(REPORT, other).same_modalities is same


def test_without_a_model_there_is_no_error_and_no_advice() -> None:
    bare = {**REPORT, "metrics": None, "selection": None}
    found = differences(bare, bare)
    assert (found.rmse, found.same_modalities) == (None, None)


def test_reports_that_tell_of_other_things_are_not_compared() -> None:
    other = changed()
    del other["information"]["values"][0]
    with pytest.raises(ValueError, match="the reports tell of"):
        differences(REPORT, other)


def test_predictions_are_apart_in_deviations_of_the_target() -> None:
    target = np.array([0.0, 4.0])  # deviation 2
    assert predictions_apart(target, np.array([1.0, 1.0]), np.array([1.5, 0.0])) == 0.5


def test_what_a_library_did_not_take_is_named() -> None:
    by_name = {setting.name: setting for setting in settings(PLAIN)}
    mkl = by_name["MKL: AVX2"]
    assert missing(mkl, {**PLAIN, "MKL": "AUTO"}, PLAIN) == "MKL: AUTO"
    assert missing(mkl, {**PLAIN, "MKL": "AVX2"}, PLAIN) == ""
    functions = by_name["C library: no AVX2, no FMA"]
    assert missing(functions, PLAIN, PLAIN) == "C library: fused"
    assert missing(functions, {**PLAIN, "C library": "apart"}, PLAIN) == ""


def test_what_chooses_for_numpy_is_made_of_what_it_found() -> None:
    by_name = {setting.name: setting for setting in settings(PLAIN)}
    half = by_name["NumPy: no AVX-512"]
    assert half.variables == {"NPY_DISABLE_CPU_FEATURES": "X86_V4"}
    assert half.expected == {"NumPy": "X86_V3"}
    assert by_name["all: SSE"].expected["NumPy"] == ""


def test_a_setting_hears_nothing_of_variables_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Nehalem")
    monkeypatch.setenv("MKL_CBWR", "AUTO")
    environment = Setting("", {"MKL_CBWR": "COMPATIBLE"}).environment
    assert "OPENBLAS_CORETYPE" not in environment
    assert environment["MKL_CBWR"] == "COMPATIBLE"
