"""Averages as the hardware computes them: the sum on a finer grid, divided by the number of terms, toward zero."""

from __future__ import annotations

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering.context import Context
from firmware_flows.program import CombineOperation, IntegerArray

AVERAGE_REMARK = (
    "the average over {n} positions is the hardware's: the sum divided by {n}, toward zero, with {bits} fractional "
    "bits; {n} is no power of two, so Keras' float32 average is no reference for this layer"
)


def divided(context: Context, total: int, counts: IntegerArray) -> tuple[int, FixedPoint, list[str]]:
    """A sum divided by how many terms it has: value, accumulator type, remarks (none where Keras is exact too).

    `counts` broadcasts against the sum. The accumulator has ceil(log2 n) more fractional bits than the sum, n being
    the largest count, so that dividing by a power of two is exact.
    """
    b = context.builder
    t, interval = b.type_of(total), b.interval(total)
    largest = int(counts.max())
    places = (largest - 1).bit_length()
    grid = t.fractional + places
    accumulator = FixedPoint.holding(min(interval.lowest << places, 0), max(interval.highest << places, 0), grid)
    others = sorted({int(n) for n in counts.reshape(-1) if n & (n - 1)})
    if not others:
        factors = b.constant((1 << places) // counts, places)
        return b.combine(CombineOperation.MULTIPLY, total, factors), accumulator, []
    # x * ceil(2**s / n) / 2**s truncates to the same integer as x / n for every |x| < 2**s / n
    # (Granlund and Montgomery, PLDI 1994, theorem 4.2)
    s = (max(interval.magnitude, 1) << places).bit_length() + largest.bit_length()
    factors = b.constant([-(-(1 << s) // int(n)) for n in counts.reshape(-1)], s)
    if counts.ndim != 1:
        factors = b.reshape(factors, counts.shape)
    product = b.combine(CombineOperation.MULTIPLY, total, factors)
    scaled = b.interval(product)
    ends = FixedPoint(1024, 1024 - grid, True, Rounding.TRN_ZERO).cast(
        np.array([scaled.lowest, scaled.highest], dtype=object), b.type_of(product).fractional
    )
    narrow = FixedPoint.holding(int(ends.min()), int(ends.max()), grid)
    value = b.cast(product, narrow.with_modes(Rounding.TRN_ZERO, Overflow.WRAP))
    n = " or ".join(str(count) for count in others)
    return value, accumulator, [AVERAGE_REMARK.format(n=n, bits=grid)]
