"""Pooling over constituents: sum, average, maximum along the positions of a (positions, channels) value."""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.program import ReduceOperation

AVERAGE_REMARK = (
    "the average over {n} positions is the hardware's: the sum divided by {n}, toward zero, with {bits} fractional "
    "bits; {n} is no power of two, so Keras' float32 average is no reference for this layer"
)


def pool(context: Context, node: Node, operation: str) -> Signal:
    """Reduce over the first axis of (positions, channels)."""
    source = context.source(node)
    shape = context.shape_of(source)
    if len(shape) != 2:
        raise refuse(node, "shape", shape, "pooling over (positions, channels) only", "Reshape to two axes first")
    positions, channels = shape
    keeps = bool(getattr(node.operation, "keepdims", False))
    name = f"{node.name}_linear" if keeps else node.name
    b = context.builder
    b.begin_layer(name, "Pool", [source.layer])
    remarks: list[str] = []
    if operation == "average":
        value, accumulator, remarks = _average(context, source, positions)
    else:
        value = b.reduce(ReduceOperation(operation), source.value, 0)
        accumulator = b.type_of(value)
    b.end_layer(
        value,
        types={"accum": accumulator},
        attributes={"operation": operation, "positions": positions, "channels": channels},
        remarks=remarks,
        exact_in_keras=not remarks,
    )
    signal = Signal(value, name)
    if not keeps:
        return signal
    b.begin_layer(node.name, "Reshape", [name])
    value = b.reshape(value, (1, channels))
    b.end_layer(value, attributes={"shape": [1, channels]})
    return Signal(value, node.name)


def _average(context: Context, source: Signal, n: int) -> tuple[int, FixedPoint, list[str]]:
    """The sum on a grid with ceil(log2 n) more bits, divided by n toward zero: exact where n is a power of two."""
    b = context.builder
    total = b.reduce(ReduceOperation.SUM, source.value, 0)
    t, interval = b.type_of(total), b.interval(total)
    places = (n - 1).bit_length()
    accumulator = FixedPoint.holding(
        min(interval.lowest << places, 0), interval.highest << places, t.fractional + places
    )
    if n & (n - 1) == 0:
        return context.scaled(total, 1, places), accumulator, []
    # x * ceil(2**s / n) / 2**s truncates to the same integer as x / n for every |x| < 2**s / n
    # (Granlund and Montgomery, PLDI 1994, theorem 4.2)
    s = (max(abs(interval.lowest), abs(interval.highest), 1) << places).bit_length() + n.bit_length()
    product = context.scaled(total, -(-(1 << s) // n), s)
    scaled = b.interval(product)
    grid = t.fractional + places
    ends = FixedPoint(1024, 1024 - grid, True, Rounding.TRN_ZERO).cast(
        np.array([scaled.lowest, scaled.highest], dtype=object), b.type_of(product).fractional
    )
    narrow = FixedPoint.holding(int(ends.min()), int(ends.max()), grid)
    value = b.cast(product, narrow.with_modes(Rounding.TRN_ZERO, Overflow.WRAP))
    return value, accumulator, [AVERAGE_REMARK.format(n=n, bits=grid)]


def _layer(operation: str) -> Any:
    def lower(context: Context, node: Node) -> Signal:
        if getattr(node.operation, "data_format", "channels_last") != "channels_last":
            raise refuse(node, "data_format", "channels_first", "channels must be the last axis", "Use channels_last")
        return pool(context, node, operation)

    return lower


def _function(operation: str) -> Any:
    """keras.ops.sum, max, mean of a tensor, over the positions."""

    def lower(context: Context, node: Node) -> Signal:
        axes = node.operation.axis
        axes = [axes] if isinstance(axes, int) else list(axes or [])
        if axes not in ([1], [-2]):
            raise refuse(node, "axis", node.operation.axis, "reduces over other than the positions", "Use axis=1")
        return pool(context, node, operation)

    return lower


LOWERINGS = {
    "GlobalAveragePooling1D": _layer("average"),
    "GlobalMaxPooling1D": _layer("maximum"),
    "SumPooling1D": _layer("sum"),
    "Sum": _function("sum"),
    "Max": _function("maximum"),
    "Mean": _function("average"),
}
