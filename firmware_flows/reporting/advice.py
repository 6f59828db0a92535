"""Advice held against the limits of `firmware-flows check`: which change brings the middle inside, which the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import floor
from typing import Any

from firmware_flows.budgets import ENDS, NAMES, limits_of
from firmware_flows.estimation import Advice, Estimate, advise, estimate
from firmware_flows.program import Program
from firmware_flows.targets import Budget, Target

Facts = Mapping[str, Any]

_WHOLE = {field: whole for field, whole, _ in ENDS.values()}
"""Field of an estimated quantity -> the whole number that it stands for."""


def advice_facts(
    program: Program, answer: Estimate, wanted: Facts, settings: Facts, passed: bool = False
) -> dict[str, Any]:
    """`advice`, and `advice_by`: "value" where the middle of the estimate does not fit, else the end that does not.

    answer: the estimate, `wanted`: section `budget` of the recipe, settings: of the estimate (strategy, reuse_factor,
    io, tool), passed: the check passes, by measured numbers where the estimate would not. Every proposal has `beyond`:
    the quantities of which the end that the check goes by is beyond its limit. `compared`: the field of a quantity that
    the check goes by; `upper_beyond`: upper ends that are beyond their limit.
    """
    limits = _limits(answer, wanted)
    end = ENDS[wanted.get("estimate") or "high"][0]
    by = "value"
    proposals = advise(program, answer)
    if answer.fits and not passed and _beyond(answer, limits, end):
        by = end
        tightened = _tightened(answer, limits, end)
        proposals = advise(program, estimate(program, target=tightened, clock_mhz=answer.clock_mhz, **settings))
    facts = [_facts(a, limits, end, by) for a in proposals]
    return {
        "advice_by": by,
        "advice": sorted(facts, key=lambda a: not a["fits"]),
        "compared": end,
        "upper_beyond": [
            {"name": name, "high": answer.judged(name).high, "limit": limits[name]}
            for name in _beyond(answer, limits, "high")
        ],
    }


def _facts(proposal: Advice, limits: Mapping[str, float], end: str, by: str) -> dict[str, Any]:
    facts = proposal.facts()
    beyond = _beyond(proposal.estimate, limits, end)
    if by != "value":
        # Its own limits were tightened so that the middle stands for the end: what holds is what the end comes to.
        facts |= {"fits": not beyond, "problems": []}
    return {**facts, "beyond": beyond}


def _limits(answer: Estimate, wanted: Facts) -> dict[str, float]:
    return {name: limit.value for name, limit in limits_of(answer.target, wanted, answer.clock_mhz)}


def _beyond(answer: Estimate, limits: Mapping[str, float], end: str) -> list[str]:
    """Quantities whose end is beyond its limit, as the whole number that `firmware-flows check` takes it for."""
    whole = _WHOLE[end]
    return [n for n in NAMES if n in limits and whole(getattr(answer.judged(n), end)) > limits[n] + 1e-9]


def _tightened(answer: Estimate, limits: Mapping[str, float], end: str) -> Target:
    """A target that the middle fits where the end fits the limits: intervals are factors around the middle."""

    def limit(name: str) -> float | None:
        if name not in limits:
            return None
        quantity = answer.judged(name)
        reached = getattr(quantity, end)
        return limits[name] * (quantity.value / reached if quantity.value and reached else 1.0)

    def count(name: str) -> int:
        value = limit(name)
        return int(getattr(answer.target.device, name)) if value is None else floor(value)

    place, period = answer.target, 1e3 / answer.clock_mhz
    latency, interval = limit("latency"), limit("interval")
    budget = None
    if place.budget is not None and latency is not None:
        budget = Budget(
            place.budget.name, place.budget.board, answer.clock_mhz, latency * period, place.budget.description,
            place.budget.source, None if interval is None else interval * period,
        )  # fmt: skip
    device = replace(place.device, lut=count("lut"), ff=count("ff"), dsp=count("dsp"), bram18=count("bram18"))
    return replace(place, device=device, budget=budget)
