"""Activations: QKeras quantizers, ReLU, softmax at the end, and what is the identity in firmware."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_flows.errors import nearest
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import activation_type, describe, setting
from firmware_flows.program import CombineOperation

SOFTMAX_REMARK = (
    "softmax is dropped from firmware: the logits come out, and the class is the index of the largest (the first on "
    "ties). Softmax keeps the order of its inputs, so no decision changes"
)


def apply(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    """The activation of a layer, given as a function, a quantizer object or a QActivation's content."""
    name = activation if isinstance(activation, str) else _name(activation)
    if name in _QUANTIZERS:
        return _QUANTIZERS[name](context, node, field, activation, source)
    if name in _FUNCTIONS:
        return _FUNCTIONS[name](context, node, source)
    valid = [*_QUANTIZERS, *_FUNCTIONS]
    raise refuse(
        node,
        field,
        describe(activation),
        "this activation is not converted yet" if name in _LATER else "unknown activation",
        f"Use quantized_bits or quantized_relu; {nearest(name, valid)}",
    )


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", None) or type(activation).__name__)


_LATER = {
    *("sigmoid", "tanh", "softplus", "elu", "selu", "exponential", "softsign", "hard_tanh", "hard_sigmoid", "gelu"),
    *("silu", "swish", "binary", "ternary", "stochastic_binary", "stochastic_ternary", "quantized_po2"),
    *("quantized_relu_po2", "quantized_ulaw", "quantized_hswish", "bernoulli"),
}
# ---- quantizers


