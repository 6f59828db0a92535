"""Range analysis: a proven interval for every value of a Program, element by element, with the actual weights.

Interval arithmetic (Moore, "Interval Analysis", 1966) on integers, so nothing is rounded. Ends up to 2**62 are held in
int64, so that the sum of two never overflows; larger ones are Python integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_flows.fixed_point import INT64_BITS, FixedPoint, Integers, Overflow
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    CombineOperation,
    Constant,
    Input,
    Instruction,
    Rearrange,
    Reduce,
    ReduceOperation,
    Table,
)

_LIMIT = 1 << INT64_BITS


@dataclass(frozen=True, eq=False)
class Interval:
    """Smallest and largest mantissa of every element (shape of the value)."""

    low: Integers
    high: Integers

    def __post_init__(self) -> None:
        largest = max(_largest(_array(self.low)), _largest(_array(self.high)))
        dtype = np.int64 if largest <= _LIMIT else object
        object.__setattr__(self, "low", np.asarray(self.low, dtype=dtype))
        object.__setattr__(self, "high", np.asarray(self.high, dtype=dtype))

    @property
    def lowest(self) -> int:
        """Smallest of all elements."""
        return int(self.low.min())

    @property
    def highest(self) -> int:
        """Largest of all elements."""
        return int(self.high.max())

    @property
    def magnitude(self) -> int:
        """Largest absolute value."""
        return max(abs(self.lowest), abs(self.highest))

    def magnitudes(self) -> Integers:
        """Largest absolute value of every element."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


def analyse(instructions: Sequence[Instruction]) -> tuple[Interval, ...]:
    """The interval of every value."""
    intervals: list[Interval] = []
    for instruction in instructions:
        sources = instruction.sources
        intervals.append(interval_of(instruction, [instructions[s] for s in sources], [intervals[s] for s in sources]))
    return tuple(intervals)


