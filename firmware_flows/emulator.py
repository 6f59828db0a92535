"""Running a Program on arrays of events: exact, in blocks, on all cores, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.block_memory import Block
from firmware_flows.errors import InputError
from firmware_flows.events import Events, events_of, finite_float32
from firmware_flows.execution_plan import CarrierError, Plan
from firmware_flows.fixed_point import Integers
from firmware_flows.parallel_blocks import Progress, cores, in_blocks
from firmware_flows.program import Program, ProgramError

__all__ = ["CarrierError", "Events", "classify", "emulate", "events_of", "finite_float32", "trace", "trace_mantissas"]


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
    of the output's type with `raw`; a tuple where the Program has several outputs. threads: all cores by default.
    `progress` is called with (events done, events in all). Raises InputError for wrong shapes, NaN and infinity;
    CarrierError where a value needs more than 63 bits (53 for real numbers).
    """
    outputs = _run(program, "outputs", [o.value for o in program.outputs], x, raw, threads, progress)
    return outputs[0] if len(outputs) == 1 else tuple(outputs)


def trace(
    program: Program, x: Events, threads: int | None = None, progress: Progress | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """The value of every layer for events `x`: {layer name: float64 (events, ...)}, exact.

    Everything is kept, so memory grows with the number of events. Raises as `emulate` does.
    """
    values = [layer.value for layer in program.layers]
    arrays = _run(program, "layers", values, x, False, threads, progress)
    return {layer.name: array for layer, array in zip(program.layers, arrays, strict=True)}


def trace_mantissas(
    program: Program, x: Events, threads: int | None = None, progress: Progress | None = None
) -> dict[str, Integers]:
    """The mantissas of every layer's value for events `x`: {layer name: int64 (events, ...)}."""
    values = [layer.value for layer in program.layers]
    arrays = _run(program, "layers", values, x, True, threads, progress)
    return {layer.name: array for layer, array in zip(program.layers, arrays, strict=True)}


def classify(program: Program, x: Events, threads: int | None = None, progress: Progress | None = None) -> Integers:
    """The class of every event: index of the largest output, the first on ties; int64 (events,).

    For a Program with one output vector. Raises ProgramError otherwise.
    """
    if len(program.outputs) != 1 or len(program.instructions[program.outputs[0].value].shape) != 1:
        raise ProgramError(f"program {program.name!r} has no single output vector to take the largest of")
    logits = emulate(program, x, raw=True, threads=threads, progress=progress)
    return np.asarray(logits.argmax(axis=-1))


def _run(
    program: Program,
    kind: str,
    values: list[int],
    x: Events,
    raw: bool,
    threads: int | None,
    progress: Progress | None,
) -> list[npt.NDArray[Any]]:
    """The wanted values for all events, in their order; float64, or int64 mantissas with `raw`."""
    if threads is not None and (not isinstance(threads, int | np.integer) or threads < 1):
        raise InputError(f"threads = {threads!r}: give a positive number")
    arrays = events_of(program, x)
    events = arrays[0].shape[0]
    plan = _plan(program, kind, values)
    write: Callable[[Block, int, npt.NDArray[Any]], None] = plan.write_mantissas if raw else plan.write_real
    if not raw:
        for value in values:
            plan.check_real(value)
    results = [np.empty((events, *program.instructions[v].shape), np.int64 if raw else np.float64) for v in values]
    memory = threading.local()
    capacity = min(plan.block_events, events)

    def run(first: int, last: int) -> None:
        if not hasattr(memory, "block"):
            memory.block = plan.block(capacity)
        block: Block = memory.block
        inputs = [finite_float32(a[first:last], p.port, first) for a, p in zip(arrays, program.inputs, strict=True)]
        with np.errstate(all="ignore"):  # what leaves float32 in an input saturates
            plan.run(block, inputs)
            for value, result in zip(values, results, strict=True):
                write(block, value, result[first:last])

    in_blocks(run, events, plan.block_events, threads or cores(), progress)
    return results


def _plan(program: Program, kind: str, values: list[int]) -> Plan:
    """The Program's plan for these values, compiled once; `kind` names them."""
    plans: dict[str, Plan] | None = program.__dict__.get("_plans")
    if plans is None:
        plans = {}
        object.__setattr__(program, "_plans", plans)
    if kind not in plans:
        plans[kind] = Plan(program, values)
    return plans[kind]
