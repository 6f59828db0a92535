"""The report's section on size and speed: estimates before synthesis, held against device and budget, and advice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

from firmware_flows.budgets import ENDS
from firmware_flows.reporting.document import Block, Image, Items, Section, Table, Text, Verdict
from firmware_flows.reporting.numbers import decimal, estimated, estimated_share, nanoseconds, number, rounded

Facts = Mapping[str, Any]

NO_LATENCY_NS = 1e9
"""Stands for "no limit" where a budget lays down the interval alone: a second."""

FORMS = {"hls": "HLS project", "rtl": "RTL"}

STAGES = {"hls": "the HLS report will say", "synthesis": "logic synthesis will leave"}

RESOURCES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18"}

QUANTITIES = {"latency": "latency", "interval": "interval", **RESOURCES}

_ENDS = {field: words for field, _, words in ENDS.values()}

_COMPARED = {
    "high": ": what passes fits even where the estimate is too small",
    "value": ", as the recipe asks: what passes may still turn out too large",
    "low": ", as the recipe asks: what passes will probably turn out too large",
}

_STATUS = {"passed": "holds", "failed": "FAILS", "skipped": "not compared"}


def size(estimates: Sequence[Facts], checks: Sequence[Facts], plots: Mapping[str, str]) -> list[Section]:
    """One section for every form. `checks`: the gate's, by form; `plots`: form -> drawing of the cost of each layer."""
    by_form = {c["form"]: c["checks"] for c in checks}
    return [_form(e, by_form.get(e["form"], ()), plots.get(e["form"])) for e in estimates]


def origin(entry: Facts) -> str:
    """Where an estimated number comes from, with its coverage."""
    cases = f"{entry['coverage']:.0%} of the cases"
    return f"estimated before synthesis; in brackets the interval that holds the true value in {cases}"


def _form(entry: Facts, checks: Sequence[Facts], plot: str | None) -> Section:
    title = f"Size and speed: {FORMS[entry['form']]}, estimated"
    if "refused" in entry:
        return Section(title, (Text(f"There is no estimate: {entry['refused']}"), *_checks(entry, checks)))
    blocks: list[Block] = [Text(_settings(entry)), _verdict(entry, checks), _totals(entry)]
    remarks = list(entry["remarks"])
    if entry["outside"]:
        wider = f", so the intervals are {entry['widened']:g} times wider" if entry["widened"] != 1 else ""
        remarks.insert(
            0, f"Outside what the estimator was calibrated with{wider}: {'; '.join(_together(entry['outside']))}."
        )
    blocks += [Items(tuple(remarks))] if remarks else []
    blocks += _checks(entry, checks)
    blocks += _advice(entry)
    blocks += _budgets(entry)
    blocks += [Text("Layer by layer:"), _layers(entry)]
    if plot:
        caption = f"What every layer costs, as {STAGES[entry['stages'][-1]['stage']]}. Estimated before synthesis."
        blocks.append(Image("Cost of every layer", plot, caption))
    return Section(title, tuple(blocks))


def _together(reasons: Sequence[str]) -> list[str]:
    """Sentences "layer 'name': what" with the same end, as one with all the names."""
    layers: dict[str, list[str]] = {}
    for reason in reasons:
        found = re.fullmatch(r"layer '(.+?)': (.+)", reason)
        layers.setdefault(found.group(2) if found else reason, []).extend([found.group(1)] if found else [])
    return [
        f"layer{'s' * (len(names) > 1)} {', '.join(names)}: {what}" if names else what for what, names in layers.items()
    ]


def _settings(entry: Facts) -> str:
    factors = sorted(set(entry["settings"]["reuse_factor"].values()))
    text = f"For {entry['target']} ({entry['device']['name']}) at {entry['clock_mhz']:g} MHz"
    if entry["form"] == "rtl":
        return f"{text}; every multiplication unrolled into adders."
    reuse = f"{factors[0]} to {factors[-1]}" if len(factors) > 1 else "".join(map(str, factors))
    return f"{text}; strategy {entry['strategy']}, {f'reuse factor {reuse}, ' if reuse else ''}io {entry['io']}."


