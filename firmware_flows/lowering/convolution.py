"""Convolutions: windows picked out of the input (im2col), times a matrix.

Kinds of Program layer that these lowerings make. `padding` is one [before, after] an axis of positions; `kernel`,
`strides`, `dilation` have one entry an axis. The accumulator's type is that of the result, which is exact.

| kind | attributes | arrays | types |
|---|---|---|---|
| `Conv1D`, `Conv2D` | kernel, strides, dilation, padding, n_in (channels), n_out (filters) | weight (*kernel, n_in, n_out), bias | weight, bias, accum, result |
| `DepthwiseConv1D`, `DepthwiseConv2D` | the same, with n_out = n_in * multiplier | weight (*kernel, n_in, multiplier), bias | the same |

Each is Rearrange (0 for what is outside), then one exact Affine; a depthwise kernel and a kernel in groups enter it as
a matrix with zeros. That costs zeros in the product, yet for the channel numbers of trigger networks it is faster than
products and sums element by element. A separable convolution is a depthwise one, `<name>_depthwise`, and a pointwise
one. A Conv1D of kernel 1 and stride 1 is a `Dense` layer at every position. QKeras' layers with a batch normalization
inside are the same with folded weights (`trained`).
"""  # noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.dense import pointwise
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import Weights
from firmware_flows.lowering.trained import has_bias, trained_weights
from firmware_flows.lowering.windows import Windows, windows


def conv(context: Context, node: Node) -> Signal:
    """Conv1D, Conv2D and their quantized forms."""
    layer = node.operation
    if layer.padding == "causal" and node.kind.startswith("Q"):
        raise refuse(
            node,
            "padding",
            "causal",
            "QKeras' call of the layer fails with it under Keras 3",
            "Put ZeroPadding1D((dilation_rate * (kernel_size - 1), 0)) before the layer, with padding='valid'",
        )
    ones = [layer.kernel_size, layer.strides, layer.dilation_rate, (layer.groups,)]
    if len(layer.kernel_size) == 1 and all(v == 1 for values in ones for v in values):
        return pointwise(context, node)
    kernel = _weights(node, "kernel", "kernel_quantizer_internal")
    mask = getattr(layer, "_mask", None)
    if mask is not None and not node.kind.endswith("Batchnorm"):  # where QKeras forgets it
        bits = np.asarray(mask, dtype=np.float64)
        if not np.isin(bits, (0, 1)).all():
            raise refuse(node, "mask", "other than 0 and 1", "a mask picks weights", "Use a mask of zeros and ones")
        kernel = Weights(kernel.mantissas * bits.astype(np.int64), kernel.fractional)
    w = _windows(context, node)
    filters = int(layer.filters)
    source = context.source(node)
    channels = context.shape_of(source)[-1]
    grouped = Weights(_ungrouped(kernel.mantissas, channels, int(layer.groups)), kernel.fractional)
    name, plain = _name(node)
    rank = len(layer.kernel_size)
    signal = _affine(context, name, f"Conv{rank}D", source, w, grouped, grouped, _bias(node, filters))
    return signal if plain else apply(context, node, "activation", layer.activation, signal)


def depthwise(context: Context, node: Node) -> Signal:
    """DepthwiseConv1D, DepthwiseConv2D and their quantized forms: every channel has kernels of its own."""
    name, plain = _name(node)
    signal = _depthwise(context, node, name, with_bias=True)
    return signal if plain else apply(context, node, "activation", node.operation.activation, signal)


def separable(context: Context, node: Node) -> Signal:
    """SeparableConv1D, SeparableConv2D and their quantized forms; nothing is rounded between the two steps."""
    layer = node.operation
    between = _depthwise(context, node, f"{node.name}_depthwise", with_bias=False)
    kernel = _weights(node, "pointwise", "pointwise_quantizer_internal")
    name, plain = _name(node)
    ones = (1,) * len(layer.kernel_size)
    w = Windows(context.shape_of(between)[:-1], ones, ones, ones, ((0, 0),) * len(ones))
    bias = _bias(node, int(layer.filters))
    signal = _affine(context, name, f"Conv{len(ones)}D", between, w, kernel, kernel, bias)
    return signal if plain else apply(context, node, "activation", layer.activation, signal)


