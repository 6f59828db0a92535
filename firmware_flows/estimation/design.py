"""A whole design from its layers: sums of their hardware, and what the layers cost together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from firmware_flows.estimation.adder_graphs import stage
from firmware_flows.estimation.building_blocks import Built, build
from firmware_flows.estimation.schedule import Chain, Delays
from firmware_flows.estimation.work import Conditions, Cost, Kind, Strategy, Work

WAITING = (Kind.PRODUCT, Kind.SOFTMAX)
"""Kinds that HLS makes functions of their own, with a register between them."""


LEAST_BETWEEN = 0.5
"""Registers of a result in a design whose layers are joined without a cycle between them, on average."""


@dataclass(frozen=True)
class Design:
    """The layers as built, and the cycles between them."""

    built: tuple[Built, ...]
    between: float
    latency: float
    interval: float
    streamed: float = 0.0

    def lut_terms(self) -> dict[str, float]:
        """Terms of all layers together, and the streams between them."""
        return {**_total(b.lut for b in self.built), "stream": self.streamed}

    def ff_terms(self) -> dict[str, float]:
        """Terms of all layers together; results wait in registers between the layers."""
        terms = _total(b.ff for b in self.built)
        if "interface" in terms:
            terms["interface"] *= max(self.between, LEAST_BETWEEN)
        return {**terms, "stream": self.streamed}


def assemble(work: Sequence[Work], conditions: Conditions, delays: Delays) -> Design:
    """Build every layer; latency of the longest way is taken as that of all layers one after another."""
    built = tuple(build(w, conditions, delays) for w in work)
    if conditions.stream:
        return _dataflow(work, built, conditions, delays)
    interval = max((b.interval for b in built), default=1.0)
    if any(w.kind is Kind.PRODUCT for w in work) and all(
        w.strategy is Strategy.RTL for w in work if w.kind is Kind.PRODUCT
    ):
        return Design(built, 0.0, _cut(work, built, conditions), interval)
    latency = _joined(work, built, interval, conditions, delays)
    return Design(built, _between(work, built, latency), latency, interval)


def _joined(
    work: Sequence[Work], built: Sequence[Built], interval: float, conditions: Conditions, delays: Delays
) -> float:
    """Cycles of layers one after another.

    A layer without registers is chained to the one before it where both fit in a cycle; one with registers begins in
    a cycle of its own. A pipelined function called every cycle has a register of its own at its inputs too, unless
    they come from logic chained to the layer before.
    """
    chain, registered, begun = Chain(conditions, delays), True, False
    for each, part in zip(work, built, strict=True):
        if each.kind is Kind.WIRING:
            continue
        if part.latency == 0:
            before = chain.cycles
            chain.take(part.tail)
            registered = chain.cycles > before or not begun
        else:
            chain.cycles += int(begun) + int(registered and interval == 1 and each.kind is Kind.PRODUCT)
            chain.cycles, chain.spent = chain.cycles + int(part.latency), part.tail
            registered = True
        begun = True
    return float(chain.cycles)


def _cut(work: Sequence[Work], built: Sequence[Built], conditions: Conditions) -> float:
    """Cycles of our RTL: one piece of logic, cut wherever the clock needs it, with registers at both ends."""
    own = stage(conditions)
    cycles = [
        b.latency + b.tail / own if w.kind is Kind.PRODUCT else (b.latency * conditions.usable + b.tail) / own
        for w, b in zip(work, built, strict=True)
    ]
    return float(1 + max(ceil(sum(cycles)), 1))


def _between(work: Sequence[Work], built: Sequence[Built], latency: float) -> float:
    """Cycles that a result waits between layers, on average."""
    stages = sum(w.kind in WAITING for w in work)
    return (latency - sum(b.latency for b in built)) / stages if stages > 1 else 0.0


def _dataflow(work: Sequence[Work], built: tuple[Built, ...], conditions: Conditions, delays: Delays) -> Design:
    """Layers that pass one position after another: the slowest sets the pace, the others add the time to fill them."""
    times = [w.positions * max(b.interval, 1.0) + b.latency for w, b in zip(work, built, strict=True)]
    interval = max(times, default=1.0)
    filled = _joined(work, built, interval, conditions, delays)
    streamed = float(sum(w.elements * w.result_bits for w in work))
    return Design(built, _between(work, built, filled), interval + filled, interval, streamed)


def cost(terms: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """The weighted sum of terms."""
    return sum(value * weights[name] for name, value in terms.items())


def total_cost(design: Design, lut: Mapping[str, float], ff: Mapping[str, float]) -> Cost:
    """What the HLS report will say of the design."""
    return Cost(
        latency=design.latency,
        interval=design.interval,
        lut=cost(design.lut_terms(), lut),
        ff=cost(design.ff_terms(), ff),
        dsp=float(sum(b.dsp for b in design.built)),
        bram=sum(b.bram for b in design.built),
    )


def _total(terms: Iterable[Mapping[str, float]]) -> dict[str, float]:
    result: dict[str, float] = {}
    for each in terms:
        for name, value in each.items():
            result[name] = result.get(name, 0.0) + value
    return result
