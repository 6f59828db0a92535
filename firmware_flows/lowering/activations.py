"""Activations: QKeras quantizers, ReLU, softmax at the end, and what is the identity in firmware."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering import rectifiers, steps, tables
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import Weights, activation_type, describe, refuse_inexact, setting
from firmware_flows.lowering.softmax import softmax

ONE = Weights(np.array(1, np.int64), 0)
HALF = Weights(np.array(1, np.int64), 1)


def apply(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    """The activation of a layer, given as a function, a quantizer object or a QActivation's content."""
    name = activation if isinstance(activation, str) else _name(activation)
    if name in _ACTIVATIONS:
        return _ACTIVATIONS[name](context, node, field, activation, source)
    if hasattr(activation, "_flatten_layers"):
        text = "a layer given as an activation"
        raise refuse(node, field, name, text, "Put it behind the layer, as a layer of its own")
    known = f"of the functions {', '.join(n for n in _ACTIVATIONS if not n.startswith('quantized'))}"
    raise refuse(
        node,
        field,
        describe(activation),
        _NEVER.get(name, "unknown activation"),
        f"Use quantized_bits or quantized_relu, or one {known}",
    )


def _name(activation: Any) -> str:
    return str(getattr(activation, "__name__", None) or type(activation).__name__)


_NEVER = {
    "quantized_ulaw": "its values lie on no fixed-point grid",
    **dict.fromkeys(("bernoulli", "stochastic_binary", "stochastic_ternary"), "random values have no bit-exact form"),
    **dict.fromkeys(
        ("gelu", "silu", "swish", "mish", "log_sigmoid", "hard_silu", "hard_swish", "quantized_hswish"),
        "hls4ml's C++ has no such function, so there is no hardware definition of it",
    ),
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
    if places > t.width - 1:  # QKeras ends the negative side at -slope * 2**integer, which would be off the grid
        raise refuse(
            node,
            f"{field}.negative_slope",
            slope,
            f"negative values would be finer than the {t.width} bits allow",
            f"Use a slope of at least 2**-{t.width - 1}, or more bits",
        )
    have = context.type_of(source)
    wide = FixedPoint(t.integer + max(have.fractional, t.fractional), t.integer, True, Rounding.TRN, Overflow.SAT)
    limited = context.quantize(f"{node.name}_limit", source, wide)
    return rectifiers.leaky(context, node.name, limited, Weights(np.array(1, np.int64), places), t)


def _hard_mode(node: Node, field: str) -> None:
    """QKeras' sigmoid and tanh are piecewise linear unless asked otherwise, per quantizer or globally."""
    from qkeras import quantizers

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
    t = activation_type(node.name, field, q)
    if setting(q, "use_real_tanh", False):
        return tables.table(context, node.name, "tanh", source, t)
    _hard_mode(node, field)
    return context.quantize(node.name, source, t)


def _quantized_sigmoid(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    if setting(q, "symmetric", False):
        raise refuse(node, f"{field}.symmetric", True, "no fixed-point type starts above zero", "symmetric=False")
    t = activation_type(node.name, field, q)
    if setting(q, "use_real_sigmoid", False):
        return tables.table(context, node.name, "sigmoid", source, t)
    _hard_mode(node, field)
    return rectifiers.hard_sigmoid(context, node.name, source, HALF, t)


def _table_quantizer(context: Context, node: Node, field: str, q: Any, source: Signal) -> Signal:
    """Quantizers whose values lie on no single grid of a few bits: a table of all of them."""
    refuse_inexact(node.name, field, q)
    return tables.quantizer_table(context, node.name, field, q, source, describe(q))


# ---- functions


def _linear(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    return source


def _relu(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    return context.relu(node.name, source, None)


def _relu6(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    return rectifiers.rectifier(context, node, source, maximum=6.0)


def _leaky(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    slope = inspect.signature(activation).parameters["negative_slope"].default
    return rectifiers.rectifier(context, node, source, slope=slope)


def _hard_tanh(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    """Keras' and QKeras' agree: x limited to [-1, 1]."""
    return rectifiers.hard_tanh(context, node.name, source)


def _hard_sigmoid(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    if str(getattr(activation, "__module__", "")).startswith("qkeras"):
        return rectifiers.hard_sigmoid(context, node.name, source, HALF)
    return rectifiers.hard_sigmoid(context, node.name, source, rectifiers.SIXTH, remark=rectifiers.SIXTH_REMARK)


def _table_function(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    return tables.table(context, node.name, _name(activation), source)


def _elu(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    return tables.table_below_zero(context, node.name, _name(activation), source, ONE)


_ACTIVATIONS: dict[str, Callable[[Context, Node, str, Any, Signal], Signal]] = {
    "quantized_bits": _quantized_bits,
    "quantized_linear": _quantized_bits,
    "quantized_relu": _quantized_relu,
    "quantized_tanh": _quantized_tanh,
    "quantized_sigmoid": _quantized_sigmoid,
    "quantized_po2": _table_quantizer,
    "quantized_relu_po2": _table_quantizer,
    "binary": steps.binary,
    "ternary": steps.ternary,
    "linear": _linear,
    "relu": _relu,
    "relu6": _relu6,
    "leaky_relu": _leaky,
    "hard_tanh": _hard_tanh,
    "hard_sigmoid": _hard_sigmoid,
    **dict.fromkeys(tables.FUNCTIONS, _table_function),
    **dict.fromkeys(tables.BELOW_ZERO, _elu),
    "softmax": softmax,
}


# ---- layers


def _activation_layer(context: Context, node: Node) -> Signal:
    return apply(context, node, "activation", node.operation.activation, context.source(node))


def _relu_layer(context: Context, node: Node) -> Signal:
    layer = node.operation
    slope = getattr(layer, "negative_slope", 0.0) or 0.0
    return rectifiers.rectifier(
        context,
        node,
        context.source(node),
        getattr(layer, "max_value", None),
        slope,
        getattr(layer, "threshold", 0.0) or 0.0,
    )


def _elu_layer(context: Context, node: Node) -> Signal:
    alpha = rectifiers.number(node, "alpha", node.operation.alpha)
    return tables.table_below_zero(context, node.name, "elu", context.source(node), alpha)


def _softmax_layer(context: Context, node: Node) -> Signal:
    return softmax(context, node, "activation", "softmax", context.source(node))


def _identity(context: Context, node: Node) -> Signal:
    return context.source(node)


LOWERINGS = {
    "QActivation": _activation_layer,
    "Activation": _activation_layer,
    "ReLU": _relu_layer,
    "LeakyReLU": _relu_layer,
    "PReLU": rectifiers.prelu,
    "ELU": _elu_layer,
    "Softmax": _softmax_layer,
    # active in training only
    "Dropout": _identity,
    "SpatialDropout1D": _identity,
    "SpatialDropout2D": _identity,
    "AlphaDropout": _identity,
    "GaussianNoise": _identity,
    "GaussianDropout": _identity,
    "ActivityRegularization": _identity,
    "Identity": _identity,
}
