"""Fit the estimator to published vendor reports, and judge it on networks that the fit has not seen.

    python -m firmware_flows.estimation.fit FOLDER [--write] [--rule4ml FILE] [--rtl FILE]

FOLDER holds `vendor_reports.csv`, `vendor_reports_modules.csv` and `csynth_vs_logic_synthesis.csv`. Without `--write`
only the table of the validation is printed.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from firmware_flows.estimation.design import assemble, total_cost
from firmware_flows.estimation.domain import WIDENED, beyond
from firmware_flows.estimation.fitting import fit_delays, fit_weights, usable_modules
from firmware_flows.estimation.parameters import (
    FF_WEIGHTS,
    LUT_WEIGHTS,
    QUANTITIES,
    Calibration,
    Spread,
    calibration,
)
from firmware_flows.estimation.report_rows import Module, Row, read_modules, read_rows
from firmware_flows.estimation.spreads import Judged, spread_of
from firmware_flows.estimation.synthesis_ratios import Pair, fit_ratios, read_pairs
from firmware_flows.estimation.work import Kind, Strategy
from firmware_flows.files import write_text

FOLDED = ("folded_control", "folded_inputs", "folded_multipliers", "folded_routing", "folded_sums")
DOCUMENT = Path(__file__).parents[2] / "docs" / "estimation.md"


@dataclass(frozen=True)
class Data:
    """The rows in use. `judged`: those that the figures are given for; `sweep`: single layers that help the fit."""

    judged: tuple[Row, ...]
    sweep: tuple[Row, ...]
    resource: tuple[Row, ...]
    stream: tuple[Row, ...]
    modules: tuple[Module, ...]
    left_out: tuple[tuple[str, str], ...]
    pairs: tuple[Pair, ...]


def read_data(folder: Path) -> Data:
    """Sort the rows of the tables. Hand-modified sources, unknown layers and unknown networks are left out."""
    rows = [r for r in read_rows(folder / "vendor_reports.csv") if r.stage == "csynth"]
    good = [r for r in rows if r.quality in ("A", "A-")]
    parallel = [r for r in good if r.io == "io_parallel" and r.strategy == Strategy.LATENCY]
    left_out = [(r.name, "generated code edited by hand") for r in parallel if r.hand_modified]
    left_out += [
        (r.name, f"layers outside the domain: {', '.join(sorted(set(r.unknown)))}")
        for r in parallel
        if r.unknown and not r.hand_modified
    ]
    usable = [r for r in rows if not r.hand_modified and not r.unknown and r.work]
    judged = tuple(r for r in usable if r in parallel)
    single = [r for r in usable if r.quality == "B" and len(r.work) == 1 and r.io == "io_parallel"]
    return Data(
        judged=judged,
        sweep=tuple(r for r in single if r.strategy == Strategy.LATENCY),
        resource=tuple(_by_size(r) for r in single if r.strategy == Strategy.RESOURCE)
        + tuple(r for r in usable if r in good and r.strategy == Strategy.RESOURCE and r.io == "io_parallel"),
        stream=tuple(r for r in usable if r in good and r.io == "io_stream"),
        modules=tuple(usable_modules(read_modules(folder / "vendor_reports_modules.csv", judged))),
        left_out=tuple(left_out),
        pairs=tuple(read_pairs(folder / "csynth_vs_logic_synthesis.csv")),
    )


def _by_size(row: Row) -> Row:
    """In a sweep of one layer every number of inputs counts as a family."""
    return replace(row, family=f"{row.family}, {row.work[0].matrix.inputs} inputs")


@dataclass(frozen=True)
class Fit:
    """The parameters of one fit."""

    delays: dict[str, float]
    lut: dict[str, float]
    ff: dict[str, float]


def fit_latency(data: Data, without: str = "") -> Fit:
    """The parameters for the latency strategy, from all families but one."""
    judged = [r for r in data.judged if r.family != without]
    modules = [m for m in data.modules if m.row.family != without]
    rows = [*judged, *data.sweep]
    delays = fit_delays(rows, modules)
    return Fit(delays, fit_weights(rows, delays, "lut"), fit_weights(rows, delays, "ff"))


def judge_latency(data: Data) -> list[Judged]:
    """Every judged row, estimated by a fit without its family."""
    answers = []
    for family in sorted({r.family for r in data.judged}):
        fit = fit_latency(data, family)
        others = replace(data, judged=tuple(r for r in data.judged if r.family != family))
        area = domain(others)
        answers += [judge(row, fit, area) for row in data.judged if row.family == family]
    return answers


def judge(row: Row, fit: Fit, area: Mapping[str, Any] | None = None) -> Judged:
    """The estimate of a row by a fit; `area`: the domain of the rows of that fit, where it matters."""
    outside = area is not None and any(beyond(row.work, row.conditions, area))
    cost = total_cost(assemble(row.work, row.conditions, fit.delays), fit.lut, fit.ff)
    return Judged(row, replace(cost, latency=float(round(cost.latency))), WIDENED if outside else 1.0)


def fit_others(rows: Sequence[Row], fit: Fit, names: Sequence[str]) -> Fit:
    """Weights of further terms, for rows of another kind; the other weights stay."""
    lut = fit_weights(rows, fit.delays, "lut", _known(fit.lut, LUT_WEIGHTS, names))
    ff = fit_weights(rows, fit.delays, "ff", _known(fit.ff, FF_WEIGHTS, names))
    return Fit(
        fit.delays,
        {n: lut[n] if n in names else w for n, w in fit.lut.items()},
        {n: ff[n] if n in names else w for n, w in fit.ff.items()},
    )


def _known(fitted: dict[str, float], start: Any, names: Sequence[str]) -> dict[str, float]:
    return {n: start[n] if n in names else max(w, 1e-3) for n, w in fitted.items()}


def judge_others(rows: Sequence[Row], fit: Fit, names: Sequence[str]) -> list[Judged]:
    """The same, by family held out, for rows of another kind."""
    answers = []
    for family in sorted({r.family for r in rows}):
        without = fit_others([r for r in rows if r.family != family], fit, names)
        answers += [judge(row, without) for row in rows if row.family == family]
    return answers


def domain(data: Data) -> dict[str, Any]:
    """The ranges that the judged rows span."""
    products = [w for r in data.judged for w in r.work if w.kind is Kind.PRODUCT]
    folds = sorted(r.work[0].reuse_factor for r in data.resource)
    return {
        "clock_ns": [min(r.conditions.clock for r in data.judged), max(r.conditions.clock for r in data.judged)],
        "technologies": sorted({r.conditions.technology for r in data.judged}),
        "tools": sorted({r.conditions.tool for r in data.judged}),
        "input_bits": [min(w.input_bits for w in products), max(w.input_bits for w in products)],
        "weight_bits": [min(w.weight_bits for w in products), max(w.weight_bits for w in products)],
        "products": [min(w.matrix.size for w in products), max(w.matrix.size for w in products)],
        "reuse_factor": [1, max(w.reuse_factor for w in products)],
        "layers": max(sum(w.kind is Kind.PRODUCT for w in r.work) for r in data.judged),
        # A single report has no reuse: from the twentieth part on they are folded.
        "reuse_factor_resource": [folds[len(folds) // 20], folds[-1]],
        "products_resource": [
            min(r.work[0].matrix.size for r in data.resource),
            max(r.work[0].matrix.size for r in data.resource),
        ],
    }


def calibrate(data: Data) -> tuple[Calibration, dict[str, list[Judged]]]:
    """The calibration from all rows, with intervals from rows held out."""
    fit = fit_latency(data)
    judged = {"latency": judge_latency(data)}
    fit = fit_others(data.resource, fit, FOLDED)
    judged["resource"] = judge_others(data.resource, fit, FOLDED)
    fit = fit_others(data.stream, fit, ("stream",))
    judged["stream"] = judge_others(data.stream, fit, ("stream",))
    spread = {group: {q: spread_of(rows, q) for q in QUANTITIES} for group, rows in judged.items()}
    synthesis: dict[str, dict[str, float]] = {}
    synthesis_spread: dict[str, dict[str, Spread]] = {}
    for strategy in ("latency", "resource"):
        pairs = [p for p in data.pairs if p.strategy == strategy]
        synthesis[strategy], synthesis_spread[strategy] = fit_ratios(pairs)
    result = Calibration(
        fit.delays, fit.lut, fit.ff, spread, synthesis, synthesis_spread, domain(data),
        {"judged": len(data.judged), "sweep": len(data.sweep), "resource": len(data.resource),
         "stream": len(data.stream), "modules": len(data.modules), "pairs": len(data.pairs)},
    )  # fmt: skip
    return result, judged


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    from firmware_flows.estimation.validation import document

    parser = argparse.ArgumentParser(prog="python -m firmware_flows.estimation.fit", description=__doc__)
    parser.add_argument("folder", type=Path, help="folder of the tables")
    parser.add_argument("--write", action="store_true", help="write calibration.json and docs/estimation.md")
    parser.add_argument("--rule4ml", type=Path, help="answers of benchmarks/rule4ml_comparison.py")
    parser.add_argument("--rtl", type=Path, help="answers of benchmarks/rtl_estimates.py")
    options = parser.parse_args(arguments)
    compared, own = (json.loads(p.read_text(encoding="utf-8")) if p else None for p in (options.rule4ml, options.rtl))
    data = read_data(options.folder)
    result, judged = calibrate(data)
    text = document(data, result, judged, compared, own)
    if options.write:
        result.save()
        write_text(DOCUMENT, text)
        calibration.cache_clear()
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
