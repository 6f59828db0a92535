"""An estimate as text for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_flows.estimation.result import Estimate, LayerEstimate, Quantity, Stage

STAGES = {"hls": "HLS report", "synthesis": "after logic synthesis"}


def to_text(found: Estimate, layers: bool = True) -> str:
    """Totals with their intervals, one line for each of the `layers`, and whether it fits."""
    return "\n".join([*_head(found), *(_by_layer(found.layers) if layers else ()), *_verdict(found)])


def _head(found: Estimate) -> Iterator[str]:
    yield (
        f"{found.program} for {found.target.name} ({found.target.device.name}), {found.clock_mhz:g} MHz, "
        f"{found.strategy}, io {found.io}"
    )
    yield f"estimated; the true value lies in the brackets in {found.coverage:.0%} of the cases"
    for reason in found.outside:
        yield f"  outside the calibrated domain: {reason}"
    for stage in found.stages:
        yield from _stage(found, stage)


def _stage(found: Estimate, stage: Stage) -> Iterator[str]:
    device = found.target.device
    yield STAGES[stage.name]
    yield f"  latency {_q(stage.latency)} cycles = {1000 * stage.latency.value / found.clock_mhz:.0f} ns"
    yield f"  interval {_q(stage.interval)} cycles"
    for label, name in (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram18")):
        quantity, there = getattr(stage, name), max(getattr(device, name), 1)
        region = f", {quantity.value / max(device.region(name), 1):.1%} of a region" if device.regions > 1 else ""
        yield f"  {label:<7} {_q(quantity)}  {quantity.value / there:.1%} of the device{region}"


def _by_layer(layers: tuple[LayerEstimate, ...]) -> Iterator[str]:
    yield (
        f"{'layer':<28} {'kind':<14} {'reuse':>5} {'cycles':>6} {'LUT':>9} {'FF':>9} {'DSP':>7} {'BRAM18':>6}  (HLS)"
    )
    for x in layers:
        h = x.hls
        reuse = str(x.reuse_factor) if x.strategy else ""
        yield (
            f"{x.name:<28} {x.kind:<14} {reuse:>5} {x.latency:>6.0f} {h['lut']:>9,.0f} {h['ff']:>9,.0f} "
            f"{h['dsp']:>7,.0f} {h['bram18']:>6,.0f}"
        )


def _verdict(found: Estimate) -> Iterator[str]:
    yield from found.remarks
    problems = found.problems()
    yield f"{'does not fit' if problems else 'fits'}, by the middle values of the intervals{':' if problems else ''}"
    for problem in problems:
        yield f"  {problem}"


def _q(quantity: Quantity) -> str:
    return f"{quantity.value:,.0f} [{quantity.low:,.0f}, {quantity.high:,.0f}]"
