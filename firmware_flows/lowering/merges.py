"""Elementwise operations on several inputs, of one shape or with sizes of one repeated."""

from __future__ import annotations

import numpy as np

from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import Weights
from firmware_flows.lowering.refused import constants, is_function
from firmware_flows.program import CombineOperation

_OPERATIONS = {
    "Add": CombineOperation.ADD,
    "Subtract": CombineOperation.SUBTRACT,
    "Multiply": CombineOperation.MULTIPLY,
    "Maximum": CombineOperation.MAXIMUM,
    "Minimum": CombineOperation.MINIMUM,
}


def merge(context: Context, node: Node) -> Signal:
    """Add, Subtract, Multiply, Maximum, Minimum: more than two inputs become a chain."""
    return chain(context, node.name, _OPERATIONS[node.kind], _sources(context, node))


def chain(context: Context, name: str, operation: CombineOperation, sources: list[Signal]) -> Signal:
    """((a o b) o c) o ..., a layer each; the last one bears the name."""
    total, last = sources[0], name
    for number, source in enumerate(sources[1:], start=1):
        name = last if number == len(sources) - 1 else f"{last}_part{number}"
        b = context.builder
        b.begin_layer(name, "Merge", [total.layer, source.layer])
        value = b.combine(operation, total.value, source.value)
        b.end_layer(value, attributes={"operation": str(operation)})
        total = Signal(value, name)
    return total


def average(context: Context, node: Node) -> Signal:
    """Average of 2, 4, 8, ...: their sum, with the more fractional bits that make the division exact."""
    sources = _sources(context, node)
    places = len(sources).bit_length() - 1
    if len(sources) != 1 << places:
        raise refuse(
            node,
            "inputs",
            len(sources),
            "an average is exact in fixed point only of as many inputs as a power of two",
            "Add them, and let the next layer's weights divide",
        )
    if places > 1:
        total_of_all = chain(context, f"{node.name}_sum", CombineOperation.ADD, sources)
        return scale_and_offset(context, node.name, total_of_all, Weights(np.array(1, np.int64), places), None)
    b = context.builder
    b.begin_layer(node.name, "Merge", [s.layer for s in sources])
    total = b.combine(CombineOperation.ADD, sources[0].value, sources[1].value)
    value = context.scaled(total, 1, 1)
    b.end_layer(value, attributes={"operation": "average"})
    return Signal(value, node.name)


def _sources(context: Context, node: Node) -> list[Signal]:
    sources = context.sources(node)
    if len(sources) < 2:
        if is_function(node):
            raise constants(node)
        raise refuse(node, "inputs", len(sources), "two inputs expected", "Check the network")
    ranks = {len(context.shape_of(s)) for s in sources}
    if len(ranks) > 1 and "layers" not in type(node.operation).__module__.split("."):
        # a layer repeats along axes behind the events', a function of keras.ops also along that one
        shapes = [context.shape_of(s) for s in sources]
        raise refuse(node, "shapes", shapes, "joins events", "Use the layer of this name, or reshape before it")
    return sources


LOWERINGS = {**dict.fromkeys(_OPERATIONS, merge), "Average": average}