def _verdict(entry: Facts, checks: Sequence[Facts]) -> Verdict:
    budget = entry["budget"]
    place = entry["device"]["name"] + (f" and {budget['name']}" if budget else "")
    failing = ", ".join(c["name"] for c in checks if c["status"] == "failed")
    if entry["fits"] and failing:
        text = f"{place}, by the middle of every estimate, but not by what firmware-flows check goes by: {failing}."
        return Verdict(False, text, "MAY NOT FIT")
    if entry["fits"] and not entry["upper_beyond"]:
        return Verdict(True, f"{place}, by the upper end of every estimate.", "FITS")
    if entry["fits"]:
        asked = ", which is what the recipe compares" if entry["compared"] == "value" else ""
        text = f"{place}, by the middle of every estimate{asked}. The upper end exceeds the limit: {upper_ends(entry)}."
        return Verdict(True, text, "FITS")
    return Verdict(False, f"{place}, by the middle of the estimate: {'; '.join(entry['problems'])}.", "DOES NOT FIT")


def upper_ends(entry: Facts) -> str:
    """Those beyond their limits."""
    return ", ".join(
        f"{QUANTITIES[q['name']]} {rounded(floor(q['high']))} of {number(q['limit'])}" for q in entry["upper_beyond"]
    )


def _totals(entry: Facts) -> Table:
    stages, device, clock = entry["stages"], entry["device"], entry["clock_mhz"]
    several = device["regions"] > 1
    empty = ("",) * (4 if several else 2)
    rows = []
    for key, label in (("latency", "latency"), ("interval", "initiation interval")):
        rows.append((f"{label}, clock cycles", *(estimated(s[key]) for s in stages), *empty))
        rows.append((f"{label}, ns", *(nanoseconds(s[key], clock) for s in stages), *empty))
    for key, label in RESOURCES.items():
        row = [label, *(estimated(s[key]) for s in stages), f"{device[key]:,}", estimated_share(entry["shares"][key])]
        if several:
            row += [f"{device['region'][key]:,}", estimated_share(entry["region_shares"][key])]
        rows.append(tuple(row))
    columns = ["", *(STAGES[s["stage"]] for s in stages), "the device has", "share of the device"]
    if several:
        columns += ["one region has", "share of one region"]
    source = f"{origin(entry)}. Device: {device['source']}"
    if several:
        source += f"; {device['regions']} super logic regions"
    if len(stages) > 1:
        source += ". Shares: of what logic synthesis will leave"
    return Table(tuple(columns), tuple(rows), source, frozenset(range(1, len(columns))))


def beyond_budget(budget: Sequence[Facts]) -> list[str]:
    """The quantities by which `firmware-flows check` would fail the form that it judges."""
    return [c["name"] for b in budget if b["judged"] for c in b["checks"] if c["status"] == "failed"]


def _checks(entry: Facts, checks: Sequence[Facts]) -> list[Block]:
    if not checks:
        return []
    budget = entry.get("budget")
    rows = tuple((c["name"], _STATUS[c["status"]], c["message"]) for c in checks)
    said = "Against what the recipe allows, or else the device:"
    if budget:
        allowed = [f"{budget['latency_ns']:g} ns"] if budget["latency_ns"] < NO_LATENCY_NS else []
        allowed += [f"an event every {budget['interval_ns']:g} ns"] if budget["interval_ns"] else []
        named = f" ({budget['description']})" if budget["board"] else ""
        said = f"Against {budget['name']}{named}{': ' if allowed else ''}{', '.join(allowed)}."
    source = (
        f"firmware-flows check: a measured number where there is one, else the {_ENDS[entry['compared']]} of the "
        f"estimate{_COMPARED[entry['compared']]}"
    ) + (f". Budget: {budget['source']}" if budget else "")
    return [Text(said), Table(("", "", "what was compared"), rows, source)]


