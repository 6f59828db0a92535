"""Casts that the vendors' headers cannot simulate."""

from __future__ import annotations

from firmware_flows.fixed_point import FixedPoint, Rounding
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS
from firmware_flows.program import Layer


def check_cast(layer: Layer, fractional: int, width: int, backend: str, result: FixedPoint | None = None) -> None:
    """Refuse a rounding to a grid coarser than the whole source: the vendor's headers read a bit that is not there.

    `fractional` and `width` are those of the C++ expression that is assigned to the layer's result, or to `result`.
    """
    t = result or layer.type
    if backend in AP_BACKENDS and t.rounding is not Rounding.TRN and fractional - t.fractional > width:
        raise HlsConversionError(
            layer.name, "result", t,
            f"its least significant bit is more than the whole range of its source ({width} bits, {fractional} of "
            f"them fractional), and ap_fixed's C++ simulation ends on AP_{t.rounding} there",
            "give the result more fractional bits, or AP_TRN",
        )  # fmt: skip