def _quantized_bits(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    return context.quantize(node.name, source, activation_type(node.name, field, q))


def _quantized_relu(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    if setting(q, "use_sigmoid", 0):
        raise refuse(node, f"{field}.use_sigmoid", 1, "a sigmoid inside the ReLU is not converted", "Set use_sigmoid=0")
    bound = setting(q, "relu_upper_bound", None)
    if bound and not setting(q, "is_quantized_clip", True):
        raise refuse(
            node,
            f"{field}.relu_upper_bound",
            bound,
            "a limit besides the type's own is not converted",
            "Choose integer bits that limit, and leave relu_upper_bound out",
        )
    if setting(q, "negative_slope", 0.0):
        return _leaky_relu(context, node, field, q, source)
    return context.relu(node.name, source, activation_type(node.name, field, q))


def _leaky_relu(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    """QKeras limits the negative side at -slope * 2**integer: the same as limiting the input at -2**integer."""
    t = activation_type(node.name, field, q)
    slope = float(setting(q, "negative_slope", 0.0))
    places = -round(math.log2(slope))
    if 2.0**-places != slope or places < 0:
        raise refuse(node, f"{field}.negative_slope", slope, "the slope is no power of two up to 1", "Use 2**-n")
    have = context.type_of(source)
    wide = FixedPoint(t.integer + max(have.fractional, t.fractional), t.integer, True, Rounding.TRN, Overflow.SAT)
    limited = context.quantize(f"{node.name}_limit", source, wide)
    b = context.builder
    b.begin_layer(node.name, "LeakyRelu", [limited.layer])
    ones = (1,) * len(context.shape_of(source))
    zero = b.constant(np.zeros(ones, np.int64), 0)
    above = b.combine(CombineOperation.MAXIMUM, limited.value, zero)
    below = context.scaled(b.combine(CombineOperation.MINIMUM, limited.value, zero), 1, places)
    value = b.cast(b.combine(CombineOperation.ADD, above, below), t)
    b.end_layer(
        value,
        types={"slope": FixedPoint.holding(0, 1, places)},
        attributes={"slope": slope},
        arrays={"slope": np.array(1, dtype=np.int64)},
    )
    return Signal(value, node.name)


def _hard_mode(node: Node, field: str, q: Any, real: str) -> None:
    """QKeras' sigmoid and tanh are piecewise linear unless asked otherwise, per quantizer or globally."""
    from qkeras import quantizers

    if setting(q, real, False):
        raise refuse(
            node,
            f"{field}.{real}",
            True,
            "the real function needs a table, which is not converted yet",
            f"{real}=False",
        )
    mode = getattr(quantizers._sigmoid, "__name__", "?")
    if mode != "hard_sigmoid":
        raise refuse(
            node,
            field,
            f"qkeras internal sigmoid = {mode}",
            "only the hard sigmoid is exact",
            "Call qkeras.set_internal_sigmoid('hard')",
        )


def _quantized_tanh(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    """2 * hard_sigmoid(x) - 1 is x limited to [-1, 1], so a saturating cast is all of it."""
    _hard_mode(node, field, q, "use_real_tanh")
    return context.quantize(node.name, source, activation_type(node.name, field, q))


def _quantized_sigmoid(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    _hard_mode(node, field, q, "use_real_sigmoid")
    if setting(q, "symmetric", False):
        raise refuse(node, f"{field}.symmetric", True, "no fixed-point type starts above zero", "symmetric=False")
    t = activation_type(node.name, field, q)
    b = context.builder
    b.begin_layer(node.name, "HardSigmoid", [source.layer])
    half = b.constant(np.full((1,) * len(context.shape_of(source)), 1, np.int64), 1)
    value = b.combine(CombineOperation.ADD, context.scaled(source.value, 1, 1), half)
    value = b.cast(value, t)
    half_type = FixedPoint.holding(0, 1, 1)
    b.end_layer(value, types={"slope": half_type, "shift": half_type}, attributes={"slope": 0.5, "shift": 0.5})
    return Signal(value, node.name)


_QUANTIZERS = {
    "quantized_bits": _quantized_bits,
    "quantized_linear": _quantized_bits,
    "quantized_relu": _quantized_relu,
    "quantized_tanh": _quantized_tanh,
    "quantized_sigmoid": _quantized_sigmoid,
}


# ---- functions


def _linear(context: Context, node: Node, source: Signal) -> Signal:
    return source


def _relu(context: Context, node: Node, source: Signal) -> Signal:
    return context.relu(node.name, source, None)


def _softmax(context: Context, node: Node, source: Signal) -> Signal:
    if context.graph.readers(node.output):
        raise refuse(
            node, "activation", "softmax", "is followed by other layers, so it cannot be dropped", "Put softmax last"
        )
    if len(context.shape_of(source)) != 1:
        raise refuse(node, "shape", context.shape_of(source), "softmax of a vector only", "Flatten before it")
    b = context.builder
    b.begin_layer(node.name, "Argmax", [source.layer])
    value = b.argmax(source.value)
    b.end_layer(value, remarks=[SOFTMAX_REMARK], exact_in_keras=False)
    return source


_FUNCTIONS = {"linear": _linear, "relu": _relu, "softmax": _softmax}


# ---- layers


def _activation_layer(context: Context, node: Node) -> Signal:
    return apply(context, node, "activation", node.operation.activation, context.source(node))


def _relu_layer(context: Context, node: Node) -> Signal:
    layer = node.operation
    for field, value in (("max_value", layer.max_value), ("threshold", layer.threshold)):
        if value:
            raise refuse(node, field, value, "is not converted yet", f"Leave {field} out; a quantized_relu limits")
    if layer.negative_slope:
        raise refuse(
            node,
            "negative_slope",
            layer.negative_slope,
            "is not converted yet",
            "Use quantized_relu with negative_slope, a power of two",
        )
    return context.relu(node.name, context.source(node), None)


def _softmax_layer(context: Context, node: Node) -> Signal:
    return _softmax(context, node, context.source(node))


def _identity(context: Context, node: Node) -> Signal:
    return context.source(node)


LOWERINGS = {
    "QActivation": _activation_layer,
    "Activation": _activation_layer,
    "ReLU": _relu_layer,
    "Softmax": _softmax_layer,
    # active in training only
    "Dropout": _identity,
    "SpatialDropout1D": _identity,
    "GaussianNoise": _identity,
    "GaussianDropout": _identity,
    "ActivityRegularization": _identity,
    "Identity": _identity,
}