def _depthwise(context: Context, node: Node, name: str, *, with_bias: bool) -> Signal:
    layer, source = node.operation, context.source(node)
    own = _weights(node, "depthwise", "depthwise_quantizer_internal")
    channels, multiplier = own.mantissas.shape[-2:]
    full = np.zeros((*own.mantissas.shape[:-2], channels, channels * multiplier), np.int64)
    for c in range(channels):  # the results of channel c are c * multiplier and the following
        full[..., c, c * multiplier : (c + 1) * multiplier] = own.mantissas[..., c, :]
    bias = _bias(node, channels * multiplier) if with_bias else Weights(np.zeros(channels * multiplier, np.int64), 0)
    kind = f"DepthwiseConv{len(layer.kernel_size)}D"
    return _affine(context, name, kind, source, _windows(context, node), Weights(full, own.fractional), own, bias)


def _affine(
    context: Context,
    name: str,
    kind: str,
    source: Signal,
    w: Windows,
    full: Weights,
    kernel: Weights,
    bias: Weights,
) -> Signal:
    """The layer: `full` is the kernel as one matrix (*kernel, channels, results), `kernel` what the layer keeps."""
    b = context.builder
    n_in, n_out = full.mantissas.shape[-2:]
    b.begin_layer(name, kind, [source.layer])
    picked = w.indices(n_in)
    value = b.rearrange([source.value], picked.reshape(*w.results, -1))
    value = b.affine(value, full.mantissas.reshape(-1, n_out), full.fractional, bias.mantissas, bias.fractional)
    b.end_layer(
        value,
        types={"weight": kernel.type, "bias": bias.type, "accum": b.type_of(value)},
        attributes={
            "kernel": [*w.kernel],
            "strides": [*w.strides],
            "dilation": [*w.dilation],
            "padding": [[*pair] for pair in w.padding],
            "n_in": n_in,
            "n_out": n_out,
        },
        arrays={"weight": kernel.mantissas, "bias": bias.mantissas},
    )
    return Signal(value, name)


def _windows(context: Context, node: Node) -> Windows:
    layer = node.operation
    if layer.data_format != "channels_last":
        raise refuse(node, "data_format", layer.data_format, "channels must be the last axis", "Use channels_last")
    positions = context.shape_of(context.source(node))[:-1]
    w = windows(positions, layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding)
    if w.results != node.shape[:-1]:  # Keras and this file would disagree
        raise refuse(node, "shape", node.shape, f"windows {w.results} expected", "Please report this network")
    return w


def _ungrouped(kernel: Any, channels: int, groups: int) -> Any:
    """A kernel in groups as one over all channels: zero where a filter does not see a channel."""
    if groups == 1:
        return kernel
    seen, filters = channels // groups, kernel.shape[-1] // groups
    full = np.zeros((*kernel.shape[:-2], channels, kernel.shape[-1]), np.int64)
    for g in range(groups):
        mine = slice(g * filters, (g + 1) * filters)
        full[..., g * seen : (g + 1) * seen, mine] = kernel[..., mine]
    return full


def _weights(node: Node, field: str, quantizer: str) -> Weights:
    return trained_weights(node, field, getattr(node.operation, quantizer, None))


def _bias(node: Node, n_out: int) -> Weights:
    if not has_bias(node):
        return Weights(np.zeros(n_out, np.int64), 0)
    return _weights(node, "bias", "bias_quantizer_internal")


def _name(node: Node) -> tuple[str, bool]:
    """Name of the linear part, and whether there is no activation behind it."""
    activation = node.operation.activation
    plain = activation is None or getattr(activation, "__name__", "") == "linear"
    return (node.name if plain else f"{node.name}_linear"), plain


_NAMES = {"Conv{}D": conv, "DepthwiseConv{}D": depthwise, "SeparableConv{}D": separable}

LOWERINGS = {
    prefix + name.format(rank): lowering for name, lowering in _NAMES.items() for rank in (1, 2) for prefix in ("", "Q")
} | {"QConv2DBatchnorm": conv, "QDepthwiseConv2DBatchnorm": depthwise}
