"""Running a design: Verilog with Verilator, VHDL with GHDL.

Events stream in at one a clock. How many clocks later their outputs come is measured, not taken from the generator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.errors import InputError
from firmware_flows.parallel_blocks import cores, in_blocks
from firmware_flows.processes import TIMEOUT_SECONDS
from firmware_flows.rtl import ghdl
from firmware_flows.rtl.compiled import Library, compile_verilog
from firmware_flows.rtl.ports import Mantissas
from firmware_flows.rtl.timing import Cycles, measure_timing

if TYPE_CHECKING:
    from firmware_flows.rtl.design import Design

Progress = Callable[[int, int], None]

BLOCK_EVENTS = 8192
"""Events of a block. Each begins by filling the pipeline anew."""

_libraries: dict[str, Library] = {}
_lock = threading.Lock()


def compile_design(design: Design, progress: Progress | None = None, timeout: float = TIMEOUT_SECONDS) -> Path:
    """Compile the design, unless that was done for just this content; returns the library.

    VHDL: GHDL's library of analysed files. `timeout` in seconds is that of a single tool's run. Raises
    MissingToolError, and ToolFailedError with the first error of Verilator, the compiler or GHDL; their whole output is
    in the design's `simulation/`.
    """
    return (ghdl.analyse if design.language == "vhdl" else compile_verilog)(design, progress, timeout)


def simulate(
    design: Design, mantissas: tuple[Mantissas, ...], progress: Progress | None = None
) -> tuple[Mantissas, ...]:
    """The RTL on mantissas (events, *shape) of every input port, one event a clock: those of every output port.

    Raises InputError for mantissas that their port's type does not hold; and what compiling and measuring raise.
    """
    inputs = _checked(design, mantissas)
    events = inputs[0].shape[0]
    latency = measure(design)[0]
    if design.language == "vhdl":
        outputs = ghdl.run(design, inputs, latency, progress)
    else:
        library = _library(design)
        outputs = library.empty(events)

        def block(first: int, last: int) -> None:
            library.run([p[first:last] for p in inputs], latency, [p[first:last] for p in outputs])

        # small enough that every thread has work
        size = max(256, min(BLOCK_EVENTS, -(-events // (2 * cores()))))
        in_blocks(block, events, size, cores(), progress)
    return tuple(o.reshape(events, *p.shape) for o, p in zip(outputs, design.outputs, strict=True))


def measure(design: Design) -> tuple[int, int]:
    """Latency and initiation interval in clock cycles, from observed outputs; see `timing.measure_timing`."""
    cycles: Cycles
    key: tuple[str, int]
    if design.language == "vhdl":
        key, cycles = (str(ghdl.analyse(design)), design.pipeline_depth), ghdl.from_power_up(design)
    else:
        library = _library(design)
        key, cycles = (str(library.path), design.pipeline_depth), library.from_power_up
    if key not in _timing:
        _timing[key] = measure_timing(design.program, design.inputs, cycles, design.pipeline_depth)
    return _timing[key]


_timing: dict[tuple[str, int], tuple[int, int]] = {}
"""Measured once for every compiled content and stated depth."""


def _library(design: Design) -> Library:
    path = compile_design(design)
    with _lock:
        key = str(path.resolve())
        if key not in _libraries:
            _libraries[key] = Library(path, design.outputs)
        return _libraries[key]


def _checked(design: Design, mantissas: Sequence[Mantissas]) -> list[Mantissas]:
    """Contiguous int64 (events, size) of every port."""
    if len(mantissas) != len(design.inputs):
        raise InputError(f"mantissas of {len(mantissas)} ports given: the design has {len(design.inputs)} inputs")
    result = []
    for given, port in zip(mantissas, design.inputs, strict=True):
        values = np.asarray(given)
        if values.dtype.kind not in "iu" or values.shape[1:] != port.shape or values.ndim != len(port.shape) + 1:
            wanted = ", ".join(["events", *map(str, port.shape)])
            raise InputError(
                f"mantissas of {port.source!r} are {values.dtype} {values.shape}: give integers of shape ({wanted})"
            )
        t = port.type
        if values.size and (int(values.min()) < t.minimum or int(values.max()) > t.maximum):
            raise InputError(f"mantissas of {port.source!r} go from {values.min()} to {values.max()}, beyond {t}")
        result.append(np.ascontiguousarray(values, np.int64).reshape(values.shape[0], port.size))
    if len({r.shape[0] for r in result}) != 1:
        raise InputError(f"inputs have different numbers of events: {[r.shape[0] for r in result]}")
    return result
