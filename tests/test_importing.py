"""Garbage is not collected while modules are read, and as before after."""

from __future__ import annotations

import gc

import pytest

from pidreg_cli.importing import uncollected


@pytest.mark.parametrize("before", [True, False])
def test_collection_is_off_within_and_as_before_after(before: bool) -> None:
    was = gc.isenabled()
    try:
        if not before:
            gc.disable()
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() == before
        with pytest.raises(ImportError), uncollected():
            raise ImportError
        assert gc.isenabled() == before
    finally:
        if was:
            gc.enable()
