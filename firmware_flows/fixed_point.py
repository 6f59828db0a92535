"""Fixed-point types and the exact change from one to another.

A value is stored as an integer, its *mantissa*: value = mantissa * 2**-fractional. Rounding and overflow follow
`ap_fixed` (AMD UG1399, "Arbitrary Precision Fixed-Point Data Types"), which `ac_fixed` shares.
`tests/test_fixed_point_cpp.py` proves it against the C++ headers that hls4ml compiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[Any]
"""An array of mantissas: int64, or Python integers (dtype object) where 63 bits do not hold them."""

INT64_BITS = 62
"""Magnitudes up to 2**62 leave room for one addition in an int64."""


class Rounding(StrEnum):
    """What happens to bits below the least significant one."""

    TRN = "TRN"  # toward minus infinity
    TRN_ZERO = "TRN_ZERO"  # toward zero
    RND = "RND"  # nearest, ties toward plus infinity
    RND_ZERO = "RND_ZERO"  # nearest, ties toward zero
    RND_INF = "RND_INF"  # nearest, ties away from zero
    RND_MIN_INF = "RND_MIN_INF"  # nearest, ties toward minus infinity
    RND_CONV = "RND_CONV"  # nearest, ties to even


class Overflow(StrEnum):
    """What happens to values beyond the range."""

    WRAP = "WRAP"  # drop the upper bits
    SAT = "SAT"  # nearest end of the range
    SAT_ZERO = "SAT_ZERO"  # zero
    SAT_SYM = "SAT_SYM"  # nearest end of the range without the most negative value


@dataclass(frozen=True, slots=True)
class FixedPoint:
    """A fixed-point type: `width` bits, of which `integer` lie left of the binary point (the sign bit included).

    `integer` may be negative or exceed `width`. Raises ValueError for a width below one.

    >>> t = FixedPoint.parse("ap_fixed<8,3,AP_RND_CONV,AP_SAT>")
    >>> t.fractional, t.minimum, t.maximum
    (5, -128, 127)
    >>> t.to_float(t.quantize([0.51, 100.0])).tolist()
    [0.5, 3.96875]
    """

    width: int
    integer: int
    signed: bool = True
    rounding: Rounding = Rounding.TRN
    overflow: Overflow = Overflow.WRAP

    def __post_init__(self) -> None:
        if isinstance(self.width, bool) or not isinstance(self.width, int) or self.width < 1:
            raise ValueError(f"width of a fixed-point type must be a positive integer, not {self.width!r}")
        if isinstance(self.integer, bool) or not isinstance(self.integer, int):
            raise ValueError(f"integer bits of a fixed-point type must be an integer, not {self.integer!r}")
        object.__setattr__(self, "signed", bool(self.signed))
        object.__setattr__(self, "rounding", Rounding(self.rounding))
        object.__setattr__(self, "overflow", Overflow(self.overflow))

    @property
    def fractional(self) -> int:
        """Bits right of the binary point; negative when the least significant bit weighs more than one."""
        return self.width - self.integer

    @property
    def minimum(self) -> int:
        """Smallest mantissa that the bits can hold (SAT_SYM never produces it)."""
        return -(1 << (self.width - 1)) if self.signed else 0

    @property
    def maximum(self) -> int:
        """Largest mantissa."""
        return (1 << (self.width - self.signed)) - 1

    @property
    def lowest(self) -> int:
        """Smallest mantissa that a cast to this type can give."""
        if self.overflow is Overflow.SAT_SYM and self.signed and self.width > 1:
            return -self.maximum
        return self.minimum

    @property
    def lsb(self) -> float:
        """Weight of the least significant bit."""
        return float(2.0**-self.fractional)

    @property
    def range(self) -> tuple[Fraction, Fraction]:
        """Smallest and largest value, exact."""
        unit = Fraction(2) ** -self.fractional
        return self.lowest * unit, self.maximum * unit

    @classmethod
    def parse(cls, text: Any) -> FixedPoint:
        """A type from its notation (ap_fixed, fixed, ac_fixed, QKeras quantizer string or object).

        Raises TypeNotationError, which names the text and the part of it that is not understood.
        """
        from firmware_flows.type_notation import parse

        return parse(text)

    @classmethod
    def holding(cls, low: int, high: int, fractional: int) -> FixedPoint:
        """The narrowest exact type for mantissas from `low` to `high` with this many fractional bits."""
        if low > high:
            raise ValueError(f"empty range: {low} to {high}")
        if low >= 0:
            width = max(1, high.bit_length())
            return cls(width, width - fractional, signed=False)
        width = 1 + max((-low - 1).bit_length(), high.bit_length() if high > 0 else 0)
        return cls(width, width - fractional, signed=True)

    def with_modes(self, rounding: Rounding | str, overflow: Overflow | str) -> FixedPoint:
        """The same bits with other modes."""
        return replace(self, rounding=Rounding(rounding), overflow=Overflow(overflow))

    def same_bits(self, other: FixedPoint) -> bool:
        """Whether both hold the same values, whatever their modes."""
        return (self.width, self.integer, self.signed) == (other.width, other.integer, other.signed)

    def __str__(self) -> str:
        from firmware_flows.type_notation import to_ap_fixed

        return to_ap_fixed(self)

    def cast(self, mantissas: npt.ArrayLike, fractional: int) -> Integers:
        """Mantissas with `fractional` fractional bits as mantissas of this type, rounded and limited, exactly.

        Any shape. int64 in gives int64 out as long as 62 bits hold every step; otherwise Python integers are
        used, and the result is int64 again when this type has at most 63 bits.
        """
        given = _integers(mantissas)
        values = given.reshape(-1)
        shift = fractional - self.fractional
        if values.dtype != object and not self._fits_int64(values, shift):
            values = values.astype(object)
        limited = self._limit(_shifted(values, shift, self.rounding))
        return limited.astype(self._dtype, copy=False).reshape(given.shape)

    def quantize(self, values: npt.ArrayLike) -> Integers:
        """Real numbers (floats up to 64 bits or integers, any shape) as mantissas, rounded and limited once, exactly.

        Raises ValueError on NaN or infinity, TypeError on numbers that float64 does not hold.
        """
        given = np.asarray(values)
        if given.dtype.kind in "iub":
            return self.cast(given, 0)
        if given.dtype.kind != "f" or given.dtype.itemsize > 8:
            raise TypeError(f"expected float16, float32, float64 or integers, not {given.dtype}")
        real = given.astype(np.float64).reshape(-1)
        if not np.isfinite(real).all():
            raise ValueError("NaN or infinity has no fixed-point value")
        return self._quantize(real).reshape(given.shape)

    def _quantize(self, real: npt.NDArray[np.float64]) -> Integers:
        with np.errstate(over="ignore", under="ignore"):
            halves = np.ldexp(real, self.fractional + 1)
        halves[(halves == 0) & (real != 0)] = 0.5  # underflow: any value less than half a bit rounds alike
        halves = np.copysign(halves, real)
        moderate = np.abs(halves) < 2.0**60
        whole = np.floor(halves, where=moderate, out=np.zeros_like(halves))
        # of what lies below the half bit, rounding asks only whether it is zero: one bit says so
        rest = moderate & (whole != halves)
        result = self.cast(2 * whole.astype(np.int64) + rest, self.fractional + 2)
        if not moderate.all():
            # beyond that, every float64 is an integer of 53 bits times a power of two
            large = np.flatnonzero(~moderate)
            fractions, exponents = np.frexp(real[large])
            integers = np.ldexp(fractions, 53).astype(np.int64)
            for exponent in np.unique(exponents):
                chosen = exponents == exponent
                result[large[chosen]] = self.cast(integers[chosen], 53 - int(exponent))
        return result

    def to_float(self, mantissas: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Values of mantissas as float64, exact. Raises OverflowError beyond 53 bits."""
        integers = _integers(mantissas)
        if (
            self.width - self.signed > 53
            and integers.size
            and max(abs(int(integers.min())), int(integers.max())) > 2**53
        ):
            raise OverflowError(f"values of {self} do not fit the 53 bits of a float64: ask for mantissas")
        return np.ldexp(integers.astype(np.float64), -self.fractional)

    def binary(self, mantissa: int) -> str:
        """The bits of a mantissa with the binary point, for messages: 0b101.01."""
        bits = format(int(mantissa) & ((1 << self.width) - 1), f"0{self.width}b")
        if 0 < self.fractional < self.width:
            return f"0b{bits[: -self.fractional]}.{bits[-self.fractional :]}"
        return f"0b{bits}" if self.fractional == 0 else f"0b{bits} * 2^{-self.fractional}"

    @property
    def _dtype(self) -> type[np.generic]:
        return np.int64 if self.width - self.signed < 64 else np.object_

    def _fits_int64(self, values: Integers, shift: int) -> bool:
        if self.width > INT64_BITS or shift > INT64_BITS:
            return False
        if not values.size:
            return True
        largest = max(abs(int(values.min())), abs(int(values.max())))
        return largest.bit_length() + max(0, -shift) <= INT64_BITS

    def _limit(self, values: Integers) -> Integers:
        low, high = self.lowest, self.maximum
        match self.overflow:
            case Overflow.WRAP:
                wrapped = values & ((1 << self.width) - 1)
                if not self.signed:
                    return wrapped
                sign = 1 << (self.width - 1)
                return (wrapped ^ sign) - sign
            case Overflow.SAT_ZERO:
                return np.where((values < low) | (values > high), 0 * values, values)
            case Overflow.SAT | Overflow.SAT_SYM:
                return np.minimum(np.maximum(values, low), high)


