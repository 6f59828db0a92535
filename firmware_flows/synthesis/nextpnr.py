"""Lattice devices: Yosys, then placed and routed by nextpnr; utilisation and achieved clocks as routed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_flows.errors import nearest
from firmware_flows.files import write_text
from firmware_flows.processes import Progress, run_tool
from firmware_flows.synthesis.errors import ReportError, SynthesisSettingsError
from firmware_flows.synthesis.harness import TOP, harness
from firmware_flows.synthesis.result import Clock, Origin, Quantity, SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.tools import find
from firmware_flows.synthesis.yosys import KEPT_NETLIST, NETLIST, SCRIPT, keep_netlist, read_commands, run_yosys
from firmware_flows.targets import technology_of

HARNESS = "harness.v"
STATISTICS = "statistics.json"
YOSYS_LOG = "yosys.log"
LOG = "nextpnr.log"
REPORT = "report.json"

FULLEST = 0.9
"""A device is chosen so that at most this share of its LUTs and of its flip-flops is used: beyond, routing fails."""


@dataclass(frozen=True)
class Device:
    """A device of a Lattice family: what nextpnr is told, and how many LUT4 and flip-flops it has."""

    name: str
    options: tuple[str, ...]
    luts: int
    flip_flops: int


@dataclass(frozen=True)
class LatticeFamily:
    """A Lattice family: the tool, Yosys's command, its devices from the smallest, and the cells of nextpnr's report."""

    name: str
    title: str
    tool: str
    synthesis: str
    devices: tuple[Device, ...]
    options: tuple[str, ...]
    cells: Mapping[str, tuple[str, str]]
    lut_cells: tuple[str, ...]
    flip_flop_cells: tuple[str, ...]


ECP5 = LatticeFamily(
    name="ecp5",
    title="Lattice ECP5",
    tool="nextpnr-ecp5",
    synthesis="synth_ecp5 -abc9",
    devices=(
        Device("LFE5U-25F", ("--25k", "--package", "CABGA381"), 24288, 24288),
        Device("LFE5U-45F", ("--45k", "--package", "CABGA381"), 43848, 43848),
        Device("LFE5U-85F", ("--85k", "--package", "CABGA381"), 83640, 83640),
    ),
    options=("--speed", "6", "--lpf-allow-unconstrained"),
    cells={
        "TRELLIS_COMB": ("LUT", "LUT4 sites (a bit of a carry chain takes one)"),
        "TRELLIS_FF": ("FF", "flip-flops"),
        "TRELLIS_RAMW": ("LUTRAM", "slices that write distributed memory"),
        "MULT18X18D": ("DSP", "multipliers 18 x 18"),
        "ALU54B": ("ALU54", "adders of 54 bits in DSP slices"),
        "DP16KD": ("BRAM18", "block RAMs of 18 Kbit"),
    },
    lut_cells=("LUT4", "PFUMX", "L6MUX21", "CCU2C"),
    flip_flop_cells=("TRELLIS_FF",),
)

FAMILIES = {family.name: family for family in (ECP5,)}

_NEXUS_REFUSED = (
    "Lattice Nexus cannot be placed and routed by the open tools of today: the carry chains that Yosys 0.70 writes are "
    "refused by nextpnr-nexus 0.11 (Yosys issue 4081); use ecp5"
)


def lattice_family(name: str | None, part: str) -> LatticeFamily:
    """The family named, or that of the part. Raises SynthesisSettingsError."""
    if technology_of(name or part) == "nexus":
        raise SynthesisSettingsError("family" if name else "target", name or part, _NEXUS_REFUSED)
    if name is not None:
        if name.lower() in FAMILIES:
            return FAMILIES[name.lower()]
        raise SynthesisSettingsError("family", name, nearest(name, FAMILIES))
    return FAMILIES.get(technology_of(part) or "", ECP5)


def place_and_route(
    source: Source,
    family: LatticeFamily,
    directory: Path,
    timeout: float,
    progress: Progress | None = None,
    device: str | None = None,
    seed: int = 1,
) -> SynthesisResult:
    """Synthesise, place and route; the smallest device that holds the design, unless one is named.

    The design stands in a frame of shift registers (see harness), whose cost is stated. Leaves scripts, logs, netlist
    and report in `directory`. Raises MissingToolError, ToolFailedError, SynthesisSettingsError.
    """
    source.require_verilog("Yosys")
    named = None if device is None else _named_device(family, device)
    yosys, nextpnr = find("Yosys"), find(family.tool)
    directory.mkdir(parents=True, exist_ok=True)
    versions = (yosys.version(directory, progress), nextpnr.version(directory, progress))
    _synthesize(source, family, directory, timeout, progress)
    modules = _modules(directory / STATISTICS)
    chosen = named or _smallest_device(family, modules)
    command = (
        *nextpnr.command,
        *chosen.options,
        *family.options,
        *("--json", NETLIST, "--top", TOP, "--report", REPORT, "--seed", str(seed)),
        *("--freq", f"{source.clock_mhz:g}", "--timing-allow-fail"),
    )
    seconds = run_tool(
        family.tool, command, directory / LOG, directory=directory, timeout=timeout, progress=progress,
        remedy="See the log; a larger device (--device) or fewer bits help where it does not fit.",
    )  # fmt: skip
    keep_netlist(directory)
    report = read_report(directory / REPORT)
    frame = modules[TOP]
    return SynthesisResult(
        origin=Origin("placed and routed", family.tool, versions[1]),
        design=source.top,
        target=f"{family.title} {chosen.name}",
        quantities=utilisation(report, family),
        clocks=clocks(report, source.clock_mhz),
        cells=modules.get(source.top, {}),
        remarks=(
            f"Synthesised by Yosys {versions[0]}, seed of the placement {seed}.",
            f"The counts include the frame of shift registers around the design: {_listed(frame)}; the design alone, "
            f"as synthesised: {_listed(modules.get(source.top, {}))}.",
        ),
        seconds=round(seconds, 1),
        files=(SCRIPT, HARNESS, YOSYS_LOG, STATISTICS, KEPT_NETLIST, LOG, REPORT),
    )


def _synthesize(
    source: Source, family: LatticeFamily, directory: Path, timeout: float, progress: Progress | None
) -> None:
    """Yosys on the design within its frame; the design stays a module until it is counted."""
    write_text(directory / HARNESS, harness(source))
    commands = [
        *read_commands(source, directory),
        f"setattr -mod -set keep_hierarchy 1 {source.top}",
        f'read_verilog -sv "{HARNESS}"',
        f"{family.synthesis} -top {TOP}",
        f"tee -q -o {STATISTICS} stat -json -top {TOP}",
        f"setattr -mod -unset keep_hierarchy {source.top}",
        "flatten",
        "opt_clean",
        f"write_json {NETLIST}",
    ]
    write_text(directory / SCRIPT, "\n".join(commands) + "\n")
    run_yosys(directory, YOSYS_LOG, timeout, progress)


def _modules(path: Path) -> dict[str, dict[str, int]]:
    """Cells by type of every module, from Yosys's `stat -json`."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
        found = {
            name.lstrip("\\"): {kind: int(n) for kind, n in module["num_cells_by_type"].items()}
            for name, module in modules.items()
        }
    except (OSError, ValueError, KeyError, TypeError):
        raise ReportError(path, "how many cells of each type there are") from None
    names = set(found)
    return {
        name: {kind: n for kind, n in cells.items() if kind not in names and kind != "$scopeinfo"}
        for name, cells in found.items()
    }


