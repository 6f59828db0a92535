"""Making a data set in chunks: in parallel, each kept in a file, so that an interrupted production goes on.

A chunk knows its content (seed, settings, version of the generator) and names its file by it. What comes out depends on
the chunks alone, not on the number of workers, nor on how often the production was interrupted.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.files import hash_value

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Progress = Callable[[int, int], None]
"""Called as progress(events done, all events)."""


class WorkerDiedError(FirmwareFlowsError):
    """A process that made chunks was killed, by the system for want of memory most often."""

    def __init__(self, problem: str = "a process that makes the data died") -> None:
        self.remedy = "Run again with fewer workers; finished chunks are kept"
        super().__init__(f"{problem}. {self.remedy}")


class Chunk(Protocol[T_co]):
    """A part of a data set. A frozen dataclass, hashable, and picklable for the workers."""

    @property
    def events(self) -> int:
        """How many events it holds, for the progress."""

    def path(self, directory: Path) -> Path:
        """Its file, named by its content: see `content_name`."""

    def make(self, directory: Path) -> None:
        """Write the file: whole or not at all (`firmware_flows.files.atomic_path`). May run in another process."""

    def load(self, directory: Path) -> T_co | None:
        """What the file holds; None where it is absent or damaged."""


def content_name(prefix: str, content: dict[str, Any], suffix: str = ".h5") -> str:
    """A file name that is the same for the same content: `prefix-0123456789abcdef.h5`. `content` is JSON."""
    return f"{prefix}-{hash_value(content)[:16]}{suffix}"


def chunk_seed(*numbers: int) -> int:
    """A seed of 64 bits for the chunk that these whole numbers stand for: the run's seed, the kind, the index."""
    return int(np.random.SeedSequence(list(numbers)).generate_state(1, np.uint64)[0])


def sizes(events: int, per_chunk: int) -> list[int]:
    """`events` in chunks of `per_chunk`; the last one may be smaller."""
    return [min(per_chunk, events - start) for start in range(0, events, per_chunk)]


def gather(
    chunks: Sequence[Chunk[T]], directory: Path, workers: int | None = None, progress: Progress | None = None
) -> list[T]:
    """What all chunks hold, in their order; those not yet in `directory` are made first.

    `workers` processes run at a time (None: one per available core; 1: none but this one). They are spawned, so a
    script that calls this must do so under `if __name__ == "__main__"`. Raises WorkerDiedError, and whatever `make`
    raises; finished chunks are kept.
    """
    report = progress or (lambda done, total: None)
    total = sum(chunk.events for chunk in chunks)
    found: dict[int, T] = {}
    for index, chunk in enumerate(chunks):
        cached = chunk.load(directory)
        if cached is not None:
            found[index] = cached
    done = sum(chunks[index].events for index in found)
    report(done, total)
    missing = [index for index in range(len(chunks)) if index not in found]
    for index in _make(chunks, missing, directory, workers or available_cores()):
        # Read back from the file even when made in this process: one path, whatever the number of workers.
        made = chunks[index].load(directory)
        if made is None:
            raise FirmwareFlowsError(f"{chunks[index].path(directory)} cannot be read right after it was written")
        found[index] = made
        done += chunks[index].events
        report(done, total)
    return [found[index] for index in range(len(chunks))]


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def start_worker() -> None:
    """First thing in a worker: an interrupt is the parent's to handle, and the parent's end is its own."""
    # Ctrl-C reaches the whole process group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A parent that was killed cannot tell its workers, who would wait for it for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _make(chunks: Sequence[Chunk[T]], missing: Sequence[int], directory: Path, workers: int) -> Iterator[int]:
    """Make the files of the chunks of these indices, yielding each index when its file is there."""
    if workers == 1 or len(missing) <= 1:
        for index in missing:
            chunks[index].make(directory)
            yield index
        return
    pool = ProcessPoolExecutor(
        max_workers=min(workers, len(missing)), mp_context=get_context("spawn"), initializer=start_worker
    )
    try:
        futures = {pool.submit(chunks[index].make, directory): index for index in missing}
        for future in as_completed(futures):
            future.result()
            yield futures[future]
    except BrokenProcessPool as error:
        raise WorkerDiedError from error
    finally:
        # On an interrupt the workers finish their present chunk, which is then cached, and take no other.
        pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        # Not sys.exit, which would end this thread alone. A half-written file has a temporary name.
        os._exit(1)
