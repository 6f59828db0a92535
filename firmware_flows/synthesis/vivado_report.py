"""Vivado's reports: utilisation (`report_utilization`) and timing (`report_timing_summary`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from firmware_flows.synthesis.errors import ReportError
from firmware_flows.synthesis.result import Clock, Origin, Quantity, SynthesisResult

_ROWS = (
    # (title of the row, name, unit, weight)
    (("Slice LUTs", "CLB LUTs"), "LUT", "LUT6 sites", 1.0),
    (("LUT as Shift Register",), "SRL", "LUT6 sites as shift registers", 1.0),
    (("LUT as Distributed RAM",), "LUTRAM", "LUT6 sites as memory", 1.0),
    (("Slice Registers", "CLB Registers"), "FF", "flip-flops", 1.0),
    (("CARRY8",), "CARRY", "carry chains of 8 bits", 1.0),
    (("F7 Muxes",), "MUXF7", "wide multiplexers", 1.0),
    (("F8 Muxes",), "MUXF8", "wide multiplexers", 1.0),
    (("DSPs",), "DSP", "DSP blocks", 1.0),
    # Vivado counts tiles of 36 Kbit, in halves
    (("Block RAM Tile",), "BRAM18", "block RAMs of 18 Kbit (one of 36 Kbit counts as two)", 2.0),
    (("URAM",), "URAM", "UltraRAM blocks of 288 Kbit", 1.0),
)

_STAGES = {
    "Synthesized": "synthesised",
    "Optimized": "synthesised, optimised",
    "Fully Placed": "placed",
    "Physopt postPlace": "placed",
    "Routed": "routed",
}

_SYNTHESIS_NOTE = "after logic synthesis; implementation typically lowers it"


def read_utilisation(path: Path) -> SynthesisResult:
    """The result that a utilisation report states. Raises ReportError."""
    text = _read(path)
    header = _header(text)
    if "Design State" not in header or "report_utilization" not in header.get("Command", ""):
        raise ReportError(path, "utilisation")
    table = _site_types(text)
    stage = _STAGES.get(header["Design State"], header["Design State"])
    quantities = []
    for titles, name, unit, weight in _ROWS:
        row = next((table[title] for title in titles if title in table), None)
        if row is None:
            continue
        used, available = row
        note = _SYNTHESIS_NOTE if name == "LUT" and stage == "synthesised" else ""
        total = None if available is None else available * weight
        quantities.append(Quantity(name, used * weight, unit, total, note))
    if not any(q.name == "LUT" for q in quantities):
        raise ReportError(path, "how many LUTs are used")
    return SynthesisResult(
        origin=Origin("vendor", "Vivado", _version(header), stage),
        design=header.get("Design", ""),
        target=header.get("Device", ""),
        quantities=tuple(quantities),
        cells=_rows(text, "Primitives"),
        remarks=_black_boxes(text),
        files=(path.name,),
    )


def read_timing(path: Path) -> tuple[Clock, ...]:
    """Every clock with its wanted frequency, worst slack, and the frequency that this slack allows.

    Raises ReportError.
    """
    text = _read(path)
    periods = {
        name: float(period)
        for name, period in re.findall(
            r"^(\S+)\s+\{[^}]*\}\s+([\d.]+)\s+[\d.]+\s*$", _section(text, "Clock Summary"), re.M
        )
    }
    slacks = {
        name: float(slack)
        for name, slack in re.findall(
            r"^\s*(\S+)\s+(-?[\d.]+)\s+-?[\d.]+\s+\d+\s+\d+", _section(text, "Intra Clock Table"), re.M
        )
    }
    if not periods:
        raise ReportError(path, "the period of any clock")
    clocks = []
    for name, period in periods.items():
        slack = slacks.get(name)
        achieved = None if slack is None else 1000.0 / (period - slack)
        note = "no path between its registers" if slack is None else "period less worst setup slack"
        clocks.append(Clock(name, 1000.0 / period, achieved, slack, note))
    return tuple(clocks)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise ReportError(path, "anything (it cannot be read)") from None


def _header(text: str) -> dict[str, str]:
    """The fields of the box that a report begins with."""
    return {key.strip(): value.strip() for key, value in re.findall(r"^\| ([A-Z][\w ]+?)\s*: (.*)$", text[:4000], re.M)}


def _version(header: Mapping[str, str]) -> str:
    found = re.search(r"\bv\.(\S+)", header.get("Tool Version", ""))
    return found.group(1) if found else "unknown"


def _site_types(text: str) -> dict[str, tuple[float, float | None]]:
    """Site type -> (used, available), of all tables with these columns; the first that names a type counts."""
    result: dict[str, tuple[float, float | None]] = {}
    columns: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            if not line.startswith("+"):
                columns = []
            continue
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if cells[0] == "Site Type":
            columns = cells
        elif columns and len(cells) == len(columns) and "Used" in columns:
            used = _number(cells[columns.index("Used")])
            available = _number(cells[columns.index("Available")]) if "Available" in columns else None
            if used is not None:
                result.setdefault(cells[0].rstrip("*"), (used, available))
    return result


def _number(text: str) -> float | None:
    try:
        return float(text.replace(",", ""))
    except ValueError:
        return None


def _rows(text: str, title: str) -> dict[str, int]:
    """Cells by name, of the section "Primitives" or "Black Boxes"."""
    found = re.search(rf"^\d+\. {title}\n-+\n(.*?)(?:\n\n\n|\Z)", text, re.M | re.S)
    rows = re.findall(r"^\| (\w+)\s*\|\s*(\d+) \|", found.group(1), re.M) if found else []
    return {name: int(count) for name, count in rows}


def _black_boxes(text: str) -> tuple[str, ...]:
    boxes = _rows(text, "Black Boxes")
    return (f"Not counted, since Vivado saw only their ports: {', '.join(boxes)}.",) if boxes else ()


def _section(text: str, title: str) -> str:
    """The lines below a title of a timing report, up to the next title."""
    parts = re.split(rf"^\| {re.escape(title)}\n\| -+\n-+\n", text, maxsplit=1, flags=re.M)
    return re.split(r"^-{20,}$", parts[1], maxsplit=1, flags=re.M)[0] if len(parts) == 2 else ""
