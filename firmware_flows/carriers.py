"""Carriers: the machine types that hold mantissas, and how far each is exact.

float32 holds integers to 2**24, float64 to 2**53, int64 to 2**62 here (one bit of room for a sum). Floating point is
used for its speed (BLAS, vector units), never for its range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import FirmwareFlowsError

Array = npt.NDArray[Any]

FLOAT32: np.dtype[Any] = np.dtype(np.float32)
FLOAT64: np.dtype[Any] = np.dtype(np.float64)
INT64: np.dtype[Any] = np.dtype(np.int64)

BITS = {FLOAT32: 24, FLOAT64: 53, INT64: 62}
"""A carrier holds every integer up to 2**bits in magnitude."""

EXPONENTS = {FLOAT32: 60, FLOAT64: 900}
"""Powers of two with which integers up to 2**62 neither overflow nor become denormal."""


class CarrierError(FirmwareFlowsError):
    """A value that needs more bits than the widest carrier has."""

    def __init__(self, layer: str, bits: int, carried: int = 63) -> None:
        self.layer = layer
        self.bits = bits
        remedy = "use fewer bits for its weights or inputs" if carried == 63 else "ask for mantissas"
        super().__init__(f"layer {layer!r} needs {bits} bits, more than the {carried} that are carried: {remedy}")


@dataclass(frozen=True)
class Held:
    """How a value is held: in which machine type, and multiplied by which power of two (number = value * 2**scale)."""

    dtype: np.dtype[Any]
    scale: int


def bits_of(magnitude: int) -> int:
    """Bits that hold integers up to this magnitude; 2**n itself needs only n in floating point."""
    return max(0, magnitude - 1).bit_length()


def carrier_for(layer: str, magnitude: int) -> np.dtype[Any]:
    """The smallest carrier of integers up to `magnitude`. Raises CarrierError, which names `layer`."""
    for dtype, bits in BITS.items():
        if bits_of(magnitude) <= bits:
            return dtype
    raise CarrierError(layer, 1 + bits_of(magnitude))


def in_range(dtype: np.dtype[Any], *exponents: int) -> bool:
    """Whether integers of a floating-point carrier's bits may be multiplied with these powers of two, exactly."""
    return all(abs(e) <= EXPONENTS[dtype] for e in exponents)


def scaled(values: Array, shift: int) -> Array:
    """values * 2**shift; integers must stay integers."""
    if shift == 0:
        return values
    if values.dtype == INT64:
        return values << shift if shift > 0 else values >> -shift
    if in_range(values.dtype, shift):
        return np.multiply(values, values.dtype.type(2.0**shift))
    return np.ldexp(values, shift)  # slower, but there is no power of two to overflow


def converted(values: Array, held: Held, wanted: Held) -> Array:
    """The same values, held otherwise."""
    shift = wanted.scale - held.scale
    if wanted.dtype == INT64:  # scale first: a float may be held in fractions
        return scaled(values, shift).astype(INT64, copy=False)
    return scaled(values.astype(wanted.dtype, copy=False), shift)
