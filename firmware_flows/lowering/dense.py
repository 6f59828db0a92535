"""Dense layers: last axis times a matrix; QConv1D of kernel size 1 is the same."""

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, quantized_weights
from firmware_flows.lowering.trained import trained_weights


def dense(context: Context, node: Node) -> Signal:
    """Dense and QDense."""
    layer = node.operation
    if getattr(layer, "lora_enabled", False):
        raise refuse(node, "lora", True, "low-rank updates are not converted", "Merge them into the kernel")
    return _affine(context, node, np.asarray(layer.kernel))


def pointwise(context: Context, node: Node) -> Signal:
    """Conv1D and QConv1D of kernel size 1 and stride 1, which `convolution` passes on."""
    layer = node.operation
    if layer.data_format != "channels_last":
        raise refuse(node, "data_format", layer.data_format, "channels must be the last axis", "Use channels_last")
    return _affine(context, node, np.asarray(layer.kernel)[0])


def dense_batchnorm(context: Context, node: Node) -> Signal:
    """QDenseBatchnorm."""
    layer = node.operation
    weights = trained_weights(node, "kernel", layer.kernel_quantizer_internal)
    bias = trained_weights(node, "bias", layer.bias_quantizer_internal)
    return _with_activation(context, node, weights, bias)


def _affine(context: Context, node: Node, kernel: Any) -> Signal:
    layer = node.operation
    weights = quantized_weights(node.name, "kernel", kernel, getattr(layer, "kernel_quantizer_internal", None))
    bias = Weights(np.zeros(kernel.shape[1], np.int64), 0)
    if layer.use_bias:
        bias = quantized_weights(node.name, "bias", layer.bias, getattr(layer, "bias_quantizer_internal", None))
    for field, w in (("kernel", weights), ("bias", bias)):
        if w.mantissas.dtype == object:
            raise refuse(node, field, f"{w.type.width} bits", "weights are too wide", f"Use at most {GRID_BITS} bits")
    return _with_activation(context, node, weights, bias)


def _with_activation(context: Context, node: Node, weights: Weights, bias: Weights) -> Signal:
    activation = node.operation.activation
    plain = activation is None or getattr(activation, "__name__", "") == "linear"
    name = node.name if plain else f"{node.name}_linear"
    signal = affine(context, name, context.source(node), weights, bias)
    return signal if plain else apply(context, node, "activation", activation, signal)


def affine(context: Context, name: str, source: Signal, weights: Weights, bias: Weights) -> Signal:
    """A Dense layer of that name: the last axis times weights (n_in, n_out), plus a bias (n_out,); exact."""
    b = context.builder
    b.begin_layer(name, "Dense", [source.layer])
    value = b.affine(source.value, weights.mantissas, weights.fractional, bias.mantissas, bias.fractional)
    n_in, n_out = weights.mantissas.shape
    b.end_layer(
        value,
        types={"weight": weights.type, "bias": bias.type, "accum": b.type_of(value)},
        attributes={
            "positions": int(np.prod(context.shape_of(source)[:-1], dtype=np.int64)),
            "n_in": int(n_in),
            "n_out": int(n_out),
        },
        arrays={"weight": weights.mantissas, "bias": bias.mantissas},
    )
    return Signal(value, name)


LOWERINGS = {"Dense": dense, "QDense": dense, "QDenseBatchnorm": dense_batchnorm}
