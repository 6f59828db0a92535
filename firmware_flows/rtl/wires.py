"""Single values on their way into alkaid: what can be done to them exactly.

A wire is an alkaid variable, or a Fraction where the value is known at compile time. All in real units, so that
shifts cost nothing. Known values never become alkaid variables by themselves: they are folded here, and enter only as
addends, factors and table entries of at most `LIMB` significant bits, because alkaid finds the lowest bit of a number
through float32. Wider ones are taken apart into limbs.

alkaid remembers every variable as a sum of earlier ones times coefficients, to give differences of related values
tight intervals. The coefficients pass through float32 as well, so a chain of linear layers makes it claim steps that
are too coarse, and drop bits. `rebased` starts the bookkeeping anew; `significant_bits` says when that is due.
"""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any, TypeAlias

import numpy as np

from firmware_flows.rtl.alkaid_library import hardware, session

Variable: TypeAlias = Any
"""An alkaid FVariable."""

Wire: TypeAlias = Any
"""A Variable or a Fraction."""

LIMB = 22
"""Significant bits of a constant, two fewer than float32 has: partial sums of its signed digits may need one more."""

ZERO = Fraction(0)


def power(exponent: int) -> Fraction:
    """2**exponent."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def is_known(wire: Wire) -> bool:
    """Whether the value is a compile-time constant."""
    return isinstance(wire, Fraction)


def exact(number: float) -> Fraction:
    """A float of alkaid's as a fraction."""
    return Fraction(number)


def low(wire: Wire) -> Fraction:
    """Smallest value."""
    return wire if isinstance(wire, Fraction) else exact(wire.low)


def high(wire: Wire) -> Fraction:
    """Largest value."""
    return wire if isinstance(wire, Fraction) else exact(wire.high)


def latency(wire: Wire) -> float:
    """Delay from the inputs in alkaid's units."""
    return 0.0 if isinstance(wire, Fraction) else float(wire.latency)


def folded(variable: Variable) -> Wire:
    """The wire of a variable: a Fraction where alkaid has found out that it is constant."""
    return exact(variable.low) if variable.low == variable.high else variable


def new(smallest: Fraction, largest: Fraction, step: Fraction) -> Variable:
    """An input."""
    from alkaid.trace import FVariable

    return FVariable(float(smallest), float(largest), float(step), latency=0.0, hwconf=hardware())


def rebased(wire: Wire) -> Wire:
    """The same value as a variable of its own, through a change of type that changes nothing."""
    if isinstance(wire, Fraction):
        return wire
    from alkaid.trace import FVariable

    session().plain = False
    return FVariable(wire.low, wire.high, wire.step, _from=(wire,), _factor=1.0, opr="wrap", hwconf=wire.hwconf)


def significant_bits(wire: Wire) -> int:
    """Largest number of significant bits among alkaid's coefficients of this variable."""
    if isinstance(wire, Fraction):
        return 0
    affine = wire._affine
    numbers = np.fromiter((*affine.coeffs.values(), affine.bias), dtype=np.float64)
    mantissas = np.ldexp(np.frexp(numbers)[0], 53).astype(np.int64)
    lowest = mantissas & -mantissas
    used = 54 - np.log2(np.where(lowest == 0, 1 << 53, lowest))
    return int(used.max())


def limbs(number: Fraction) -> list[Fraction]:
    """A number as a sum of numbers of at most LIMB significant bits, the largest first."""
    if number == 0:
        return []
    numerator, exponent = abs(number.numerator), -(number.denominator.bit_length() - 1)
    sign = -1 if number < 0 else 1
    parts, shift = [], 0
    while numerator:
        zeros = (numerator & -numerator).bit_length() - 1
        numerator, shift = numerator >> zeros, shift + zeros
        part = numerator & ((1 << LIMB) - 1)
        parts.append(sign * part * power(exponent + shift))
        numerator, shift = numerator >> LIMB, shift + LIMB
    if len(parts) > 1:
        session().plain = False
    return parts[::-1]


# ---- sums and products


def negated(wire: Wire) -> Wire:
    """The opposite."""
    return -wire


def shifted(wire: Wire, bits: int) -> Wire:
    """wire * 2**bits."""
    return wire * power(bits) if isinstance(wire, Fraction) else wire * 2.0**bits


