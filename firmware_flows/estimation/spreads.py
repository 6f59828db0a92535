"""Intervals from the errors of estimates of networks that the fit had not seen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from firmware_flows.estimation.parameters import Spread
from firmware_flows.estimation.report_rows import Row
from firmware_flows.estimation.work import Cost

COVERAGE = 0.80
"""Share of measured values that an interval is to hold."""

LEAST = {"latency": 2.0, "interval": 0.5, "lut": 50.0, "ff": 50.0, "dsp": 2.0, "bram": 1.0}
"""Half-widths that no interval undercuts: the interval is a whole number of cycles; rounding to whole cycles in each of
several layers; control logic that is not modelled."""


@dataclass(frozen=True)
class Judged:
    """An estimate of a row by a fit without its family. `widen`: what intervals of it are widened by, since it lies
    outside the domain of the other families."""

    row: Row
    estimate: Cost
    widen: float = 1.0

    def error(self, quantity: str) -> float:
        """Measured over estimated, as a logarithm; both with the least half-width added, so that zero is allowed."""
        offset = 1.0 if quantity == "latency" else max(LEAST[quantity], 1.0)
        measured, estimated = getattr(self.row.measured, quantity), getattr(self.estimate, quantity)
        return log((measured + offset) / (estimated + offset))


def spread_of(judged: Sequence[Judged], quantity: str, coverage: float = COVERAGE) -> Spread:
    """The interval of logarithms that holds this share, each family with the weight of the root of its rows.

    Intervals outside the domain are widened, so errors there count by as much less.
    """
    if quantity == "interval":
        # An event every cycle is a matter of how the design is made; errors are those where multipliers take turns.
        judged = [j for j in judged if j.estimate.interval > 1] or judged
    families = Counter(j.row.family for j in judged)
    errors = sorted((j.error(quantity) / j.widen, families[j.row.family] ** -0.5) for j in judged)
    low, high = (quantile(errors, q) for q in ((1 - coverage) / 2, (1 + coverage) / 2))
    return Spread(min(low, 0.0), max(high, 0.0), LEAST[quantity], len(judged))


def covered(judged: Sequence[Judged], quantity: str) -> list[bool]:
    """Whether each row lies in the interval made from the errors of the other families."""
    answers = []
    for family in sorted({j.row.family for j in judged}):
        spread = spread_of([j for j in judged if j.row.family != family], quantity)
        for each in judged:
            if each.row.family == family:
                low, high = spread.around(getattr(each.estimate, quantity), each.widen)
                answers.append(low <= getattr(each.row.measured, quantity) <= high)
    return answers


def quantile(errors: Sequence[tuple[float, float]], share: float) -> float:
    """Weighted quantile, interpolated between the middles of the weights."""
    total = sum(weight for _, weight in errors)
    before = 0.0
    last_place, last_value = 0.0, errors[0][0]
    for value, weight in errors:
        place = (before + weight / 2) / total
        if place >= share:
            part = (share - last_place) / max(place - last_place, 1e-12)
            return last_value + (value - last_value) * min(max(part, 0.0), 1.0)
        before += weight
        last_place, last_value = place, value
    return errors[-1][0]
