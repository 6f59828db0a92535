"""Pooling over all positions: sum, average, maximum along the leading axes of a (*positions, channels) value.

The kind `Pool` has attributes operation, positions (how many), channels, and types accum and result.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.averages import divided
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.program import ReduceOperation


def pool(context: Context, node: Node, operation: str, name: str | None = None) -> Signal:
    """Reduce over all axes but the last."""
    source = context.source(node)
    shape = context.shape_of(source)
    if len(shape) < 2:
        raise refuse(node, "shape", shape, "pooling over (positions, channels) only", "Reshape to two axes first")
    positions, channels = int(np.prod(shape[:-1], dtype=np.int64)), shape[-1]
    keeps = bool(getattr(node.operation, "keepdims", False))
    final = name or node.name
    name = f"{final}_vector" if keeps and name else f"{final}_linear" if keeps else final
    b = context.builder
    b.begin_layer(name, "Pool", [source.layer])
    flat = source.value if len(shape) == 2 else b.reshape(source.value, (positions, channels))
    remarks: list[str] = []
    if operation == "average":
        total = b.reduce(ReduceOperation.SUM, flat, 0)
        value, accumulator, remarks = divided(context, total, np.array([positions]))
    else:
        value = b.reduce(ReduceOperation(operation), flat, 0)
        # a maximum compares in the source's own type, a sum may wrap on its way to a result that fits
        accumulator = context.type_of(source) if operation == "maximum" else b.type_of(value)
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
    kept = (*(1 for _ in shape[:-1]), channels)
    b.begin_layer(final, "Reshape", [name])
    value = b.reshape(value, kept)
    b.end_layer(value, attributes={"shape": [*kept]})
    return Signal(value, final)


def _layer(operation: str) -> Any:
    def lower(context: Context, node: Node) -> Signal:
        if getattr(node.operation, "data_format", "channels_last") != "channels_last":
            raise refuse(node, "data_format", "channels_first", "channels must be the last axis", "Use channels_last")
        activation = getattr(node.operation, "activation", None)
        if getattr(node.operation, "average_quantizer", None) is not None:
            raise refuse(
                node,
                "average_quantizer",
                node.operation.average_quantizer,
                "a rounded 1/n is not what hls4ml's pooling divides by",
                "Leave average_quantizer out; activation rounds the average",
            )
        if activation is None:
            return pool(context, node, operation)
        signal = pool(context, node, operation, f"{node.name}_linear")
        return apply(context, node, "activation", activation, signal)

    return lower


def _function(operation: str) -> Any:
    """keras.ops.sum, max, mean of a tensor, over the positions."""

    def lower(context: Context, node: Node) -> Signal:
        axes = node.operation.axis
        axes = [axes] if isinstance(axes, int) else list(axes or [])
        rank = len(context.shape_of(context.source(node)))
        if sorted(a - 1 if a > 0 else a + rank for a in axes) != [*range(rank - 1)] or 0 in axes:
            raise refuse(node, "axis", node.operation.axis, "reduces over other than the positions", "Use axis=1")
        return pool(context, node, operation)

    return lower


LOWERINGS = {
    "GlobalAveragePooling1D": _layer("average"),
    "GlobalMaxPooling1D": _layer("maximum"),
    "GlobalAveragePooling2D": _layer("average"),
    "QGlobalAveragePooling2D": _layer("average"),
    "GlobalMaxPooling2D": _layer("maximum"),
    "SumPooling1D": _layer("sum"),
    "Sum": _function("sum"),
    "Max": _function("maximum"),
    "Mean": _function("average"),
}