def added(a: Wire, b: Wire) -> Wire:
    """a + b."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return a + b
    if isinstance(a, Fraction):
        return _plus_constant(b, a)
    if isinstance(b, Fraction):
        return _plus_constant(a, b)
    return folded(a + b)


def subtracted(a: Wire, b: Wire) -> Wire:
    """a - b."""
    return added(a, negated(b))


def _plus_constant(variable: Variable, number: Fraction) -> Wire:
    total: Wire = variable
    for part in limbs(number):
        if isinstance(total, Fraction):
            total += part
            continue
        result = total + float(part)
        if not _right(result, total, part):
            result = rebased(total) + float(part)
        total = folded(result)
    return total


def _right(result: Variable, variable: Variable, number: Fraction) -> bool:
    """Whether alkaid has added a constant without losing bits: of its own constant, and of the step."""
    if exact(result.low) != exact(variable.low) + number or exact(result.high) != exact(variable.high) + number:
        return False
    if result.step > min(variable.step, float(lowest_bit(number))):
        return False
    if result.opr != "cadd":
        return True
    parent = result._from[0]
    value, shift = _signed(result._data), _signed(result._data >> 32)
    ratio = exact(result._factor / parent._factor)
    held = ratio * exact(parent._affine.bias) + exact(result._factor) * value * power(-shift)
    return held == exact(result._affine.bias)


def _signed(word: int) -> int:
    return ((word & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000


def lowest_bit(number: Fraction) -> Fraction:
    """Weight of the lowest bit that is one."""
    numerator = abs(number.numerator)
    return Fraction(numerator & -numerator, number.denominator)


def times_constant(wire: Wire, number: Fraction) -> Wire:
    """wire * number."""
    if isinstance(wire, Fraction):
        return wire * number
    if number == 0:
        return ZERO
    total: Wire = ZERO
    parts = limbs(number)
    for part in parts:
        product = folded(wire * float(part))
        total = added(total, rebased(product) if len(parts) > 1 else product)
    return total


def multiplied(a: Wire, b: Wire) -> Wire:
    """a * b."""
    if isinstance(b, Fraction):
        return times_constant(a, b)
    if isinstance(a, Fraction):
        return times_constant(b, a)
    return folded(a * b)


# ---- choices


def chosen(condition: Variable, if_set: Wire, otherwise: Wire) -> Wire:
    """`if_set` where the top bit of `condition` is one (of a signed variable: its sign); else `otherwise`."""
    if isinstance(if_set, Fraction) and isinstance(otherwise, Fraction) and if_set == otherwise:
        return if_set
    wide = [w for w in (if_set, otherwise) if isinstance(w, Fraction) and len(limbs(w)) > 1]
    if not wide:
        return folded(condition.msb_mux(_operand(if_set), _operand(otherwise)))
    # by pieces of bits, each narrow enough for a constant; joined without an adder, since they do not overlap
    step = min(_step(if_set), _step(otherwise))
    top = max(-low(if_set), -low(otherwise), high(if_set) + step, high(otherwise) + step)
    total: Wire = ZERO
    at = step
    while True:
        last = at * (1 << LIMB) >= top
        pieces = [_piece(w, at, None if last else at * (1 << LIMB)) for w in (if_set, otherwise)]
        piece = chosen(condition, *pieces)
        total = added(total, piece if isinstance(piece, Fraction) else rebased(piece))
        if last:
            return total
        at *= 1 << LIMB


def _operand(wire: Wire) -> Any:
    return float(wire) if isinstance(wire, Fraction) else wire


def _step(wire: Wire) -> Fraction:
    if isinstance(wire, Fraction):
        return lowest_bit(wire) if wire else power(4096)
    return exact(wire.step)


def _piece(wire: Wire, start: Fraction, end: Fraction | None) -> Wire:
    """The bits of a value from weight `start` up to below weight `end`, or with the sign where there is no end."""
    if isinstance(wire, Fraction):
        whole = floor(wire / start) * start
        return whole if end is None else whole % end
    fractional = exponent_of(1 / start)
    if end is None:
        return wrapped(wire, True, max(_integers(wire), 1 - fractional), fractional)
    return wrapped(wire, False, exponent_of(end), fractional)


def exponent_of(number: Fraction) -> int:
    """k of a power of two 2**k."""
    return number.numerator.bit_length() - number.denominator.bit_length()


def _integers(variable: Variable) -> int:
    """Integer bits of a variable, without its sign."""
    return int(variable.kif[1])


def wrapped(wire: Wire, signed: bool, integers: int, fractional: int) -> Wire:
    """The bits from weight 2**-fractional to below 2**integers (sign bit on top of that, if `signed`); others go."""
    if isinstance(wire, Fraction):
        unit, period = power(-fractional), power(integers + signed)
        value = floor(wire / unit) * unit
        return (value + (period / 2 if signed else 0)) % period - (period / 2 if signed else 0)
    if signed + integers + fractional <= 0:
        return ZERO
    return folded(wire.quantize(int(signed), integers, fractional))


def maximum(a: Wire, b: Wire) -> Wire:
    """The larger value."""
    return _extreme(a, b, larger=True)


def minimum(a: Wire, b: Wire) -> Wire:
    """The smaller value."""
    return _extreme(a, b, larger=False)


def _extreme(a: Wire, b: Wire, larger: bool) -> Wire:
    """alkaid's own max_of asks the top bit of the difference even where that cannot be negative."""
    if isinstance(a, Fraction) and isinstance(b, Fraction):
        return max(a, b) if larger else min(a, b)
    if b == ZERO or a == ZERO:
        return _rectified(a if b == ZERO else b, larger)
    difference = subtracted(a, b)
    if low(difference) >= 0:
        return a if larger else b
    if high(difference) <= 0:
        return b if larger else a
    return chosen(difference, b, a) if larger else chosen(difference, a, b)


def _rectified(variable: Variable, larger: bool) -> Wire:
    """max(x, 0) or min(x, 0), which alkaid has as one gate a bit."""
    return folded(variable.relu()) if larger else negated(folded((-variable).relu()))


def any_bit(wire: Wire) -> Wire:
    """One where the value is not zero, else zero."""
    if isinstance(wire, Fraction):
        return Fraction(int(wire != 0))
    return folded(wire.unary_bit_op("any"))


def is_negative(wire: Wire) -> Wire:
    """One where the value is negative, else zero."""
    if low(wire) >= 0:
        return ZERO
    if high(wire) < 0:
        return Fraction(1)
    return wrapped_bit(wire, _integers(wire))


def wrapped_bit(wire: Wire, place: int) -> Wire:
    """The bit of weight 2**place as zero or one."""
    bit = wrapped(wire, False, place + 1, -place)
    return shifted(bit, -place)
