"""A scale and an offset per element or per channel: hls4ml's batch normalization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.casts import check_cast
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

Integers = npt.NDArray[np.int64]


def _scale(p: Planner, layer: Layer) -> Node:
    return scaled(
        p, layer, p.source(layer), layer.arrays["scale"], layer.types["scale"], layer.arrays["offset"],
        layer.types["offset"], layer.type,
    )  # fmt: skip


def scaled(
    p: Planner,
    layer: Layer,
    source: Node,
    scale: Integers,
    scale_type: FixedPoint,
    offset: Integers,
    offset_type: FixedPoint,
    result: FixedPoint,
    suffix: str = "",
) -> Node:
    """source * scale + offset, cast to `result`. One number for all, or one for each index of the last axis."""
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "scale and offset are verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    product_fractional = source.type.fractional + scale_type.fractional
    fractional = max(product_fractional, offset_type.fractional)
    # the sum's type in C++: one bit more than the wider of the two, another where the signs differ
    integer = 2 + max(source.type.integer + scale_type.integer, offset_type.integer)
    check_cast(layer, fractional, integer + fractional, p.settings.backend, result)
    channels = source.shape[-1]
    weights = {
        name: np.broadcast_to(v.reshape(-1), (channels,)).copy() for name, v in (("scale", scale), ("bias", offset))
    }
    return p.add(
        layer, "BatchNormalization", (source,), source.shape,
        {"scale": scale_type, "bias": offset_type, "result": result},
        suffix=suffix,
        attributes={"n_in": source.size, "n_filt": -1 if len(source.shape) == 1 else channels},
        weights=weights,
    )  # fmt: skip


HANDLERS = {"Scale": _scale}
