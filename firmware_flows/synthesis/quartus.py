"""Quartus: synthesis and fit of RTL with virtual pins, by a script that we write."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from firmware_flows.errors import MissingToolError
from firmware_flows.files import write_text
from firmware_flows.processes import Progress, run_tool
from firmware_flows.synthesis.errors import ReportError
from firmware_flows.synthesis.quartus_report import read_fit, read_fmax
from firmware_flows.synthesis.result import SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.vivado import quoted

SCRIPT = "synthesis.tcl"
CONSTRAINTS = "clock.sdc"
LOG = "quartus.log"


def script(source: Source, directory: Path) -> str:
    """The Tcl that `quartus_sh -t` runs in `directory`: all ports but the clock are virtual pins."""
    kind = "VHDL_FILE" if source.language == "vhdl" else "SYSTEMVERILOG_FILE"
    pins = [name for name, _ in (*source.inputs, *source.outputs)]
    return "\n".join(
        [
            "load_package flow",
            "load_package device",
            f"set part {quoted(source.target)}",
            f"project_new -overwrite -family [lindex [get_part_info -family $part] 0] -part $part {source.top}",
            f"set_global_assignment -name TOP_LEVEL_ENTITY {source.top}",
            *(f"set_global_assignment -name {kind} {quoted(path)}" for path in source.paths_from(directory)),
            f"set_global_assignment -name SDC_FILE {CONSTRAINTS}",
            "set_global_assignment -name PROJECT_OUTPUT_DIRECTORY output_files",
            *(f"set_instance_assignment -name VIRTUAL_PIN ON -to {quoted(f'{pin}[*]')}" for pin in pins),
            "execute_flow -compile",
            "project_close",
            "",
        ]
    )


def synthesize_quartus(
    source: Source, directory: Path, timeout: float, progress: Progress | None = None
) -> SynthesisResult:
    """Synthesise, place and route with Quartus.

    Leaves script, log and the tool's project in `directory`. Raises MissingToolError, ToolFailedError, ReportError.
    """
    program = shutil.which("quartus_sh")
    if program is None:
        raise MissingToolError("quartus_sh", "to synthesise with Quartus", "install Quartus Prime and put it on PATH")
    directory.mkdir(parents=True, exist_ok=True)
    period = 1000.0 / source.clock_mhz
    write_text(
        directory / CONSTRAINTS, f"create_clock -name {source.clock} -period {period:.4f} [get_ports {source.clock}]\n"
    )
    write_text(directory / SCRIPT, script(source, directory))
    seconds = run_tool(
        "Quartus", (program, "-t", SCRIPT), directory / LOG, directory=directory, timeout=timeout,
        progress=progress, remedy="See the log; a missing licence or an unknown device are the usual causes.",
    )  # fmt: skip
    output = directory / "output_files"
    # Quartus Prime Standard writes a summary file, Pro only the report.
    fit = next(
        (output / f"{source.top}{s}" for s in (".fit.summary", ".fit.rpt") if (output / f"{source.top}{s}").exists()),
        None,
    )
    if fit is None:
        raise ReportError(output / f"{source.top}.fit.rpt", "utilisation")
    timing = output / f"{source.top}.sta.rpt"
    return replace(
        read_fit(fit),
        clocks=read_fmax(timing, source.clock_mhz),
        files=(SCRIPT, CONSTRAINTS, LOG, f"output_files/{fit.name}", f"output_files/{timing.name}"),
        seconds=round(seconds, 1),
    )
