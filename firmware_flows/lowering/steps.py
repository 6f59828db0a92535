"""Steps: binary and ternary quantizers as activations, and thresholds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, grid_weights, refuse_inexact, setting
from firmware_flows.program import CombineOperation

BIT = FixedPoint(1, 1, True, Rounding.TRN, Overflow.SAT)
"""-1 for everything below zero, else 0."""

FLOAT32_BITS = 24

FAR_REMARK = (
    "QKeras computes x + (q - x) in float32, which is off the grid for inputs of this range: Keras is no reference"
)


def step(context: Context, name: str, source: Signal, first: int) -> Signal:
    """-1 where the mantissa is below `first`, else 0."""
    if first == 0:
        b = context.builder
        b.begin_layer(name, "Quantize", [source.layer])
        value = b.cast(source.value, BIT)
        b.end_layer(value)
        return Signal(value, name)
    offset = Weights(np.array(-first, np.int64), context.type_of(source).fractional)
    return scale_and_offset(context, name, source, Weights(np.array(1, np.int64), 0), offset, BIT)


def binary(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    """alpha where x >= 0, else -alpha (0 with use_01)."""
    alpha = _alpha(node, field, q)
    below = step(context, f"{node.name}_step", source, 0)
    rise = alpha if setting(q, "use_01", False) else Weights(2 * alpha.mantissas, alpha.fractional)
    return scale_and_offset(context, node.name, below, rise, alpha, **_witness(context, source, alpha))


def ternary(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    """alpha times the sign of x where |x| reaches the threshold, else 0."""
    alpha = _alpha(node, field, q)
    threshold = setting(q, "threshold", None)
    threshold = setting(q, "default_threshold", 0.33) if threshold is None else threshold
    if isinstance(threshold, str):
        raise refuse(node, f"{field}.threshold", threshold, "depends on the batch of events", "Give a number")
    first = max(1, math.ceil(math.ldexp(float(np.float32(threshold)), context.type_of(source).fractional)))
    name, b = node.name, context.builder
    above = step(context, f"{name}_above", source, first)
    below = step(context, f"{name}_below", source, 1 - first)
    b.begin_layer(f"{name}_sum", "Merge", [above.layer, below.layer])
    value = b.combine(CombineOperation.ADD, above.value, below.value)
    b.end_layer(value, attributes={"operation": "add"})
    total = Signal(value, f"{name}_sum")
    return scale_and_offset(context, name, total, alpha, alpha, **_witness(context, source, alpha))


def _alpha(node: Node, field: str, q: Any) -> Weights:
    refuse_inexact(node.name, field, q)
    alpha = setting(q, "alpha", None)
    if isinstance(alpha, str):
        raise refuse(
            node, f"{field}.alpha", alpha, "the scale is computed from each batch of events", "Set alpha to a number"
        )
    values = np.asarray(1.0 if alpha is None else alpha, dtype=np.float32)
    weight = grid_weights(values.reshape(-1)[:1].reshape(()))
    if values.size != 1 or weight.mantissas.dtype == object or weight.type.width > GRID_BITS or values.item() <= 0:
        raise refuse(
            node, f"{field}.alpha", alpha, f"is no positive number of {GRID_BITS} bits or fewer", "Set alpha=1"
        )
    return weight


def _witness(context: Context, source: Signal, alpha: Weights) -> dict[str, Any]:
    """Whether QKeras' straight-through form is exact: the difference of input and result must fit float32."""
    have = context.type_of(source)
    bits = max(have.integer, alpha.type.integer) + 1 + max(have.fractional, alpha.fractional)
    return {} if bits <= FLOAT32_BITS else {"remarks": [FAR_REMARK], "exact_in_keras": False}
