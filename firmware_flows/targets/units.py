"""Units of FPGA resources and of time, in one place: every other module counts LUT, blocks of 18 Kb and whole cycles.

HLS reports count BRAM18; Vivado counts tiles of BRAM36, of which each is two BRAM18. Intel counts ALMs and M20K.
"""

from __future__ import annotations

from math import floor

BRAM18_PER_BRAM36 = 2
"""A tile of 36 Kb is two blocks of 18 Kb (AMD UG473, UG573)."""

LUT_PER_ALM = 2
"""An adaptive logic module holds two adaptive look-up tables (Intel UG-S10-LAB, UG-20213)."""

BITS = {"bram18": 18432, "bram36": 36864, "m20k": 20480}
"""Bits of one block of memory, its parity bits included (AMD UG473; Intel UG-S10-MEMORY)."""


def bram18_from(count: float, unit: str) -> float:
    """Blocks of 18 Kb for a count in another unit: BRAM36 tiles are two, an M20K is taken as one (20 Kb).

    >>> bram18_from(1.5, "bram36"), bram18_from(3, "m20k")
    (3.0, 3.0)
    """
    if unit == "bram36":
        return float(count) * BRAM18_PER_BRAM36
    if unit in ("bram18", "m20k"):
        return float(count)
    raise ValueError(f"unknown unit of memory {unit!r}; valid: {', '.join(BITS)}")


def lut_from(count: float, unit: str) -> float:
    """LUTs for a count of `lut` or `alm`.

    >>> lut_from(10, "alm")
    20.0
    """
    if unit == "alm":
        return float(count) * LUT_PER_ALM
    if unit == "lut":
        return float(count)
    raise ValueError(f"unknown unit of logic {unit!r}; valid: lut, alm")


def cycles_within(nanoseconds: float, clock_mhz: float) -> int:
    """Whole cycles of a clock that a latency of so many nanoseconds allows.

    >>> cycles_within(100.0, 360.0)
    36
    """
    return floor(nanoseconds * clock_mhz / 1e3 + 1e-9)


def cycles_between(nanoseconds: float, clock_mhz: float) -> int:
    """Whole cycles of a clock between events so many nanoseconds apart; at least one.

    >>> cycles_between(25.0, 40.0), cycles_between(1.0, 40.0)
    (1, 1)
    """
    return max(floor(nanoseconds * clock_mhz / 1e3 + 1e-3), 1)
