"""Rounding and limiting of numbers in floating point, exactly as the fixed-point types say.

Every step is exact by itself: floor, trunc and rint are; the distance of a number to the nearest integer is always
representable; and so are products with powers of two, away from the ends of the exponents.

The functions made here take (x, out), write to `out`, which may be x, and return it. Whatever can be worked out
beforehand is, since they run for every block.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_flows.carriers import BITS, Array
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding

Function = Callable[[Array, Array], Array]

_UFUNCS: dict[Rounding, Any] = {
    Rounding.RND_CONV: np.rint,
    Rounding.TRN: np.floor,
    Rounding.TRN_ZERO: np.trunc,
}


def rounder(rounding: Rounding) -> Function:
    """Rounding to integers; infinities stay."""
    ufunc = _UFUNCS.get(rounding)
    if ufunc is not None:
        return ufunc

    def round_to_nearest(x: Array, out: Array) -> Array:
        nearest = np.rint(x)
        distance = np.subtract(x, nearest)
        up, down = distance == 0.5, distance == -0.5  # ties, which went to the even neighbour
        match rounding:
            case Rounding.RND:
                return np.add(nearest, up, out=out)
            case Rounding.RND_MIN_INF:
                return np.subtract(nearest, down, out=out)
            case Rounding.RND_INF:  # away from zero: the neighbour farther out
                np.add(nearest, up & (nearest >= 0), out=out)
                return np.subtract(out, down & (out <= 0), out=out)
            case _:  # RND_ZERO
                np.add(nearest, up & (nearest < 0), out=out)
                return np.subtract(out, down & (out > 0), out=out)

    return round_to_nearest


def round_halves_up(doubled: Array) -> Array:
    """Half of `doubled` rounded as RND does, in place: floor((floor(2x) + 1) / 2).

    Exact while the result is within 2**(bits - 2) of the carrier's bits; beyond, it errs by at most a part in
    2**(bits - 2) and stays beyond, so that saturation to a type of bits - 2 hides it. Far cheaper than telling ties.
    """
    np.floor(doubled, doubled)
    np.add(doubled, 1, doubled)
    np.multiply(doubled, doubled.dtype.type(0.5), doubled)
    return np.floor(doubled, doubled)


def limiter(t: FixedPoint, dtype: np.dtype[Any]) -> Function:
    """Limiting of integers to the type, whose ends must fit the carrier's bits."""
    assert t.width <= BITS[dtype]
    lowest, maximum = dtype.type(t.lowest), dtype.type(t.maximum)
    period = dtype.type(2.0**t.width)

    def saturate(x: Array, out: Array) -> Array:
        return x.clip(lowest, maximum, out=out)

    def zero(x: Array, out: Array) -> Array:
        outside = (x < lowest) | (x > maximum)
        np.copyto(out, x)
        out[outside] = 0
        return out

    def wrap(x: Array, out: Array) -> Array:
        # the lower bits of a number have no more bits than the number: products and difference are exact
        np.subtract(x, np.floor(x / period) * period, out=out)
        if t.signed:
            out[out > maximum] -= period
        return out

    match t.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            return saturate
        case Overflow.SAT_ZERO:
            return zero
        case Overflow.WRAP:
            return wrap
