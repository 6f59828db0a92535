"""What a synthesis answers: quantities with their units, clocks, and where every number comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["synthesised", "placed and routed", "vendor"]


@dataclass(frozen=True)
class Origin:
    """Where a number comes from. `stage` says how far a vendor's tool went: "HLS estimate", "synthesised", "routed"."""

    kind: Kind
    tool: str
    version: str
    stage: str = ""

    def __str__(self) -> str:
        if self.kind == "vendor":
            return f"vendor ({self.tool}, {self.version}{': ' + self.stage if self.stage else ''})"
        return f"{self.kind} ({self.tool} {self.version})"


@dataclass(frozen=True)
class Quantity:
    """A count of one resource.

    name: "LUT", "FF", "DSP", ...; the same resource bears the same name whatever the tool. unit: what one of them is,
    for example "LUT6 sites". available: of the whole device, where known. note: what it leaves out.
    """

    name: str
    count: float
    unit: str
    available: float | None = None
    note: str = ""

    @property
    def share(self) -> float | None:
        """Of what the device has."""
        return self.count / self.available if self.available else None


@dataclass(frozen=True)
class Clock:
    """A clock: wanted and achieved in MHz. `slack_ns` as the tool states it, where it does."""

    name: str
    wanted_mhz: float | None
    achieved_mhz: float | None
    slack_ns: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Latency:
    """Clock cycles from input to output and between events, least and most, as a tool states them."""

    minimum: int | None
    maximum: int | None
    interval_minimum: int | None
    interval_maximum: int | None


@dataclass(frozen=True)
class SynthesisResult:
    """The result of one tool on one design. `cells` counts the primitives under their own names.

    files: what the tool left, relative to `directory` where one is given.
    """

    origin: Origin
    design: str
    target: str
    quantities: tuple[Quantity, ...]
    clocks: tuple[Clock, ...] = ()
    latency: Latency | None = None
    cells: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    seconds: float | None = None
    files: tuple[str, ...] = ()

    def quantity(self, name: str) -> Quantity | None:
        """The quantity of that name, or None where the tool says nothing of it."""
        return next((q for q in self.quantities if q.name == name), None)

    def count(self, name: str) -> float | None:
        """How many of it, or None."""
        found = self.quantity(name)
        return None if found is None else found.count

    def to_json(self) -> dict[str, Any]:
        """As JSON values; the origin stands on every quantity and clock, so that none can be quoted without it."""
        origin = str(self.origin)
        return {
            "origin": {**asdict(self.origin), "text": origin},
            "design": self.design,
            "target": self.target,
            "quantities": [{**asdict(q), "origin": origin} for q in self.quantities],
            "clocks": [{**asdict(c), "origin": origin} for c in self.clocks],
            "latency": None if self.latency is None else asdict(self.latency),
            "cells": dict(self.cells),
            "remarks": list(self.remarks),
            "seconds": self.seconds,
            "files": list(self.files),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> SynthesisResult:
        """The opposite of `to_json`."""

        def without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
            return {k: v for k, v in values.items() if k != key}

        latency = document["latency"]
        return cls(
            origin=Origin(**without(document["origin"], "text")),
            design=document["design"],
            target=document["target"],
            quantities=tuple(Quantity(**without(q, "origin")) for q in document["quantities"]),
            clocks=tuple(Clock(**without(c, "origin")) for c in document["clocks"]),
            latency=None if latency is None else Latency(**latency),
            cells=document["cells"],
            remarks=tuple(document["remarks"]),
            seconds=document["seconds"],
            files=tuple(document["files"]),
        )

    def summary(self) -> str:
        """For people: a line for each quantity and clock."""
        lines = [f"{self.design} on {self.target}: {self.origin}"]
        width = max((len(q.name) for q in self.quantities), default=0)
        for q in self.quantities:
            total = "" if q.available is None else f" of {q.available:,.6g} ({q.share:.1%})"
            lines.append(f"  {q.name:<{width}}  {q.count:>10,.6g}{total}  {q.unit}{'; ' + q.note if q.note else ''}")
        for c in self.clocks:
            achieved = "not stated" if c.achieved_mhz is None else f"{c.achieved_mhz:.1f} MHz"
            wanted = "" if c.wanted_mhz is None else f", wanted {c.wanted_mhz:.1f} MHz"
            lines.append(f"  clock {c.name}: {achieved}{wanted}{'; ' + c.note if c.note else ''}")
        if self.latency is not None and self.latency.maximum is not None:
            lines.append(f"  latency {self.latency.maximum} cycles, an event every {self.latency.interval_maximum}")
        return "\n".join([*lines, *(f"  {text}" for text in self.remarks)])
