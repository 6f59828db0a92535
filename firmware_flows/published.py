"""Designs that others have published, to stand beside what is measured here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class PublishedDesign:
    """Figures of a published design of the same class of network; None where the source states none.

    A model source may bring a function `published(options, event_shape)` that returns a sequence of these.

    name: what the design is (bits, strategy); stage: how the figures were made ("HLS estimate", "logic synthesis",
    "place and route", or "not stated"); source: where they stand. latency_ns at `clock_mhz`. bram18: of 18 Kbit.
    """

    name: str
    source: str
    device: str
    stage: str
    clock_mhz: float | None = None
    latency_ns: float | None = None
    lut: float | None = None
    ff: float | None = None
    dsp: float | None = None
    bram18: float | None = None
    note: str = ""

    def to_json(self) -> Mapping[str, Any]:
        """As JSON values."""
        return asdict(self)
