"""Running a design: Verilog with Verilator, compiled once per content; VHDL with GHDL.

Events stream in at one a clock. How many clocks later their outputs come is measured, not taken from the generator.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.errors import InputError
from firmware_flows.hls.compiler import compiler_version, find_compiler
from firmware_flows.parallel_blocks import cores, in_blocks
from firmware_flows.processes import TIMEOUT_SECONDS
from firmware_flows.rtl import harness
from firmware_flows.rtl.ports import Mantissas, Port
from firmware_flows.rtl.timing import Cycles, measure_timing
from firmware_flows.rtl.verilator import LIBRARY, PREFIX, Verilator, compile_cpp, find_verilator

if TYPE_CHECKING:
    from firmware_flows.rtl.design import Design

Progress = Callable[[int, int], None]

DIRECTORY = "simulation"
"""Folder of the design that holds the compiled library and the logs."""

LOG = "verilator.log"

BLOCK_EVENTS = 8192
"""Events of a block. Each begins by filling the pipeline anew."""

ARGUMENTS = (
    *("--top-module", harness.TOP, "-O3", "--no-timing"),
    *("--x-assign", "unique", "--x-initial", "unique"),  # random values where hardware may have any
    *("-Wno-fatal", "-Wno-lint"),
    *("--output-split", "20000", "--output-split-cfuncs", "2500"),  # compilers are slow on long functions
)

_libraries: dict[str, Library] = {}
_lock = threading.Lock()


class Library:
    """A compiled design. `run` may be called from several threads: each takes a model of its own."""

    def __init__(self, path: Path, outputs: Sequence[Port]) -> None:
        self.path = path
        self.outputs = tuple(outputs)
        self._idle: queue.SimpleQueue[int] = queue.SimpleQueue()
        handle = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
        self._new, self._delete, self._run = handle.ff_new, handle.ff_delete, handle.ff_run
        self._new.argtypes, self._new.restype = [ctypes.c_int], ctypes.c_void_p
        self._delete.argtypes, self._delete.restype = [ctypes.c_void_p], None
        pointers = ctypes.POINTER(ctypes.c_void_p)
        self._run.argtypes = [ctypes.c_void_p, pointers, ctypes.c_int64, ctypes.c_int64, pointers]
        self._run.restype = None

    def run(self, inputs: Sequence[Mantissas], skip: int, into: Sequence[Mantissas]) -> None:
        """A new event every clock; outputs of the cycles after the first `skip`, as many as events, go to `into`."""
        with self._model() as model:
            self._run(model, _pointers(inputs), inputs[0].shape[0], skip, _pointers(into))

    def from_power_up(self, inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        """Outputs in every clock cycle, by a new model whose registers begin with random bits."""
        outputs = self.empty(inputs[0].shape[0])
        model = self._new(seed)
        try:
            self._run(model, _pointers(inputs), inputs[0].shape[0], 0, _pointers(outputs))
        finally:
            self._delete(model)
        return outputs

    def empty(self, events: int) -> list[Mantissas]:
        """Arrays for the outputs of so many events, (events, size)."""
        return [np.empty((events, port.size), np.int64) for port in self.outputs]

    @contextmanager
    def _model(self) -> Iterator[int]:
        try:
            model = self._idle.get_nowait()
        except queue.Empty:
            model = self._new(1)
        try:
            yield model
        finally:
            self._idle.put(model)


def _pointers(arrays: Sequence[Mantissas]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


# ---- what Design calls


def compile_design(design: Design, progress: Progress | None = None, timeout: float = TIMEOUT_SECONDS) -> Path:
    """Translate and compile the design, unless that was done for just this content; returns the library.

    VHDL: GHDL's library of analysed files. `timeout` in seconds is that of a single tool's run. Raises
    MissingToolError, and ToolFailedError with the first error of Verilator or the compiler; their whole output is in
    the design's `simulation/`.
    """
    if design.language == "vhdl":
        from firmware_flows.rtl import ghdl

        return ghdl.analyse(design, progress, timeout)
    verilator, compiler = find_verilator(), find_compiler("to compile the simulation of RTL")
    wrapper = harness.wrapper_source(design.top, design.clock, design.inputs, design.outputs)
    cpp = harness.harness_source(PREFIX, design.inputs, design.outputs)
    fixed = [*ARGUMENTS, *LIBRARY.common, *LIBRARY.fast, *LIBRARY.slow, verilator.version_text,
             compiler_version(compiler), wrapper, cpp]  # fmt: skip
    library = design.directory / DIRECTORY / f"lib{content_hash(design, fixed)}.so"
    if not library.exists():
        library.parent.mkdir(exist_ok=True)
        _build(design, verilator, wrapper, cpp, library, progress, timeout)
        for old in library.parent.glob("lib*.so"):
            if old != library:
                old.unlink(missing_ok=True)
    return library


def content_hash(design: Design, others: Sequence[str]) -> str:
    """A name for the content of all HDL files of a design and of `others`."""
    digest = hashlib.sha256()
    for text in others:
        digest.update(text.encode() + b"\0")
    for source in design.sources:
        digest.update(source.as_posix().encode() + b"\0")
        digest.update(hashlib.sha256((design.directory / source).read_bytes()).digest())
    return digest.hexdigest()[:24]


def _build(
    design: Design,
    verilator: Verilator,
    wrapper: str,
    cpp: str,
    library: Path,
    progress: Progress | None,
    timeout: float,
) -> None:
    if progress:
        progress(0, 1)
    log = library.parent / LOG
    log.unlink(missing_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".build-", dir=library.parent))
    try:
        (temporary / f"{harness.TOP}.v").write_text(wrapper)
        (temporary / f"{harness.TOP}.cpp").write_text(cpp)
        files = [*(design.directory / s for s in design.sources), temporary / f"{harness.TOP}.v"]
        sources = verilator.verilate([*ARGUMENTS, *files], temporary / "cpp", log, timeout)
        made, extra = temporary / library.name, [temporary / f"{harness.TOP}.cpp"]
        compile_cpp(verilator, sources, extra, made, log, LIBRARY, timeout=timeout, progress=progress)
        made.chmod(0o755)
        os.replace(made, library)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
        from firmware_flows.rtl import ghdl

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
        from firmware_flows.rtl import ghdl

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
