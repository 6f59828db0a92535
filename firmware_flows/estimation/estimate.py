"""`ff.estimate`: how big and how fast, before synthesis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import ceil, floor, hypot, isfinite
from pathlib import Path
from weakref import WeakKeyDictionary

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.estimation.building_blocks import Built
from firmware_flows.estimation.design import Design, assemble, cost, total_cost
from firmware_flows.estimation.domain import WIDENED, beyond
from firmware_flows.estimation.from_program import known, multiplying_layers, work_of
from firmware_flows.estimation.parameters import Calibration, Spread, calibration
from firmware_flows.estimation.result import Estimate, LayerEstimate, Quantity, Stage
from firmware_flows.estimation.spreads import COVERAGE
from firmware_flows.estimation.synthesis_ratios import LUT_PER_LOST_DSP
from firmware_flows.estimation.work import Conditions, Cost, Kind, Multiplier, Strategy, Work
from firmware_flows.program import Layer, Program
from firmware_flows.targets import Target, find_target

DEFAULT_CLOCK_MHZ = 200.0

TOOLS = ("vivado_hls", "vitis_hls")

UNCALIBRATED = {
    Strategy.RESOURCE_UNROLLED: Spread(-1.0, 1.0, 50.0, 0),
    Strategy.DISTRIBUTED_ARITHMETIC: Spread(-0.5, 0.5, 50.0, 0),
    Strategy.RTL: Spread(-0.35, 0.30, 50.0, 15),
}
"""Logarithmic widths where there are no vendor reports: a judgement. RTL: what 15 designs written by this package span,
counted by Yosys or by the generator (docs/estimation.md)."""


class EstimateError(FirmwareFlowsError):
    """A setting of an estimate that cannot be used: which, its value, what is valid."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"estimate: {field} = {value!r}: {remedy}")


def estimate(
    program: Program,
    *,
    target: str | Target = "xcvu13p-flga2577-2-e",
    clock_mhz: float | None = None,
    strategy: str | Mapping[str, str] = "latency",
    reuse_factor: int | Mapping[str, int] = 1,
    io: str = "parallel",
    tool: str = "vitis_hls",
    tool_version: float = 2023.2,
    multiplier: str = "auto",
    target_files: Sequence[str | Path] = (),
) -> Estimate:
    """Latency, interval, LUT, FF, DSP and BRAM of a Program as firmware, each with an interval.

    target: a device, part number, board or budget (`firmware-flows targets`). clock_mhz: that of the budget or board if
    absent. strategy: latency, resource, resource_unrolled, distributed_arithmetic (hls4ml), rtl (this package's own);
    one, or by layer. reuse_factor: one, or by layer. io: parallel or stream. multiplier: auto, dsp or fabric, as told
    to the HLS tool. Raises EstimateError or UnknownTargetError with the nearest valid name.
    """
    place = target if isinstance(target, Target) else find_target(target, *(Path(f) for f in target_files))
    return changed(
        program, place, None, clock_mhz=clock_mhz, strategy=strategy, reuse_factor=reuse_factor, io=io, tool=tool,
        tool_version=tool_version, multiplier=multiplier,
    )  # fmt: skip


Change = Callable[[Layer], Layer]
"""What a network would be with other weights (other_weights.py): applied to every layer with multipliers."""


def changed(
    program: Program, place: Target, change: Change | None, *, clock_mhz: float | None,
    strategy: str | Mapping[str, str], reuse_factor: int | Mapping[str, int], io: str, tool: str, tool_version: float,
    multiplier: str,
) -> Estimate:  # fmt: skip
    """The estimate of a Program whose layers are changed first; see `estimate`."""
    names = multiplying_layers(program)
    clock = _clock(clock_mhz, place)
    strategies = _strategies(strategy, names)
    reuse = _reuse(reuse_factor, names)
    conditions = Conditions(
        clock=1000.0 / clock,
        technology=place.device.technology,
        tool=_choice("tool", tool, TOOLS),
        tool_version=float(tool_version),
        stream=_choice("io", io.removeprefix("io_"), ("parallel", "stream")) == "stream",
        multiplier=Multiplier(_choice("multiplier", multiplier, [m.value for m in Multiplier])),
        dsp_available=place.device.dsp,
    )
    work = [
        replace(w, reuse_factor=reuse.get(w.name, 1), strategy=strategies.get(w.name, w.strategy))
        if w.kind is Kind.PRODUCT
        else w
        for w in _work(program, change, conditions.stream)
    ]
    found = calibration()
    outside = _outside(work, conditions, found, program)
    kinds = set(strategies.values()) or {Strategy.LATENCY}
    settings = {
        "reuse_factor": reuse, "strategy": {n: s.value for n, s in strategies.items()}, "tool": tool,
        "tool_version": tool_version, "multiplier": multiplier,
    }  # fmt: skip
    return _answer(program.name, place, clock, work, conditions, kinds, found, outside, settings)


