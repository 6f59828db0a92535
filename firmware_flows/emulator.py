"""Running a Program on arrays of events: exact, in blocks, on all cores, in bounded memory."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import ThreadpoolController

from firmware_flows.errors import InputError
from firmware_flows.execution_plan import CarrierError, Plan
from firmware_flows.fixed_point import Integers
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program, ProgramError

__all__ = ["CarrierError", "classify", "emulate", "events_of", "trace"]

Progress = Callable[[int, int], None]
Events = npt.ArrayLike | Sequence[npt.ArrayLike] | Mapping[str, npt.ArrayLike]

BLOCK_BYTES = 1 << 19
"""The widest value of a block: what stays in a core's own cache beside the weights."""


def emulate(
    program: Program,
    x: Events,
    raw: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Any:
    """Outputs of the network for events `x`, bit for bit as the firmware gives them.

    x: real numbers (events, ...); a sequence or a mapping by port name where the Program has several inputs. Any
    type other than float32 is converted to it once, first. Returns float64 (events, ...), exact, or int64 mantissas
    of the output's type with `raw`; a tuple where the Program has several outputs. `progress` is called with (events
    done, events in all). Raises InputError for wrong shapes, NaN and infinity; CarrierError where a value needs
    more than 63 bits.
    """
    inputs = events_of(program, x)
    plan = _plan(program)
    events = inputs[0].shape[0]
    outputs = _outputs(program, events, raw)

    def run(first: int, last: int) -> None:
        block = [
            finite_float32(i[first:last], port.port, first) for i, port in zip(inputs, program.inputs, strict=True)
        ]
        with np.errstate(over="ignore", invalid="ignore"):
            for k, held in enumerate(plan.run(block)):
                outputs[k][first:last] = plan.to_mantissas(k, held) if raw else plan.to_real(k, held)

    _in_blocks(run, events, _block_size(program), threads, progress)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def trace(program: Program, x: Events) -> dict[str, npt.NDArray[np.float64]]:
    """The value of every layer for events `x`: {layer name: float64 (events, ...)}, exact.

    Everything is kept, so memory grows with the number of events. Raises as `emulate` does, and OverflowError where
    a layer's values do not fit 53 bits (`trace_mantissas` has them).
    """
    mantissas = trace_mantissas(program, x)
    return {layer.name: layer.type.to_float(mantissas[layer.name]) for layer in program.layers}


def trace_mantissas(program: Program, x: Events) -> dict[str, Integers]:
    """The mantissas of every layer's value for events `x`: {layer name: int64 (events, ...)}."""
    _plan(program)  # refuses what no carrier holds
    inputs = events_of(program, x)
    events = inputs[0].shape[0]
    rounded = [
        port.type.quantize(finite_float32(i, port.port, 0)) for i, port in zip(inputs, program.inputs, strict=True)
    ]
    by_value: dict[int, list[str]] = {}
    for layer in program.layers:
        by_value.setdefault(layer.value, []).append(layer.name)
    kept: dict[str, Integers] = {}
    for number, value in enumerate(interpret(program, rounded)):
        for name in by_value.get(number, []):
            kept[name] = np.broadcast_to(value, (events, *value.shape[1:]))
    return {layer.name: kept[layer.name] for layer in program.layers}


def classify(program: Program, x: Events, threads: int | None = None, progress: Progress | None = None) -> Integers:
    """The class of every event: index of the largest output, the first on ties; int64 (events,).

    For a Program with one output vector. Raises ProgramError otherwise.
    """
    if len(program.outputs) != 1 or len(program.instructions[program.outputs[0].value].shape) != 1:
        raise ProgramError(f"program {program.name!r} has no single output vector to take the largest of")
    logits = emulate(program, x, raw=True, threads=threads, progress=progress)
    return np.asarray(logits.argmax(axis=-1))


def events_of(program: Program, x: Events) -> list[npt.NDArray[Any]]:
    """`x` as one array an input port, shapes checked. Raises InputError naming port, shape and what is wanted."""
    ports = program.inputs
    if isinstance(x, Mapping):
        missing = [p.port for p in ports if p.port not in x]
        if missing or len(x) != len(ports):
            raise InputError(f"inputs {sorted(x)} given, but {program.name!r} has {[p.port for p in ports]}")
        arrays = [np.asarray(x[p.port]) for p in ports]
    elif len(ports) == 1:
        arrays = [np.asarray(x)]
    else:
        if not isinstance(x, Sequence) or len(x) != len(ports):
            raise InputError(f"{program.name!r} has {len(ports)} inputs: give one array for each of "
                             f"{[p.port for p in ports]}")  # fmt: skip
        arrays = [np.asarray(a) for a in x]
    for port, array in zip(ports, arrays, strict=True):
        if array.dtype.kind not in "fiub":
            raise InputError(f"events for {port.port!r} are {array.dtype}: give real numbers")
        if array.ndim == 0 or array.shape[1:] != port.shape:
            raise InputError(f"events for {port.port!r} have shape {array.shape}: give (events, "
                             f"{', '.join(map(str, port.shape))})")  # fmt: skip
    if len({a.shape[0] for a in arrays}) != 1:
        raise InputError(f"inputs have different numbers of events: {[a.shape[0] for a in arrays]}")
    return arrays


def finite_float32(block: npt.NDArray[Any], port: str, first: int) -> npt.NDArray[np.float32]:
    """Events as float32. Raises InputError naming the first event that holds NaN, infinity, or what becomes one."""
    with np.errstate(over="ignore"):
        converted = block.astype(np.float32, copy=False)
    finite = np.isfinite(converted)
    if not finite.all():
        where = tuple(int(k) for k in np.argwhere(~finite)[0])
        raise InputError(
            f"event {first + where[0]}, element {where[1:]} of {port!r} is {block[where]}: "
            "not a finite float32. Remove or repair such events"
        )
    return converted


def _outputs(program: Program, events: int, raw: bool) -> list[npt.NDArray[Any]]:
    outputs = []
    for output in program.outputs:
        value = program.instructions[output.value]
        if not raw and program.ranges[output.value].magnitude > 2**53:
            raise CarrierError(value.layer, value.type.width)
        outputs.append(np.empty((events, *value.shape), dtype=np.int64 if raw else np.float64))
    return outputs


def _plan(program: Program) -> Plan:
    plan: Plan | None = program.__dict__.get("_plan")
    if plan is None:
        plan = Plan(program)
        object.__setattr__(program, "_plan", plan)
    return plan


def _block_size(program: Program) -> int:
    widest = max(int(np.prod(i.shape, dtype=np.int64)) for i in program.instructions)
    return max(16, BLOCK_BYTES // (4 * widest))


_blas: list[ThreadpoolController] = []
_blas_lock = threading.Lock()


def _in_blocks(
    run: Callable[[int, int], None], events: int, size: int, threads: int | None, progress: Progress | None
) -> None:
    """`run(first, last)` over all blocks; several threads share them, each with BLAS on one core."""
    blocks = _ranges(events, size)
    workers = min(threads or len(os.sched_getaffinity(0)), -(-events // size))
    with _blas_lock:
        if not _blas:
            _blas.append(ThreadpoolController())
    with _blas[0].limit(limits=1, user_api="blas"):
        if workers <= 1:
            for first, last in blocks:
                run(first, last)
                if progress:
                    progress(last, events)
            return
        _in_threads(run, blocks, workers, events, progress)


def _in_threads(
    run: Callable[[int, int], None],
    blocks: Iterator[tuple[int, int]],
    workers: int,
    events: int,
    progress: Progress | None,
) -> None:
    done = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="emulate") as pool:
        waiting: dict[Future[None], int] = {}
        try:
            for first, last in blocks:
                waiting[pool.submit(run, first, last)] = last - first
                if len(waiting) < 2 * workers:
                    continue
                done += _finished(waiting, FIRST_COMPLETED)
                if progress:
                    progress(done, events)
            while waiting:
                done += _finished(waiting, FIRST_COMPLETED)
                if progress:
                    progress(done, events)
        except BaseException:
            for future in waiting:
                future.cancel()
            raise


def _finished(waiting: dict[Future[None], int], when: str) -> int:
    done = 0
    for future in wait(waiting, return_when=when).done:
        done += waiting.pop(future)
        future.result()
    return done


def _ranges(events: int, size: int) -> Iterator[tuple[int, int]]:
    for first in range(0, events, size):
        yield first, min(first + size, events)
