"""The type in which real numbers enter: given, or that of the quantizer which the network applies first."""

from __future__ import annotations

from firmware_flows.errors import LoweringError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.context import Context, Signal
from firmware_flows.lowering.graph import Graph, Node
from firmware_flows.lowering.quantizers import activation_type

_SHAPE_ONLY = (
    *("Flatten", "Reshape", "Permute", "RepeatVector", "Concatenate", "Identity", "ActivityRegularization"),
    *("Dropout", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("GaussianNoise", "GaussianDropout"),
)
_CASTING = ("quantized_bits", "quantized_linear", "quantized_relu")


def lower_input(context: Context, node: Node, given: FixedPoint | None) -> None:
    """Add the Input of one port. The input quantizer's rounding becomes the Input's: real numbers round once."""
    t, name = given, node.name
    first = _first_quantizers(context.graph, node)
    if t is None:
        types = {activation_type(n.name, "activation", n.operation.activation) for n in first or []}
        if not first or len(types) != 1:
            found = ", ".join(sorted(map(str, types))) or "none"
            raise LoweringError(
                node.name,
                "input type",
                found,
                "real numbers must enter through one quantizer, so that they are rounded once and as firmware does",
                "Put a QActivation right behind the input, or give input_type='ap_fixed<16,6,RND,SAT>' "
                "(--input-type; input_type: in a recipe)",
            )
        t = types.pop()
        # a layer bears the name of the Keras layer with the same output, which is the quantizer's
        direct = [n for n in first or [] if n.inputs == (node.output,)]
        name = direct[0].name if direct else node.name
    b = context.builder
    b.begin_layer(name, "Input")
    value = b.input(node.name, node.shape, t)
    b.end_layer(
        value,
        attributes={"shape": list(node.shape), "from_quantizer": given is None},
        exact_in_keras=name != node.name,
    )
    context.signals[node.output] = Signal(value, name)


def _first_quantizers(graph: Graph, node: Node) -> list[Node] | None:
    """The quantizers that every path from the input meets first, through layers that only move elements."""
    found: list[Node] = []
    waiting = [node.output]
    while waiting:
        tensor = waiting.pop()
        for reader in graph.readers(tensor):
            if reader.kind in _SHAPE_ONLY:
                waiting.append(reader.output)
            elif reader.kind == "QActivation" and type(reader.operation.activation).__name__ in _CASTING:
                found.append(reader)
            else:
                return None
    return found
