"""Piecewise linear functions: ReLU with limit, slope and threshold, PReLU, hard sigmoid, hard tanh."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, grid_weights
from firmware_flows.lowering.steps import step
from firmware_flows.program import CombineOperation

ONE, MINUS = Weights(np.array(1, np.int64), 0), Weights(np.array(-1, np.int64), 0)

SIXTH = Weights(np.array(10923, np.int64), 16)
SIXTH_REMARK = (
    "hard_sigmoid multiplies by 10923/65536, the 16-bit number next to 1/6, which no fixed-point type holds: Keras is "
    "no reference"
)


def number(node: Node, field: str, value: Any) -> Weights:
    """A parameter as an integer on a grid. Raises LoweringError where it needs more than 16 bits."""
    single = np.float32(value)
    if not np.isfinite(single):
        raise refuse(node, field, value, "is not finite", "Give it a finite value")
    weight = grid_weights(np.asarray(single))
    if weight.mantissas.dtype == object or weight.type.width > GRID_BITS:
        near = _nearest_power(float(single))
        raise refuse(
            node,
            field,
            value,
            f"is not on a fixed-point grid of {GRID_BITS} bits or fewer",
            f"Use a sum of few powers of two, for example {near:g}",
        )
    return weight


def _nearest_power(value: float) -> float:
    return float(np.copysign(2.0 ** np.round(np.log2(abs(value))), value)) if value else 0.0


def rectifier(
    context: Context,
    node: Node,
    source: Signal,
    maximum: float | None = None,
    slope: float = 0.0,
    threshold: float = 0.0,
) -> Signal:
    """Keras' ReLU: x above the threshold, at most the maximum; slope * (x - threshold) elsewhere."""
    if threshold and slope:
        return _threshold_and_slope(context, node, source, maximum, slope, threshold)
    if threshold:
        source = _above(context, node, source, number(node, "threshold", threshold), maximum)
    limit = None if maximum is None else number(node, "max_value", maximum)
    if limit is not None and int(limit.mantissas) <= 0:
        raise refuse(node, "max_value", maximum, "leaves nothing", "Use a positive limit")
    if slope:
        if limit is not None:  # the same as limiting before
            source = _at_most(context, node.name, source, limit)
        return leaky(context, node.name, source, number(node, "negative_slope", slope), None)
    if limit is None:
        return source if threshold else context.relu(node.name, source, None)
    return _limited(context, node.name, source, limit)


def _threshold_and_slope(
    context: Context, node: Node, source: Signal, maximum: float | None, slope: float, threshold: float
) -> Signal:
    """What is above the threshold, minus the slope times max(threshold - x, 0), as Keras computes it."""
    name, limit = node.name, number(node, "threshold", threshold)
    above = rectifier(context, replace(node, name=f"{name}_above"), source, maximum, 0.0, threshold)
    room = scale_and_offset(context, f"{name}_room", source, MINUS, limit)
    left = context.relu(f"{name}_left", room, None)
    below = scale_and_offset(context, f"{name}_below", left, number(node, "negative_slope", slope), None)
    b = context.builder
    b.begin_layer(name, "Merge", [above.layer, below.layer])
    value = b.combine(CombineOperation.SUBTRACT, above.value, below.value)
    b.end_layer(value, attributes={"operation": "subtract"})
    return Signal(value, name)


def _limited(context: Context, name: str, source: Signal, limit: Weights) -> Signal:
    b = context.builder
    ones = (1,) * len(context.shape_of(source))
    b.begin_layer(name, "ReluLimited", [source.layer])
    value = b.combine(CombineOperation.MAXIMUM, source.value, b.constant(np.zeros(ones, np.int64), 0))
    end = b.constant(limit.mantissas.reshape(ones), limit.fractional)
    value = b.combine(CombineOperation.MINIMUM, value, end)
    b.end_layer(value, types={"limit": limit.type}, arrays={"limit": limit.mantissas})
    return Signal(value, name)


def _at_most(context: Context, name: str, source: Signal, limit: Weights) -> Signal:
    """min(x, limit) as limit - max(limit - x, 0)."""
    room = scale_and_offset(context, f"{name}_room", source, MINUS, limit)
    left = context.relu(f"{name}_left", room, None)
    return scale_and_offset(context, f"{name}_limit", left, MINUS, limit)


