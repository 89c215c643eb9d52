"""How many threads to work with; knows nothing of the libraries that use them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def available_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ahead(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """``function`` of each item, in their order; with two threads that of the next while the last result is used."""
    if threads > 1:
        yield from in_order(function, items, 1)
    else:
        yield from map(function, items)


def in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R, None, None]:
    """``function`` of each item, in their order, by so many threads at the same time.

    Items are taken one ahead of the threads, so that reading the next and what becomes of the last result take no
    time of theirs. With the end of the iteration, or an error, tasks that wait are dropped.
    """
    begun: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) > workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
