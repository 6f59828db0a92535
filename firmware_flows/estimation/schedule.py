"""Where an HLS scheduler puts registers in a tree of adders behind a row of multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2

from firmware_flows.estimation.work import Conditions

Delays = Mapping[str, float]
"""Nanoseconds in a 7-series device: `adder` (16 bits), `adder_bit` (share of it for each bit more), `dsp`, `fabric`
(multipliers), `softmax` (tables), `rectifier`, `boundary` (from layer to layer). `speed_<technology>`: what they are
multiplied by elsewhere. `boundary_cycles`: cycles for each layer whatever the clock. `slow_boundary`: factor on both
where events come less often than every cycle."""


@dataclass(frozen=True)
class Schedule:
    """Register stages inside one layer: `before_sum` of them before the first addition, then one after each of these
    numbers of levels of the tree. `levels`: levels of the whole tree."""

    before_sum: int
    after_levels: tuple[int, ...]
    levels: int

    @property
    def latency(self) -> int:
        """Cycles from input to output, zero where everything fits in one."""
        return self.before_sum + len(self.after_levels)


LIKE = {"versal": "ultrascale+", "stratix10": "ultrascale+", "agilex": "ultrascale+", "ecp5": "7series"}
"""Technologies without reports of their own, and the one whose speed is taken instead."""

SHARED_LEVELS = 3
"""Levels of the tree that remain to be added when the last shared multiplier has done its last product."""


def delay_of(operation: str, conditions: Conditions, delays: Delays) -> float:
    """Nanoseconds of an operation in the technology of the target."""
    technology = LIKE.get(conditions.technology, conditions.technology)
    return delays[operation] * delays.get(f"speed_{technology}", 1.0)


def cycles_of(operation: str, conditions: Conditions, delays: Delays) -> float:
    """Cycles that an operation takes beyond the one it begins in."""
    return float(int(delay_of(operation, conditions, delays) / max(conditions.usable, 0.3)))


def schedule(terms: float, bits: int, first: str, conditions: Conditions, delays: Delays) -> Schedule:
    """As soon as possible, with operations chained within a cycle as long as they fit.

    `terms` numbers of `bits` bits are added; `first` is what makes them: `dsp`, `fabric`, `adder` (constants of two
    digits) or nothing.
    """
    adder = delay_of("adder", conditions, delays) * max(1.0 + delays["adder_bit"] * (bits - 16), 0.3)
    levels = ceil(log2(terms)) if terms > 1 else 0
    usable = max(conditions.usable, 0.3)
    before, spent = 0, 0.0
    if first:
        delay = adder if first == "adder" else delay_of(first, conditions, delays)
        before = max(ceil(delay / usable) - 1, 0)
        spent = delay - before * usable
    after: list[int] = []
    for level in range(levels):
        if spent + adder > usable and spent > 0:
            if level == 0:
                before += 1
            else:
                after.append(level)
            spent = 0.0
        spent += adder
        while spent > usable:  # an adder that is slower than the clock is cut into pieces
            after.append(level + 1)
            spent -= usable
    return Schedule(before, tuple(after), levels)
