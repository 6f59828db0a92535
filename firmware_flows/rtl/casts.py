"""Changing the fixed-point type of a wire: all seven roundings and four overflows, composed of what alkaid has.

Every rounding to nearest, and toward zero, is "add something less than one unit, then drop bits". What is added
depends on one bit of the value (its sign, or its last bit kept), which costs one carry input.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.rtl.wires import (
    ZERO,
    Wire,
    added,
    any_bit,
    chosen,
    high,
    is_negative,
    low,
    maximum,
    minimum,
    multiplied,
    power,
    subtracted,
    wrapped,
    wrapped_bit,
)


def cast(wire: Wire, t: FixedPoint) -> Wire:
    """The value in the type `t`, rounded and then limited, as FixedPoint.cast does."""
    if isinstance(wire, Fraction):
        return known(wire, t)
    unit = power(-t.fractional)
    step = Fraction(wire.step)
    rounded = wire
    if step < unit:
        rounded = _floor(_ROUNDINGS[t.rounding](wire, unit, step, t.fractional), t.fractional)
    return _limited(rounded, t)


def known(value: Fraction, t: FixedPoint) -> Fraction:
    """A constant in the type `t`."""
    fractional = max(t.fractional, value.denominator.bit_length() - 1)
    return Fraction(int(t.cast([int(value * power(fractional))], fractional)[0])) * power(-t.fractional)


def _floor(wire: Wire, fractional: int) -> Wire:
    """Toward minus infinity, to a multiple of 2**-fractional."""
    if isinstance(wire, Fraction):
        return wrapped(wire, True, 4096, fractional)
    signed, integers, _ = wire.kif
    # a value all of whose bits go is its sign
    return wrapped(wire, bool(signed), max(int(integers), 1 - fractional), fractional)


def _away_if(bit: Wire, base: Fraction, step: Fraction, wire: Wire) -> Wire:
    return added(added(wire, base), multiplied(bit, step))


_ROUNDINGS: dict[Rounding, Callable[[Wire, Fraction, Fraction, int], Wire]] = {
    Rounding.TRN: lambda w, unit, step, f: w,
    Rounding.TRN_ZERO: lambda w, unit, step, f: added(w, multiplied(is_negative(w), unit - step)),
    Rounding.RND: lambda w, unit, step, f: added(w, unit / 2),
    Rounding.RND_MIN_INF: lambda w, unit, step, f: added(w, unit / 2 - step),
    Rounding.RND_ZERO: lambda w, unit, step, f: _away_if(is_negative(w), unit / 2 - step, step, w),
    Rounding.RND_INF: lambda w, unit, step, f: subtracted(added(w, unit / 2), multiplied(is_negative(w), step)),
    Rounding.RND_CONV: lambda w, unit, step, f: _away_if(wrapped_bit(w, -f), unit / 2 - step, step, w),
}
"""What to add before dropping bits: (wire, unit kept, step of the wire, fractional bits kept) -> wire."""


def _limited(wire: Wire, t: FixedPoint) -> Wire:
    """A multiple of the unit, limited to the type's range."""
    unit = power(-t.fractional)
    smallest, largest = t.lowest * unit, t.maximum * unit
    if smallest <= low(wire) and high(wire) <= largest:
        return wire
    if isinstance(wire, Fraction):
        return known(wire, t)
    match t.overflow:
        case Overflow.WRAP:
            return wrapped(wire, t.signed, t.integer - t.signed, t.fractional)
        case Overflow.SAT | Overflow.SAT_SYM:
            at_least = maximum(wire, smallest)
            return _capped(at_least, t) if low(at_least) >= 0 else minimum(at_least, largest)
        case Overflow.SAT_ZERO:
            kept = wrapped(wire, t.signed, t.integer - t.signed, t.fractional)
            return _zero_if_negative(
                subtracted(wire, smallest), _zero_if_negative(subtracted(largest, wire), kept)
            )  # fmt: skip


def _capped(wire: Wire, t: FixedPoint) -> Wire:
    """A value that is not negative, at most the type's largest: any bit above makes all bits one."""
    integers, largest = t.integer - t.signed, t.maximum * power(-t.fractional)
    if high(wire) <= largest:
        return wire
    if isinstance(wire, Fraction):
        return largest
    above = any_bit(wrapped(wire, False, max(int(wire.kif[1]), integers + 1), -integers))
    if isinstance(above, Fraction):
        return largest if above else wire
    return chosen(above, largest, wrapped(wire, False, integers, t.fractional))


def _zero_if_negative(condition: Wire, value: Wire) -> Wire:
    if low(condition) >= 0:
        return value
    if high(condition) < 0:
        return ZERO
    return chosen(condition, ZERO, value)
