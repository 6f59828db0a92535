"""A Verilog design compiled with Verilator, once per content, and called from Python."""

from __future__ import annotations

import ctypes
import os
import queue
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.hls.compiler import compiler_version, find_compiler
from firmware_flows.processes import TIMEOUT_SECONDS
from firmware_flows.rtl import harness
from firmware_flows.rtl.ports import Mantissas, Port
from firmware_flows.rtl.verilator import LIBRARY, PREFIX, Verilator, compile_cpp, find_verilator

if TYPE_CHECKING:
    from firmware_flows.rtl.design import Design

Progress = Callable[[int, int], None]

LOG = "verilator.log"

ARGUMENTS = (
    *("--top-module", harness.TOP, "-O3", "--no-timing"),
    *("--x-assign", "unique", "--x-initial", "unique"),  # random values where hardware may have any
    *("-Wno-fatal", "-Wno-lint"),
    *("--output-split", "20000", "--output-split-cfuncs", "2500"),  # compilers are slow on long functions
)


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


def compile_verilog(design: Design, progress: Progress | None = None, timeout: float = TIMEOUT_SECONDS) -> Path:
    """Translate and compile the design, unless that was done for just this content; returns the library."""
    verilator, compiler = find_verilator(), find_compiler("to compile the simulation of RTL")
    wrapper = harness.wrapper_source(design.top, design.clock, design.inputs, design.outputs)
    cpp = harness.harness_source(PREFIX, design.inputs, design.outputs)
    fixed = [*ARGUMENTS, *LIBRARY.common, *LIBRARY.fast, *LIBRARY.slow, verilator.version_text,
             compiler_version(compiler), wrapper, cpp]  # fmt: skip
    library = design.simulation / f"lib{design.content_hash(fixed)}.so"
    if not library.exists():
        library.parent.mkdir(exist_ok=True)
        _build(design, verilator, wrapper, cpp, library, progress, timeout)
        for old in library.parent.glob("lib*.so"):
            if old != library:
                old.unlink(missing_ok=True)
    return library


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
