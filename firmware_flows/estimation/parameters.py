"""The fitted numbers: delays, weights of the terms, intervals, and how far the calibration reaches."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from firmware_flows.files import write_text

FILE = Path(__file__).with_name("calibration.json")

QUANTITIES = ("latency", "interval", "lut", "ff", "dsp", "bram")

DELAYS: Mapping[str, float] = {
    "adder": 2.2,
    "adder_bit": 0.012,
    "dsp": 6.0,
    "fabric": 2.6,
    "choice": 3.2,
    "rectifier": 3.3,
    "memory": 3.25,
    "speed_ultrascale": 0.55,
    "speed_ultrascale+": 0.36,
}
"""Where the fit of the delays begins, and what it is drawn to: operators of Xilinx's HLS libraries on 7 series
(16-bit adder 2.1 ns, DSP multiplier 3 stages at 3.3 ns), UltraScale+ 0.78 ns for the same adder. UltraScale lies
between by the data sheets and is not fitted: no report of it is in the domain."""

LUT_WEIGHTS: Mapping[str, float] = {
    "sum_vivado": 1.0,
    "sum_vitis": 1.0,
    "two_digits": 1.0,
    "fabric_multiplier": 1.0,
    "sharing": 0.2,
    "rectifier": 1.75,
    "rounding": 2.5,
    "softmax": 1.3,
    "table_address": 1.0,
    "table_in_lut": 1.0,
    "elementwise": 1.0,
    "folded_control": 5000.0,
    "folded_inputs": 2.0,
    "folded_multipliers": 5.0,
    "folded_routing": 0.5,
    "stream": 1.0,
    "adder_graph": 1.0,
}
"""LUT per unit of each term, before the fit: an adder as the reports count it, one LUT per bit of a partial product."""

FF_WEIGHTS: Mapping[str, float] = {
    "sums": 1.0,
    "held": 1.0,
    "shifted": 0.3,
    "interface": 1.0,
    "rectifier": 2.0,
    "softmax": 1.0,
    "table_address": 1.0,
    "folded_sums": 1.0,
    "folded_multipliers": 1.0,
    "stream": 1.0,
    "adder_graph": 1.0,
}
"""FF per unit of each term, before the fit: one a bit that is kept, of the terms of a sum a part at each stage."""


@dataclass(frozen=True)
class Spread:
    """Measured over estimated, as natural logarithms: the interval that holds 80 % is [estimate * e^low, e^high].

    `least`: half-width in units that is never undercut. `rows`: how many reports it rests on.
    """

    low: float
    high: float
    least: float
    rows: int

    def around(self, value: float, widen: float = 1.0) -> tuple[float, float]:
        """The interval around an estimate; `widen` multiplies its logarithmic width."""
        from math import exp

        low, high = value * exp(self.low * widen), value * exp(self.high * widen)
        return max(min(low, value - self.least), 0.0), max(high, value + self.least)


@dataclass(frozen=True)
class Calibration:
    """Everything the estimator has from data."""

    delays: Mapping[str, float]
    lut: Mapping[str, float]
    ff: Mapping[str, float]
    spread: Mapping[str, Mapping[str, Spread]]
    synthesis: Mapping[str, Mapping[str, float]]
    synthesis_spread: Mapping[str, Mapping[str, Spread]]
    domain: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path = FILE) -> None:
        """Write as JSON."""
        write_text(path, json.dumps(_rounded(asdict(self)), indent=1, sort_keys=True) + "\n")


@lru_cache(maxsize=1)
def calibration(path: Path = FILE) -> Calibration:
    """The committed calibration."""
    document = json.loads(path.read_text(encoding="utf-8"))
    for name in ("spread", "synthesis_spread"):
        document[name] = {
            group: {quantity: Spread(**values) for quantity, values in spreads.items()}
            for group, spreads in document[name].items()
        }
    return Calibration(**document)


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value
