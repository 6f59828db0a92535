"""Work on many events in blocks, shared by threads, each of which uses BLAS on one core."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from threadpoolctl import ThreadpoolController

Progress = Callable[[int, int], None]
"""Called with (events done, events in all), from the calling thread."""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_blocks(
    run: Callable[[int, int], None], events: int, size: int, threads: int, progress: Progress | None = None
) -> None:
    """`run(first, last)` for blocks of `size` that cover all events.

    An error ends the work; where several blocks fail, the first block's error is raised, whatever the threads did.
    """
    blocks = ((first, min(first + size, events)) for first in range(0, events, size))
    workers = min(threads, -(-events // size))
    with _one_core_blas():
        if workers <= 1:
            for first, last in blocks:
                run(first, last)
                if progress:
                    progress(last, events)
        else:
            _in_threads(run, blocks, workers, events, progress)


def _in_threads(
    run: Callable[[int, int], None],
    blocks: Iterator[tuple[int, int]],
    workers: int,
    events: int,
    progress: Progress | None,
) -> None:
    done = 0
    running: dict[Future[None], tuple[int, int]] = {}
    with ThreadPoolExecutor(workers, thread_name_prefix="emulate") as pool:
        try:
            more = True
            while more or running:
                while more and len(running) < 2 * workers:
                    block = next(blocks, None)
                    more = block is not None
                    if block is not None:
                        running[pool.submit(run, *block)] = block
                finished = wait(running, return_when=FIRST_COMPLETED).done
                if any(f.exception() for f in finished):
                    _raise_first(running)
                done += sum(last - first for first, last in map(running.pop, finished))
                if progress and finished:
                    progress(done, events)
        except BaseException:
            for future in running:
                future.cancel()
            raise


def _raise_first(running: dict[Future[None], tuple[int, int]]) -> None:
    """Raise the error of the earliest block. Blocks start in order, so no earlier one is yet to come."""
    for future in sorted(running, key=lambda f: running[f]):
        future.result()


_blas: dict[str, Any] = {"users": 0}
_blas_lock = threading.Lock()


@contextmanager
def _one_core_blas() -> Iterator[None]:
    """BLAS on one core while anybody is inside; the first to enter sets it, the last to leave restores it."""
    with _blas_lock:
        _blas["users"] += 1
        if _blas["users"] == 1:
            if "controller" not in _blas:
                _blas["controller"] = ThreadpoolController()
            _blas["limit"] = _blas["controller"].limit(limits=1, user_api="blas")
    try:
        yield
    finally:
        with _blas_lock:
            _blas["users"] -= 1
            if _blas["users"] == 0:
                _blas.pop("limit").restore_original_limits()
