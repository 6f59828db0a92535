"""Rounding and limiting of numbers in floating point, exactly as the fixed-point types say.

Every step is exact by itself: floor, trunc and rint are; the distance of a number to the nearest integer is always
representable; and so are products with powers of two, away from the ends of the exponents.
"""

from __future__ import annotations

import numpy as np

from firmware_flows.carriers import BITS, Array
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding


def round_to_integers(x: Array, rounding: Rounding, out: Array) -> Array:
    """x rounded to integers, written to `out` (which may be x); infinities stay."""
    match rounding:
        case Rounding.RND_CONV:
            return np.rint(x, out=out)
        case Rounding.TRN:
            return np.floor(x, out=out)
        case Rounding.TRN_ZERO:
            return np.trunc(x, out=out)
    nearest = np.rint(x)
    distance = np.subtract(x, nearest)
    up, down = distance == 0.5, distance == -0.5  # ties, which went to the even neighbour
    match rounding:
        case Rounding.RND:
            return np.add(nearest, up, out=out)
        case Rounding.RND_MIN_INF:
            return np.subtract(nearest, down, out=out)
        case Rounding.RND_INF:  # away from zero: the neighbour farther out
            np.add(nearest, up & (x > 0), out=out)
            return np.subtract(out, down & (out <= 0), out=out)
        case Rounding.RND_ZERO:
            np.add(nearest, up & (nearest < 0), out=out)
            return np.subtract(out, down & (out > 0), out=out)


def round_halves_up(doubled: Array) -> Array:
    """Half of `doubled` rounded as RND does, in place: floor((floor(2x) + 1) / 2).

    Exact while the result is within 2**(bits - 2) of the carrier's bits; beyond, it errs by at most a part in
    2**(bits - 2) and stays beyond, so that saturation to a type of bits - 2 hides it. Far cheaper than telling ties.
    """
    np.floor(doubled, out=doubled)
    np.add(doubled, 1, out=doubled)
    np.multiply(doubled, doubled.dtype.type(0.5), out=doubled)
    return np.floor(doubled, out=doubled)


def limit(x: Array, t: FixedPoint, out: Array) -> Array:
    """Integers limited to the type, written to `out` (which may be x). The type's ends must fit the carrier's bits."""
    assert t.width <= BITS[x.dtype]
    lowest, maximum = x.dtype.type(t.lowest), x.dtype.type(t.maximum)
    match t.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            return np.clip(x, lowest, maximum, out=out)
        case Overflow.SAT_ZERO:
            outside = (x < lowest) | (x > maximum)
            np.copyto(out, x)
            out[outside] = 0
            return out
        case Overflow.WRAP:
            # the lower bits of a number have no more bits than the number: products and difference are exact
            period = x.dtype.type(2.0**t.width)
            np.subtract(x, np.floor(x / period) * period, out=out)
            if t.signed:
                out[out > maximum] -= period
            return out
