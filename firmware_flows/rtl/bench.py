"""Running the self-checking test bench that is written with a design, as a firmware engineer would."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from firmware_flows.errors import CheckFailedError, MissingToolError
from firmware_flows.processes import TIMEOUT_SECONDS, ToolFailedError, run_tool
from firmware_flows.rtl.design import Design
from firmware_flows.rtl.ghdl import OPTIONS, find_ghdl
from firmware_flows.rtl.testbench import DIRECTORY as TESTBENCH
from firmware_flows.rtl.verilator import EXECUTABLE, compile_cpp, find_verilator

Simulator = Literal["verilator", "iverilog", "ghdl"]

LOG = "testbench.log"

_PASS = re.compile(r"PASS: (\d+) events, all bits equal")
_FAIL = re.compile(r"FAIL: .*")
_DIFFERENCE = re.compile(r"event \d+, port .*: wanted .*")


class TestbenchError(CheckFailedError):
    """The test bench found a difference, or did not come to its end: its own words, and the log."""

    def __init__(self, simulator: str, reason: str, log: Path) -> None:
        self.simulator = simulator
        self.reason = reason
        self.log = log
        super().__init__(f"the design's test bench under {simulator}: {reason} (log: {log})")


def run_testbench(design: Design, simulator: Simulator | None = None, timeout: float = TIMEOUT_SECONDS) -> int:
    """Run the design's test bench on its vectors; returns how many events it compared.

    simulator: by default Verilator for Verilog, GHDL for VHDL. timeout in seconds, for every call of a tool. Raises
    TestbenchError when it finds a difference, MissingToolError, and ToolFailedError when it cannot be compiled.
    """
    chosen = simulator or ("ghdl" if design.language == "vhdl" else "verilator")
    log = design.simulation / LOG
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=log.parent) as name:
        command = _BUILDERS[chosen](design, Path(name), log, timeout)
        try:
            run_tool(chosen, command, log, timeout=timeout, directory=design.directory, append=True)
        except ToolFailedError as error:
            text = log.read_text(encoding="utf-8", errors="replace")
            found = [line.group() for line in (_FAIL.search(text), _DIFFERENCE.search(text)) if line]
            raise TestbenchError(chosen, "; ".join(found) or error.reason, log) from None
    passed = _PASS.search(log.read_text(encoding="utf-8", errors="replace"))
    if passed is None:
        raise TestbenchError(chosen, "it ended without saying PASS", log)
    return int(passed.group(1))


def _files(design: Design) -> tuple[str, list[Path]]:
    """Name of the test bench, and all files: those of the design, the test bench last."""
    name = f"{design.top}_testbench"
    bench = design.directory / TESTBENCH / f"{name}.{'vhd' if design.language == 'vhdl' else 'sv'}"
    return name, [*(design.directory / s for s in design.sources), bench]


def _verilator(design: Design, directory: Path, log: Path, timeout: float) -> list[str | Path]:
    """Compiled once per content: the vectors are read when it runs."""
    name, files = _files(design)
    verilator = find_verilator("to run the test bench")
    arguments = ["--main", "--timing", "--top-module", name, "--x-initial", "unique", "-Wno-fatal", "-Wno-lint"]
    fixed = [*arguments, *EXECUTABLE.common, verilator.version_text, files[-1].read_text(encoding="utf-8")]
    executable = log.parent / f"testbench-{design.content_hash(fixed)}"
    if not executable.exists():
        sources = verilator.verilate([*arguments, *files], directory / "cpp", log, timeout)
        compile_cpp(verilator, sources, [], directory / name, log, EXECUTABLE, timeout=timeout)
        for old in log.parent.glob("testbench-*"):
            old.unlink(missing_ok=True)
        os.replace(directory / name, executable)
    return [executable]


def _iverilog(design: Design, directory: Path, log: Path, timeout: float) -> list[str | Path]:
    compiler, runner = shutil.which("iverilog"), shutil.which("vvp")
    if compiler is None or runner is None:
        remedy = "install it (Debian, Ubuntu: apt install iverilog)"
        raise MissingToolError("Icarus Verilog", "to run the test bench with it", remedy)
    name, files = _files(design)
    run_tool("iverilog", [compiler, "-g2012", "-s", name, "-o", directory / name, *files], log, timeout=timeout)
    return [runner, directory / name]


def _ghdl(design: Design, directory: Path, log: Path, timeout: float) -> list[str | Path]:
    program, (name, files) = find_ghdl(), _files(design)
    work = f"--workdir={directory}"
    run_tool("ghdl", [program, "-a", *OPTIONS, work, *files], log, timeout=timeout, directory=directory)
    return [program, "--elab-run", *OPTIONS, work, name, "--ieee-asserts=disable"]


_BUILDERS = {"verilator": _verilator, "iverilog": _iverilog, "ghdl": _ghdl}
