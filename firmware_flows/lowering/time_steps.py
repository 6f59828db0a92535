"""A sequence (time, ...) taken apart into its time steps, and put together again.

Both use layers that exist for other purposes (Cropping, Reshape, Concatenate), so that HLS needs nothing new. A
sequence is cut into halves again and again: that way every value has two readers only, however long the sequence is,
where a stream of hls4ml feeds seven at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from firmware_flows.lowering.context import Context, Signal


def take_apart(context: Context, name: str, source: Signal) -> list[Signal]:
    """The time steps of a value (time, ...), in order of time, each without the axis of time."""
    steps, *rest = context.shape_of(source)
    if len(rest) > 1:
        source = _reshaped(context, f"{name}_rows", source, (steps, prod(rest)))
    found: list[Signal] = []
    _halves(context, name, source, 0, steps, tuple(rest), found)
    return found


def _halves(
    context: Context, name: str, source: Signal, first: int, count: int, shape: tuple[int, ...], found: list[Signal]
) -> None:
    """Append the `count` steps of a source whose first is step number `first`."""
    if count == 1:
        found.append(_reshaped(context, f"{name}_step{first}", source, shape))
        return
    half = count // 2
    for start, stop in ((0, half), (half, count)):
        layer = f"{name}_steps{first + start}to{first + stop - 1}"
        b = context.builder
        width = context.shape_of(source)[1]
        b.begin_layer(layer, "Cropping", [source.layer])
        value = b.rearrange([source.value], np.arange(start * width, stop * width).reshape(-1, width))
        b.end_layer(value, attributes={"cropping": [[start, count - stop]]})
        _halves(context, name, Signal(value, layer), first + start, stop - start, shape, found)


def put_together(context: Context, name: str, steps: Sequence[Signal]) -> Signal:
    """The values of one shape as one value (time, ...), a layer of that name."""
    shape = context.shape_of(steps[0])
    if len(steps) == 1:
        return _reshaped(context, name, steps[0], (1, *shape))
    if len(shape) > 1:
        whole = _joined(context, f"{name}_joined", steps)
        return _reshaped(context, name, whole, (len(steps), *shape))
    return _joined(context, name, [_reshaped(context, f"{s.layer}_row", s, (1, *shape)) for s in steps])


def _joined(context: Context, name: str, signals: Sequence[Signal]) -> Signal:
    b = context.builder
    b.begin_layer(name, "Concatenate", [s.layer for s in signals])
    value = b.concatenate([s.value for s in signals], 0)
    b.end_layer(value, attributes={"axis": 0})
    return Signal(value, name)


def _reshaped(context: Context, name: str, source: Signal, shape: tuple[int, ...]) -> Signal:
    b = context.builder
    b.begin_layer(name, "Reshape", [source.layer])
    value = b.reshape(source.value, shape)
    b.end_layer(value, attributes={"shape": [*shape]})
    return Signal(value, name)
