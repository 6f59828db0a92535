"""Devices, boards and budgets as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from firmware_flows.targets.units import cycles_between, cycles_within

RESOURCES = ("lut", "ff", "dsp", "bram18")
"""Resources that a share is counted of."""


@dataclass(frozen=True)
class Device:
    """One FPGA. Logic in LUT, memory in blocks of 18 Kb, whatever the vendor counts; `regions`: super logic regions."""

    name: str
    vendor: str
    technology: str
    lut: int
    ff: int
    dsp: int
    bram18: int
    uram: int
    regions: int
    source: str
    parts: tuple[str, ...] = ()
    given: tuple[tuple[str, int], ...] = ()

    @property
    def from_memory(self) -> bool:
        """Whether some of the numbers were found in no report or document, as the source then says."""
        return "from memory" in self.source

    def region(self, resource: str) -> int:
        """What one super logic region has of a resource."""
        return int(getattr(self, resource)) // self.regions

    def facts(self) -> dict[str, Any]:
        """As JSON values; counts in the vendor's units too where they differ."""
        return {
            "name": self.name,
            "vendor": self.vendor,
            "technology": self.technology,
            **{name: int(getattr(self, name)) for name in (*RESOURCES, "uram")},
            "regions": self.regions,
            "region": {name: self.region(name) for name in RESOURCES},
            "given": dict(self.given),
            "source": self.source,
            "from_memory": self.from_memory,
        }


@dataclass(frozen=True)
class Board:
    """A board: its device, how many of them, the clocks in use."""

    name: str
    device: str
    description: str
    source: str
    part: str = ""
    devices: int = 1
    clocks_mhz: tuple[float, ...] = ()
    experiment: str = ""

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "device": self.device,
            "part": self.part or self.device,
            "devices": self.devices,
            "clocks_mhz": list(self.clocks_mhz),
            "experiment": self.experiment,
            "description": self.description,
            "source": self.source,
        }


@dataclass(frozen=True)
class Budget:
    """What one network may take: latency, time between events, share of one region (None: nothing is laid down).

    `counts`: resources of which it allows a number, whatever the share.
    """

    name: str
    board: str
    clock_mhz: float
    latency_ns: float
    description: str
    source: str
    interval_ns: float | None = None
    share: float | None = None
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def latency_cycles(self) -> int:
        """Whole cycles of the clock within the latency."""
        return cycles_within(self.latency_ns, self.clock_mhz)

    @property
    def interval_cycles(self) -> int | None:
        """Whole cycles between two events; at least one."""
        return None if self.interval_ns is None else cycles_between(self.interval_ns, self.clock_mhz)

    def facts(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "name": self.name,
            "board": self.board,
            "clock_mhz": self.clock_mhz,
            "latency_ns": self.latency_ns,
            "latency_cycles": self.latency_cycles,
            "interval_ns": self.interval_ns,
            "interval_cycles": self.interval_cycles,
            "share": self.share,
            "counts": dict(self.counts),
            "description": self.description,
            "source": self.source,
        }


@dataclass(frozen=True)
class Target:
    """What a design is for: a device, with the board and the budget where they were named."""

    device: Device
    board: Board | None = None
    budget: Budget | None = None
    part: str = ""

    @property
    def name(self) -> str:
        """The name that it was asked for by."""
        if self.budget is not None:
            return self.budget.name
        return self.board.name if self.board is not None else self.part or self.device.name

    @property
    def clock_mhz(self) -> float | None:
        """The budget's clock, or the board's first."""
        if self.budget is not None:
            return self.budget.clock_mhz
        return self.board.clocks_mhz[-1] if self.board is not None and self.board.clocks_mhz else None


@dataclass(frozen=True)
class Catalogue:
    """All known devices, boards and budgets, by name in lower case."""

    devices: dict[str, Device] = field(default_factory=dict)
    boards: dict[str, Board] = field(default_factory=dict)
    budgets: dict[str, Budget] = field(default_factory=dict)