def _named_device(family: LatticeFamily, name: str) -> Device:
    found = next((d for d in family.devices if d.name.lower() == name.lower()), None)
    if found is None:
        raise SynthesisSettingsError("device", name, nearest(name, [d.name for d in family.devices]))
    return found


def _smallest_device(family: LatticeFamily, modules: Mapping[str, Mapping[str, int]]) -> Device:
    # a cell of a carry chain (CCU2C) takes two LUT sites
    luts = sum(n * (2 if cell == "CCU2C" else 1) for m in modules.values() for cell, n in m.items()
               if cell in family.lut_cells)  # fmt: skip
    flip_flops = sum(n for m in modules.values() for cell, n in m.items() if cell in family.flip_flop_cells)
    for device in family.devices:
        if luts <= FULLEST * device.luts and flip_flops <= FULLEST * device.flip_flops:
            return device
    largest = family.devices[-1]
    raise SynthesisSettingsError(
        "design",
        f"{luts:,} LUT4, {flip_flops:,} flip-flops",
        f"the largest device ({largest.name}) has {largest.luts:,} and {largest.flip_flops:,}; synthesise for an AMD "
        "family with Yosys (--tool yosys --family xcup), or use fewer bits or more zero weights",
    )


def read_report(path: Path) -> dict[str, Any]:
    """nextpnr's JSON report. Raises ReportError."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        report["utilization"], report["fmax"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ReportError(path, "utilisation and clocks") from None
    return dict(report)


def utilisation(report: Mapping[str, Any], family: LatticeFamily) -> tuple[Quantity, ...]:
    """Used cells of each kind with the device's total."""
    always = ("LUT", "FF", "DSP", "BRAM18")
    result = []
    for cell, (name, unit) in family.cells.items():
        entry = report["utilization"].get(cell)
        if entry is not None and (entry["used"] or name in always):
            result.append(Quantity(name, entry["used"], unit, entry["available"], f"{cell}"))
    return tuple(result)


def clocks(report: Mapping[str, Any], wanted_mhz: float) -> tuple[Clock, ...]:
    """Achieved frequency of every clock domain, as routed. Raises ReportError where there is none."""
    if not report["fmax"]:
        raise ReportError(None, "the frequency of any clock (no path runs from register to register)")
    return tuple(
        Clock(_clock_name(name), wanted_mhz, float(entry["achieved"]), note="register to register, as routed")
        for name, entry in report["fmax"].items()
    )


def _clock_name(name: str) -> str:
    """The name in the design: nextpnr adds what it put between, e.g. `$glbnet$clk$TRELLIS_IO_IN`."""
    return re.sub(r"^\$glbnet\$|\$TRELLIS_IO_IN$|\$PWR_IO_IN$", "", re.sub(r"^\$glbnet\$", "", name))


def _listed(cells: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in sorted(cells.items())) or "nothing"
