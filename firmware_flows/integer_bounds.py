"""The largest number that occurs while the plain interpreter computes one instruction in int64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Affine, Combine, CombineOperation, Instruction, Rearrange, Reduce, ReduceOperation
from firmware_flows.ranges import Interval, affine_magnitudes, is_lossless


def largest_number(i: Instruction, sources: Sequence[Instruction], ranges: Sequence[Interval]) -> int:
    """Bound on the magnitude of operands, intermediate numbers and result, for values within `ranges`.

    A Cast is not bounded by its shift: `FixedPoint.cast` uses Python integers by itself where it must.
    """
    operands = [r.magnitude for r in ranges]
    shifts = [i.type.fractional - s.type.fractional for s in sources]
    match i:
        case Affine() if is_lossless(i, sources, ranges):
            return max(*operands, _magnitude(i.weights), int(affine_magnitudes(i, sources[0], ranges[0]).max()))
        case Affine():
            assert i.product is not None
            assert i.accumulator is not None
            products = operands[0] * _magnitude(i.weights)
            return max(products, _sum_of_casts(i.accumulator, _magnitude_of(i.product), i.product.fractional))
        case Rearrange():
            return max(abs(i.fill), *(m << max(0, s) for m, s in zip(operands, shifts, strict=True)))
        case Combine(operation=CombineOperation.MULTIPLY):
            return max(*operands, (operands[0] * operands[1]) << (i.type.fractional - _fractions(sources)))
        case Combine(operation=CombineOperation.MAXIMUM | CombineOperation.MINIMUM):
            return max(m << s for m, s in zip(operands, shifts, strict=True))
        case Combine():
            return sum(m << s for m, s in zip(operands, shifts, strict=True))
        case Reduce() if is_lossless(i, sources, ranges):
            return reduce_magnitude(i, sources[0], ranges[0])
        case Reduce():
            assert i.accumulator is not None
            return _sum_of_casts(i.accumulator, operands[0], sources[0].type.fractional)
        case _:
            return max(operands, default=0)


def reduce_magnitude(i: Reduce, source: Instruction, interval: Interval) -> int:
    """Bound on every partial result of an exact Reduce, in mantissas of its type."""
    magnitudes = interval.magnitudes().astype(object)
    largest = magnitudes.sum(axis=i.axis) if i.operation is ReduceOperation.SUM else magnitudes
    return int(np.max(largest)) << (i.type.fractional - source.type.fractional)


def _sum_of_casts(accumulator: FixedPoint, term: int, fractional: int) -> int:
    """Bound on accumulator + term, both on the finer of their grids."""
    finest = max(accumulator.fractional, fractional)
    return (_magnitude_of(accumulator) << (finest - accumulator.fractional)) + (term << (finest - fractional))


def _magnitude_of(t: FixedPoint) -> int:
    return max(-t.minimum, t.maximum)


def _magnitude(values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    return int(np.abs(values).max(initial=0))


def _fractions(sources: Sequence[Instruction]) -> int:
    return sum(s.type.fractional for s in sources)
