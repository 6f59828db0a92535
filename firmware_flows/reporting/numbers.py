"""Numbers as a report writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import floor, log10
from typing import Any

Facts = Mapping[str, Any]

DIGITS = 3
"""Of an estimate: its interval is never so narrow that more would mean something. report.json has them all."""


LARGE = 100.0
"""Metrics from here on are shown with one digit behind the point."""


def number(value: float | None) -> str:
    """A count, or "" where there is none."""
    return "" if value is None else f"{value:,.10g}"


def decimal(value: float | None) -> str:
    """With one digit behind the point, or ""."""
    return "" if value is None else f"{value:,.1f}"


def bounds(ends: Sequence[object]) -> str:
    """The two ends of a range, exact numbers in any notation, rounded to six digits.

    >>> bounds(["-167.44759368896484375", "3"])
    '[-167.448, 3]'
    """
    return "[" + ", ".join(f"{float(Fraction(str(end))):.6g}" for end in ends) + "]"


def share(count: float, available: float | None) -> str:
    """In percent, or ""."""
    return percent(count / available) if available else ""


def percent(part: float) -> str:
    """A share in percent, with one digit behind the point."""
    return f"{part:.1%}"


def metric(value: float, sign: str = "") -> str:
    """Four digits behind the point, one for large values; what rounds to nothing has no sign.

    >>> metric(-0.00004), metric(0.25), metric(3825.4571)
    ('0.0000', '0.2500', '3,825.5')
    """
    text = format(value, f"{sign}.4f" if abs(value) < LARGE else f"{sign},.1f")
    return text.lstrip("+-") if not text.strip("+-0.") else text


def signed(difference: float) -> str:
    """The same for a difference, with its sign.

    >>> signed(-0.00004), signed(0.25)
    ('0.0000', '+0.2500')
    """
    return metric(difference, "+")


def rounded(value: float) -> str:
    """An estimated count: whole, and of three digits that mean something.

    >>> rounded(172819.0), rounded(19.4), rounded(0.0)
    ('173,000', '19', '0')
    """
    if not value:
        return "0"
    unit = 10.0 ** max(floor(log10(abs(value))) - DIGITS + 1, 0)
    return f"{round(value / unit) * unit:,.0f}"


def estimated(quantity: Facts, factor: float = 1.0) -> str:
    """A value with the ends of its interval, each times a factor.

    >>> estimated({"value": 19.0, "low": 15.2, "high": 65.2})
    '19 [15, 65]'
    """
    return _bracketed(*(rounded(factor * quantity[end]) for end in ("value", "low", "high")))


def nanoseconds(quantity: Facts, clock_mhz: float) -> str:
    """Cycles as nanoseconds, with one digit behind the point below 100.

    >>> nanoseconds({"value": 19.0, "low": 15.2, "high": 65.2}, 360.0)
    '52.8 [42.2, 181]'
    """

    def said(value: float) -> str:
        return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}"

    return _bracketed(*(said(1e3 / clock_mhz * quantity[end]) for end in ("value", "low", "high")))


def estimated_share(quantity: Facts) -> str:
    """The same for a share, in percent."""
    return _bracketed(*(percent(quantity[end]) for end in ("value", "low", "high")))


def _bracketed(value: str, low: str, high: str) -> str:
    """An interval without width is left out."""
    return value if low == value == high else f"{value} [{low}, {high}]"


def cycles_of(count: float) -> str:
    """A number of clock cycles."""
    return f"{count:.0f} cycle{'' if round(count) == 1 else 's'}"
