"""The document of the validation: what was held out, what came of it, the worst cases and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from firmware_flows.estimation.fitting import FITTED_DELAYS
from firmware_flows.estimation.parameters import QUANTITIES, Calibration
from firmware_flows.estimation.spreads import Judged, covered
from firmware_flows.estimation.synthesis_ratios import coverage_of_ratios
from firmware_flows.estimation.work import Kind, Multiplier

if TYPE_CHECKING:
    from firmware_flows.estimation.fit import Data

TARGETS = {
    "latency": "1 cycle or 10 %",
    "lut": "20 %",
    "ff": "25 %",
    "dsp": "5 or 10 %",
}

REASONS = {
    "v_2636fb65": "probably weights and sums are far narrower than the types in the source (sums of 24 bits, most"
    " weights powers of two): the report counts 4 to 8 LUT a term, every other report 16 to 38",
    "v_ddd9d253": "slowest speed grade at 5 ns, timing missed by 1 ns in the report itself; 11 cycles in a layer"
    " whose sums have 5 terms on average",
    "v_19f2870a": "the back end wraps the network in a kernel with streams at both ends; their"
    " cycles are in the report",
    "v_4f1a7019": "accumulators declared with 64 bits: rectifiers on 64 bits take cycles that are not modelled",
    **dict.fromkeys(
        ("v_e8ab01c6", "v_3525fee8", "v_ab3bf787"),
        "probably the pruning: a first-layer neuron has one term or none, and its rectifier is trimmed to half of what"
        " rectifiers cost elsewhere",
    ),
    "v_bcc0c68b": "5.6 times the bits of all products are in registers, in no other report more than 2.3 times",
}
"""Why, for rows that stand out; by row."""

MNIST = "196x56-56x64-64x32-32x10"
MNIST_REASON = (
    "a layer of 10,976 products takes 48 cycles (and the registers for them) whatever the reuse factor or multiplier,"
    " where its sum needs 7: the only network with a layer this large, so no rule can be fitted and tested"
)


def document(
    data: Data,
    found: Calibration,
    judged: Mapping[str, Sequence[Judged]],
    compared: Sequence[Mapping[str, Any]] | None,
    own: Sequence[Mapping[str, Any]] | None = None,
) -> str:
    """The text of docs/estimation.md."""
    latency = judged["latency"]
    lines = [
        "# Estimates before synthesis",
        "",
        "`ff.estimate(program, target=..., clock_mhz=..., strategy=..., reuse_factor=..., io=...)` and"
        " `firmware-flows estimate` say how big and how fast a Program will be as firmware, each"
        " number with an interval"
        " that is meant to hold 80 % of the cases, for two stages: what the HLS report will say, and what logic"
        " synthesis will leave. This page is written by the fit"
        " (`python -m firmware_flows.estimation.fit FOLDER --write`) and says how far to trust them.",
        "",
        *_model(found),
        *_held_out(data, latency, found),
        *_families(latency),
        *_worst(latency),
        *_synthesis(data),
        *_others(judged),
        *_own_designs(own),
        *_comparison(latency, compared),
        *_limits(data, found),
    ]
    return "\n".join(lines) + "\n"


def _model(found: Calibration) -> list[str]:
    return [
        "## How it counts",
        "",
        "- A constant without digits in canonical-signed-digit form costs nothing, one digit is a shift, two are one"
        " adder, three or more are a multiplier, shared where one input meets the same constant"
        " twice. With the exact weights"
        " of 14 published single-layer networks this gives the DSP count of the report within 10 %, in 9 of them within"
        " 1 %, with no fitted number. Under `auto` a multiplier goes to a DSP block when both operands together have 21"
        " bits; wider operands than the block's take several.",
        "- Every non-zero constant is a term of a sum: an adder of W bits is W + 7 LUT in an HLS report.",
        "- Latency: operations are chained within the usable part of a cycle. A DSP block over several cycles"
        " ends in its own register, a table begins with one. Layers are chained in the same way: one without"
        " registers (a rectifier) follows in the same cycle where both fit, one with registers begins a cycle of its"
        " own, and where an event comes every cycle it takes one more to register what does not come from chained"
        " logic. Softmax is such a chain too: the largest by comparisons, a difference, rounding, a table, sums, a"
        " table, a product. A reuse factor allows `ceil(products / reuse) - zeros // reuse` multipliers (hls4ml's own"
        " limit), and they take turns only when there are more products than that.",
        "- Registers: a stage of a tree of adders keeps a fixed part of what the one before it kept, the less the more"
        " additions fit in a cycle; where events come less often than every cycle, every term is kept once at most. A"
        " term by a power of two is wiring, whose input waits once for all outputs, and counts less.",
        f"- Fitted are {len(FITTED_DELAYS)} delays (in 7-series nanoseconds, one of them a factor for UltraScale+) and"
        " one weight for each kind"
        " of LUT and FF, all drawn to physical values. The form of the model was chosen by people who"
        " had seen the table,"
        " and of several forms of the registers and of the fit's robustness the one with the better figures below was"
        " kept: the figures test the numbers on networks that the fit had not seen, not the choice of the form, and may"
        " flatter by a few per cent.",
        "",
        "| delay | ns (7 series) | | LUT per | weight | | FF per | weight |",
        "|---|---|---|---|---|---|---|---|",
        *_columns(found),
        "",
    ]


def _columns(found: Calibration) -> list[str]:
    columns = [[(n, f"{v:.3g}") for n, v in sorted(t.items())] for t in (found.delays, found.lut, found.ff)]
    longest = max(len(c) for c in columns)
    padded = [c + [("", "")] * (longest - len(c)) for c in columns]
    return ["| " + " | | ".join(f"{a} | {b}" for a, b in row) + " |" for row in zip(*padded, strict=True)]


def relative(judged: Sequence[Judged], quantity: str) -> list[float]:
    """Absolute errors relative to what was measured, at least one unit."""
    return [
        abs(getattr(j.estimate, quantity) - getattr(j.row.measured, quantity))
        / max(getattr(j.row.measured, quantity), 1.0)
        for j in judged
    ]


def absolute(judged: Sequence[Judged], quantity: str) -> list[float]:
    """Absolute errors."""
    return [abs(getattr(j.estimate, quantity) - getattr(j.row.measured, quantity)) for j in judged]


def reached(judged: Sequence[Judged], quantity: str) -> float:
    """Share of rows within what is wanted of the median row (TARGETS)."""
    allowed = {"latency": (1.0, 0.10), "lut": (0.0, 0.20), "ff": (0.0, 0.25), "dsp": (5.0, 0.10)}[quantity]
    pairs = zip(absolute(judged, quantity), relative(judged, quantity), strict=True)
    return sum(a <= allowed[0] or r <= allowed[1] for a, r in pairs) / len(judged)


def _held_out(data: Data, judged: Sequence[Judged], found: Calibration) -> list[str]:
    lines = [
        "## Networks that the fit had not seen",
        "",
        f"{len(judged)} HLS reports of networks in the latency strategy with parallel input and"
        f" output, of quality A and"
        f" A-, from {len({j.row.repository for j in judged})} repositories. A family is a sequence of"
        f" layer sizes, whatever"
        " the weights, types, tools and devices: the jet tagger of five repositories is one family. Each family was"
        " estimated by a fit without it. Intervals of a family come from the errors of the other families, and are"
        " widened where it lies outside the domain of these (see the end), as those of any estimate:"
        f" {_outside(judged)}.",
        "",
        "| | median error | absolute | wanted of the median row | rows within it | interval holds |"
        " interval, of the estimate |",
        "|---|---|---|---|---|---|---|",
    ]
    for quantity in QUANTITIES:
        inside = covered(judged, quantity)
        spread = found.spread["latency"][quantity]
        low, high = spread.around(1e9)
        within = f"{reached(judged, quantity):.0%}" if quantity in TARGETS else ""
        lines.append(
            f"| {_NAMES[quantity]} | {median(relative(judged, quantity)):.1%} |"
            f" {median(absolute(judged, quantity)):,.1f} |"
            f" {TARGETS.get(quantity, '')} | {within} | {sum(inside) / len(inside):.0%} |"
            f" {low / 1e9 - 1:+.0%} to {high / 1e9 - 1:+.0%}, at least ±{spread.least:g} |"
        )
    lines += ["", _verdict(judged), ""]
    if data.left_out:
        lines += [
            "Left out, though of that quality: " + "; ".join(f"`{n}` ({why})" for n, why in data.left_out) + ".",
            "",
        ]
    return lines


def _outside(judged: Sequence[Judged]) -> str:
    rows = [j for j in judged if j.widen > 1]
    return f"{len(rows)} reports of {', '.join(sorted({j.row.family for j in rows})) or 'no family'}"


def _verdict(judged: Sequence[Judged]) -> str:
    parts = []
    for quantity, wanted in TARGETS.items():
        share = reached(judged, quantity)
        parts.append(
            f"{_NAMES[quantity]} {'reached' if share >= 0.5 else 'NOT reached'} ({wanted}: {share:.0%} of rows)"
        )
    outside = []
    for quantity in QUANTITIES:
        inside = covered(judged, quantity)
        share = sum(inside) / len(inside)
        if not 0.75 <= share <= 0.90:
            outside.append(f"{_NAMES[quantity]} {share:.0%}")
    cycles, part = median(absolute(judged, "latency")), median(relative(judged, "latency"))
    text = "Wanted of the median row: " + ", ".join(parts) + "."
    text += f" For latency either is enough for a row; the median of the cycles alone is {cycles:.1f}, of"
    text += f" the shares {part:.0%}."
    text += " Intervals hold 75 to 90 %" + (f", except {', '.join(outside)}." if outside else " for every quantity.")
    exact = [j for j in judged if j.estimate.bram == j.row.measured.bram]
    some = [j for j in judged if j.row.measured.bram]
    text += (
        f" BRAM18 is a count of tables and not a matter of degree: equal in {len(exact)} of {len(judged)} reports and"
        f" in {len([j for j in exact if j.row.measured.bram])} of the {len(some)} that have any, which hold"
        f" {len({j.row.measured.bram for j in some})} different numbers. An interval that holds 80 % of them cannot be"
        " made narrower than the number itself; ±1 is stated."
    )
    return text


def _families(judged: Sequence[Judged]) -> list[str]:
    lines = ["| family held out | reports | latency | LUT | FF | DSP |", "|---|---|---|---|---|---|"]
    for family, count in Counter(j.row.family for j in judged).most_common():
        rows = [j for j in judged if j.row.family == family]
        values = [f"{median(relative(rows, q)):.0%}" for q in ("latency", "lut", "ff", "dsp")]
        lines.append(f"| {family} | {count} | {' | '.join(values)} |")
    return [*lines, ""]


def _worst(judged: Sequence[Judged]) -> list[str]:
    lines = [
        "### The worst cases",
        "",
        "| report | network, device, clock, reuse | quantity | report | estimate | why |",
        "|---|---|---|---|---|---|",
    ]
    shown: set[str] = set()
    for quantity in ("latency", "lut", "ff", "dsp"):
        ranked = sorted(judged, key=lambda j: -abs(j.error(quantity)))
        for each in ranked[:5]:
            reason = (
                MNIST_REASON
                if each.row.family == MNIST and quantity in ("latency", "ff")
                else REASONS.get(each.row.name, "")
            )
            if reason and reason in shown:
                reason = "as above"
            shown.add(reason)
            lines.append(
                f"| `{each.row.name}` | {_conditions(each)} | {_NAMES[quantity]} |"
                f" {getattr(each.row.measured, quantity):,.0f} | {getattr(each.estimate, quantity):,.0f} |"
                f" {reason or 'not understood'} |"
            )
    return [*lines, ""]


def _conditions(each: Judged) -> str:
    row = each.row
    factors = sorted({w.reuse_factor for w in row.work if w.kind is Kind.PRODUCT})
    return f"{row.family}, {row.device}, {row.conditions.clock:g} ns, {'/'.join(map(str, factors))}"


def _synthesis(data: Data) -> list[str]:
    lines = [
        "## From the HLS report to logic synthesis",
        "",
        "Ratios from designs with both reports, by repository held out; designs with more"
        " multipliers than the device has"
        " DSP blocks are apart (each lost multiplier becomes about 75 LUT, from one design).",
        "",
        "| strategy | | median error of the ratio | interval holds | designs |",
        "|---|---|---|---|---|",
    ]
    for strategy in ("latency", "resource"):
        pairs = [p for p in data.pairs if p.strategy == strategy]
        for quantity, (error, inside, count) in coverage_of_ratios(pairs).items():
            lines.append(f"| {strategy} | {_NAMES[quantity]} | {error:.0%} | {inside:.0%} | {count} |")
    return [*lines, ""]


def _others(judged: Mapping[str, Sequence[Judged]]) -> list[str]:
    lines = [
        "## Other strategies",
        "",
        "Resource: a sweep of single dense layers, one number of inputs held out at a time. Stream: networks, mostly"
        " convolutional, by family held out; few and different, so the intervals are wide.",
        "",
        "| | | median error | interval holds | reports |",
        "|---|---|---|---|---|",
    ]
    for group in ("resource", "stream"):
        for quantity in QUANTITIES:
            rows = judged[group]
            inside = covered(rows, quantity)
            lines.append(
                f"| {group} | {_NAMES[quantity]} | {median(relative(rows, quantity)):.0%} |"
                f" {sum(inside) / len(inside):.0%} | {len(rows)} |"
            )
    return [
        *lines,
        "",
        "`resource_unrolled` and `distributed_arithmetic` have no vendor report in the table. Their estimates count"
        " adders and say that they are outside the calibrated domain; their intervals are a judgement, not a"
        " measurement.",
        "",
    ]


def _own_designs(own: Sequence[Mapping[str, Any]] | None) -> list[str]:
    lines = [
        "## This package's RTL",
        "",
        "A graph of shared adders, cut by registers where the clock needs them. Three numbers of it (levels over those"
        " of the shortest tree, registers for each adder, cost of trained over random weights) are medians over 15"
        " designs of 9 networks, among them these: a description, not a test on networks that were not seen.",
        "",
    ]
    if not own:
        return [*lines, "Not counted in this run (`--rtl FILE`, made by `benchmarks/rtl_estimates.py`).", ""]
    lines += ["| network | part, clock | cycles | estimate | register bits | estimate | LUT (Yosys) | estimate |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    for entry in own:
        cells = [f"{entry['program']} | {entry['part']}, {entry['clock_mhz']:g} MHz"]
        for name in ("latency", "ff", "lut"):
            count, low, _, high = entry[name]
            cells.append(f"{count:,.0f} | {low:,.0f} to {high:,.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _comparison(judged: Sequence[Judged], compared: Sequence[Mapping[str, Any]] | None) -> list[str]:
    lines = ["## Beside rule4ml", ""]
    if not compared:
        return [*lines, "Not compared in this run (`--rule4ml FILE`, made by `benchmarks/rule4ml_comparison.py`).", ""]
    theirs = {entry["row"]: entry for entry in compared if "error" not in entry}
    ours = [j for j in judged if j.row.name in theirs]
    free = [j for j in ours if j.row.conditions.multiplier is Multiplier.AUTO]
    lines += [
        f"rule4ml {compared[0].get('version', '')} on the rows of the table above that it answers: dense"
        f" networks, a 7-series"
        " part given as its board pynq-z2, any other as alveo-u200, the precision of the first weights, the first reuse"
        " factor. It knows neither clock, pruning nor a forced kind of multiplier; the second pair of"
        " columns leaves out the"
        " rows with the latter. Ours are the held-out estimates; whether its training saw these networks is not known.",
        "",
        f"| | rule4ml, {len(ours)} rows | this package | rule4ml, {len(free)} rows, multipliers left to"
        f" the tool | this package |",
        "|---|---|---|---|---|",
    ]
    for quantity in QUANTITIES if free else ():
        cells = []
        for rows in (ours, free):
            their = median(_their_errors(rows, theirs, quantity))
            cells += [f"{their:.0%}", f"{median(relative(rows, quantity)):.0%}"]
        lines.append(f"| {_NAMES[quantity]} | {' | '.join(cells)} |")
    refused = Counter(str(entry["error"]) for entry in compared if "error" in entry)
    lines += ["", *(f"{count} rows not estimated by rule4ml: {reason}." for reason, count in refused.items())]
    return [*lines, ""]


def _their_errors(rows: Sequence[Judged], theirs: Mapping[str, Mapping[str, Any]], quantity: str) -> list[float]:
    found = []
    for each in rows:
        measured = getattr(each.row.measured, quantity)
        found.append(abs(theirs[each.row.name][quantity] - measured) / max(measured, 1.0))
    return found


def _limits(data: Data, found: Calibration) -> list[str]:
    area = found.domain
    return [
        "## Where it does not reach",
        "",
        f"Calibrated for {', '.join(area['technologies'])}, {1000 / area['clock_ns'][1]:.0f} to"
        f" {1000 / area['clock_ns'][0]:.0f} MHz, at most {area['layers']} dense layers of at most"
        f" {area['products'][1]:,}"
        f" products, inputs to {area['input_bits'][1]} and weights to {area['weight_bits'][1]} bits, reuse factors to"
        f" {area['reuse_factor'][1]}; strategy resource on single layers of at most"
        f" {area['products_resource'][1]:,} products"
        f" with reuse factors from {area['reuse_factor_resource'][0]} to"
        f" {area['reuse_factor_resource'][1]}. Outside it the estimate names what is outside and doubles the"
        f" logarithmic width of"
        " every interval, which is a convention. Nothing is known of the clock that is reached after place and route:"
        " cycles are those at the clock asked for."
        " The interval after logic synthesis joins the errors of both steps as independent; too few networks have both"
        " reports to test the two steps together.",
        "",
    ]


_NAMES = {"latency": "latency", "interval": "interval", "lut": "LUT", "ff": "FF", "dsp": "DSP", "bram": "BRAM18"}
