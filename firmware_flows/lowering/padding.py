"""Layers that put zeros around positions, take positions away, or repeat them.

Kinds and their attributes: `ZeroPadding` (padding: [before, after] an axis), `Cropping` (cropping: the same),
`UpSampling` (size: how often each position is repeated along each axis), `Repeat` (times: how many copies of a vector).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.program import IntegerArray


def zero_padding(context: Context, node: Node) -> Signal:
    """ZeroPadding1D and 2D."""
    pairs = _pairs(node.operation.padding)
    indices = np.pad(_elements(context, node), [*pairs, (0, 0)], constant_values=-1)
    return _rearranged(context, node, "ZeroPadding", indices, {"padding": [[*p] for p in pairs]})


def cropping(context: Context, node: Node) -> Signal:
    """Cropping1D and 2D."""
    pairs = _pairs(node.operation.cropping)
    elements = _elements(context, node)
    kept = tuple(slice(before, n - after) for n, (before, after) in zip(elements.shape, pairs, strict=False))
    return _rearranged(context, node, "Cropping", elements[kept], {"cropping": [[*p] for p in pairs]})


def up_sampling(context: Context, node: Node) -> Signal:
    """UpSampling1D and 2D, nearest neighbour."""
    interpolation = getattr(node.operation, "interpolation", "nearest")
    if interpolation != "nearest":
        raise refuse(
            node, "interpolation", interpolation, "only the nearest neighbour is exact", "interpolation='nearest'"
        )
    size = [int(n) for n in np.atleast_1d(node.operation.size)]
    indices = _elements(context, node)
    for axis, times in enumerate(size):
        indices = np.repeat(indices, times, axis=axis)
    return _rearranged(context, node, "UpSampling", indices, {"size": size})


def repeat(context: Context, node: Node) -> Signal:
    """RepeatVector."""
    times = int(node.operation.n)
    indices = np.tile(_elements(context, node), (times, 1))
    return _rearranged(context, node, "Repeat", indices, {"times": times})


def _rearranged(context: Context, node: Node, kind: str, indices: IntegerArray, attributes: dict[str, Any]) -> Signal:
    source, b = context.source(node), context.builder
    if indices.shape == context.shape_of(source):
        return source  # nothing is added or taken away
    if not indices.size:
        raise refuse(node, "shape", indices.shape, "no position is left", "Crop less")
    b.begin_layer(node.name, kind, [source.layer])
    value = b.rearrange([source.value], indices)
    b.end_layer(value, attributes=attributes)
    return Signal(value, node.name)


def _elements(context: Context, node: Node) -> IntegerArray:
    """The number of every element of the source, in its shape."""
    data_format = getattr(node.operation, "data_format", "channels_last")
    if data_format != "channels_last":
        raise refuse(node, "data_format", data_format, "channels must be the last axis", "Use channels_last")
    shape = context.shape_of(context.source(node))
    return np.arange(int(np.prod(shape, dtype=np.int64)), dtype=np.int64).reshape(shape)


def _pairs(values: Sequence[Any]) -> list[tuple[int, int]]:
    """(before, after) of every axis: of one axis Keras gives the pair alone."""
    array = np.asarray(values, dtype=np.int64).reshape(-1, 2)
    return [(int(before), int(after)) for before, after in array]


LOWERINGS = {
    "ZeroPadding1D": zero_padding,
    "ZeroPadding2D": zero_padding,
    "Cropping1D": cropping,
    "Cropping2D": cropping,
    "UpSampling1D": up_sampling,
    "UpSampling2D": up_sampling,
    "RepeatVector": repeat,
}
