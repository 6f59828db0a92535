"""Layers that only rearrange: Flatten, Reshape, Permute, Concatenate."""

from __future__ import annotations

from math import prod

import numpy as np

from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node


def reshape(context: Context, node: Node) -> Signal:
    """Flatten and Reshape: the same elements in the same order."""
    source = context.source(node)
    if getattr(node.operation, "data_format", "channels_last") != "channels_last":
        raise refuse(node, "data_format", "channels_first", "channels must be the last axis", "Use channels_last")
    if prod(context.shape_of(source)) != prod(node.shape):
        raise refuse(
            node, "shape", (None, *node.shape), "joins events", "Use the layer Reshape, which leaves them apart"
        )
    if context.shape_of(source) == node.shape:
        return source
    b = context.builder
    b.begin_layer(node.name, "Reshape", [source.layer])
    value = b.reshape(source.value, node.shape)
    b.end_layer(value, attributes={"shape": list(node.shape)})
    return Signal(value, node.name)


def permute(context: Context, node: Node) -> Signal:
    """Permute: the axes of the event in another order."""
    source = context.source(node)
    order = [int(d) - 1 for d in node.operation.dims]
    if order == sorted(order):
        return source
    shape = context.shape_of(source)
    b = context.builder
    b.begin_layer(node.name, "Transpose", [source.layer])
    indices = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    value = b.rearrange([source.value], np.transpose(indices, order))
    b.end_layer(value, attributes={"perm": order})
    return Signal(value, node.name)


def concatenate(context: Context, node: Node) -> Signal:
    """Concatenate on any axis but the events'."""
    sources = context.sources(node)
    rank = len(node.shape)
    axis = node.operation.axis
    axis = axis + rank if axis < 0 else axis - 1
    if not 0 <= axis < rank:
        raise refuse(node, "axis", node.operation.axis, "joins events", "Concatenate along an axis of the event")
    b = context.builder
    b.begin_layer(node.name, "Concatenate", [s.layer for s in sources])
    value = b.concatenate([s.value for s in sources], axis)
    b.end_layer(value, attributes={"axis": axis})
    return Signal(value, node.name)


LOWERINGS = {"Flatten": reshape, "Reshape": reshape, "Permute": permute, "Concatenate": concatenate}
