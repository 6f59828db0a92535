"""Elementwise operations on several inputs."""

from __future__ import annotations

from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
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
    sources = _same_shape(context, node)
    operation = _OPERATIONS[node.kind]
    total = sources[0]
    for number, source in enumerate(sources[1:], start=1):
        name = node.name if number == len(sources) - 1 else f"{node.name}_part{number}"
        b = context.builder
        b.begin_layer(name, "Merge", [total.layer, source.layer])
        value = b.combine(operation, total.value, source.value)
        b.end_layer(value, attributes={"operation": str(operation)})
        total = Signal(value, name)
    return total


def average(context: Context, node: Node) -> Signal:
    """Average of two: half their sum, with the one more fractional bit that makes it exact."""
    sources = _same_shape(context, node)
    if len(sources) != 2:
        raise refuse(
            node,
            "inputs",
            len(sources),
            "an average of other than two inputs is not exact in fixed point",
            "Add them, and let the next layer's weights divide",
        )
    b = context.builder
    b.begin_layer(node.name, "Merge", [s.layer for s in sources])
    total = b.combine(CombineOperation.ADD, sources[0].value, sources[1].value)
    value = context.scaled(total, 1, 1)
    b.end_layer(value, attributes={"operation": "average"})
    return Signal(value, node.name)


def _same_shape(context: Context, node: Node) -> list[Signal]:
    sources = context.sources(node)
    if len(sources) < 2:
        raise refuse(node, "inputs", len(sources), "two inputs expected", "Check the network")
    shapes = {context.shape_of(s) for s in sources}
    if len(shapes) != 1:
        raise refuse(
            node, "inputs", sorted(shapes), "inputs of different shapes", "Reshape or repeat them to one shape first"
        )
    return sources


LOWERINGS = {**dict.fromkeys(_OPERATIONS, merge), "Average": average}