def interval_of(instruction: Instruction, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    """The interval of one instruction's value, from its sources' instructions and intervals."""
    return _RULES[type(instruction)](instruction, sources, intervals)


def affine_magnitudes(i: Affine, source: Instruction, interval: Interval) -> Integers:
    """Bound on the absolute value of every partial sum of an exact Affine, in any order of addition, per output.

    Mantissas of the result's type, shape (..., n_out).
    """
    shift = i.type.fractional - source.type.fractional - i.weight_fractional
    return _plus(_align(_matmul(interval.magnitudes(), np.abs(i.weights)), shift), np.abs(i.bias))


def is_lossless(instruction: Instruction, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> bool:
    """Whether an Affine or a Reduce gives the exact sum: it has no lossy types, or they provably lose nothing."""
    match instruction:
        case Affine():
            return _affine_is_lossless(instruction, sources[0], intervals[0])
        case Reduce():
            return _reduce_is_lossless(instruction, sources[0], intervals[0])
        case _:
            return True


def rounded_ends(t: FixedPoint, interval: Interval, fractional: int) -> Interval:
    """The interval after rounding to `t`'s fractional bits, before limiting (rounding is monotonic)."""
    if t.fractional >= fractional:
        shift = t.fractional - fractional
        return Interval(_align(interval.low, shift), _align(interval.high, shift))
    width = interval.magnitude.bit_length() + 2  # one bit to round up, one for the sign
    unlimited = FixedPoint(width, width - t.fractional, True, t.rounding, Overflow.WRAP)
    return Interval(unlimited.cast(interval.low, fractional), unlimited.cast(interval.high, fractional))


def _full(t: FixedPoint, shape: tuple[int, ...]) -> Interval:
    return Interval(np.full(shape, t.lowest, dtype=object), np.full(shape, t.maximum, dtype=object))


def _matmul(left: Integers, right: Integers) -> Integers:
    """Integer matrix product that cannot overflow."""
    bound = (left.shape[-1] * _largest(left) * _largest(right)).bit_length()
    if left.dtype == object or right.dtype == object or bound > INT64_BITS:
        return np.matmul(left.astype(object), right.astype(object))
    if bound <= 52:  # exact in float64, and BLAS is far faster than NumPy's integer loops
        return np.matmul(left.astype(np.float64), right.astype(np.float64)).astype(np.int64)
    return np.matmul(left, right)


def _plus(left: Integers, right: Integers) -> Integers:
    """The sum, in Python integers where int64 might overflow."""
    left, right = _array(left), _array(right)
    if _largest(left) + _largest(right) > _LIMIT:
        left, right = _python_integers(left), _python_integers(right)
    return np.asarray(left + right, dtype=np.result_type(left, right))


def _python_integers(values: Integers) -> Integers:
    """As objects none of which is NumPy's: an object array without axes may hold an int64."""
    result = np.empty(values.shape, dtype=object)
    result.reshape(-1)[:] = [int(v) for v in values.reshape(-1)]
    return result


def _array(values: Integers) -> Integers:
    """An array again, after NumPy has turned an array of one Python integer into that integer."""
    return values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)


def _largest(values: Integers) -> int:
    return max(abs(int(values.min())), abs(int(values.max()))) if values.size else 0


def _align(values: Integers, shift: int) -> Integers:
    """values * 2**shift for shift >= 0."""
    values = _array(values)
    if shift == 0:
        return values
    if values.dtype != object and _largest(values).bit_length() + shift > INT64_BITS:
        values = values.astype(object)
    return np.asarray(values << shift, dtype=values.dtype)


def _input(i: Input, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    return _full(i.type, i.shape)


def _constant(i: Constant, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    return Interval(i.mantissas, i.mantissas)


def _cast(i: Cast, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    t, fractional = i.type, sources[0].type.fractional
    if t.overflow in (Overflow.SAT, Overflow.SAT_SYM):  # monotonic, too
        return Interval(t.cast(intervals[0].low, fractional), t.cast(intervals[0].high, fractional))
    rounded = rounded_ends(t, intervals[0], fractional)
    low, high = (end.astype(object).reshape(-1) for end in (rounded.low, rounded.high))
    if t.overflow is Overflow.SAT_ZERO:
        inside = (low >= t.minimum) & (high <= t.maximum)
        low, high = np.clip(low, t.minimum, t.maximum), np.clip(high, t.minimum, t.maximum)
        low, high = np.where(inside, low, np.minimum(low, 0)), np.where(inside, high, np.maximum(high, 0))
    else:
        # wrapping moves both ends alike when no multiple of the period lies between them
        period = (low - t.minimum) >> t.width
        together = period == (high - t.minimum) >> t.width
        offset = period << t.width
        low, high = np.where(together, low - offset, t.minimum), np.where(together, high - offset, t.maximum)
    return Interval(low.reshape(i.shape), high.reshape(i.shape))


def _affine(i: Affine, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    source = intervals[0]
    if not _affine_is_lossless(i, sources[0], source):
        assert i.accumulator is not None
        return _full(i.accumulator, i.shape)
    positive, negative = np.maximum(i.weights, 0), np.minimum(i.weights, 0)
    low = _plus(_matmul(source.low, positive), _matmul(source.high, negative))
    high = _plus(_matmul(source.high, positive), _matmul(source.low, negative))
    shift = i.type.fractional - sources[0].type.fractional - i.weight_fractional
    return Interval(_plus(_align(low, shift), i.bias), _plus(_align(high, shift), i.bias))


def _affine_is_lossless(i: Affine, source: Instruction, interval: Interval) -> bool:
    if i.product is None or i.accumulator is None:
        return True
    products = source.type.fractional + i.weight_fractional
    if i.product.fractional < products or i.accumulator.fractional < products:
        return False
    corners = [x * w for x in (interval.lowest, interval.highest) for w in (int(i.weights.min()), int(i.weights.max()))]
    shift = i.product.fractional - products
    if min(corners) << shift < i.product.lowest or max(corners) << shift > i.product.maximum:
        return False
    # a partial sum lies between the bias plus all negative and the bias plus all positive products
    up, down = np.maximum(interval.high, 0), np.maximum(-interval.low, 0)
    positive, negative = np.maximum(i.weights, 0), np.maximum(-i.weights, 0)
    shift = i.accumulator.fractional - products
    high = _plus(_align(_plus(_matmul(up, positive), _matmul(down, negative)), shift), i.bias)
    low = _plus(-_align(_plus(_matmul(up, negative), _matmul(down, positive)), shift), i.bias)
    return int(low.min()) >= i.accumulator.lowest and int(high.max()) <= i.accumulator.maximum


def _rearrange(i: Rearrange, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    shifts = [i.type.fractional - s.type.fractional for s in sources]
    ends = []
    for end in ("low", "high"):
        parts = [_align(getattr(v, end), s).reshape(-1) for v, s in zip(intervals, shifts, strict=True)]
        flat = np.concatenate([*parts, np.array([i.fill], dtype=np.int64)])
        ends.append(flat[i.indices])  # index -1 is the fill, put last
    return Interval(ends[0], ends[1])


def _combine(i: Combine, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    a, b = intervals
    fa, fb = sources[0].type.fractional, sources[1].type.fractional
    if i.operation is CombineOperation.MULTIPLY:
        dtype = np.int64 if (a.magnitude * b.magnitude).bit_length() <= INT64_BITS else object
        corners = np.array([np.multiply(x, y, dtype=dtype) for x in (a.low, a.high) for y in (b.low, b.high)], dtype)
        shift = i.type.fractional - fa - fb
        return Interval(_align(corners.min(axis=0), shift), _align(corners.max(axis=0), shift))
    al, ah = _align(a.low, i.type.fractional - fa), _align(a.high, i.type.fractional - fa)
    bl, bh = _align(b.low, i.type.fractional - fb), _align(b.high, i.type.fractional - fb)
    match i.operation:
        case CombineOperation.ADD:
            low, high = _plus(al, bl), _plus(ah, bh)
        case CombineOperation.SUBTRACT:
            low, high = _plus(al, -bh), _plus(ah, -bl)
        case CombineOperation.MAXIMUM:
            low, high = np.maximum(al, bl), np.maximum(ah, bh)
        case CombineOperation.MINIMUM:
            low, high = np.minimum(al, bl), np.minimum(ah, bh)
    return Interval(low, high)


def _reduce(i: Reduce, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    source = intervals[0]
    shift = i.type.fractional - sources[0].type.fractional
    if not _reduce_is_lossless(i, sources[0], source):
        assert i.accumulator is not None
        return _full(i.accumulator, i.shape)
    low, high = _align(source.low, shift), _align(source.high, shift)
    match i.operation:
        case ReduceOperation.SUM:
            return Interval(_sum(low, i.axis), _sum(high, i.axis))
        case ReduceOperation.MAXIMUM:
            return Interval(low.max(axis=i.axis), high.max(axis=i.axis))
        case ReduceOperation.MINIMUM:
            return Interval(low.min(axis=i.axis), high.min(axis=i.axis))


def _reduce_is_lossless(i: Reduce, source: Instruction, interval: Interval) -> bool:
    if i.accumulator is None:
        return True
    shift = i.accumulator.fractional - source.type.fractional
    if shift < 0:
        return False
    low, high = _align(interval.low, shift), _align(interval.high, shift)
    if i.operation is ReduceOperation.SUM:  # any partial sum, the empty one included
        low, high = _sum(np.minimum(low, 0), i.axis), _sum(np.maximum(high, 0), i.axis)
    return int(low.min()) >= i.accumulator.lowest and int(high.max()) <= i.accumulator.maximum


def _sum(values: Integers, axis: int) -> Integers:
    if values.dtype != object and (_largest(values) * values.shape[axis]).bit_length() > INT64_BITS:
        values = values.astype(object)
    result: Integers = np.asarray(values.sum(axis=axis))
    return result


def _table(i: Table, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    source, minimum = intervals[0], sources[0].type.minimum
    low, high = np.empty(i.shape, np.int64), np.empty(i.shape, np.int64)
    for position in np.ndindex(*i.shape):
        row = i.entries[position[-1] if i.entries.shape[0] > 1 else 0]
        part = row[int(source.low[position]) - minimum : int(source.high[position]) - minimum + 1]
        low[position], high[position] = part.min(), part.max()
    return Interval(low, high)


def _argmax(i: Argmax, sources: Sequence[Instruction], intervals: Sequence[Interval]) -> Interval:
    zero = np.zeros(i.shape, dtype=np.int64)
    return Interval(zero, zero + (sources[0].shape[-1] - 1))


_RULES: dict[type[Instruction], Callable[[Any, Sequence[Instruction], Sequence[Interval]], Interval]] = {
    Input: _input,
    Constant: _constant,
    Cast: _cast,
    Affine: _affine,
    Rearrange: _rearrange,
    Combine: _combine,
    Reduce: _reduce,
    Table: _table,
    Argmax: _argmax,
}
