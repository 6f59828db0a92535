"""The report's section on resources: what tools measured, what was estimated, what others have published."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_flows.reporting.document import Block, Items, Section, Table, Text

Facts = Mapping[str, Any]

_COMPARED = (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram18"))
"""Resources of the comparison: their name in a result, and in a published design."""


def resources(synthesis: Facts | None, rtl: Facts | None, published: Sequence[Facts]) -> Section | None:
    """The section; None where nothing was synthesised.

    synthesis: {"results": results as JSON values}; rtl: the facts of the RTL design, whose estimate stands beside;
    published: published designs as JSON values.
    """
    if not synthesis:
        return None
    blocks: list[Block] = []
    for result in synthesis["results"]:
        blocks += _result(result)
    blocks.append(Text("Measured, estimated and published side by side:"))
    blocks.append(_comparison(synthesis["results"], rtl, published))
    notes = tuple(f"{p['name']}: {p['note']}" for p in published if p["note"])
    if notes:
        blocks.append(Items(notes))
    return Section("Resources and clock", tuple(blocks))


def _result(result: Facts) -> list[Block]:
    origin = result["origin"]["text"]
    title = f"{result['design']} on {result['target']}, {origin}:"
    rows = [
        (q["name"], number(q["count"]), number(q["available"]), share(q["count"], q["available"]), q["unit"], q["note"])
        for q in result["quantities"]
    ]
    columns = ("resource", "used", "of", "share", "unit", "note")
    blocks: list[Block] = [Text(title), Table(columns, tuple(rows), origin, frozenset({1, 2, 3}))]
    if result["clocks"]:
        clocks = tuple(
            (c["name"], decimal(c["wanted_mhz"]), decimal(c["achieved_mhz"]), _reached(c), c["note"])
            for c in result["clocks"]
        )
        blocks.append(Table(("clock", "wanted, MHz", "achieved, MHz", "", "note"), clocks, origin, frozenset({1, 2})))
    if result["remarks"]:
        blocks.append(Items(tuple(result["remarks"])))
    return blocks


def _reached(clock: Facts) -> str:
    if clock["achieved_mhz"] is None or clock["wanted_mhz"] is None:
        return ""
    return "reached" if clock["achieved_mhz"] >= clock["wanted_mhz"] else "NOT reached"


def _comparison(results: Sequence[Facts], rtl: Facts | None, published: Sequence[Facts]) -> Table:
    rows = []
    for result in results:
        counts = {q["name"]: q["count"] for q in result["quantities"]}
        packed = counts.get("LUT packed")
        lut = number(counts.get("LUT")) + (f" (packed {number(packed)})" if packed is not None else "")
        others = [number(counts.get(name)) for name, _ in _COMPARED[1:]]
        clock = ", ".join(decimal(c["achieved_mhz"]) for c in result["clocks"] if c["achieved_mhz"] is not None)
        rows.append(("this network", result["target"], lut, *others, clock, "", result["origin"]["text"]))
    if rtl:
        measured, estimated = rtl["measured"], rtl["estimated"]
        latency = f"{measured['latency_ns']:.0f}" if measured else ""
        lut, ff = number(round(estimated["lut"])), number(estimated["register_bits"])
        rows.append(("this network", rtl["target"], lut, ff, "", "", "", latency, estimated["source"]))
    for p in published:
        figures = [number(p[key]) for _, key in _COMPARED]
        rows.append(
            (
                p["name"],
                p["device"],
                *figures,
                decimal(p["clock_mhz"]),
                decimal(p["latency_ns"]),
                f"published: {p['source']} ({p['stage']})",
            )
        )
    columns = ("design", "device", "LUT", "FF", "DSP", "BRAM18", "clock, MHz", "latency, ns", "where it comes from")
    return Table(
        columns,
        tuple(rows),
        "as each row says; a LUT of another device family, and an estimate of HLS, are not the same measure. Clock: "
        "achieved, for published designs the one that they state; latency at the clock wanted",
        frozenset(range(2, 8)),
    )


def number(value: float | None) -> str:
    """A count, or "" where there is none."""
    return "" if value is None else f"{value:,.10g}"


def decimal(value: float | None) -> str:
    """With one digit behind the point, or ""."""
    return "" if value is None else f"{value:,.1f}"


def share(count: float, available: float | None) -> str:
    """In percent, or ""."""
    return f"{count / available:.1%}" if available else ""
