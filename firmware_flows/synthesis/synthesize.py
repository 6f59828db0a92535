"""One call for all tools: which one serves a design, where its results go."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from firmware_flows.errors import InputError, nearest
from firmware_flows.files import write_json
from firmware_flows.processes import Progress
from firmware_flows.synthesis.errors import SynthesisSettingsError
from firmware_flows.synthesis.families import amd_family, is_amd
from firmware_flows.synthesis.nextpnr import lattice_family, place_and_route
from firmware_flows.synthesis.quartus import synthesize_quartus
from firmware_flows.synthesis.result import SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.vitis import synthesize_hls
from firmware_flows.synthesis.vivado import synthesize_vivado
from firmware_flows.synthesis.yosys import synthesize_amd
from firmware_flows.targets.families import AMD, INTEL, LATTICE, technology_of

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design

RESULTS = "synthesis.json"
FORMAT = 1
TIMEOUT = 3600.0
"""Seconds that each call of a tool may take."""


@dataclass(frozen=True)
class _Job:
    """What a tool is asked for."""

    source: Source
    directory: Path
    family: str | None
    device: str | None
    timeout: float
    progress: Progress | None


def _yosys(job: _Job) -> tuple[SynthesisResult, ...]:
    family = amd_family(job.family, job.source.target)
    return (synthesize_amd(job.source, family, job.directory, job.timeout, job.progress),)


def _nextpnr(job: _Job) -> tuple[SynthesisResult, ...]:
    family = lattice_family(job.family, job.source.target)
    return (place_and_route(job.source, family, job.directory, job.timeout, job.progress, job.device),)


def _vivado(job: _Job) -> tuple[SynthesisResult, ...]:
    return synthesize_vivado(job.source, job.directory, job.timeout, job.progress)


def _quartus(job: _Job) -> tuple[SynthesisResult, ...]:
    return (synthesize_quartus(job.source, job.directory, job.timeout, job.progress),)


_RTL_TOOLS: dict[str, Callable[[_Job], tuple[SynthesisResult, ...]]] = {
    "yosys": _yosys,
    "nextpnr": _nextpnr,
    "vivado": _vivado,
    "quartus": _quartus,
}
HLS_TOOL = "vitis"
TOOLS = ("auto", *_RTL_TOOLS, HLS_TOOL)


def synthesize(
    design: Design | Source | Project,
    directory: str | Path,
    *,
    tool: str = "auto",
    family: str | None = None,
    device: str | None = None,
    timeout: float = TIMEOUT,
    progress: Progress | None = None,
) -> tuple[SynthesisResult, ...]:
    """Synthesise a design of `rtl`, HDL of one's own (a Source), or an HLS project.

    directory: where scripts, logs, netlists, reports and synthesis.json go. tool: "auto" takes, by the design's target,
    Vivado where it is on PATH and else Yosys, nextpnr, or Quartus; an HLS project goes to Vitis HLS. family: for Yosys
    "xc7", "xcu" or "xcup", for nextpnr "ecp5"; the target's unless given. device: of nextpnr, the smallest that fits
    unless given. timeout: seconds for each call of a tool.

    Raises MissingToolError, ToolFailedError (a tool failed or did not end), SynthesisSettingsError, ReportError.
    """
    if tool not in TOOLS:
        raise SynthesisSettingsError("tool", tool, nearest(tool, TOOLS))
    if not timeout > 0:
        raise SynthesisSettingsError("timeout", timeout, "give a positive number of seconds")
    place = Path(directory).resolve()
    chosen = resolve_tool(design, tool, family)
    source = as_source(design)
    results: tuple[SynthesisResult, ...]
    if source is None:
        results = (synthesize_hls(cast("Project", design), place, timeout, progress),)
    else:
        results = _RTL_TOOLS[chosen](_Job(source, place, family, device, timeout, progress))
    save_results(results, place)
    return results


def resolve_tool(design: Design | Source | Project, tool: str = "auto", family: str | None = None) -> str:
    """The tool that "auto" takes, or the one named, if it is for such a design. Raises SynthesisSettingsError."""
    source = as_source(design)
    if source is None:
        if tool not in ("auto", HLS_TOOL):
            raise SynthesisSettingsError("tool", tool, f"an HLS project is C++: use {HLS_TOOL}")
        return HLS_TOOL
    if tool == HLS_TOOL:
        raise SynthesisSettingsError("tool", tool, f"a design is RTL, not C++: use {' or '.join(_RTL_TOOLS)}")
    return choose_tool(source.target, family) if tool == "auto" else tool


def as_source(design: Design | Source | Project) -> Source | None:
    """The HDL of what is to be synthesised; None for an HLS project, which has none yet."""
    if isinstance(design, Source):
        return design
    from firmware_flows.rtl.design import Design as RtlDesign

    return Source.of(design) if isinstance(design, RtlDesign) else None


def choose_tool(target: str, family: str | None = None) -> str:
    """The tool for a part: what the vendor's own would be where it is here, else an open one."""
    if family is not None:
        return "nextpnr" if family.lower() in ("ecp5", "nexus") else "yosys"
    technology = technology_of(target)
    if technology in AMD and shutil.which("vivado"):
        return "vivado"
    if is_amd(target):
        return "yosys"
    if technology in LATTICE:
        return "nextpnr"
    if technology in INTEL:
        return "quartus"
    raise SynthesisSettingsError(
        "target", target, "no tool is known for it; name one with --tool, and a --family for yosys or nextpnr"
    )


def open_design(directory: str | Path) -> Design | Project:
    """The design or the HLS project in a directory. Raises InputError where there is neither."""
    from firmware_flows.rtl.design import DESIGN_FILE, Design

    path = Path(directory)
    if (path / DESIGN_FILE).exists():
        return Design.load(path)
    if (path / "project.json").exists():
        from firmware_flows.hls import Project

        return Project.load(path)
    if not path.is_dir():
        raise InputError(f"{path} is not a directory" if path.exists() else f"{path} does not exist")
    raise InputError(f"{path} holds neither an RTL design ({DESIGN_FILE}) nor an HLS project (project.json)")


def save_results(results: Sequence[SynthesisResult], directory: Path) -> Path:
    """Write synthesis.json; returns its path."""
    path = directory / RESULTS
    write_json(path, {"format": FORMAT, "results": [result.to_json() for result in results]})
    return path


def load_results(directory: str | Path) -> tuple[SynthesisResult, ...]:
    """The results that `synthesize` left in a directory. Raises InputError."""
    path = Path(directory) / RESULTS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["format"] > FORMAT:
            raise InputError(f"{path} was written by a newer version: upgrade firmware-flows")
        return tuple(SynthesisResult.from_json(entry) for entry in document["results"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} cannot be read: {error!r}") from None