def _integers(values: npt.ArrayLike) -> Integers:
    array = np.asarray(values)
    if array.dtype.kind == "f" and not isinstance(values, np.ndarray):
        # NumPy makes floats of an empty list, and of integers that no integer type holds together
        numbers = np.asarray(values, dtype=object)
        if all(isinstance(number, int | np.integer) for number in numbers.flat):
            array = numbers
    if array.dtype == object or array.dtype == np.int64:
        return array
    if array.dtype == np.uint64:
        return array.astype(object)
    if array.dtype.kind in "iub":
        return array.astype(np.int64)
    raise TypeError(f"mantissas are integers, not {array.dtype}")


def _shifted(values: Integers, shift: int, rounding: Rounding) -> Integers:
    """values * 2**-shift, rounded to integers."""
    if shift <= 0:
        return values << -shift
    floor = values >> shift
    if rounding is Rounding.TRN:
        return floor
    rest = values - (floor << shift)
    if rounding is Rounding.TRN_ZERO:
        return floor + ((values < 0) & (rest != 0))
    half = 1 << (shift - 1)
    above, tie = rest > half, rest == half
    match rounding:
        case Rounding.RND:
            up = above | tie
        case Rounding.RND_MIN_INF:
            up = above
        case Rounding.RND_ZERO:
            up = above | (tie & (values < 0))
        case Rounding.RND_INF:
            up = above | (tie & (values >= 0))
        case Rounding.RND_CONV:
            up = above | (tie & ((floor & 1) == 1))
    return floor + up


def all_modes() -> Iterator[tuple[Rounding, Overflow]]:
    """Every pair of rounding and overflow mode."""
    for rounding in Rounding:
        for overflow in Overflow:
            yield rounding, overflow
