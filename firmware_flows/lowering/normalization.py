"""Batch normalization: a scale and an offset per channel, folded into the layer before where that widens nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, describe, grid_weights, refuse_inexact, trimmed
from firmware_flows.program import Affine, CombineOperation, IntegerArray, Layer, Rearrange

Floats = npt.NDArray[np.float32]

AFFINE = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")

FOLDED = "folded into the weights and the bias of {layer!r}: its scale is a power of two in every channel"
SEPARATE = "a scale of type {scale} and an offset of type {offset} per channel, not folded: {reason}"

REMEDY = (
    "Fold it before quantization (quantization.quantize_after_training does), or use QBatchNormalization with an "
    "inverse_quantizer such as quantized_bits(8,2,alpha=1) and without gamma and variance quantizers"
)


def scale_and_offset(
    context: Context,
    name: str,
    source: Signal,
    scale: Weights,
    offset: Weights | None,
    t: FixedPoint | None = None,
    **more: Any,
) -> Signal:
    """A layer source * scale + offset, exact or cast to `t`; numbers are scalars or vectors over the last axis."""
    b = context.builder
    offset = offset or Weights(np.zeros_like(scale.mantissas), 0)
    b.begin_layer(name, "Scale", [source.layer])
    ones = (1,) * (len(context.shape_of(source)) - 1)
    value = b.combine(CombineOperation.MULTIPLY, source.value, _constant(context, scale, ones))
    if np.any(offset.mantissas):
        value = b.combine(CombineOperation.ADD, value, _constant(context, offset, ones))
    value = b.cast(value, t) if t is not None else value
    b.end_layer(
        value,
        types={"scale": scale.type, "offset": offset.type},
        arrays={"scale": scale.mantissas.reshape(-1), "offset": offset.mantissas.reshape(-1)},
        **more,
    )
    return Signal(value, name)


def _constant(context: Context, w: Weights, ones: tuple[int, ...]) -> int:
    return context.builder.constant(w.mantissas.reshape(*ones, -1), w.fractional)


def normalization(context: Context, node: Node) -> Signal:
    """BatchNormalization and QBatchNormalization with their moving statistics."""
    source, layer = context.source(node), node.operation
    rank = len(context.shape_of(source))
    axis = layer.axis[0] if isinstance(layer.axis, list | tuple) else layer.axis
    if axis not in (-1, rank):
        raise refuse(node, "axis", axis, "only the last axis is normalized in firmware", "Use axis=-1")
    factors = _quantized_numbers(node) if node.kind == "QBatchNormalization" else _numbers(node)
    scale, offset = (grid_weights(f) for f in factors)
    most = 2 * GRID_BITS if node.kind == "QBatchNormalization" else GRID_BITS  # of the offset, a sum of quantized terms
    for field, w, bits in (("scale", scale, GRID_BITS), ("offset", offset, most)):
        if w.mantissas.dtype == object or w.type.width > bits:
            what = "gamma / sqrt(variance + epsilon)" if field == "scale" else "beta - mean * scale"
            raise refuse(
                node,
                field,
                f"{w.type.width} bits",
                f"{what} is not on a fixed-point grid of {bits} bits or fewer",
                REMEDY,
            )
    before = _foldable(context, node, source, scale)
    if isinstance(before, Layer):
        return _folded(context, node, before, scale, offset)
    remark = SEPARATE.format(scale=scale.type, offset=offset.type, reason=before)
    return scale_and_offset(context, node.name, source, scale, offset, remarks=[remark])


def _numbers(node: Node) -> tuple[Floats, Floats]:
    """Scale and offset as Keras computes them, in float32."""
    import tensorflow as tf

    layer = node.operation
    if getattr(layer, "renorm", False):
        raise refuse(node, "renorm", True, "is not converted", "Set renorm=False")
    inverse = tf.math.rsqrt(tf.convert_to_tensor(layer.moving_variance) + layer.epsilon)
    if layer.scale:
        inverse = inverse * tf.convert_to_tensor(layer.gamma)
    offset = -tf.convert_to_tensor(layer.moving_mean) * inverse
    if layer.center:
        offset = tf.convert_to_tensor(layer.beta) + offset
    return np.asarray(inverse, np.float32), np.asarray(offset, np.float32)


def _quantized_numbers(node: Node) -> tuple[Floats, Floats]:
    """Scale and offset as QKeras computes them: its quantized parameters, in float32."""
    import keras

    layer = node.operation
    if layer.activation is not None:
        raise refuse(
            node, "activation", describe(layer.activation), "QKeras ignores it", "Put a QActivation behind the layer"
        )

    def quantized(name: str, parameter: Any) -> Any:
        quantizer = getattr(layer, f"{name}_quantizer_internal")
        if quantizer is None:
            return keras.ops.convert_to_tensor(parameter)
        refuse_inexact(node.name, f"{name}_quantizer", quantizer)
        return quantizer(keras.ops.convert_to_tensor(parameter))

    inverse = 1 / keras.ops.sqrt(quantized("variance", layer.moving_variance) + layer.epsilon)
    if layer.scale:
        inverse = inverse * quantized("gamma", layer.gamma)
    if layer.inverse_quantizer_internal is not None:
        refuse_inexact(node.name, "inverse_quantizer", layer.inverse_quantizer_internal)
        inverse = layer.inverse_quantizer_internal(inverse)
    product = quantized("mean", layer.moving_mean) * inverse
    offset = quantized("beta", layer.beta) - product if layer.center else -product
    return np.asarray(inverse, np.float32), np.asarray(offset, np.float32)


def _foldable(context: Context, node: Node, source: Signal, scale: Weights) -> Layer | str:
    """The dense layer to fold into, or why not: only the last layer added, read by nothing else, can be replaced."""
    layers = context.builder.layers
    mantissas = np.abs(scale.mantissas)
    if (mantissas & (mantissas - 1)).any():
        return "products of the weights and the scale would be wider than the weights"
    before = layers[-1]
    parts = tuple(type(context.builder.instructions[n]) for n in before.instructions)
    if before.name != source.layer or before.kind not in AFFINE or parts not in ((Affine,), (Rearrange, Affine)):
        return "there is no dense or convolution layer right before it"
    if _read_elsewhere(context, node, source):
        return f"{before.name!r} is read elsewhere, too"
    if _product(before.arrays["weight"], before, scale).type.width > GRID_BITS:
        return f"the weights would need more than {GRID_BITS} bits"
    return before


def _read_elsewhere(context: Context, node: Node, source: Signal) -> bool:
    """Whether anything but this node needs the value: by any of its tensors, since a Dropout adds one, not a value."""
    graph = context.graph
    tensors = {t for t, signal in context.signals.items() if signal.value == source.value}
    readers = {n.output for t in tensors for n in graph.readers(t)} - tensors - {node.output}
    return bool(readers) or any(t in tensors for _, t in graph.outputs)


def _product(weights: IntegerArray, layer: Layer, scale: Weights) -> Weights:
    """Weights of that layer times the scale of their channel; `weights` end with the channels' axis or axes."""
    factors: IntegerArray = scale.mantissas.reshape(-1)
    if factors.size > weights.shape[-1]:  # depthwise: channels of the source, kernels of each
        factors = factors.reshape(weights.shape[-2:])
    return trimmed(weights * factors, layer.types["weight"].fractional + scale.fractional)