def _advice(entry: Facts) -> list[Block]:
    advice = entry["advice"]
    if not advice:
        return []
    what = "it fit, by the middle of the estimate"
    if entry["advice_by"] != "value":
        what = f"it pass firmware-flows check, by the {_ENDS[entry['advice_by']]} of the estimate"
    said = f"What would make {what}, the fastest first:"
    if not advice[0]["fits"]:
        said = f"Nothing that was tried makes {what}; what comes nearest:"
    rows = tuple(
        (
            str(rank),
            a["text"] + (" (outside the calibrated domain)" if a["outside"] and not entry["outside"] else ""),
            estimated(a["latency"]),
            decimal(a["latency_ns"]),
            rounded(a["interval"]["value"]),
            estimated(a["lut"]),
            estimated(a["dsp"]),
            _then(a),
        )
        for rank, a in enumerate(advice, 1)
    )
    columns = ("", "change", "latency, cycles", "latency, ns", "interval", "LUT", "DSP", "then")
    source = (
        f"{origin(entry)}; each row is the estimate of this design with that one change. Pruning leaves "
        "out the smallest weights that are not zero, fewer bits rounds them: whether the network stands it, training "
        "must show"
    )
    return [Text(said), Table(columns, rows, source, frozenset(range(2, 7)))]


def _then(proposal: Facts) -> str:
    """What a proposal comes to: by the middle, and by the end that the check goes by."""
    if proposal["problems"]:
        return "; ".join(proposal["problems"])
    beyond = ", ".join(QUANTITIES[name] for name in proposal["beyond"])
    if not beyond:
        return "fits, and passes the check"
    return f"{'fits, but is ' if proposal['fits'] else ''}beyond the limit by the end that the check takes: {beyond}"


def _budgets(entry: Facts) -> list[Block]:
    if not entry["budgets"]:
        return []
    rows = []
    for b in entry["budgets"]:
        budget, share = b["budget"], b["budget"]["share"]
        most = max(b["region_shares"], key=lambda key: b["region_shares"][key]["value"])
        rows.append(
            (
                f"{budget['name']}: {budget['description']}",
                budget["board"],
                f"{budget['clock_mhz']:g}",
                f"{estimated(b['latency'])} of {budget['latency_cycles']}",
                f"{b['latency_ns']:.0f} of {budget['latency_ns']:g}",
                f"{rounded(b['interval']['value'])} of {budget['interval_cycles'] or 'any'}",
                f"{RESOURCES[most]} {b['region_shares'][most]['value']:.0%}"
                + ("" if share is None else f", {share:.0%} allowed"),
                "; ".join(b["problems"]) or "fits",
            )
        )
    columns = (
        "budget", "board", "MHz", "latency, cycles", "latency, ns", "interval, cycles", "of one region", "",
    )  # fmt: skip
    sources = "; ".join(f"{b['budget']['name']}: {b['budget']['source']}" for b in entry["budgets"])
    source = f"{origin(entry)}, at the clock of each budget. Budgets: {sources}"
    text = f"The recipe names no budget (budget: {{name: ...}}). Those of boards with {entry['device']['name']}:"
    return [Text(text), Table(columns, tuple(rows), source, frozenset(range(2, 7)))]


def _layers(entry: Facts) -> Table:
    stages = [s["stage"] for s in entry["stages"]]
    rows = []
    for layer in entry["layers"]:
        reuse = str(layer["reuse_factor"]) if layer["strategy"] and entry["form"] == "hls" else ""
        counts = [rounded(layer[stage][key]) for key in RESOURCES for stage in stages]
        rows.append(
            (layer["name"], layer["kind"], reuse, rounded(layer["latency"]), rounded(layer["interval"]), *counts)
        )
    short = {"hls": "HLS", "synthesis": "synthesis"}
    names = [f"{label}, {short[stage]}" for label in RESOURCES.values() for stage in stages]
    columns = ("layer", "kind", "reuse", "cycles", "interval", *names)
    source = (
        "estimated before synthesis, without intervals: how the error of a design is shared by its layers is not "
        "known. Registers and streams between layers are in the total only. No tool that ran here counts by layer"
    )
    return Table(columns, tuple(rows), source, frozenset(range(2, len(columns))))
