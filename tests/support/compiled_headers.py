"""Emulator headers of many Programs compiled to one library, and called with arrays."""

from __future__ import annotations

import ctypes
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.handoff.cpp import header_text
from firmware_flows.hls.compiler import find_compiler
from firmware_flows.program import Program

_CALL = """
extern "C" int {name}_{number}(const {source}* const* in, {target}* const* out, std::size_t events) {{
    try {{ network_{number}::{function}({arguments}, events); return 0; }} catch (const std::exception&) {{ return 1; }}
}}
"""


class CompiledHeaders:
    """`mantissas(k, inputs)` and `real(k, inputs)` run Program k; None where the emulator refuses the inputs."""

    def __init__(
        self,
        programs: Sequence[Program],
        directory: Path,
        *flags: str,
        change: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.programs = programs
        source = []
        for number, program in enumerate(programs):
            header = directory / f"network_{number}.hpp"
            header.write_text(change(header_text(program, f"network_{number}")))
            ports = [f"in[{k}]" for k in range(len(program.inputs))]
            ports += [f"out[{k}]" for k in range(len(program.outputs))]
            source.append(f'#include "{header.name}"')
            forms = [("mantissas", "emulate_mantissas", "std::int64_t", "std::int64_t")]
            if "inline void emulate(" in header.read_text():
                forms.append(("real", "emulate", "float", "double"))
            for name, function, x, y in forms:
                source.append(
                    _CALL.format(
                        name=name, number=number, source=x, target=y, function=function, arguments=", ".join(ports)
                    )
                )
        (directory / "all.cpp").write_text("\n".join(source))
        library = directory / "all.so"
        warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
        command = [find_compiler(), "-std=c++17", *warnings, "-shared", "-fPIC", *(flags or ("-O1",))]
        done = subprocess.run(
            [*command, str(directory / "all.cpp"), "-o", str(library)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[:4000]
        self._library = ctypes.CDLL(str(library))

    def mantissas(self, number: int, inputs: Sequence[Any]) -> list[Any] | None:
        return self._run("mantissas", number, [np.ascontiguousarray(x, np.int64) for x in inputs], np.int64)

    def real(self, number: int, inputs: Sequence[Any]) -> list[Any] | None:
        return self._run("real", number, [np.ascontiguousarray(x, np.float32) for x in inputs], np.float64)

    def has_real(self, number: int) -> bool:
        return hasattr(self._library, f"real_{number}")

    def _run(self, name: str, number: int, inputs: list[Any], dtype: Any) -> list[Any] | None:
        program, events = self.programs[number], len(inputs[0])
        outputs = [np.zeros((events, *program.instructions[o.value].shape), dtype) for o in program.outputs]
        failed = getattr(self._library, f"{name}_{number}")(
            _pointers(inputs), _pointers(outputs), ctypes.c_size_t(events)
        )
        return None if failed else outputs


def _pointers(arrays: Sequence[Any]) -> Any:
    return (ctypes.c_void_p * len(arrays))(*[a.ctypes.data for a in arrays])
