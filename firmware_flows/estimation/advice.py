"""What would bring a design inside: every proposal is an estimate by the same estimator, ranked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from firmware_flows.estimation.building_blocks import nearest_reuse
from firmware_flows.estimation.estimate import Change, changed
from firmware_flows.estimation.from_program import multiplying_layers
from firmware_flows.estimation.other_weights import pruned, shortened
from firmware_flows.estimation.result import Estimate
from firmware_flows.program import Program

REUSE_STEPS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024, 2048)
"""Reuse factors that are tried, for all layers or for one."""

KEPT = (0.75, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15, 0.1, 0.05, 0.02)
"""Shares of the weights that are tried to be kept in pruning."""

FEWER_BITS = 6
"""Weights are tried with up to this many bits fewer."""


@dataclass(frozen=True)
class Advice:
    """One change, in words and as data, and the estimate of the design with it.

    kind: `reuse_factor`, `strategy`, `pruning` or `weight_bits`. layer: empty for all layers. value: the reuse factor,
    the strategy, the share kept of the weights that are not zero, the bits taken from every weight.
    """

    kind: str
    layer: str
    value: float | str
    text: str
    estimate: Estimate

    @property
    def fits(self) -> bool:
        """Whether the design then fits device and budget."""
        return self.estimate.fits

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        synthesis = self.estimate.synthesis
        return {
            "kind": self.kind,
            "layer": self.layer,
            "value": self.value,
            "text": self.text,
            "fits": self.fits,
            "latency": synthesis.latency.facts(),
            "latency_ns": self.estimate.latency_ns,
            "interval": synthesis.interval.facts(),
            "lut": synthesis.lut.facts(),
            "dsp": synthesis.dsp.facts(),
            "problems": list(self.estimate.problems()),
            "outside": list(self.estimate.outside),
        }


def advise(program: Program, found: Estimate, most: int = 8) -> list[Advice]:
    """Changes that bring the design inside, the fastest first; where none does, those that come nearest.

    Pruning takes the smallest of the network's own weights, fewer bits round them: training decides whether the
    network stands it.
    """
    if found.fits or not multiplying_layers(program):
        return []
    proposals = [p for p in _proposals(program, found) if p is not None]
    inside = [p for p in proposals if p.fits]
    chosen = inside or proposals
    chosen.sort(key=_rank if inside else _nearness)
    return chosen[:most]


def _rank(proposal: Advice) -> tuple[float, float, float]:
    synthesis = proposal.estimate.synthesis
    return (synthesis.latency.value, synthesis.interval.value, synthesis.lut.value)


def _nearness(proposal: Advice) -> tuple[float, float]:
    return (max(q.value for q in proposal.estimate.shares().values()), proposal.estimate.synthesis.latency.value)


def _proposals(program: Program, found: Estimate) -> Iterator[Advice | None]:
    """The least change of each kind that fits; where none of a kind does, its largest."""
    present = set(found.settings["strategy"].values())
    if present != {"rtl"}:  # which is unrolled, whatever the settings of an HLS project
        yield from _laid_out_otherwise(program, found, present)
    yield _least(_pruned(program, found, kept) for kept in KEPT)
    yield _least(_shortened(program, found, bits) for bits in range(1, FEWER_BITS + 1))


def _laid_out_otherwise(program: Program, found: Estimate, present: set[str]) -> Iterator[Advice | None]:
    """Reuse factors and strategies of an HLS project."""
    names = multiplying_layers(program)
    reuse = dict(found.settings["reuse_factor"])
    for strategy in ("latency", "resource"):
        yield _least(
            _reuse(program, found, strategy, factor, names)
            for factor in REUSE_STEPS
            if factor > max(reuse.values(), default=1)
        )
    largest = max(found.layers, key=lambda x: x.hls["lut"] + 100 * x.hls["dsp"], default=None)
    if largest is not None and largest.name in names and len(names) > 1:
        for strategy in ("latency", "resource"):
            yield _least(
                _one_layer(program, found, largest.name, strategy, f) for f in REUSE_STEPS if f > largest.reuse_factor
            )
    if present != {"distributed_arithmetic"}:
        estimate = _again(program, found, None, strategy="distributed_arithmetic", reuse_factor=1)
        yield Advice(
            "strategy", "", "distributed_arithmetic", "distributed arithmetic: adders for all constants", estimate
        )


def _least(tries: Iterator[Advice]) -> Advice | None:
    last = None
    for proposal in tries:
        if proposal.fits:
            return proposal
        last = proposal
    return last


def _reuse(program: Program, found: Estimate, strategy: str, factor: int, names: list[str]) -> Advice:
    factors = dict.fromkeys(names, factor)
    if strategy == "resource":
        factors = {name: _valid(program, name, factor) for name in names}
    estimate = _again(program, found, None, strategy=strategy, reuse_factor=factors)
    distinct = sorted(set(factors.values()))
    said = f"{distinct[0]}" if len(distinct) == 1 else f"{distinct[0]} to {distinct[-1]}"
    return Advice("reuse_factor", "", factor, f"reuse factor {said} in every layer, strategy {strategy}", estimate)


def _one_layer(program: Program, found: Estimate, name: str, strategy: str, factor: int) -> Advice:
    if strategy == "resource":
        factor = _valid(program, name, factor)
    estimate = _again(
        program,
        found,
        None,
        strategy={**found.settings["strategy"], name: strategy},
        reuse_factor={**found.settings["reuse_factor"], name: factor},
    )
    return Advice(
        "reuse_factor", name, factor, f"reuse factor {factor} in layer {name!r}, strategy {strategy}", estimate
    )


def _valid(program: Program, name: str, factor: int) -> int:
    weights = program.layer(name).arrays["weight"]
    inputs = int(weights.size // weights.shape[-1])
    return nearest_reuse(inputs, int(weights.shape[-1]), factor)


def _pruned(program: Program, found: Estimate, kept: float) -> Advice:
    estimate = _again(program, found, partial(pruned, kept=kept))
    return Advice("pruning", "", kept, f"the smallest {1 - kept:.0%} of each layer's weights pruned", estimate)


def _shortened(program: Program, found: Estimate, bits: int) -> Advice:
    estimate = _again(program, found, partial(shortened, bits=bits))
    return Advice("weight_bits", "", bits, f"weights of {bits} bit{'s' * (bits > 1)} fewer in every layer", estimate)


def _again(program: Program, found: Estimate, change: Change | None, **given: Any) -> Estimate:
    settings = {"strategy": found.settings["strategy"], "reuse_factor": found.settings["reuse_factor"], **given}
    return changed(
        program,
        found.target,
        change,
        clock_mhz=found.clock_mhz,
        io=found.io,
        tool=found.settings["tool"],
        tool_version=found.settings["tool_version"],
        multiplier=found.settings["multiplier"],
        **settings,
    )
