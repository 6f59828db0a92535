"""The numbers that a layer hands to its quantizers: its trained ones, or with a batch normalization folded into them.

QKeras' QDenseBatchnorm, QConv2DBatchnorm and QDepthwiseConv2DBatchnorm quantize, outside training and for both values
of `folding_mode`,

    kernel * f  and  f * (bias - mean) + beta,  with f = gamma / sqrt(variance + epsilon)

of the moving statistics, in float32. TensorFlow computes 1 / sqrt(x) in one or in two roundings, as it likes (its graph
optimizer writes rsqrt for it); weights that depend on which are refused.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.lowering.context import refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, quantized_weights

Floats = npt.NDArray[np.float32]


def is_folded(node: Node) -> bool:
    """Whether the layer has a batch normalization inside."""
    return node.kind.endswith("Batchnorm")


def has_bias(node: Node) -> bool:
    """Whether the layer adds a bias: a folded normalization always does."""
    return bool(node.operation.use_bias) or is_folded(node)


def trained_weights(node: Node, field: str, quantizer: Any) -> Weights:
    """The layer's weights as integers; field: kernel, depthwise, pointwise or bias. Raises LoweringError."""
    found = [quantized_weights(node.name, field, values, quantizer) for values in _numbers(node, field)]
    first = found[0]
    if first.mantissas.dtype == object:
        raise refuse(node, field, f"{first.type.width} bits", "weights are too wide", f"Use at most {GRID_BITS} bits")
    for other in found[1:]:
        if other.fractional != first.fractional or not np.array_equal(other.mantissas, first.mantissas):
            raise refuse(
                node,
                field,
                "gamma / sqrt(variance + epsilon)",
                "a folded weight lies so near to the middle of two steps that float32 computes either",
                "Train one more step, or fold with quantization.quantize_after_training",
            )
    return first


def _numbers(node: Node, field: str) -> list[Floats]:
    """All that float32 may compute for them: one array, or with a normalization inside two."""
    layer = node.operation
    names = {"kernel": "kernel", "bias": "bias", "depthwise": "depthwise_kernel", "pointwise": "pointwise_kernel"}
    name = names[field] if hasattr(layer, names[field]) else "kernel"  # Keras' depthwise layers call theirs so
    if not is_folded(node):
        return [np.asarray(getattr(layer, name), np.float32)]
    n = layer.batchnorm
    if n.gamma is None or n.beta is None:
        raise refuse(
            node, "scale" if n.gamma is None else "center", False, "QKeras' call of the layer fails", "Set it to True"
        )
    gamma, beta, mean, variance = (
        np.asarray(v, np.float32) for v in (n.gamma, n.beta, n.moving_mean, n.moving_variance)
    )
    bias = np.asarray(layer.bias, np.float32) if layer.use_bias else np.float32(0)
    result = []
    for inverse in _inverse_roots(variance + np.float32(n.epsilon)):
        factor = inverse * gamma
        if field == "bias":
            result.append(factor * (bias - mean) + beta)
        else:
            kernel = np.asarray(getattr(layer, name), np.float32)
            result.append(kernel * (factor.reshape(kernel.shape[-2:]) if field == "depthwise" else factor))
    return result


def _inverse_roots(values: Floats) -> list[Floats]:
    import keras

    tensor = keras.ops.convert_to_tensor(values)
    return [np.asarray(v, np.float32) for v in (1 / keras.ops.sqrt(tensor), keras.ops.rsqrt(tensor))]
