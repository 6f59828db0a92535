"""Pooling in windows: maximum and average, one channel at a time.

The kind `LocalPool` has attributes operation (maximum, average), kernel, strides, padding ([before, after] an axis),
channels, and types accum and result. What lies outside the input takes no part: a maximum ignores it, an average
divides by the number of positions inside, as TensorFlow and hls4ml do.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.averages import divided
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.windows import Windows, windows
from firmware_flows.program import ReduceOperation


def _lowering(operation: str) -> Any:
    def lower(context: Context, node: Node) -> Signal:
        layer = node.operation
        activation = getattr(layer, "activation", None)
        if getattr(layer, "average_quantizer", None) is not None:
            raise refuse(
                node,
                "average_quantizer",
                layer.average_quantizer,
                "a rounded 1/n is not what hls4ml's pooling divides by",
                "Leave average_quantizer out; activation rounds the average",
            )
        name = node.name if activation is None else f"{node.name}_linear"
        signal = _pool(context, node, name, operation)
        return signal if activation is None else apply(context, node, "activation", activation, signal)

    return lower


def _pool(context: Context, node: Node, name: str, operation: str) -> Signal:
    source, w = context.source(node), _windows(context, node)
    channels = context.shape_of(source)[-1]
    b = context.builder
    b.begin_layer(name, "LocalPool", [source.layer])
    remarks: list[str] = []
    maximum = operation == "maximum"
    # every window covers a position inside, so that the smallest value of all never wins for being outside
    fill = b.interval(source.value).lowest if maximum else 0
    # the elements of a window first: NumPy then reduces long rows, not one channel after another
    picked = b.rearrange([source.value], np.moveaxis(w.indices(channels), -2, 0), fill)
    if maximum:
        value = b.reduce(ReduceOperation.MAXIMUM, picked, 0)
        accumulator = context.type_of(source)
    else:
        total = b.reduce(ReduceOperation.SUM, picked, 0)
        counts = w.covered()
        counts = counts[..., np.newaxis] if counts.min() != counts.max() else counts.reshape(-1)[:1]
        value, accumulator, remarks = divided(context, total, counts)
    b.end_layer(
        value,
        types={"accum": accumulator},
        attributes={
            "operation": operation,
            "kernel": [*w.kernel],
            "strides": [*w.strides],
            "padding": [[*pair] for pair in w.padding],
            "channels": channels,
        },
        remarks=remarks,
        exact_in_keras=not remarks,
    )
    return Signal(value, name)


def _windows(context: Context, node: Node) -> Windows:
    layer = node.operation
    if layer.data_format != "channels_last":
        raise refuse(node, "data_format", layer.data_format, "channels must be the last axis", "Use channels_last")
    positions = context.shape_of(context.source(node))[:-1]
    ones = (1,) * len(layer.pool_size)
    w = windows(positions, layer.pool_size, layer.strides, ones, layer.padding)
    if w.results != node.shape[:-1]:  # Keras and this file would disagree
        raise refuse(node, "shape", node.shape, f"windows {w.results} expected", "Please report this network")
    return w


LOWERINGS = {
    "MaxPooling1D": _lowering("maximum"),
    "MaxPooling2D": _lowering("maximum"),
    "AveragePooling1D": _lowering("average"),
    "AveragePooling2D": _lowering("average"),
    "QAveragePooling2D": _lowering("average"),
}
