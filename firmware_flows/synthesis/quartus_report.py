"""Quartus's reports: the fitter's summary (`<revision>.fit.summary`, `.fit.rpt`) and Fmax (`<revision>.sta.rpt`)."""

from __future__ import annotations

import re
from pathlib import Path

from firmware_flows.synthesis.errors import ReportError
from firmware_flows.synthesis.result import Clock, Origin, Quantity, SynthesisResult

_ROWS = (
    ("Logic utilization (in ALMs)", "ALM", "adaptive logic modules (not comparable with LUTs)"),
    ("Total registers", "FF", "flip-flops"),
    ("Total dedicated logic registers", "FF", "flip-flops"),
    ("Total block memory bits", "memory bits", "bits of block memory"),
    ("Total RAM Blocks", "RAM blocks", "block RAMs (M10K or M20K, by family)"),
    ("Total DSP Blocks", "DSP", "DSP blocks (Intel: two multipliers 18 x 19 each)"),
)


def read_fit(path: Path) -> SynthesisResult:
    """What the fitter's summary states. Raises ReportError."""
    fields = _fields(_read(path))
    status = fields.get("Fitter Status") or fields.get("Flow Status") or ""
    if not status.startswith("Successful"):
        raise ReportError(path, f"a successful fit (status: {status or 'none'})")
    version = re.match(r"\S+", fields.get("Quartus Prime Version", ""))
    quantities: dict[str, Quantity] = {}
    for title, name, unit in _ROWS:
        found = re.match(r"([\d,]+)(?:\s*/\s*([\d,]+))?", fields.get(title, ""))
        if found and name not in quantities:
            used, available = (None if g is None else float(g.replace(",", "")) for g in found.groups())
            quantities[name] = Quantity(name, used or 0.0, unit, available)
    if "ALM" not in quantities:
        raise ReportError(path, "how many ALMs are used")
    return SynthesisResult(
        origin=Origin("vendor", "Quartus", version.group(0) if version else "unknown", "placed and routed"),
        design=fields.get("Top-level Entity Name", ""),
        target=fields.get("Device", ""),
        quantities=tuple(quantities.values()),
        files=(path.name,),
    )


def read_fmax(path: Path, wanted_mhz: float | None = None) -> tuple[Clock, ...]:
    """The restricted Fmax of every clock (what pulse widths allow, too), the least over the slow corners.

    Raises ReportError.
    """
    least: dict[str, float] = {}
    tables = re.findall(r"^; Slow .+? Model Fmax Summary\s*;\n(.*?)(?:\nThis panel|\n\n)", _read(path), re.M | re.S)
    for fmax, name in re.findall(r"^; [\d.]+ MHz\s*; ([\d.]+) MHz\s*; (.+?)\s*;", "\n".join(tables), re.M):
        least[name] = min(float(fmax), least.get(name, float("inf")))
    if not least:
        raise ReportError(path, "Fmax of any clock")
    note = "least restricted Fmax of the slow corners"
    return tuple(Clock(name, wanted_mhz, fmax, note=note) for name, fmax in least.items())


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise ReportError(path, "anything (it cannot be read)") from None


def _fields(text: str) -> dict[str, str]:
    """Rows `; name ; value ;` of a report, or lines `name : value` of a summary."""
    rows = re.findall(r"^;\s*([A-Z][^;]*?)\s*;\s*([^;]*?)\s*;\s*$", text, re.M)
    rows += re.findall(r"^([A-Z][\w ()/-]*?) : (.+?)\s*$", text, re.M)
    result: dict[str, str] = {}
    for name, value in rows:
        result.setdefault(name, value)
    return result
