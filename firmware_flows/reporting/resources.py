"""The report's section on resources: what was estimated, what tools measured, what others have published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from firmware_flows.reporting.document import Block, Items, Section, Table, Text
from firmware_flows.reporting.numbers import decimal, estimated, nanoseconds, number, rounded, share

Facts = Mapping[str, Any]

_COMPARED = (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram18"))
"""Resources of the comparison: their name in a result, and in a published design."""

_FORMS = {"hls": "this network, HLS", "rtl": "this network, RTL"}

_STAGES = {"hls": "what the HLS report will say", "synthesis": "what logic synthesis will leave"}


def resources(
    synthesis: Facts | None, rtl: Facts | None, published: Sequence[Facts], estimates: Sequence[Facts] = ()
) -> Section | None:
    """The section; None where nothing was synthesised or estimated.

    synthesis: {"results": results as JSON values}; rtl: the facts of the RTL design, with the estimate of its generator
    and what was measured in simulation; published: published designs as JSON values; estimates: facts of estimates.
    """
    results = synthesis["results"] if synthesis else ()
    known = [e for e in estimates if "refused" not in e]
    if not results and not known:
        return None
    blocks: list[Block] = [
        Text("Estimated, measured and published, a row for each origin; no row mixes two."),
        _comparison(results, rtl, published, known),
    ]
    notes = tuple(f"{p['name']}: {p['note']}" for p in published if p["note"])
    if notes:
        blocks.append(Items(notes))
    for result in results:
        blocks += _result(result)
    return Section("Resources and clock, side by side", tuple(blocks))


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


def _comparison(
    results: Sequence[Facts], rtl: Facts | None, published: Sequence[Facts], estimates: Sequence[Facts]
) -> Table:
    rows = [row for entry in estimates for row in _estimated(entry)]
    rows += _of_rtl(rtl) if rtl else []
    rows += [_measured(result) for result in results]
    rows += [_published(design) for design in published]
    columns = (
        "where it comes from", "design", "device", "LUT", "FF", "DSP", "BRAM18", "MHz", "cycles", "ns", "interval",
    )  # fmt: skip
    return Table(
        columns,
        tuple(rows),
        "as each row says. In brackets: the interval of an estimate. A LUT of another device family, and a count of "
        "another stage, are not the same measure. Clock: of measured rows the one that was achieved, of others the one "
        "asked for. Cycles and ns: from the first input to the last output, at the clock asked for. Interval: cycles "
        "between two events",
        frozenset(range(3, 11)),
    )


def _estimated(entry: Facts) -> Iterator[tuple[str, ...]]:
    for stage in entry["stages"]:
        yield (
            f"estimated: {_STAGES[stage['stage']]}, {entry['coverage']:.0%} interval",
            _FORMS[entry["form"]],
            entry["target"],
            *(estimated(stage[key]) for _, key in _COMPARED),
            decimal(entry["clock_mhz"]),
            estimated(stage["latency"]),
            nanoseconds(stage["latency"], entry["clock_mhz"]),
            rounded(stage["interval"]["value"]),
        )


def _of_rtl(rtl: Facts) -> Iterator[tuple[str, ...]]:
    """The estimate of the RTL's generator, and what was measured in simulation: a row each."""
    figures, measured, clock = rtl["estimated"], rtl["measured"], decimal(rtl["clock_mhz"])
    lut, ff = number(round(figures["lut"])), number(figures["register_bits"])
    yield (figures["source"], _FORMS["rtl"], rtl["target"], lut, ff, "", "", clock, "", "", "")
    if measured:
        yield (
            measured["source"], _FORMS["rtl"], rtl["target"], "", "", "", "", clock, str(measured["latency_cycles"]),
            decimal(measured["latency_ns"]), str(measured["initiation_interval"]),
        )  # fmt: skip


def _measured(result: Facts) -> tuple[str, ...]:
    """Of a tool; what Vitis HLS says of itself before logic synthesis is an estimate of that tool."""
    counts = {q["name"]: q["count"] for q in result["quantities"]}
    packed, latency = counts.get("LUT packed"), result["latency"] or {}
    lut = number(counts.get("LUT")) + (f" (packed {number(packed)})" if packed is not None else "")
    clock = ", ".join(decimal(c["achieved_mhz"]) for c in result["clocks"] if c["achieved_mhz"] is not None)
    of_hls = result["origin"]["stage"] == "HLS estimate"
    return (
        f"{'estimated by the vendor' if of_hls else 'measured'}: {result['origin']['text']}",
        _FORMS["hls" if of_hls else "rtl"],
        result["target"],
        lut,
        *(number(counts.get(name)) for name, _ in _COMPARED[1:]),
        clock,
        number(latency.get("maximum")),
        "",
        number(latency.get("interval_maximum")),
    )


def _published(design: Facts) -> tuple[str, ...]:
    return (
        f"published: {design['source']} ({design['stage']})",
        design["name"],
        design["device"],
        *(number(design[key]) for _, key in _COMPARED),
        decimal(design["clock_mhz"]),
        "",
        decimal(design["latency_ns"]),
        "",
    )
