"""Pooling over positions."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.errors import nearest
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.casts import check_cast
from firmware_flows.hls.layers.dense import pointwise
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

BIT = FixedPoint(1, 1, signed=False)
"""Type of the weights (all 1) and the bias (0) of a sum written as a matrix product."""

POOLS = {"average": "GlobalAveragePooling1D", "maximum": "GlobalMaxPooling1D"}


def _pool(p: Planner, layer: Layer) -> Node:
    source, operation = p.source(layer), str(layer.attributes["operation"])
    types = {"accum": layer.types["accum"], "result": layer.type}
    if len(source.shape) not in (2, 3):
        raise HlsConversionError(
            layer.name, "shape", source.shape, "pooling needs (positions, channels)", "reshape before pooling"
        )
    positions, channels = prod(source.shape[:-1]), source.shape[-1]
    check_cast(layer, types["accum"].fractional, types["accum"].width, p.settings.backend)
    if operation == "average" and p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "operation", operation,
            f"hls4ml's C++ for {p.settings.backend} averages without the accumulator's type and overflows",
            "use sum pooling, or Vitis or Vivado",
        )  # fmt: skip
    if operation in POOLS and len(source.shape) == 3:
        return p.add(
            layer, POOLS[operation].replace("1D", "2D"), (source,), (channels,), types,
            attributes={"in_height": source.shape[0], "in_width": source.shape[1], "n_filt": channels,
                        "data_format": "channels_last"},
        )  # fmt: skip
    if operation in POOLS:
        return p.add(
            layer, POOLS[operation], (source,), (channels,), types,
            attributes={"n_in": positions, "n_filt": channels, "data_format": "channels_last"},
        )  # fmt: skip
    if operation != "sum":
        raise HlsConversionError(
            layer.name, "operation", operation, "not a pooling of hls4ml", nearest(operation, ["sum", *POOLS])
        )
    if len(source.shape) == 3:
        source = p.reshape(layer, source, (positions, channels), "_rows")
    # hls4ml has no sum: swap the axes and multiply each channel's row of positions by a column of ones
    swapped = p.add(
        layer, "Transpose", (source,), (channels, positions), {"result": source.type},
        suffix="_swapped", attributes={"perm": [1, 0]},
    )  # fmt: skip
    one = p.constant_type(BIT)
    ones = {"weight": np.ones((positions, 1), np.int64), "bias": np.zeros(1, np.int64)}
    summed = pointwise(p, layer, swapped, {**types, "weight": one, "bias": one}, ones, 1)
    return p.reshape(layer, summed, (channels,), "_vector")


HANDLERS = {"Pool": _pool}