_WORK: WeakKeyDictionary[Program, dict[bool, list[Work]]] = WeakKeyDictionary()


def _work(program: Program, change: Change | None, stream: bool) -> list[Work]:
    """The layers as work with reuse 1; counting digits is most of the time, and advice asks many times."""
    if change is not None:
        names = multiplying_layers(program)
        return work_of([change(x) if x.name in names else x for x in program.layers], stream)
    cached = _WORK.setdefault(program, {})
    if stream not in cached:
        cached[stream] = work_of(program.layers, stream)
    return cached[stream]


def _answer(
    name: str, place: Target, clock: float, work: list[Work], conditions: Conditions, kinds: set[Strategy],
    found: Calibration, outside: list[str], settings: Mapping[str, object],
) -> Estimate:  # fmt: skip
    design = assemble(work, conditions, found.delays)
    total = total_cost(design, found.lut, found.ff)
    total = replace(total, latency=float(round(total.latency)))
    # Our RTL was compared with designs of its own, at clocks of their own.
    widen = WIDENED if outside and kinds != {Strategy.RTL} else 1.0
    spread = _spreads(kinds, conditions.stream, found)
    hls = _stage("hls", total, spread, widen)
    ratios = found.synthesis["resource" if Strategy.RESOURCE in kinds else "latency"]
    ratio_spread = found.synthesis_spread["resource" if Strategy.RESOURCE in kinds else "latency"]
    graph = kinds <= {Strategy.RTL, Strategy.DISTRIBUTED_ARITHMETIC}
    left = _after_synthesis(total, ratios, place.device.dsp, graph)
    both = {q: s if graph or q not in ratio_spread else _combined(s, ratio_spread[q]) for q, s in spread.items()}
    synthesis = _stage("synthesis", left, both, widen)
    stages = (synthesis,) if kinds == {Strategy.RTL} else (hls, synthesis)
    layers = tuple(
        _layer(w, b, found, ratios, graph) for w, b in zip(work, design.built, strict=True) if w.kind is not Kind.WIRING
    )
    return Estimate(
        program=name,
        target=place,
        clock_mhz=clock,
        strategy=" + ".join(sorted(k.value for k in kinds)),
        io="stream" if conditions.stream else "parallel",
        stages=stages,
        layers=layers,
        coverage=COVERAGE,
        outside=tuple(outside),
        widened=widen,
        remarks=tuple(_remarks(total, place, design)),
        settings=settings,
    )


def _after_synthesis(total: Cost, ratios: Mapping[str, float], available: int, graph: bool) -> Cost:
    if graph:
        return total
    lost = max(total.dsp - available, 0.0)
    return replace(
        total,
        lut=total.lut * ratios["lut"] + lost * LUT_PER_LOST_DSP,
        ff=total.ff * ratios["ff"],
        dsp=(total.dsp - lost) * ratios["dsp"],
        bram=total.bram * ratios["bram"],
    )


def _spreads(kinds: set[Strategy], stream: bool, found: Calibration) -> Mapping[str, Spread]:
    for strategy, spread in UNCALIBRATED.items():
        if strategy in kinds:
            base = found.spread["latency"]
            cycles = replace(spread, least=base["latency"].least)
            return {**base, "lut": spread, "ff": spread, "latency": cycles}
    if stream:
        return found.spread["stream"]
    if Strategy.RESOURCE not in kinds:
        return found.spread["latency"]
    # The reports of strategy resource are of single layers: a network of several has the errors of both.
    return {q: _wider(found.spread["resource"][q], found.spread["latency"][q]) for q in found.spread["latency"]}


def _wider(one: Spread, other: Spread) -> Spread:
    return Spread(
        min(one.low, other.low), max(one.high, other.high), max(one.least, other.least), min(one.rows, other.rows)
    )


def _combined(one: Spread, other: Spread) -> Spread:
    """Two independent errors one after the other."""
    return Spread(
        -hypot(one.low, other.low), hypot(one.high, other.high), max(one.least, other.least), min(one.rows, other.rows)
    )


def _stage(name: str, total: Cost, spread: Mapping[str, Spread], widen: float) -> Stage:
    def quantity(key: str) -> Quantity:
        value = float(getattr(total, key))
        low, high = spread[key].around(value, widen)
        if key == "interval":
            low, high = float(max(ceil(low), 1)), float(max(floor(high), 1))
        return Quantity(value, low, high)

    return Stage(
        name,
        quantity("latency"),
        quantity("interval"),
        quantity("lut"),
        quantity("ff"),
        quantity("dsp"),
        quantity("bram"),
    )


