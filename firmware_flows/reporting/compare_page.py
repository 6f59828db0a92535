"""The comparison of two runs as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from firmware_flows.reporting.document import Block, Document, Items, Section, Table, Text, Verdict
from firmware_flows.reporting.metrics import FIRMWARE
from firmware_flows.reporting.numbers import estimated, metric, number, rounded, signed
from firmware_flows.reporting.size import FORMS, RESOURCES, STAGES

Facts = Mapping[str, Any]

DIGEST = 16
"""Digits of a digest that are shown."""

_NAMES = {"latency": "latency, cycles", "interval": "interval, cycles", **RESOURCES}


def arrange_comparison(facts: Facts) -> Document:
    """The document of a comparison; `facts` as `compare` gives them. A is the first run, B the second."""
    a, b = facts["a"], facts["b"]
    sections = (
        _runs(facts),
        _metrics(facts),
        _costs(facts),
        _measured(facts["measured"]),
        _rows("Types, ranges and parameters", facts["types"], "layer", "the Programs; only what differs is shown"),
        _rows("Settings", facts["settings"], "", "the recipes in force, defaults included; only what differs"),
        _rows("Versions", facts["versions"], "", "recorded when each report was made; only what differs"),
    )
    return Document(
        title=f"{a['name']} and {b['name']} compared",
        subtitle=f"A: {a['run']}. B: {b['run']}.",
        verdict=_verdict(facts),
        sections=tuple(s for s in sections if s is not None),
    )


def _verdict(facts: Facts) -> Verdict:
    if facts["same_program"]:
        return Verdict(True, "both runs have the same Program, so every answer is the same.", "SAME BITS")
    return Verdict(False, f"the Programs differ; {_bits(facts['bits'])}.", "OTHER BITS")


def _bits(bits: Facts) -> str:
    if "reason" in bits:
        return f"their answers are not compared, since {bits['reason']}"
    text = f"{bits['differing']:,} of {bits['events']:,} test events have another answer"
    if "largest_element_differs" in bits:
        text += f", {bits['largest_element_differs']:,} another largest element (class)"
    return f"{text}; the largest difference is {bits['largest']:g}"


def _runs(facts: Facts) -> Section:
    keys = (
        ("name", "name"), ("description", "description"), ("run", "run"), ("program", "Program, first digits"),
        ("parameters", "parameters"), ("nonzero_parameters", "parameters that are not zero"), ("seed", "seed"),
    )  # fmt: skip
    shown = [{**facts[side], "program": facts[side]["program"][:DIGEST]} for side in ("a", "b")]
    rows: list[tuple[str, ...]] = [(label, *(_show(run[key]) for run in shown)) for key, label in keys]
    rows.append(("checks that failed", *("; ".join(facts["failures"][x]) or "none" for x in ("a", "b"))))
    blocks: list[Block] = [Table(("", "A", "B"), tuple(rows), "the reports of the runs")]
    if not facts["same_data"]:
        blocks.append(Items(("The runs have different data: a difference of a metric is partly that of the events.",)))
    return Section("The two runs", tuple(blocks))


def _metrics(facts: Facts) -> Section | None:
    """The firmware first, the float network beside it; what Keras says only where it is something else."""
    found: dict[str, dict[str, Facts]] = {}
    for m in facts["metrics"]:
        found.setdefault(m["form"], {})[m["metric"]] = m
    forms = [form for form in (FIRMWARE, *found) if form in found]
    forms = [f for k, f in enumerate(forms) if f not in forms[:k] and (f == FIRMWARE or not _same(found, f))]
    names = dict.fromkeys(name for form in forms for name in found[form])
    rows = []
    for name in names:
        values = [found[form].get(name, {}) for form in forms]
        if any(v.get("a") != v.get("b") for v in values):
            figures = [(_decimal(v.get("a")), _decimal(v.get("b")), _signed(v.get("difference"))) for v in values]
            rows.append((name, *(text for three in figures for text in three)))
    if not names:
        return None
    same = len(names) - len(rows)
    blocks: list[Block] = [Text(f"{same} of {len(names)} metrics are the same and not shown.")] if same else []
    if rows:
        columns = ("metric", *(f"{form}, {what}" for form in forms for what in ("A", "B", "B minus A")))
        source = "measured on the test events of each run" + (", which are the same" if facts["same_data"] else "")
        blocks.append(Table(columns, tuple(rows), source, frozenset(range(1, len(columns)))))
    return Section("Performance", tuple(blocks))


def _same(found: Mapping[str, Mapping[str, Facts]], form: str) -> bool:
    """Whether a form has the firmware's metrics, in both runs."""
    firmware = found.get(FIRMWARE, {})
    mine = {name: (m["a"], m["b"]) for name, m in found[form].items()}
    return mine == {name: (m["a"], m["b"]) for name, m in firmware.items()}


