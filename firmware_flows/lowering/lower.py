"""From a Keras network to a Program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from firmware_flows.builder import Builder, LayerNameError
from firmware_flows.errors import LoweringError, nearest
from firmware_flows.execution_plan import CarrierError, Plan
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.context import FEWER, TOO_WIDE, Context
from firmware_flows.lowering.graph import Node, read
from firmware_flows.lowering.inputs import lower_input
from firmware_flows.lowering.refused import check_known, unconverted
from firmware_flows.lowering.softmax import CHOICES
from firmware_flows.lowering.table import LOWERINGS
from firmware_flows.program import Program, ProgramError


def lower(
    keras_model: Any,
    input_type: FixedPoint | str | Mapping[str, FixedPoint | str] | None = None,
    metadata: Mapping[str, Any] | None = None,
    softmax: str = "logits",
) -> Program:
    """The exact integer Program of a quantized Keras network.

    keras_model: functional or built sequential. input_type: the type in which real numbers enter, for all inputs or
    by input name; by default that of the quantizer behind the input. metadata: JSON values kept with the Program.
    softmax: "logits" drops a softmax at the end and leaves its inputs; "stable", "latency" and "argmax" keep every
    softmax as hls4ml's C++ of that name.
    Raises LoweringError, which names layer, field, value and remedy, for whatever cannot be converted exactly.
    """
    graph = read(keras_model)
    if softmax not in CHOICES:
        remedy = _sentence(nearest(str(softmax), CHOICES))
        raise LoweringError(graph.name, "softmax", softmax, "no such form of softmax", remedy)
    context = Context(graph, Builder(graph.name), softmax=softmax)
    given = _input_types(input_type, [n.name for n in graph.inputs], graph.name)
    for node in graph.inputs:
        lower_input(context, node, given.get(node.name))
    check_known(graph.nodes)
    names = {n.name for n in graph.nodes}
    for node in graph.nodes:
        first = len(context.builder.layers)
        try:
            context.signals[node.output] = _lowering(node)(context, node)
            for layer in context.builder.layers[first:]:
                if layer.name != node.name and layer.name in names:  # of one that may add no layer, such as a dropout
                    raise _name_taken(layer.name, layer.name)
        except LayerNameError as error:
            raise _name_taken(node.name, error.name) from None
        except ProgramError as error:
            raise LoweringError(
                node.name, "bits", "too many", str(error), "Use fewer bits for the weights and inputs of this layer"
            ) from None
    outputs = _outputs(context)
    program = context.builder.build(outputs, metadata)
    try:
        Plan(program)
    except CarrierError as error:
        raise LoweringError(error.layer, "bits", error.bits, TOO_WIDE, FEWER) from None
    return program


def _name_taken(layer: str, name: str) -> LoweringError:
    return LoweringError(layer, "name", name, "another layer's steps bear this name", "Rename the Keras layer")


def _outputs(context: Context) -> dict[str, int]:
    """A port for every output of the network, in its order, also where several are one value: named like its layer,
    the next ones like the Keras layer (which may have changed nothing), or numbered.
    """
    layers = {layer.name for layer in context.builder.layers}
    outputs: dict[str, int] = {}
    for name, tensor in context.graph.outputs:
        signal = context.signals[tensor]
        key, number = signal.layer if signal.layer not in outputs else name, 1
        while key in outputs or (number > 1 and key in layers):
            number += 1
            key = f"{name}_{number}"
        outputs[key] = signal.value
    return outputs


def _lowering(node: Node) -> Any:
    if node.kind in LOWERINGS:
        return LOWERINGS[node.kind]
    raise unconverted(node, LOWERINGS)


def _input_types(
    given: FixedPoint | str | Mapping[str, FixedPoint | str] | None, names: list[str], network: str
) -> dict[str, FixedPoint]:
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {name: FixedPoint.parse(given) for name in names}
    for name in given:
        if name not in names:
            raise LoweringError(
                network, "input_type", name, "the network has no such input", _sentence(nearest(name, names))
            )
    return {name: FixedPoint.parse(t) for name, t in given.items()}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
