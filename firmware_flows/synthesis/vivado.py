"""Vivado: out-of-context synthesis and implementation of RTL, by a script that we write."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from firmware_flows.errors import MissingToolError
from firmware_flows.files import write_text
from firmware_flows.processes import Progress, run_tool
from firmware_flows.synthesis.result import SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.vivado_report import read_timing, read_utilisation

SCRIPT = "synthesis.tcl"
CONSTRAINTS = "clock.xdc"
LOG = "vivado.log"
SYNTHESISED = "utilisation_synthesised.rpt"
ROUTED = "utilisation_routed.rpt"
TIMING = "timing_routed.rpt"


def script(source: Source, directory: Path) -> str:
    """The Tcl that Vivado runs in `directory`: out of context, so that ports need no pins."""
    command = "read_vhdl -vhdl2008" if source.language == "vhdl" else "read_verilog -sv"
    # a list of one path, since the path may hold spaces
    reads = [f"{command} {quoted(quoted(path))}" for path in source.paths_from(directory)]
    return "\n".join(
        [
            *reads,
            f"read_xdc {CONSTRAINTS}",
            f"synth_design -top {source.top} -part {quoted(source.target)} "
            "-mode out_of_context -flatten_hierarchy full",
            f"report_utilization -file {SYNTHESISED}",
            "opt_design",
            "place_design",
            "phys_opt_design",
            "route_design",
            f"report_utilization -file {ROUTED}",
            f"report_timing_summary -file {TIMING}",
            "write_checkpoint -force routed.dcp",
            "",
        ]
    )


def quoted(word: str) -> str:
    """A word that Tcl takes as it is."""
    return "{" + word + "}"


def synthesize_vivado(
    source: Source, directory: Path, timeout: float, progress: Progress | None = None
) -> tuple[SynthesisResult, SynthesisResult]:
    """Synthesise, place and route with Vivado, out of context: the result after synthesis, and as routed.

    Leaves script, log, reports and checkpoint in `directory`. Raises MissingToolError, ToolFailedError, ReportError.
    """
    program = shutil.which("vivado")
    if program is None:
        raise MissingToolError("vivado", "to synthesise with Vivado", "install Vivado and source its settings64.sh")
    directory.mkdir(parents=True, exist_ok=True)
    period = 1000.0 / source.clock_mhz
    write_text(
        directory / CONSTRAINTS, f"create_clock -name {source.clock} -period {period:.4f} [get_ports {source.clock}]\n"
    )
    write_text(directory / SCRIPT, script(source, directory))
    command = (program, "-mode", "batch", "-nojournal", "-nolog", "-source", SCRIPT)
    seconds = run_tool(
        "Vivado", command, directory / LOG, directory=directory, timeout=timeout,
        progress=progress, remedy="See the log; a missing licence or an unknown part are the usual causes.",
    )  # fmt: skip
    left = (SCRIPT, CONSTRAINTS, LOG, SYNTHESISED, ROUTED, TIMING)
    synthesised = replace(read_utilisation(directory / SYNTHESISED), files=left, seconds=round(seconds, 1))
    routed = replace(
        read_utilisation(directory / ROUTED),
        files=left,
        seconds=round(seconds, 1),
        clocks=read_timing(directory / TIMING),
    )
    return synthesised, routed
