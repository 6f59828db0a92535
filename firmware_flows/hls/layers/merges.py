"""Elementwise operations on two values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.dense import pointwise
from firmware_flows.hls.plan import Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

MERGES = ("add", "subtract", "multiply", "average", "maximum", "minimum")

BIT = FixedPoint(1, 1, signed=False)
"""Type of the weights 0 and 1."""


def _merge(p: Planner, layer: Layer) -> Node:
    operation = str(layer.attributes["operation"])
    if operation not in MERGES or len(layer.inputs) != 2:
        raise HlsConversionError(
            layer.name, "operation", operation, f"hls4ml merges two values by {', '.join(MERGES)}", "use one of these"
        )
    if operation == "average" and p.settings.backend in ("Catapult", "oneAPI"):
        raise HlsConversionError(
            layer.name, "operation", operation,
            f"hls4ml's C++ for {p.settings.backend} does not halve exactly (Catapult's factor has wrapped to 0)",
            "use add, or Vitis or Vivado",
        )  # fmt: skip
    left, right = p.source(layer), p.source(layer, 1)
    left, right = repeated(p, layer, left, "_left"), repeated(p, layer, right, "_right")
    return p.add(layer, "Merge", (left, right), layer.shape, {"result": layer.type}, attributes={"op": operation})


def repeated(p: Planner, layer: Layer, source: Node, suffix: str) -> Node:
    """The source in the shape of the result: every repetition is a small dense layer of weights 0 and 1.

    Nothing of it is left in firmware but wires, and it exists in every backend and form. hls4ml's own merging of
    unequal sizes, in parallel form, compares the sizes as text: "4" is larger than "3*4", and the result is cut.
    """
    shape = (*(1,) * (len(layer.shape) - len(source.shape)), *source.shape)
    if shape == layer.shape:
        return source if source.shape == shape else p.reshape(layer, source, shape, suffix)
    node = source
    for axis in range(len(shape) - 1, -1, -1):
        times = layer.shape[axis]
        if shape[axis] == times:
            continue
        outer, inner = prod(shape[:axis]), prod(shape[axis + 1 :])
        weight = np.tile(np.eye(inner, dtype=np.int64), times)
        types = {"weight": p.constant_type(BIT), "bias": p.constant_type(BIT)}
        types |= {"accum": source.type, "result": source.type}
        rows = p.reshape(layer, node, (outer, inner), f"{suffix}{axis}_rows")
        weights = {"weight": weight, "bias": np.zeros(inner * times, np.int64)}
        node = pointwise(p, layer, rows, types, weights, 1, suffix=f"{suffix}{axis}")
        shape = (*shape[:axis], times, *shape[axis + 1 :])
    return p.reshape(layer, node, shape, suffix)


HANDLERS = {"Merge": _merge}