def _above(context: Context, node: Node, source: Signal, threshold: Weights, maximum: float | None) -> Signal:
    """x where x > threshold, else zero: x times a step that is -1 or 0, plus x."""
    have = context.type_of(source)
    shift = have.fractional - threshold.fractional
    mantissa = int(threshold.mantissas)
    first = ((mantissa << shift) if shift >= 0 else (mantissa >> -shift)) + 1  # the smallest mantissa above
    name = node.name
    beyond = step(context, f"{name}_beyond", source, first)
    gate = scale_and_offset(context, f"{name}_gate", beyond, ONE, ONE)
    last = name if maximum is None else f"{name}_gated"
    b = context.builder
    b.begin_layer(last, "Merge", [source.layer, gate.layer])
    value = b.combine(CombineOperation.MULTIPLY, source.value, gate.value)
    b.end_layer(value, attributes={"operation": "multiply"})
    return Signal(value, last)


def leaky(context: Context, name: str, source: Signal, slope: Weights, t: FixedPoint | None) -> Signal:
    """max(x, 0) + slope * min(x, 0), cast to `t` if given; the slope is one number."""
    return _two_slopes(context, name, "LeakyRelu", source, slope, t)


def prelu(context: Context, node: Node) -> Signal:
    """PReLU: a slope for every element, or shared along axes."""
    source, alpha = context.source(node), np.asarray(node.operation.alpha, dtype=np.float32)
    slope = grid_weights(alpha)
    if slope.mantissas.dtype == object or slope.type.width > GRID_BITS:
        raise refuse(
            node,
            "alpha",
            f"{slope.type.width} bits",
            f"the slopes are not on a fixed-point grid of {GRID_BITS} bits or fewer",
            "Round the trained slopes to a grid (layer.set_weights), or use LeakyReLU with a power of two",
        )
    return _two_slopes(context, node.name, "PRelu", source, slope, None)


def _two_slopes(context: Context, name: str, kind: str, source: Signal, slope: Weights, t: FixedPoint | None) -> Signal:
    b = context.builder
    b.begin_layer(name, kind, [source.layer])
    ones = (1,) * len(context.shape_of(source))
    zero = b.constant(np.zeros(ones, np.int64), 0)
    above = b.combine(CombineOperation.MAXIMUM, source.value, zero)
    below = b.combine(CombineOperation.MINIMUM, source.value, zero)
    factor = b.constant(slope.mantissas.reshape(slope.mantissas.shape or ones), slope.fractional)
    below = b.combine(CombineOperation.MULTIPLY, below, factor)
    value = b.combine(CombineOperation.ADD, above, below)
    value = b.cast(value, t) if t is not None else value
    attributes = {"slope": float(slope.mantissas) * 2.0**-slope.fractional} if kind == "LeakyRelu" else {}
    b.end_layer(value, types={"slope": slope.type}, attributes=attributes, arrays={"slope": slope.mantissas})
    return Signal(value, name)


def hard_sigmoid(
    context: Context, name: str, source: Signal, slope: Weights, t: FixedPoint | None = None, remark: str = ""
) -> Signal:
    """slope * x + 1/2, limited to [0, 1]; cast to `t` if given, whose own limits lie inside."""
    b = context.builder
    b.begin_layer(name, "HardSigmoid", [source.layer])
    ones = (1,) * len(context.shape_of(source))
    half = b.constant(np.full(ones, 1, np.int64), 1)
    factor = context.scaled(source.value, int(slope.mantissas), slope.fractional)
    value = b.combine(CombineOperation.ADD, factor, half)
    if t is not None:
        value = b.cast(value, t)
    else:
        value = b.combine(CombineOperation.MAXIMUM, value, b.constant(np.zeros(ones, np.int64), 0))
        value = b.combine(CombineOperation.MINIMUM, value, b.constant(np.ones(ones, np.int64), 0))
    b.end_layer(
        value,
        types={"slope": slope.type, "shift": FixedPoint.holding(0, 1, 1)},
        attributes={"slope": float(slope.mantissas) * 2.0**-slope.fractional, "shift": 0.5},
        remarks=[remark] if remark else [],
        exact_in_keras=not remark,
    )
    return Signal(value, name)


def hard_tanh(context: Context, name: str, source: Signal) -> Signal:
    """x limited to [-1, 1]."""
    b = context.builder
    b.begin_layer(name, "HardTanh", [source.layer])
    ones = (1,) * len(context.shape_of(source))
    value = b.combine(CombineOperation.MAXIMUM, source.value, b.constant(np.full(ones, -1, np.int64), 0))
    value = b.combine(CombineOperation.MINIMUM, value, b.constant(np.ones(ones, np.int64), 0))
    b.end_layer(value)
    return Signal(value, name)
