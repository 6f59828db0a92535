"""The interface of a firmware block as values."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

FORMAT = 1
"""Version of the JSON document."""

Direction = Literal["input", "output"]
Role = Literal["data", "clock", "reset", "control"]


@dataclass(frozen=True)
class Stated:
    """A number and who says so; None where nobody does yet, and then `source` says who will."""

    value: float | None
    source: str


@dataclass(frozen=True)
class Element:
    """One number in a port: bits high ... low, two's complement where the port's numbers are signed.

    name: the feature's, or its place in the array; the real value is mantissa * 2**-binary_point. unit: of the real
    value. scale, offset: what the network's author did before, feature = value * scale + offset, where stated.
    """

    index: int
    name: str
    high: int
    low: int
    unit: str = ""
    scale: float | None = None
    offset: float | None = None


@dataclass(frozen=True)
class InterfacePort:
    """A port of the top module; width None where only the vendor's report states it.

    source: the network's port that it carries; type, signed, binary_point (bits behind the binary point): of every
    element.
    """

    name: str
    direction: Direction
    role: Role
    width: int | None
    description: str
    source: str = ""
    type: str = ""
    signed: bool | None = None
    element_width: int | None = None
    binary_point: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True)
class Interface:
    """A firmware block: how it is clocked, reset and talked to, and its ports.

    form: "RTL" or "HLS". authority: what decides where this document and the tool's output differ.
    """

    form: str
    top: str
    network: str
    digest: str
    target: str
    clock: str
    clock_mhz: float
    reset: str
    protocol: tuple[str, ...]
    latency_cycles: Stated
    interval_cycles: Stated
    ports: tuple[InterfacePort, ...]
    authority: str
    remarks: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"format": FORMAT, **asdict(self)}
