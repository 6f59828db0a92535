"""How many integer bits a fixed-point type needs for given values. NumPy only.

Integer bits are counted as QKeras does, without the sign: `quantized_bits(b, i)` holds [-2**i, 2**i) in steps of
2**(i + 1 - b), `quantized_relu(b, i)` holds [0, 2**i) in steps of 2**(i - b).
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import numpy.typing as npt

_CANDIDATES = 6
"""How far below the range that clips nothing the least-squares search looks."""

_SAMPLE = 200_000
"""Values looked at by the least-squares search: enough for a power of two."""


class Calibration(StrEnum):
    """How the range is chosen."""

    MAX = "max"  # nothing is clipped
    PERCENTILE = "percentile"  # one value in 10,000 may be clipped
    LEAST_SQUARES = "least_squares"  # clipping and rounding together cost least


def integer_bits(
    values: npt.ArrayLike,
    bits: int,
    *,
    signed: bool = True,
    method: Calibration | str = Calibration.LEAST_SQUARES,
    percentile: float = 99.99,
) -> int:
    """Integer bits (sign excluded) of a type of `bits` bits for these values: the range is a power of two.

    values: any shape, finite. Returns 0 where all values are zero. Raises ValueError for NaN, infinity or no values.
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    if array.size == 0:
        raise ValueError("no values to calibrate on")
    if not np.isfinite(array).all():
        raise ValueError("values to calibrate on must be finite")
    if bits < 1 + signed:
        raise ValueError(f"a {'signed' if signed else 'unsigned'} type needs at least {1 + signed} bits, not {bits}")
    if not signed:
        array = np.maximum(array, 0.0)
    method = Calibration(method)
    if method is Calibration.PERCENTILE:
        limit = float(np.percentile(np.abs(array), percentile))
        array = np.clip(array, -limit, limit)
    if not array.any():
        return 0
    widest = _covering(array, bits, signed)
    if method is not Calibration.LEAST_SQUARES:
        return widest
    sample = array if array.size <= _SAMPLE else array[:: -(-array.size // _SAMPLE)]
    candidates = range(widest, widest - _CANDIDATES, -1)
    # On equal errors the wider type wins: it clips less of what was not seen.
    return min(candidates, key=lambda i: (_squared_error(sample, bits, i, signed), -i))


def quantized(values: npt.ArrayLike, bits: int, integer: int, *, signed: bool = True) -> npt.NDArray[np.float64]:
    """The values rounded (ties to even) and limited as QKeras does with alpha = 1."""
    array = np.asarray(values, dtype=np.float64)
    step = 2.0 ** (integer + signed - bits)
    lowest = -(2.0 ** (bits - 1)) if signed else 0.0
    highest = 2.0 ** (bits - signed) - 1.0
    result: npt.NDArray[np.float64] = np.clip(np.round(array / step), lowest, highest) * step
    return result


def _covering(array: npt.NDArray[np.float64], bits: int, signed: bool) -> int:
    """The smallest integer bits with which no value is limited by more than half a step."""
    top = max(float(array.max()), 0.0)
    bottom = max(-float(array.min()), 0.0)
    integer = int(np.ceil(np.log2(max(top, bottom)))) - 1

    def fits(i: int) -> bool:
        half = 2.0 ** (i + signed - bits - 1)
        return top <= 2.0**i - half and bottom <= 2.0**i + half

    while not fits(integer):
        integer += 1
    return integer


def _squared_error(array: npt.NDArray[np.float64], bits: int, integer: int, signed: bool) -> float:
    return float(np.square(quantized(array, bits, integer, signed=signed) - array).sum())
