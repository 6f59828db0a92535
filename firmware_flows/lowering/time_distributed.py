"""TimeDistributed: a layer at every time step.

What acts on the last axis or on every element alone takes the whole sequence at once, time being one more position.
Any other layer is written out once a time step, with the same weights.
"""

from __future__ import annotations

from dataclasses import replace

from firmware_flows.errors import LoweringError
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node, kind_of
from firmware_flows.lowering.recurrent import masked
from firmware_flows.lowering.refused import REFUSED, advice
from firmware_flows.lowering.time_steps import put_together, take_apart

AT_ONCE = (
    *("Dense", "QDense", "BatchNormalization", "QBatchNormalization", "Flatten", "Reshape"),
    *("Activation", "QActivation", "ReLU", "LeakyReLU", "PReLU", "ELU"),
    *("Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "ActivityRegularization", "Identity"),
)
"""Layers that take a sequence as they are: of elements, of the last axis, or of the order of elements."""


def time_distributed(context: Context, node: Node) -> Signal:
    """TimeDistributed around any layer that is converted by itself."""
    from firmware_flows.lowering.table import LOWERINGS

    inner = node.operation.layer
    kind = kind_of(inner)
    if kind not in LOWERINGS:
        remedy = REFUSED[kind][1] if kind in REFUSED else advice(kind, LOWERINGS)
        if hasattr(inner, "layers"):
            remedy = "Put each of its layers into a TimeDistributed of its own"
        raise refuse(node, "layer", kind, "this layer is not converted", remedy)
    if masked(node) and getattr(inner, "_call_has_mask_arg", False):
        raise refuse(node, "mask", "given", "every time step counts in firmware", "Use no masking layer before it")
    inside = replace(node, kind=kind, operation=inner)
    lowering = LOWERINGS[kind]
    if kind in AT_ONCE:
        return lowering(context, inside)
    steps = take_apart(context, node.name, context.source(node))
    results: list[Signal] = []
    try:
        for number, step in enumerate(steps):
            tensor = -1 - len(context.signals)  # Keras' are identities of objects, which are positive
            context.signals[tensor] = step
            results.append(
                lowering(
                    context,
                    replace(
                        inside, name=f"{node.name}_t{number}", inputs=(tensor,), output=tensor, shape=node.shape[1:]
                    ),
                )
            )
    except LoweringError as error:  # the user knows the layer, not its steps
        raise LoweringError(node.name, error.field, error.value, error.reason, error.remedy) from None
    return put_together(context, node.name, results)


LOWERINGS = {"TimeDistributed": time_distributed}
