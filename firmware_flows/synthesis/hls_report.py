"""Reports of Vivado HLS and Vitis HLS: estimates of `csynth`, in XML or as text."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path

from firmware_flows.synthesis.errors import ReportError
from firmware_flows.synthesis.result import Clock, Latency, Origin, Quantity, SynthesisResult

_RESOURCES = (
    (("LUT",), "LUT", "LUT6 sites"),
    (("FF",), "FF", "flip-flops"),
    (("DSP", "DSP48E"), "DSP", "DSP blocks"),
    (("BRAM_18K",), "BRAM18", "block RAMs of 18 Kbit (one of 36 Kbit counts as two)"),
    (("URAM",), "URAM", "UltraRAM blocks of 288 Kbit"),
)

ESTIMATE = "HLS estimate"
_NOTE = "estimate; in 43 published designs logic synthesis left a median 0.48 of it"


def read_csynth_xml(path: Path) -> SynthesisResult:
    """What csynth.xml (or <top>_csynth.xml) states. Raises ReportError."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        raise ReportError(path, "anything (it is no XML)") from None

    def value(name: str) -> str | None:
        found = root.find(name)
        return None if found is None or found.text is None else found.text.strip()

    version, part = value("ReportVersion/Version"), value("UserAssignments/Part")
    used = root.find("AreaEstimates/Resources")
    if version is None or part is None or used is None:
        raise ReportError(path, "version, part and resources")
    available = root.find("AreaEstimates/AvailableResources")
    return _result(
        path,
        version,
        value("UserAssignments/TopModelName") or "",
        part,
        {child.tag: child.text or "" for child in used},
        {} if available is None else {child.tag: child.text or "" for child in available},
        (value("UserAssignments/TargetClockPeriod"), value(".//EstimatedClockPeriod")),
        tuple(
            value(f"PerformanceEstimates/SummaryOfOverallLatency/{name}")
            for name in ("Best-caseLatency", "Worst-caseLatency", "Interval-min", "Interval-max")
        ),
    )


def read_csynth_text(path: Path) -> SynthesisResult:
    """What <top>_csynth.rpt states. Raises ReportError."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise ReportError(path, "anything (it cannot be read)") from None
    title = re.search(r"^== (?:Vivado|Vitis) HLS Report for '(.+?)'", text, re.M)
    version = re.search(r"^\* Version:\s+(\S+)", text, re.M)
    part = re.search(r"^\* Target device:\s+(\S+)", text, re.M)
    clock = re.search(r"^\s*\|\s*ap_clk\s*\|\s*([\d.]+)\s*(?:ns)?\s*\|\s*([\d.]+)\s*(?:ns)?\s*\|", text, re.M)
    names = re.search(r"^\|\s*Name\s*\|(.+)\|\s*$", text, re.M)
    total = re.search(r"^\|Total\s*\|(.+)\|\s*$", text, re.M)
    available = re.search(r"^\|Available\s*\|(.+)\|\s*$", text, re.M)
    if title is None or version is None or part is None or names is None or total is None:
        raise ReportError(path, "version, part and resources")

    def row(found: re.Match[str]) -> list[str]:
        return [cell.strip() for cell in found.group(1).split("|")]

    columns = row(names)
    return _result(
        path,
        version.group(1),
        title.group(1),
        part.group(1),
        dict(zip(columns, row(total), strict=True)),
        dict(zip(columns, row(available), strict=True)) if available else {},
        (clock.group(1), clock.group(2)) if clock else (None, None),
        _latency_row(text),
    )


def _latency_row(text: str) -> tuple[str | None, ...]:
    """Latency least and most, interval least and most: the columns have come and gone between versions."""
    found = re.search(r"^\+ Latency.*?\n    \* Summary: \n(.*?)\n\n", text, re.M | re.S)
    lines = [line for line in found.group(1).splitlines() if "|" in line] if found else []
    if len(lines) < 3:
        return (None,) * 4
    cells = [cell.strip() for cell in lines[-1].strip(" |").split("|")]
    counts = [cell for cell in cells if re.fullmatch(r"\d+|\?", cell)]
    # Vitis HLS writes the latency in ns between the cycles and the intervals; only whole numbers are cycles.
    return tuple(counts[:4]) if len(counts) >= 4 else (None,) * 4


def _result(
    path: Path,
    version: str,
    top: str,
    part: str,
    used: Mapping[str, str],
    available: Mapping[str, str],
    periods: tuple[str | None, str | None],
    cycles: tuple[str | None, ...],
) -> SynthesisResult:
    quantities = []
    for tags, name, unit in _RESOURCES:
        tag = next((t for t in tags if t in used), None)
        count = None if tag is None else _integer(used[tag])
        if tag is not None and count is not None:
            total = _integer(available.get(tag, ""))
            quantities.append(Quantity(name, count, unit, total, _NOTE if name == "LUT" else ""))
    wanted, estimated = (float(p) if p else None for p in periods)
    clock = Clock(
        "ap_clk",
        1000.0 / wanted if wanted else None,
        1000.0 / estimated if estimated else None,
        note="estimate of HLS, before anything is placed",
    )
    return SynthesisResult(
        origin=Origin("vendor", _tool(version), version, ESTIMATE),
        design=top,
        target=part,
        quantities=tuple(quantities),
        clocks=(clock,),
        latency=Latency(*(_integer(c or "") for c in cycles)),
        files=(path.name,),
    )


def _tool(version: str) -> str:
    """Vivado HLS became Vitis HLS with version 2020.2 (2020.1 shipped both; hls4ml used the old one)."""
    return "Vitis HLS" if tuple(int(x) for x in re.findall(r"\d+", version)[:2]) >= (2020, 2) else "Vivado HLS"


def _integer(text: str) -> int | None:
    """A count; None for "undef", "?", "-" and the like."""
    return int(text) if re.fullmatch(r"\d+", text) else (0 if text == "-" else None)
