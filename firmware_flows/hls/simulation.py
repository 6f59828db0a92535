"""Running the compiled C++ over arrays of events."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from firmware_flows.events import Events, given_by_port
from firmware_flows.hls.errors import ProjectError
from firmware_flows.hls.plan import Port
from firmware_flows.program import Input

Progress = Callable[[int, int], None]

BLOCK_EVENTS = 2048
"""Events of a block: tenths of a second of C++, so that progress moves and Ctrl-C is heard."""

RESULTS = {1: "the system gave no thread (memory for its stack?)", 2: "values were left in, or missing from, a stream",
           3: "hls4ml's C++ refused its own configuration"}  # fmt: skip

_libraries: dict[str, Library] = {}
_lock = threading.Lock()


class Library:
    """A loaded library. `run` may be called from several threads.

    One that is `stateful` has static variables in its C++ (the line buffers of streamed windows): it runs one block
    after another, whoever calls.
    """

    def __init__(
        self, path: Path, input_size: int, output_sizes: tuple[int, ...], trace_size: int, stateful: bool
    ) -> None:
        self.path = path
        self.stateful = stateful
        self._turn = threading.Lock()
        self.input_size = input_size
        self.output_sizes = output_sizes
        self.trace_size = trace_size
        handle = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        self._run = handle.ff_run
        self._run.restype = ctypes.c_int64
        self._run.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p]
        handle.ff_trace_size.restype = ctypes.c_int64
        if handle.ff_trace_size() != trace_size:
            raise ProjectError(f"{path} was not compiled from this project: compile again")
        # hls4ml reads the weights' text files on the first call, without a lock
        self.run(np.zeros((1, input_size), np.float32))

    def run(
        self, x: npt.NDArray[np.float32], trace: npt.NDArray[np.int64] | None = None
    ) -> tuple[npt.NDArray[np.int64], ...]:
        """Mantissas of every output, (events, size); x is (events, input size), contiguous."""
        events = x.shape[0]
        outputs = tuple(np.empty((events, size), np.int64) for size in self.output_sizes)
        pointers = (ctypes.c_void_p * len(outputs))(*(output.ctypes.data for output in outputs))
        message = ctypes.create_string_buffer(512)
        recorded = None if trace is None else trace.ctypes.data
        with self._turn if self.stateful else nullcontext():
            result = self._run(x.ctypes.data, events, pointers, recorded, message)
        if result:
            detail = message.value.decode(errors="replace")
            raise ProjectError(f"{self.path}: {RESULTS.get(result, result)}{': ' if detail else ''}{detail}")
        return outputs


def load(
    path: Path, input_size: int, output_sizes: tuple[int, ...], trace_size: int, stateful: bool = False
) -> Library:
    """The library at this path; its name holds a hash of its content, so that it is loaded once."""
    with _lock:
        key = str(path.resolve())
        if key not in _libraries:
            _libraries[key] = Library(path, input_size, output_sizes, trace_size, stateful)
        return _libraries[key]


def check_events(x: Events, wanted: Sequence[Input], used: Sequence[Port]) -> npt.NDArray[np.float32]:
    """Events as contiguous float32 (events, size of all used inputs), the inputs side by side. Raises InputError.

    x: as `firmware_flows.emulate` takes it, for the Program's inputs; `used` are those that the C++ has.
    """
    given = dict(zip((p.port for p in wanted), given_by_port(x, [p.port for p in wanted]), strict=True))
    arrays = [_check_port(given[p.port], p.shape, p.port) for p in wanted]
    counts = {len(a) for a in arrays}
    if len(counts) != 1:
        raise InputError(f"inputs have different numbers of events: {[len(a) for a in arrays]}")
    chosen = [a for a, p in zip(arrays, wanted, strict=True) if p.port in {port.name for port in used}]
    return chosen[0] if len(chosen) == 1 else np.concatenate(chosen, axis=1)


def _check_port(x: Any, shape: tuple[int, ...], name: str) -> npt.NDArray[np.float32]:
    array = np.asarray(x)
    if array.dtype.kind not in "fiub":
        raise InputError(f"events of {name!r} must be numbers, not {array.dtype}")
    if array.shape[1:] != shape or array.ndim != len(shape) + 1:
        wanted = ", ".join(["events", *map(str, shape)])
        raise InputError(f"events of {name!r} must have the shape ({wanted}), not {array.shape}")
    with np.errstate(over="ignore"):
        single = np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape[0], prod(shape))
    if not np.isfinite(single).all():
        event, feature = np.argwhere(~np.isfinite(single))[0]
        raise InputError(
            f"events of {name!r} hold NaN or infinity (first: event {event}, element {feature}): remove those events"
        )
    return single


def simulate_blocks(
    library: Library, x: npt.NDArray[np.float32], workers: int | None, progress: Progress | None
) -> tuple[npt.NDArray[np.int64], ...]:
    """Mantissas of every output for all events, blocks spread over threads."""
    events = x.shape[0]
    outputs = tuple(np.empty((events, size), np.int64) for size in library.output_sizes)
    threads = max(1, workers if workers is not None else len(os.sched_getaffinity(0)))
    threads = 1 if library.stateful else threads
    # small enough that all threads have work and the slowest does not leave the others idle
    block = max(1, min(BLOCK_EVENTS, -(-events // (4 * threads))))
    starts = list(range(0, events, block))
    done = 0

    def run(start: int) -> int:
        stop = min(start + block, events)
        for output, part in zip(outputs, library.run(x[start:stop]), strict=True):
            output[start:stop] = part
        return stop - start

    if threads == 1 or len(starts) < 2:
        for start in starts:
            done += run(start)
            if progress:
                progress(done, events)
        return outputs
    with ThreadPoolExecutor(threads, thread_name_prefix="csim") as pool:
        pending: set[Future[int]] = set()
        position = 0
        try:
            while pending or position < len(starts):
                while position < len(starts) and len(pending) < 2 * threads:
                    pending.add(pool.submit(run, starts[position]))
                    position += 1
                finished, pending = wait(pending, return_when=FIRST_COMPLETED)
                done += sum(future.result() for future in finished)
                if progress:
                    progress(done, events)
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return outputs
