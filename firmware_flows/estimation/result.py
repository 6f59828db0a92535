"""The answer of the estimator: values with their intervals, for two stages, in total and by layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_flows.estimation.text import to_text
from firmware_flows.targets import Target
from firmware_flows.targets.units import cycles_between, cycles_within

COUNTED = ("lut", "ff", "dsp", "bram18")
"""Resources of an estimate, in the units of `targets`."""


@dataclass(frozen=True)
class Quantity:
    """An estimate and the interval that holds the true value with the stated coverage."""

    value: float
    low: float
    high: float

    def facts(self) -> dict[str, float]:
        """As JSON values."""
        return {"value": self.value, "low": self.low, "high": self.high}


@dataclass(frozen=True)
class Stage:
    """What one tool will report. Cycles in `latency` and `interval`; `bram18` in blocks of 18 Kb."""

    name: str
    latency: Quantity
    interval: Quantity
    lut: Quantity
    ff: Quantity
    dsp: Quantity
    bram18: Quantity

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        names = ("latency", "interval", *COUNTED)
        return {"stage": self.name, **{name: getattr(self, name).facts() for name in names}}


@dataclass(frozen=True)
class LayerEstimate:
    """One layer: what the HLS report and logic synthesis will say of it alone. Values without interval: a layer's
    share of the design's error is not known."""

    name: str
    kind: str
    strategy: str
    reuse_factor: int
    latency: float
    interval: float
    hls: Mapping[str, float]
    synthesis: Mapping[str, float]

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "kind": self.kind,
            "strategy": self.strategy,
            "reuse_factor": self.reuse_factor,
            "latency": self.latency,
            "interval": self.interval,
            "hls": dict(self.hls),
            "synthesis": dict(self.synthesis),
        }


@dataclass(frozen=True)
class Estimate:
    """A design before synthesis.

    `stages`: what the HLS report will say (none for RTL), then what logic synthesis will leave. `outside`: why the
    calibration does not reach this design, empty where it does; the intervals are then widened by `widened`.
    """

    program: str
    target: Target
    clock_mhz: float
    strategy: str
    io: str
    stages: tuple[Stage, ...]
    layers: tuple[LayerEstimate, ...]
    coverage: float
    outside: tuple[str, ...] = ()
    widened: float = 1.0
    remarks: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return to_text(self)

    @property
    def hls(self) -> Stage | None:
        """What the HLS report will say."""
        return next((s for s in self.stages if s.name == "hls"), None)

    @property
    def synthesis(self) -> Stage:
        """What logic synthesis will leave."""
        return self.stages[-1]

    @property
    def latency_ns(self) -> float:
        """Latency at the clock asked for."""
        return self.synthesis.latency.value * 1000.0 / self.clock_mhz

    def shares(self, of_region: bool = False) -> dict[str, Quantity]:
        """Shares of the device, or of one of its regions, after logic synthesis."""
        device = self.target.device
        result = {}
        for name in COUNTED:
            there = max(device.region(name) if of_region else getattr(device, name), 1)
            quantity = getattr(self.synthesis, name)
            result[name] = Quantity(quantity.value / there, quantity.low / there, quantity.high / there)
        return result

    def judged(self, name: str) -> Quantity:
        """What is held against a limit: after logic synthesis, but DSP blocks as the HLS report counts them: logic
        synthesis puts those that find no block into LUT."""
        quantity: Quantity = getattr(self.hls or self.synthesis if name == "dsp" else self.synthesis, name)
        return quantity

    def problems(self) -> tuple[str, ...]:
        """What does not fit: the device, or the budget of the target. Empty where everything does."""
        device, budget, found = self.target.device, self.target.budget, []
        for name in COUNTED:
            value, there = self.judged(name).value, getattr(device, name)
            if value > there:
                times = f", {value / there:.0%}" if there else ""
                found.append(f"{_LABELS[name]}: {value:,.0f} of {there:,} in {device.name}{times}")
            if budget is not None and name in budget.counts:
                if value > budget.counts[name]:
                    found.append(f"{_LABELS[name]}: {value:,.0f} of {budget.counts[name]:,}, {budget.name}")
            elif budget is not None and budget.share is not None:
                share = value / max(device.region(name), 1)
                if share > budget.share:
                    text = f"{share:.0%} of a region of {device.name}, {budget.share:.0%} allowed"
                    found.append(f"{_LABELS[name]}: {text}")
        if budget is not None:
            latency, interval = self.synthesis.latency.value, self.synthesis.interval.value
            allowed = self.latency_budget_cycles
            if allowed is not None and latency > allowed:
                found.append(f"latency: {latency:.0f} cycles of {allowed} ({budget.latency_ns:g} ns)")
            wanted = self.interval_budget_cycles
            if wanted is not None and interval > wanted:
                found.append(f"interval: {interval:.0f} cycles, {budget.name} brings an event every {wanted}")
        return tuple(found)

    @property
    def fits(self) -> bool:
        """Whether device and budget hold the design, by the estimates themselves."""
        return not self.problems()

    @property
    def latency_budget_cycles(self) -> int | None:
        """Whole cycles of this clock within the budget's latency."""
        budget = self.target.budget
        return None if budget is None else cycles_within(budget.latency_ns, self.clock_mhz)

    @property
    def interval_budget_cycles(self) -> int | None:
        """Whole cycles of this clock between two events of the budget."""
        budget = self.target.budget
        if budget is None or budget.interval_ns is None:
            return None
        return cycles_between(budget.interval_ns, self.clock_mhz)

    def facts(self) -> dict[str, Any]:
        """As JSON values, for reports."""
        return {
            "program": self.program,
            "source": "estimated",
            "target": self.target.name,
            "device": self.target.device.facts(),
            "budget": self.target.budget.facts() if self.target.budget else None,
            "clock_mhz": self.clock_mhz,
            "strategy": self.strategy,
            "io": self.io,
            "coverage": self.coverage,
            "outside": list(self.outside),
            "remarks": list(self.remarks),
            "latency_ns": self.latency_ns,
            "stages": [s.facts() for s in self.stages],
            "shares": {n: q.facts() for n, q in self.shares().items()},
            "region_shares": {n: q.facts() for n, q in self.shares(of_region=True).items()},
            "fits": self.fits,
            "problems": list(self.problems()),
            "layers": [layer.facts() for layer in self.layers],
            "settings": dict(self.settings),
        }


_LABELS = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram18": "BRAM18"}