def _layer(work: Work, built: Built, found: Calibration, ratios: Mapping[str, float], graph: bool) -> LayerEstimate:
    hls = {
        "lut": cost(built.lut, found.lut),
        "ff": cost(built.ff, found.ff),
        "dsp": float(built.dsp),
        "bram18": built.bram,
    }
    names = {"bram18": "bram"}
    left = {k: v * (1.0 if graph else ratios[names.get(k, k)]) for k, v in hls.items()}
    strategy = work.strategy.value if work.kind is Kind.PRODUCT else ""
    return LayerEstimate(
        work.name, work.layer or work.kind.value, strategy, work.reuse_factor, built.latency, built.interval, hls, left
    )


def _remarks(total: Cost, place: Target, design: Design) -> list[str]:
    remarks = []
    if total.dsp > place.device.dsp:
        remarks.append(
            f"{total.dsp:,.0f} multipliers want a DSP block and {place.device.name} has {place.device.dsp:,}: "
            f"logic synthesis will put the others into LUT, about {LUT_PER_LOST_DSP:.0f} each"
        )
    return remarks


def _outside(work: list[Work], conditions: Conditions, found: Calibration, program: Program) -> list[str]:
    """Sentences about what the reports of the calibration do not have."""
    reasons = []
    products = [w for w in work if w.kind is Kind.PRODUCT]
    area = found.domain
    if conditions.stream:
        reasons.append("io_stream: few reports, of convolutional networks")
    for strategy in sorted({w.strategy for w in products} & set(UNCALIBRATED)):
        judged = "compared with designs of this package" if strategy is Strategy.RTL else "costs from counting adders"
        reasons.append(f"strategy {strategy.value}: no vendor report of it, {judged}")
    folded = [w for w in products if w.strategy is Strategy.RESOURCE]
    if folded and len(products) > 1:
        reasons.append("strategy resource in a network: reports of it are of single layers")
    least = area["reuse_factor_resource"][0]
    if any(w.reuse_factor < least for w in folded):
        reasons.append(f"strategy resource with a reuse factor below {least}: in no report")
    if not products or any(w.strategy is not Strategy.RTL for w in products):
        reasons += beyond(work, conditions, area)
    reasons += [f"layer {w.name!r}: {w.copies} positions in parallel, in no report" for w in products if w.copies > 1]
    reasons += [
        f"layer {x.name!r}: kind {x.kind} is taken as one operation per element" for x in program.layers if not known(x)
    ]
    return list(dict.fromkeys(reasons))


def _clock(clock_mhz: float | None, place: Target) -> float:
    clock = clock_mhz if clock_mhz is not None else place.clock_mhz or DEFAULT_CLOCK_MHZ
    if isinstance(clock, bool) or not isinstance(clock, int | float) or not isfinite(clock) or not 1 <= clock <= 2000:
        raise EstimateError("clock_mhz", clock_mhz, "wanted a number from 1 to 2000")
    return float(clock)


def _strategies(strategy: str | Mapping[str, str], names: list[str]) -> dict[str, Strategy]:
    valid = [s.value for s in Strategy]
    if isinstance(strategy, str):
        return dict.fromkeys(names, Strategy(_choice("strategy", strategy.lower(), valid)))
    for name in strategy:
        if name not in names:
            raise EstimateError("strategy", name, f"no such layer with multipliers, {nearest(name, names)}")
    return {n: Strategy(_choice(f"strategy of {n!r}", strategy.get(n, "latency"), valid)) for n in names}


def _reuse(reuse_factor: int | Mapping[str, int], names: list[str]) -> dict[str, int]:
    if isinstance(reuse_factor, Mapping):
        for name in reuse_factor:
            if name not in names:
                raise EstimateError("reuse_factor", name, f"no such layer with multipliers, {nearest(name, names)}")
    found = (
        {n: reuse_factor.get(n, 1) for n in names}
        if isinstance(reuse_factor, Mapping)
        else dict.fromkeys(names, reuse_factor)
    )
    for factor in [*found.values(), *([] if isinstance(reuse_factor, Mapping) else [reuse_factor])]:
        if isinstance(factor, bool) or not isinstance(factor, int) or factor < 1:
            raise EstimateError("reuse_factor", factor, "it must be a whole number of 1 or more")
    return found


def _choice(name: str, value: str, valid: Sequence[str]) -> str:
    if value not in valid:
        raise EstimateError(name, value, nearest(str(value), valid))
    return value


@lru_cache(maxsize=1)
def calibrated_domain() -> str:
    """One sentence on what the calibration rests on."""
    area, source = calibration().domain, calibration().source
    return (
        f"{source['judged']} reports of networks and {source['resource']} of single layers; "
        f"{', '.join(area['technologies'])}, {1000 / area['clock_ns'][1]:.0f} to {1000 / area['clock_ns'][0]:.0f} MHz"
    )
