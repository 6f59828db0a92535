"""The first section of a report: what a group decides by, in one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from firmware_flows.reporting.document import Section, Table
from firmware_flows.reporting.metrics import FIRMWARE, REFERENCE, flatten
from firmware_flows.reporting.numbers import cycles_of, decimal, estimated, metric, nanoseconds, number, percent
from firmware_flows.reporting.size import NO_LATENCY_NS, beyond_budget, upper_ends
from firmware_flows.targets.units import cycles_between, cycles_within

Facts = Mapping[str, Any]
Row = tuple[str, str, str]

_FORMS = {"hls": "HLS project", "rtl": "RTL"}


def glance(facts: Facts) -> Section | None:
    """One row a question: bits, metrics with limits, latency, size. None where nothing of that is known."""
    rows = [
        *_bits(facts.get("verification")),
        *_metrics(facts.get("metrics")),
        *_budget(facts.get("budget", ())),
        *_simulated(facts.get("rtl")),
        *_synthesised(facts.get("synthesis")),
        *(row for entry in facts.get("estimates", ()) for row in _estimate(entry)),
    ]
    if not rows:
        return None
    table = Table(("", "", "where it comes from"), tuple(rows), "as each row says; details below")
    return Section("At a glance", (table,))


def _bits(verification: Facts | None) -> Iterator[Row]:
    if verification is None:
        return
    differing = sum(form["differing"] for form in verification["forms"])
    forms = ", ".join(form["name"] for form in verification["forms"]) or "nothing"
    yield (
        "events in which a bit differs",
        f"{differing:,} of {sum(verification['groups'].values()):,}",
        f"counted; compared with the Program: {forms}",
    )


def _metrics(metrics: Facts | None) -> Iterator[Row]:
    """The metrics that the recipe sets a limit to; the accuracy where it sets none."""
    if metrics is None:
        return
    source = f"measured on {metrics['events']:,} test events"
    for c in metrics.get("checks") or ():
        limit = f"at least {c['at_least']:g}" if "at_least" in c else f"at most {c['at_most']:g}"
        value = metric(c["value"]) if c["value"] is not None else "not a number"
        yield (c["check"], f"{value}, wanted {limit}: {'holds' if c['passed'] else 'FAILS'}", source)
    if not metrics.get("checks"):
        for form in (REFERENCE, FIRMWARE):
            accuracy = flatten(metrics["forms"].get(form, {})).get("accuracy")
            if accuracy is not None:
                yield (f"{form} accuracy", metric(accuracy), source)


def _budget(budget: Sequence[Facts]) -> Iterator[Row]:
    for b in budget:
        if b["judged"]:
            names = beyond_budget(budget)
            said = f"EXCEEDED: {', '.join(names)}" if names else "holds"
            yield (
                f"{_FORMS[b['form']]}: what the recipe allows",
                said,
                "firmware-flows check; quantity by quantity below",
            )


def _estimate(entry: Facts) -> Iterator[Row]:
    form = _FORMS[entry["form"]]
    if "refused" in entry:
        yield (f"{form}: size and speed", "no estimate", entry["refused"])
        return
    stage, device, budget, clock = entry["stages"][-1], entry["device"], entry["budget"], entry["clock_mhz"]
    source = f"estimated, {entry['coverage']:.0%} interval"
    if entry["outside"]:
        source += ", outside the calibrated domain"
    allowed = ""
    if budget and budget["latency_ns"] < NO_LATENCY_NS:
        cycles = cycles_within(budget["latency_ns"], clock)
        allowed = f"; {budget['name']} allows {cycles} cycles, {budget['latency_ns']:g} ns"
    yield (
        f"{form}: latency",
        f"{estimated(stage['latency'])} cycles = {nanoseconds(stage['latency'], clock)} ns at {clock:g} MHz{allowed}",
        source,
    )
    every = ""
    if budget and budget["interval_ns"]:
        cycles = cycles_between(budget["interval_ns"], clock)
        every = f"; {budget['name']} brings an event every {cycles}"
    yield (f"{form}: initiation interval", f"{cycles_of(stage['interval']['value'])}{every}", source)
    largest = max(entry["shares"], key=lambda name: float(entry["shares"][name]["value"]))
    regions = f", {percent(entry['region_shares'][largest]['value'])} of a region" if device["regions"] > 1 else ""
    fits = "fits" if entry["fits"] else "DOES NOT FIT: " + "; ".join(entry["problems"])
    if entry["fits"] and entry["upper_beyond"]:
        fits = f"fits by the middle, not by the upper end: {upper_ends(entry)}"
    name = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18"}[largest]
    yield (
        f"{form}: largest share of {device['name']}",
        f"{estimated(stage[largest])} {name} = {percent(entry['shares'][largest]['value'])}{regions}; {fits}",
        source,
    )
    if entry["advice"]:
        best = entry["advice"][0]
        word = "fits with" if entry["advice_by"] == "value" else "passes the check with"
        word = word if best["fits"] else "comes nearest with"
        yield (
            f"{form}: {word}",
            f"{best['text']}: {cycles_of(best['latency']['value'])} = {best['latency_ns']:.0f} ns, "
            f"interval {best['interval']['value']:.0f}",
            "estimated with that change",
        )


def _simulated(rtl: Facts | None) -> Iterator[Row]:
    if rtl and rtl["measured"]:
        measured = rtl["measured"]
        cycles, ns = measured["latency_cycles"], decimal(measured["latency_ns"])
        text = f"{cycles_of(cycles)} = {ns} ns at {rtl['clock_mhz']:g} MHz, interval {measured['initiation_interval']}"
        yield ("RTL: latency", text, measured["source"])


def _synthesised(synthesis: Facts | None) -> Iterator[Row]:
    results: Sequence[Facts] = synthesis["results"] if synthesis else ()
    for result in results:
        counts = ", ".join(f"{number(q['count'])} {q['name']}" for q in result["quantities"] if q["count"])
        clocks = ", ".join(f"{decimal(c['achieved_mhz'])} MHz" for c in result["clocks"] if c["achieved_mhz"])
        yield (f"on {result['target']}", f"{counts}{', ' if clocks else ''}{clocks}", result["origin"]["text"])