def _costs(facts: Facts) -> Section | None:
    if not facts["estimates"]:
        return None
    rows = tuple(
        (FORMS[e["form"]], STAGES[e["stage"]], _NAMES[e["quantity"]], *_interval_pair(e["a"], e["b"]))
        for e in facts["estimates"]
    )
    source = (
        "estimated before synthesis, with intervals. The errors of two similar designs are alike: their difference is "
        "known better than either"
    )
    columns = ("", "what", "quantity", "A", "B", "B over A")
    blocks: list[Block] = [Table(columns, rows, source, frozenset({3, 4, 5}))]
    layers = tuple(
        (FORMS[x["form"]], x["layer"], *(text for key in _cost_keys(facts) for text in _pair(x, key)))
        for x in facts["layers"]
    )
    if layers:
        names = [f"{_NAMES[key]}, {side}" for key in _cost_keys(facts) for side in ("A", "B")]
        header = ("", "layer", *names)
        text = f"estimated before synthesis, what {STAGES['synthesis']}; without intervals"
        blocks += [Text("Layer by layer:"), Table(header, layers, text, frozenset(range(2, len(header))))]
    return Section("Size and speed, estimated", tuple(blocks))


def _cost_keys(facts: Facts) -> list[str]:
    """Quantities that any layer of either run has."""
    sides = [x[side] for x in facts["layers"] for side in ("a", "b") if x[side]]
    return [key for key in ("latency", *RESOURCES) if any(s[key] for s in sides)]


def _pair(layer: Facts, key: str) -> tuple[str, str]:
    one, other = ("" if layer[side] is None else rounded(layer[side][key]) for side in ("a", "b"))
    return one, other


def _interval_pair(a: Facts | None, b: Facts | None) -> tuple[str, str, str]:
    one, other = ("" if x is None else estimated(x) for x in (a, b))
    return one, other, _ratio(*(None if x is None else x["value"] for x in (a, b)))


def _measured(rows: Sequence[Facts]) -> Section | None:
    if not rows:
        return None
    table = Table(
        ("quantity", "on", "A", "B", "B over A", "where it comes from"),
        tuple(
            (r["quantity"], r["target"], number(r["a"]), number(r["b"]), _ratio(r["a"], r["b"]), r["origin"])
            for r in rows
        ),
        "as each row says; numbers of different tools or versions are not compared",
        frozenset({2, 3, 4}),
    )
    return Section("Measured", (table,))


def _rows(title: str, rows: Sequence[Facts], key: str, source: str) -> Section:
    if not rows:
        return Section(title, (Text("Nothing differs."),))
    columns = ((key,) if key else ()) + ("what", "A", "B")
    found = tuple(((str(r[key]),) if key else ()) + (r["name"], _show(r["a"]), _show(r["b"])) for r in rows)
    return Section(title, (Table(columns, found, source),))


def _ratio(a: float | None, b: float | None) -> str:
    return f"{b / a:.2f}" if a and b is not None else ""


def _decimal(value: float | None) -> str:
    return "" if value is None else metric(value)


def _signed(value: float | None) -> str:
    return "" if value is None else signed(value)


def _show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(_show, value)) if isinstance(value, list | tuple) else str(value)
