"""Inputs from somebody who means harm, and the limits that reading them must keep."""

from __future__ import annotations

import copy
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from pidreg_cli.errors import PidregError

MEMORY = 2**30
"""Bytes that reading one input may take."""
SECONDS = 30
"""Of the processor that it may take."""

SEED_VARIABLE = "PIDREG_FUZZ_SEED"
SEED = int(os.environ.get(SEED_VARIABLE) or int.from_bytes(os.urandom(6)))
"""Of every campaign: another each time, unless one is repeated."""

amounts = pytest.mark.parametrize(
    "examples", [pytest.param(100, id="some"), pytest.param(10_000, id="10000", marks=pytest.mark.slow)]
)
odd_numbers = st.sampled_from([-1, 0, 1, 2**31, 2**63, 10**18, 10**300, 1e308, -0.0, 1e-320])
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | odd_numbers
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


class HangError(BaseException):
    """Reading took too long. No Exception: nothing may catch it."""


@contextmanager
def limits() -> Iterator[None]:
    """Let what is read here take a gigabyte of memory and some seconds, no more."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    previous = signal.signal(signal.SIGVTALRM, _hang)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGVTALRM, previous)


def _hang(number: int, frame: FrameType | None) -> None:
    raise HangError


def refused(read: Callable[[Any], object], given_input: Any) -> PidregError | None:
    """The error with which an input was refused within the limits, None where it was read."""
    with limits():
        try:
            read(given_input)
        except PidregError as error:
            return error
    return None


def survives(read: Callable[[Any], object], inputs: st.SearchStrategy[Any], examples: int) -> None:
    """Every input is read, or refused with an error that a user can act on; anything else fails the test.

    So does a campaign of fewer examples than were asked for.
    """
    ran = 0

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        # Explaining a failure traces every line that runs, which takes longer than the reading.
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(inputs)
    def check(given_input: Any) -> None:
        nonlocal ran
        ran += 1
        refusal = refused(read, given_input)
        if refusal is not None:
            assert refusal.code
            assert refusal.message
            assert refusal.hint, f"{refusal.code}: {refusal.message}"

    try:
        check()
        assert ran >= examples, f"{ran} examples of {examples}"
    except BaseException as error:
        error.add_note(f"{SEED_VARIABLE}={SEED} repeats this")
        raise


@st.composite
def broken_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """``content`` cut, with some bytes changed, with a piece of it repeated, or none of it."""
    kind = draw(st.sampled_from(["cut", "flip", "flip", "flip", "repeat", "other"]))
    if kind == "other":
        return draw(st.binary(max_size=200))
    place = draw(st.integers(0, max(len(content) - 1, 0)))
    if kind == "cut":
        return content[:place]
    if kind == "repeat":
        end = draw(st.integers(place, min(place + 300, len(content))))
        return content[:end] + content[place:end] + content[end:]
    changed = bytearray(content)
    for at in [place, *draw(st.lists(st.integers(0, len(content) - 1), max_size=4))]:
        changed[at] = draw(st.integers(0, 255))
    return bytes(changed)


@st.composite
def broken_document(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document with one to three of its parts replaced, removed, renamed or repeated."""
    changed = copy.deepcopy(document)
    for _ in range(draw(st.integers(1, 3))):
        place, key = draw(st.sampled_from(_places(changed)))
        kind = draw(st.sampled_from(["value", "value", "number", "remove", "double"]))
        if kind == "remove":
            del place[key]
        elif kind == "double" and isinstance(place, list):
            place.append(copy.deepcopy(place[key]))
        else:
            place[key] = draw(odd_numbers if kind == "number" else values)
        if not changed:
            break
    return changed


def _places(node: Any) -> list[tuple[Any, Any]]:
    """Every container with every key of it."""
    found = []
    stack = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, dict | list):
            keys = list(one) if isinstance(one, dict) else list(range(len(one)))[:8]
            found += [(one, key) for key in keys]
            stack += [one[key] for key in keys]
    return found or [({"": None}, "")]


def as_json(document: Any) -> bytes:
    """The text of a document, with whatever JSON has no word for as Python writes it."""
    return json.dumps(document).encode()
