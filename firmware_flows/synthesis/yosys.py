"""Yosys for AMD devices: logic synthesis, cells counted, LUT sites estimated by packing the netlist."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_flows.files import atomic_path, write_text
from firmware_flows.processes import Progress, run_tool
from firmware_flows.synthesis.errors import ReportError
from firmware_flows.synthesis.families import AMD_GROUPS, AmdFamily, count_cells, unknown_cells
from firmware_flows.synthesis.packing import pack
from firmware_flows.synthesis.result import Origin, Quantity, SynthesisResult
from firmware_flows.synthesis.source import Source
from firmware_flows.synthesis.tools import find

SCRIPT = "synthesis.ys"
LOG = "yosys.log"
STATISTICS = "statistics.json"
NETLIST = "netlist.json"
KEPT_NETLIST = "netlist.json.gz"
"""The netlist as it is kept: packed, since that of a jet tagger has 40 to 90 MB."""

PACKED = (
    "estimate: pairs of functions that share inputs packed into one site wherever the netlist allows it, sites that "
    "only lead to a carry chain counted; ignores placement and timing, for which a device takes more"
)
_REMEDY = "See the log; a design written by this package that Yosys refuses is a defect worth reporting."


def synthesize_amd(
    source: Source, family: AmdFamily, directory: Path, timeout: float, progress: Progress | None = None
) -> SynthesisResult:
    """Synthesise for a family of AMD devices, out of context (no I/O buffers, no clock buffers).

    Leaves script, log, statistics and netlist in `directory`. Raises MissingToolError, ToolFailedError.
    """
    source.require_verilog("Yosys")
    tool = find("Yosys")
    directory.mkdir(parents=True, exist_ok=True)
    version = tool.version(directory, progress)
    commands = [
        *read_commands(source, directory),
        f"synth_xilinx -family {family.name} -abc9 -flatten -noiopad -noclkbuf -top {source.top}",
        f"tee -q -o {STATISTICS} stat -json -top {source.top}",
        f"write_json {NETLIST}",
    ]
    write_text(directory / SCRIPT, "\n".join(commands) + "\n")
    seconds = run_yosys(directory, LOG, timeout, progress)
    cells = read_statistics(directory / STATISTICS)
    quantities = _quantities(cells, top_cells(directory / NETLIST))
    keep_netlist(directory)
    return SynthesisResult(
        origin=Origin("synthesised", "Yosys", version),
        design=source.top,
        target=f"{family.title} ({source.target})" if family.holds(source.target) else family.title,
        quantities=quantities,
        cells=cells,
        remarks=_remarks(cells),
        seconds=round(seconds, 1),
        files=(SCRIPT, LOG, STATISTICS, KEPT_NETLIST),
    )


def run_yosys(directory: Path, log: str, timeout: float, progress: Progress | None) -> float:
    """Run the script that lies in `directory`; returns the seconds it took. Raises ToolFailedError."""
    command = (*find("Yosys").command, "-s", SCRIPT)
    return run_tool(
        "Yosys", command, directory / log, directory=directory, timeout=timeout, progress=progress, remedy=_REMEDY
    )


def read_commands(source: Source, directory: Path) -> list[str]:
    """Yosys's commands that read the HDL."""
    return [f'read_verilog -sv "{path}"' for path in source.paths_from(directory)]


def keep_netlist(directory: Path) -> None:
    """Replace the netlist by its packed form; the same netlist gives the same bytes."""
    plain = directory / NETLIST
    with atomic_path(directory / KEPT_NETLIST) as temporary:
        temporary.write_bytes(gzip.compress(plain.read_bytes(), compresslevel=6, mtime=0))
    plain.unlink()


def read_statistics(path: Path) -> dict[str, int]:
    """Cells of the whole design by type, from `stat -json`. Raises ReportError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = document["design"]["num_cells_by_type"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ReportError(path, "how many cells of each type there are") from None
    return {str(name): int(count) for name, count in found.items() if name != "$scopeinfo"}


def top_cells(path: Path) -> Mapping[str, Any]:
    """The cells of the top module of a netlist written by `write_json`. Raises ReportError."""
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))["modules"]
        top = next(m for m in modules.values() if int(m.get("attributes", {}).get("top", "0"), 2))
    except (OSError, ValueError, KeyError, StopIteration):
        raise ReportError(path, "which module is the top") from None
    cells: Mapping[str, Any] = top["cells"]
    return cells


def _quantities(cells: Mapping[str, int], netlist: Mapping[str, Any]) -> tuple[Quantity, ...]:
    counts = count_cells(cells, AMD_GROUPS)
    packing = pack(netlist)
    memory = counts["SRL"] + counts["LUTRAM"]
    result = []
    for group in AMD_GROUPS:
        result.append(Quantity(group.name, counts[group.name], group.unit, note=group.note))
        if group.name == "LUT":
            result.append(Quantity("LUT packed", packing.sites + memory, "LUT6 sites", note=PACKED))
    always = ("LUT", "LUT packed", "FF", "CARRY", "DSP", "BRAM18")
    return tuple(q for q in result if q.count or q.name in always)


def _remarks(cells: Mapping[str, int]) -> tuple[str, ...]:
    unknown = unknown_cells(cells, AMD_GROUPS)
    listed = ", ".join(f"{count} {name}" for name, count in sorted(unknown.items()))
    return (f"Cells that no resource above counts: {listed}.",) if unknown else ()
