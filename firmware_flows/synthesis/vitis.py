"""Vitis HLS and Vivado HLS: C synthesis of an HLS project, by a script that we write."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from firmware_flows.errors import MissingToolError
from firmware_flows.files import write_text
from firmware_flows.hls.vendor import REMEDIES
from firmware_flows.processes import Progress, run_tool
from firmware_flows.synthesis.errors import SynthesisSettingsError
from firmware_flows.synthesis.hls_report import read_csynth_xml
from firmware_flows.synthesis.result import SynthesisResult
from firmware_flows.synthesis.vivado import quoted

if TYPE_CHECKING:
    from firmware_flows.hls import Project

SCRIPT = "csynth.tcl"
LOG = "hls.log"
SOLUTION = "solution1"


@dataclass(frozen=True)
class _Program:
    """A program that runs a Tcl script of HLS."""

    program: str
    arguments: Callable[[str], tuple[str, ...]]


_PROGRAMS = {
    # vitis_hls was replaced by vitis-run with 2024.1; both are offered by the versions between.
    "Vitis": (
        _Program("vitis-run", lambda script: ("--mode", "hls", "--tcl", script)),
        _Program("vitis_hls", lambda script: ("-f", script)),
    ),
    "Vivado": (_Program("vivado_hls", lambda script: ("-f", script)),),
}


def find_program(backend: str) -> tuple[str, Callable[[str], tuple[str, ...]]]:
    """Path of the program for a backend, and how it is given a script. Raises MissingToolError."""
    for known in _PROGRAMS[backend]:
        path = shutil.which(known.program)
        if path is not None:
            return path, known.arguments
    names = " or ".join(p.program for p in _PROGRAMS[backend])
    raise MissingToolError(names, f"to synthesise a {backend} HLS project", REMEDIES[backend])


def script(project: Project, directory: Path) -> str:
    """The Tcl that HLS runs in `directory`."""
    name = project.settings.project_name
    firmware = os.path.relpath(project.directory / "firmware", directory)
    flags = quoted(f"-std=c++0x -I{firmware}")
    flow = "-flow_target vivado " if project.settings.backend == "Vitis" else ""
    return "\n".join(
        [
            f"open_project -reset {name}_prj",
            f"set_top {name}",
            f"add_files {quoted(f'{firmware}/{name}.cpp')} -cflags {flags}",
            f"open_solution -reset {flow}{quoted(SOLUTION)}",
            f"set_part {quoted(project.settings.target)}",
            f"create_clock -period {project.settings.clock_period:g} -name default",
            "config_compile -name_max_length 80",
            "config_schedule -enable_dsp_full_reg=false",
            "csynth_design",
            "exit",
            "",
        ]
    )


def synthesize_hls(
    project: Project, directory: Path, timeout: float, progress: Progress | None = None
) -> SynthesisResult:
    """C synthesis of a project of the backends Vitis and Vivado: HLS's estimates, marked as such.

    Leaves script, log and the tool's project in `directory`. Raises MissingToolError, ToolFailedError, ReportError.
    """
    backend = project.settings.backend
    if backend not in _PROGRAMS:
        raise SynthesisSettingsError(
            "backend", backend, "this tool is for projects of Vitis and Vivado; use Project.build() of hls for others"
        )
    program, arguments = find_program(backend)
    directory.mkdir(parents=True, exist_ok=True)
    write_text(directory / SCRIPT, script(project, directory))
    tool = f"{backend} HLS"
    seconds = run_tool(
        tool, (program, *arguments(SCRIPT)), directory / LOG, directory=directory, timeout=timeout,
        progress=progress, remedy="See the log; a missing licence or an unknown part are the usual causes.",
    )  # fmt: skip
    report = Path(f"{project.settings.project_name}_prj") / SOLUTION / "syn" / "report" / "csynth.xml"
    result = read_csynth_xml(directory / report)
    return replace(result, files=(SCRIPT, LOG, report.as_posix()), seconds=round(seconds, 1))
