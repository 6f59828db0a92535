"""How many networks an FPGA needs for its cells, how fast they must run, and whether their answer is in time.

A cell gives one sample every 25 ns. A network that takes a new event every clock cycle (initiation interval 1) serves m
cells when it is clocked m times as fast; cells divided by m networks are needed. The answer must come within the
latency budget after the last sample of the window.

What is counted or quoted is an input here, not a result: cycles come from a synthesis report, or from an estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from .errors import SettingError

CROSSING_MHZ = 40.0
"""Nominal rate of crossings; the LHC's is 40.08, which the clocks of a board follow."""

CELLS = 384
"""Cells of one FPGA of the signal processor (Aad et al., arXiv:2302.07555)."""

LATENCY_NS = 125.0
"""Budget for the energy."""

MULTIPLEXING = (8, 12, 14)
"""Cells per network that are usual: 320, 480 and 560 MHz."""


@dataclass(frozen=True)
class Fpga:
    """A device. multipliers: 18 x 19 bits, those of all its blocks."""

    name: str
    multipliers: int


AGILEX = Fpga("Agilex 7 AGF027", 2 * 8528)
"""That of the ATLAS signal processor: 8,528 blocks of two multipliers."""


@dataclass(frozen=True)
class Plan:
    """How the cells of one FPGA are served with `multiplexing` cells per network.

    latency_cycles: of the network, None where it is not known. multiplications: of one event, None likewise.
    """

    cells: int
    multiplexing: int
    latency_budget_ns: float
    latency_cycles: int | None
    multiplications: int | None
    fpga: Fpga

    @property
    def copies(self) -> int:
        """Networks."""
        return -(-self.cells // self.multiplexing)

    @property
    def clock_mhz(self) -> float:
        """Slowest clock at which the networks keep up."""
        return self.multiplexing * CROSSING_MHZ

    @property
    def latency_budget_cycles(self) -> int:
        """Whole clock cycles within the budget."""
        # The product is rounded first: 0.125 us at 560 MHz are 70 cycles, not 69.
        return math.floor(round(self.latency_budget_ns * 1e-3 * self.clock_mhz, 6))

    @property
    def latency_ns(self) -> float | None:
        return None if self.latency_cycles is None else self.latency_cycles * 1e3 / self.clock_mhz

    @property
    def in_time(self) -> bool | None:
        return None if self.latency_cycles is None else self.latency_cycles <= self.latency_budget_cycles

    @property
    def multiplier_share(self) -> float | None:
        """Of the FPGA's multipliers that the copies need, one a multiplication; above 1 they do not fit."""
        return None if self.multiplications is None else self.copies * self.multiplications / self.fpga.multipliers

    def describe(self) -> str:
        """One sentence."""
        text = (
            f"{self.cells} cells with {self.multiplexing} to a network: {self.copies} networks at "
            f"{self.clock_mhz:g} MHz; {self.latency_budget_ns:g} ns are {self.latency_budget_cycles} cycles"
        )
        if self.latency_cycles is not None:
            verdict = "in time" if self.in_time else "too late"
            text += f", the network takes {self.latency_cycles} ({self.latency_ns:.0f} ns): {verdict}"
        if self.multiplier_share is not None:
            text += f"; {self.multiplier_share:.0%} of the multipliers of {self.fpga.name}"
        return text


def plan(
    multiplexing: Iterable[int] = MULTIPLEXING,
    *,
    cells: int = CELLS,
    latency_cycles: int | None = None,
    multiplications: int | None = None,
    latency_budget_ns: float = LATENCY_NS,
    fpga: Fpga = AGILEX,
) -> tuple[Plan, ...]:
    """One plan for each number of cells per network.

    `latency_cycles` and `multiplications` of the network as reported or estimated for it. Raises SettingError for
    numbers below 1.
    """
    factors = tuple(multiplexing)
    for name, values in (
        ("multiplexing", factors),
        ("cells", (cells,)),
        ("latency_cycles", (1 if latency_cycles is None else latency_cycles,)),
        ("multiplications", (1 if multiplications is None else multiplications,)),
    ):
        if any(value < 1 for value in values):
            raise SettingError(name, values, "wanted whole numbers of at least 1")
    return tuple(Plan(cells, factor, latency_budget_ns, latency_cycles, multiplications, fpga) for factor in factors)
