"""C++ types and literals for integers of known magnitude, and C++ expressions that cast."""

from __future__ import annotations

from firmware_flows.carriers import bits_of
from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.fixed_point import FixedPoint, Overflow
from firmware_flows.ranges import Interval, rounded_ends

INT32, INT64, WIDE = "std::int32_t", "std::int64_t", "wide"

_LIMITS = {INT32: 30, INT64: 62, WIDE: 126}
"""Bits of magnitude; one is left for a sum."""


class EmulatorError(FirmwareFlowsError):
    """A Program that the C++ emulator cannot hold: numbers beyond 126 bits."""


def integer_type(*magnitudes: int) -> str:
    """The narrowest type that holds integers up to these magnitudes, and the sum of two of them."""
    bits = bits_of(max(magnitudes) + 1)
    for name, limit in _LIMITS.items():
        if bits <= limit:
            return name
    raise EmulatorError(f"{bits} bits are more than C++ integers have: use fewer bits in the network")


def literal(value: int) -> str:
    """An integer of up to 126 bits."""
    if abs(value) < 1 << 31:
        return str(value)
    if abs(value) < 1 << 63:
        return f"{value}LL"
    high, low = divmod(value, 1 << 62)
    return f"(wide({high}LL) * (wide(1) << 62) + {low}LL)"


class CastExpression:
    """How a mantissa becomes one of another type: C++ type to compute in, and an expression of `v`.

    interval, fractional: of the source. Where the interval proves that nothing is limited, nothing is.
    """

    def __init__(self, t: FixedPoint, interval: Interval, fractional: int) -> None:
        # so far below the least significant bit, all numbers round alike
        shift = min(fractional - t.fractional, interval.magnitude.bit_length() + 2)
        scaled = f"rounded<{shift}, Rounding::{t.rounding}>(w)" if shift > 0 else "w"
        ends = rounded_ends(t, interval, fractional)
        inside = t.lowest <= ends.lowest and ends.highest <= t.maximum
        left = max(0, -shift)
        largest = max(interval.magnitude, 1 << max(0, shift))
        if inside:
            self.type = integer_type(largest, ends.magnitude)
            self.expression = _times(scaled, self.type, left if ends.magnitude else 0)
            return
        if t.overflow is Overflow.WRAP:
            kept = t.width - left
            self.type = integer_type(largest, 1 << t.width)
            self.expression = (
                _times(f"wrapped<{kept}, {str(t.signed).lower()}>({scaled})", self.type, left) if kept > 0 else "w & 0"
            )
            return
        self.type = integer_type(largest, t.maximum, -t.lowest)
        above, below = t.maximum >> left, -(-t.lowest >> left)
        highest, lowest = (0, 0) if t.overflow is Overflow.SAT_ZERO else (t.maximum, t.lowest)
        number = f"const {self.type} r = {scaled}; "
        value = _times("r", self.type, left if above or below else 0)  # only zero is inside, otherwise
        self.expression = number + (
            f"return r > {literal(above)} ? {self.type}({literal(highest)}) : "
            f"r < {literal(below)} ? {self.type}({literal(lowest)}) : {self.type}({value})"
        )

    def function(self, source: str = "auto") -> str:
        """A C++ lambda from a mantissa to a mantissa."""
        body = self.expression if "return" in self.expression else f"return {self.expression}"
        return f"[]({source} v) {{ const {self.type} w = v; {body}; }}"


def from_real(t: FixedPoint) -> str:
    """A C++ lambda from a finite float to a mantissa of `t`."""
    result = integer_type(t.maximum, -t.minimum)
    real = f"const double r = rounded_real<Rounding::{t.rounding}>(double(v) * {power(t.fractional)}); "
    if t.overflow is Overflow.WRAP:
        computed = integer_type(1 << max(t.width, 61))
        # a number too large for the integers keeps its lower bits in the remainder, which is exact
        integer = f"{computed}(std::fabs(r) < 0x1p62 ? r : std::fmod(r, {power(t.width)}))"
        return f"[](float v) {{ {real}return {result}(wrapped<{t.width}, {str(t.signed).lower()}>({integer})); }}"
    highest, lowest = (0, 0) if t.overflow is Overflow.SAT_ZERO else (t.maximum, t.lowest)
    # a double cannot hold the lowest value of a symmetric type of more than 54 bits, but the one below it
    below = f"r < {float(t.lowest).hex()}" if int(float(t.lowest)) == t.lowest else f"r <= {float(t.minimum).hex()}"
    return (
        f"[](float v) {{ {real}return r >= {power(t.width - t.signed)} ? {result}({literal(highest)})"
        f" : {below} ? {result}({literal(lowest)}) : {result}(r); }}"
    )


def power(exponent: int) -> str:
    """2**exponent as a double."""
    return f"0x1p{exponent}"


def _times(expression: str, kind: str, left: int) -> str:
    return f"({expression}) * ({kind}(1) << {left})" if left else expression
