"""Facts into a document: what is shown, in which order, and where each number comes from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_flows.reporting.document import Block, Document, Image, Items, Section, Table, Text, Verdict
from firmware_flows.reporting.glance import glance
from firmware_flows.reporting.metrics import FIRMWARE, REFERENCE, flatten
from firmware_flows.reporting.numbers import bounds, cycles_of, metric, signed
from firmware_flows.reporting.resources import resources
from firmware_flows.reporting.size import beyond_budget, size

Facts = Mapping[str, Any]

PROVEN = "the Program; ranges proven by interval analysis with the actual weights"


def arrange(facts: Facts) -> Document:
    """The document of a report; `facts` is the content of report.json."""
    recipe = facts["recipe"]
    failures = facts["failures"]
    exceeded = ", ".join(beyond_budget(facts.get("budget", ())))
    held = f"every check of this run holds{f', but not what the recipe allows: {exceeded}' if exceeded else ''}."
    verdict = Verdict(not failures, "; ".join(failures) if failures else held)
    estimates = facts.get("estimates", ())
    sections = [
        glance(facts),
        _metrics(facts),
        _plots(facts.get("plots", ())),
        _verification(facts.get("verification")),
        *size(estimates, facts.get("budget", ()), facts.get("costs_plots", {})),
        resources(facts.get("synthesis"), facts.get("rtl"), facts.get("published", ()), estimates),
        _network(facts),
        _ports(facts),
        _hls(facts.get("hls")),
        _rtl(facts.get("rtl")),
        _training(facts),
        _remarks(facts.get("remarks", ())),
        _provenance(facts["provenance"]),
    ]
    return Document(
        title=f"{recipe['name']}: from training to verified firmware",
        subtitle=recipe.get("description", ""),
        verdict=verdict,
        sections=tuple(s for s in sections if s is not None),
    )


def _network(facts: Facts) -> Section:
    network = facts["network"]
    rows = tuple(_layer_row(layer) for layer in network["layers"])
    share = network["nonzero_parameters"] / network["parameters"] if network["parameters"] else 0.0
    blocks: list[Block] = [
        Text(
            f"{len(network['layers'])} layers, {network['instructions']} instructions, {network['parameters']:,} "
            f"parameters of which {network['nonzero_parameters']:,} are not zero ({share:.1%}). "
            f"Program {network['digest'][:16]} (SHA-256, first digits)."
        ),
        Table(
            (
                "layer",
                "kind",
                "shape",
                "parameters",
                "not zero",
                "weights",
                "accumulator",
                "result",
                "proven range",
                "bits",
            ),
            rows,
            f"{PROVEN}. Bits: needed by the proven range, of those that the result has",
            frozenset({3, 4, 8, 9}),
        ),
    ]
    remarks = tuple(f"{layer['name']}: {text}" for layer in network["layers"] for text in layer["remarks"])
    if remarks:
        blocks.append(Items(remarks))
    if facts.get("types_plot"):
        blocks.append(
            Image(
                "Bits of every layer around the binary point",
                facts["types_plot"],
                f"Bits of every layer, most significant at the left, around the binary point. Source: {PROVEN}.",
            )
        )
    return Section("Network", tuple(blocks))


def _layer_row(layer: Facts) -> tuple[str, ...]:
    types, proven = layer["types"], layer["proven"]
    low, high = proven["values"]
    return (
        layer["name"],
        layer["kind"],
        _shape(layer["shape"]),
        f"{layer['parameters']:,}" if layer["parameters"] else "",
        f"{layer['nonzero_parameters']:,}" if layer["parameters"] else "",
        types.get("weight", ""),
        types.get("accum", ""),
        types["result"],
        f"[{low:g}, {high:g}]",
        f"{proven['bits_needed']}/{layer['bits']['result']['width']}",
    )


def _ports(facts: Facts) -> Section:
    ports = facts["ports"]
    rows = [
        (
            "input",
            p["name"],
            _shape(p["shape"]),
            p["type"],
            f"2^{p['integer'] - p['width']}",
            f"[{p['minimum']:g}, {p['maximum']:g}]",
        )
        for p in ports["inputs"]
    ]
    rows += [
        (
            "output",
            p["name"],
            _shape(p["shape"]),
            p["type"],
            f"2^{p['integer'] - p['width']}",
            "[{:g}, {:g}]".format(*p["proven"]["values"]),
        )
        for p in ports["outputs"]
    ]
    blocks: list[Block] = [
        Table(
            ("port", "name", "shape", "type", "least bit", "range"),
            tuple(rows),
            "the Program. Range: of the type for inputs, proven for outputs",
            frozenset({4, 5}),
        )
    ]
    for port in ports["outputs"]:
        if port.get("elements"):
            order = ", ".join(f"{k}: {name}" for k, name in enumerate(port["elements"]))
            blocks.append(Text(f"Order of the elements of {port['name']}: {order}."))
    return Section("Inputs and outputs", tuple(blocks))


def _verification(verification: Facts | None) -> Section | None:
    if verification is None:
        return None
    events = sum(verification["groups"].values())
    differing = sum(form["differing"] for form in verification["forms"])
    forms = "; ".join(form["name"] for form in verification["forms"])
    blocks: list[Block] = [
        Verdict(
            verification["passed"],
            f"{differing:,} differences in {events:,} events; compared with the Program: {forms}.",
        ),
        Table(
            ("compared with the Program", "events compared", "of which differ", "not compared", "why not compared"),
            tuple(
                (
                    f["name"],
                    f"{f['compared']:,}",
                    f"{f['differing']:,}",
                    f"{f['skipped']:,}",
                    f["reason"] if f["skipped"] else "",
                )
                for f in verification["forms"]
            ),
            "counted by verify; two outputs are equal when they are equal in every bit",
            frozenset({1, 2, 3}),
        ),
        Table(
            ("events", "number"),
            tuple((name, f"{count:,}") for name, count in verification["groups"].items()),
            f"counted by verify; seed {verification['seed']}",
            frozenset({1}),
        ),
    ]
    if not verification["csim"]:
        blocks.append(Text("The C++ of the HLS project was not compiled or run (hls.csim: false)."))
    for divergence in verification["divergences"]:
        blocks.append(_pairs(divergence, f"verify, {divergence['form']}: the first value that differs"))
    blocks += _coverage(verification["coverage"])
    if verification["remarks"]:
        blocks.append(Items(tuple(verification["remarks"])))
    return Section("Verification: do all forms agree in every bit?", tuple(blocks))


def _coverage(coverage: Sequence[Facts]) -> list[Block]:
    if not coverage:
        return []
    rows = tuple(
        (
            c["layer"],
            c["instruction"],
            bounds(c["proven"]),
            bounds(c["reached"]) if c["reached"][0] else "",
            " and ".join(end for end, hit in zip(("low", "high"), c["ends_reached"], strict=True) if hit),
            f"{c['ties']:,}",
            f"{c['below']:,}",
            f"{c['above']:,}",
        )
        for c in coverage
    )
    columns = ("layer", "step", "proven range", "reached", "ends reached", "ties", "below range", "above range")
    source = (
        "verify; how far the events went inside the Program. An end that is not reached is a bound that no event met: "
        "the proof is over intervals, which may be wider than what inputs can do together. Ends are rounded to six "
        "digits, exact in report.json"
    )
    return [Text("Coverage of sums and casts:"), Table(columns, rows, source, frozenset({5, 6, 7}))]


def _metrics(facts: Facts) -> Section | None:
    metrics = facts.get("metrics")
    if not metrics:
        return None
    flat = {form: flatten(values) for form, values in metrics["forms"].items()}
    names = list(dict.fromkeys(name for values in flat.values() for name in values))
    with_loss = REFERENCE in flat and FIRMWARE in flat
    columns = ("metric", *flat, *(("float minus bit-accurate",) if with_loss else ()))
    rows = []
    for name in names:
        cells = [metric(values[name]) if name in values else "" for values in flat.values()]
        if with_loss:
            both = name in flat[REFERENCE] and name in flat[FIRMWARE]
            cells.append(signed(flat[REFERENCE][name] - flat[FIRMWARE][name]) if both else "")
        rows.append((name, *cells))
    source = f"measured on the {metrics['events']:,} test events by evaluate of {metrics['source']}"
    blocks: list[Block] = [Table(columns, tuple(rows), source, frozenset(range(1, len(columns))))]
    if metrics.get("checks"):
        checks = tuple(
            (
                c["check"],
                metric(c["value"]) if c["value"] is not None else "not a number",
                f"at least {c['at_least']:g}" if "at_least" in c else f"at most {c['at_most']:g}",
                "holds" if c["passed"] else "FAILS",
            )
            for c in metrics["checks"]
        )
        blocks.append(
            Table(("check", "found", "wanted", ""), checks, "limits from the recipe; " + source, frozenset({1}))
        )
    if metrics.get("remarks"):
        blocks.append(Items(tuple(metrics["remarks"])))
    return Section("Performance", tuple(blocks))


def _plots(plots: Sequence[Facts]) -> Section | None:
    if not plots:
        return None
    return Section("Plots", tuple(Image(p["title"], p["file"], p.get("caption", "")) for p in plots))


def _hls(hls: Facts | None) -> Section | None:
    if not hls:
        return None
    return Section("HLS project", (_pairs(hls, "settings of the recipe; nothing here is synthesised or estimated"),))


def _rtl(rtl: Facts | None) -> Section | None:
    if not rtl:
        return None
    measured, estimated, stated = rtl["measured"], rtl["estimated"], rtl["stated"]
    rows = [
        ("language", rtl["language"], "settings of the recipe"),
        ("target", rtl["target"], "settings of the recipe"),
        ("clock wanted", f"{rtl['clock_mhz']:g} MHz", "settings of the recipe"),
    ]
    if measured is None:
        cycles = cycles_of(stated["latency_cycles"])
        rows.append(("latency", cycles, f"stated by {stated['source']}; not simulated (rtl.simulate: false)"))
    else:
        latency = f"{cycles_of(measured['latency_cycles'])}, {measured['latency_ns']:.1f} ns at the clock wanted"
        rows += [
            ("latency", latency, measured["source"]),
            ("initiation interval", cycles_of(measured["initiation_interval"]), measured["source"]),
        ]
    rows += [
        ("LUT", f"about {estimated['lut']:,.0f}", estimated["source"]),
        ("flip-flops", f"{estimated['register_bits']:,}", estimated["source"]),
    ]
    source = "as each row says; whether the clock is reached on the target is what synthesis shows"
    return Section("RTL", (Table(("", "", "where it comes from"), tuple(rows), source),))


def _training(facts: Facts) -> Section | None:
    training = facts.get("training")
    if not training:
        return None
    rows = []
    for form, found in training.items():
        best = found["best"]
        rows.append(
            (
                form,
                str(found["best_epoch"]),
                str(len(found["epochs"])),
                *(
                    f"{best[key]:.4f}" if key in best else ""
                    for key in ("loss", "val_loss", "accuracy", "val_accuracy")
                ),
                f"{found['seconds']:.0f}" if "seconds" in found else "",
                str(found["seed"]),
            )
        )
    columns = (
        "network",
        "best epoch",
        "of",
        "loss",
        "validation loss",
        "accuracy",
        "validation accuracy",
        "seconds",
        "seed",
    )
    table = Table(columns, tuple(rows), "the training's own log, at the best epoch", frozenset(range(1, 9)))
    events = facts["data"]["events"]
    shape = _shape(facts["data"]["event_shape"])
    counts = ", ".join(f"{count:,} for {name}" for name, count in events.items())
    return Section("Data and training", (Text(f"Events of shape {shape}: {counts}."), table))


def _remarks(remarks: Sequence[str]) -> Section | None:
    return Section("Remarks", (Items(tuple(remarks)),)) if remarks else None


def _provenance(provenance: Facts) -> Section:
    stages = tuple((s["stage"], s["finished"], f"{s['seconds']:.1f}") for s in provenance["stages"])
    facts = {key: value for key, value in provenance.items() if key != "stages"}
    return Section(
        "Provenance",
        (
            _pairs(facts, "recorded when the report was made"),
            Table(("stage", "finished", "seconds"), stages, "the run's manifest", frozenset({2})),
        ),
    )


def _pairs(facts: Facts, source: str) -> Table:
    """A table of names and values; nested mappings by dotted name."""
    rows: list[tuple[str, str]] = []

    def walk(value: Any, name: str) -> None:
        if isinstance(value, Mapping) and value:
            for key, item in value.items():
                walk(item, f"{name}.{key}" if name else str(key).replace("_", " "))
        elif value is not None and value != {}:
            rows.append((name, _show(value)))

    walk(facts, "")
    return Table(("", ""), tuple(rows), source)


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_show(item) for item in value)
    return str(value)


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(str(n) for n in shape) or "scalar"
