"""Where an HLS scheduler puts registers in a tree of adders behind a row of multipliers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2

from firmware_flows.estimation.work import Conditions

Delays = Mapping[str, float]
"""Nanoseconds in a 7-series device: `adder` (16 bits), `adder_bit` (share of it for each bit more), `dsp`, `fabric`
(multipliers), `choice` (comparison of 16 bits, and the choice by it), `rectifier` (rounding and saturation besides),
`memory` (from clock to output of a table). `speed_<technology>`: what they are multiplied by elsewhere."""


@dataclass(frozen=True)
class Schedule:
    """Register stages inside one layer: `before_sum` of them before the first addition, then one after each of these
    numbers of levels of the tree. `levels`: levels of the whole tree. `tail`: nanoseconds of its last cycle in use."""

    before_sum: int
    after_levels: tuple[int, ...]
    levels: int
    tail: float = 0.0

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


class Chain:
    """Operations one after another, within a cycle as long as they fit.

    `cycles`: begun after the first; `spent`: nanoseconds in use of the last one.
    """

    def __init__(self, conditions: Conditions, delays: Delays) -> None:
        self.conditions, self.delays = conditions, delays
        self.usable = max(conditions.usable, 0.3)
        self.cycles, self.spent = 0, 0.0

    def wait(self) -> None:
        """What follows begins with a register."""
        self.cycles, self.spent = self.cycles + 1, 0.0

    def take(self, delay: float) -> None:
        """An operation of this delay; one that is slower than the clock is cut into pieces."""
        if self.spent > 0 and self.spent + delay > self.usable:
            self.wait()
        self.spent += delay
        while self.spent > self.usable:
            self.cycles, self.spent = self.cycles + 1, self.spent - self.usable

    def operation(self, name: str, times: int = 1) -> None:
        """An operation by its name, several times over."""
        for _ in range(times):
            began = self.cycles
            self.take(delay_of(name, self.conditions, self.delays))
            if name == "dsp" and self.cycles > began:
                self.spent = self.usable  # a DSP block over several cycles ends in its own register

    def lookup(self) -> None:
        """A table in a block memory, whose address is a register."""
        self.wait()
        self.operation("memory")


def adder_delay(bits: float, conditions: Conditions, delays: Delays) -> float:
    """Nanoseconds of an adder of this width."""
    return delay_of("adder", conditions, delays) * max(1.0 + delays["adder_bit"] * (bits - 16), 0.3)


def schedule(terms: float, bits: int, first: str, conditions: Conditions, delays: Delays) -> Schedule:
    """As soon as possible, with operations chained within a cycle as long as they fit.

    `terms` numbers of `bits` bits are added; `first` is what makes them: `dsp`, `fabric`, `adder` (constants of two
    digits) or nothing.
    """
    adder = adder_delay(bits, conditions, delays)
    chain = Chain(conditions, delays)
    if first == "adder":
        chain.take(adder)
    elif first:
        chain.operation(first)
    after: list[int] = []
    levels = ceil(log2(terms)) if terms > 1 else 0
    before = chain.cycles
    for level in range(levels):
        if chain.spent > 0 and chain.spent + adder > chain.usable:
            chain.wait()
            if level:
                after.append(level)
            else:
                before += 1
        started = chain.cycles
        chain.take(adder)
        after += [level + 1] * (chain.cycles - started)  # an adder that is slower than the clock is cut into pieces
    return Schedule(before, tuple(after), levels, chain.spent)