def _folded(context: Context, node: Node, before: Layer, scale: Weights, offset: Weights) -> Signal:
    """The layer before, once more: its Rearrange if it has one, then its Affine with other numbers."""
    b = context.builder
    *gather, affine = (b.instructions[n] for n in before.instructions)
    assert isinstance(affine, Affine)
    weight, bias_type = _product(before.arrays["weight"], before, scale), before.types["bias"]
    matrix = _product(affine.weights, before, scale)
    fractional = max(bias_type.fractional + scale.fractional, offset.fractional)
    moved = (before.arrays["bias"] * scale.mantissas) << (fractional - bias_type.fractional - scale.fractional)
    bias = trimmed(moved + (offset.mantissas << (fractional - offset.fractional)), fractional)
    b.take_back(before.name)
    b.begin_layer(node.name, before.kind, before.inputs)
    source = affine.source
    for picked in gather:
        assert isinstance(picked, Rearrange)
        source = b.rearrange(picked.operands, picked.indices, picked.fill)
    value = b.affine(source, matrix.mantissas, matrix.fractional, bias.mantissas, bias.fractional)
    b.end_layer(
        value,
        types={"weight": weight.type, "bias": bias.type, "accum": b.type_of(value)},
        attributes=dict(before.attributes),
        arrays={"weight": weight.mantissas, "bias": bias.mantissas},
        remarks=[FOLDED.format(layer=before.name)],
    )
    return Signal(value, node.name)


LOWERINGS = {"BatchNormalization": normalization, "QBatchNormalization": normalization}
