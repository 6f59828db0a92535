"""Batch normalization folded into the dense layer or convolution beside it: other weights, the same function.

In real numbers the folded network is the same function; in float32 it differs by rounding (some 1e-6 relative). That
comes before any quantization, so no exactness is lost by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from quantization.affine_layers import DENSE, DEPTHWISE, SEPARABLE, Floats, Weights, is_affine, weights_of
from quantization.backend import import_keras, to_numpy
from quantization.errors import QuantizationError
from quantization.graphs import Graph, Step

keras = import_keras()


def fold_normalizations(graph: Graph) -> tuple[Graph, dict[str, Weights]]:
    """The graph without BatchNormalization, and the weights of all its affine layers, folded where one stood.

    One is folded into the linear layer before it if it is the only reader, else into the affine layer after it if that
    is its only reader and pads nothing. Raises QuantizationError where neither is the case.
    """
    weights = {step.name: weights_of(step.layer) for step in graph.steps if is_affine(step.layer)}
    for step in [step for step in graph.steps if isinstance(step.layer, keras.layers.BatchNormalization)]:
        step = graph[step.name]
        scale, shift = _scale_and_shift(step)
        before, readers = graph[step.inputs[0]], graph.readers(step.name)
        if _ends_linear(before) and len(graph.readers(before.name)) == 1 and before.name not in graph.outputs:
            weights[before.name] = weights[before.name].scaled(scale, shift, isinstance(before.layer, DEPTHWISE))
        elif len(readers) == 1 and _takes_scale(readers[0].layer) and step.name not in graph.outputs:
            kernel, bias = weights[readers[0].name].kernel, weights[readers[0].name].bias
            summed = kernel.sum(axis=tuple(range(kernel.ndim - 2)))  # over the window
            weights[readers[0].name] = Weights(kernel * scale[:, None], bias + shift @ summed)
        else:
            raise QuantizationError(
                step.name,
                "this batch normalization stands beside no layer that it could be folded into",
                "Put it directly after a dense layer or convolution without activation, or directly before one "
                "without padding, groups or depthwise kernels",
            )
        graph = graph.without(step.name)
    return graph, weights


def _ends_linear(step: Step) -> bool:
    return step.layer is not None and is_affine(step.layer) and step.layer.activation.__name__ == "linear"


def _takes_scale(layer: Any) -> bool:
    """Whether a scale and a shift of its input can go into its weights: a padding of zeros would not be shifted."""
    if not is_affine(layer) or isinstance(layer, (*DEPTHWISE, *SEPARABLE)):
        return False
    padded = getattr(layer, "padding", "valid") != "valid" and any(n > 1 for n in layer.kernel_size)
    return isinstance(layer, DENSE) or (not padded and layer.groups == 1)


def _scale_and_shift(step: Step) -> tuple[Floats, Floats]:
    """What the normalization does: x * scale + shift, per channel."""
    layer = step.layer
    axis = layer.axis if isinstance(layer.axis, int) else layer.axis[0]
    if axis not in (-1, len(step.shape)):
        raise QuantizationError(
            step.name, f"it normalizes along axis {axis}, not the last one", "Normalize along the last axis"
        )
    mean, variance = (to_numpy(v).astype(np.float64) for v in (layer.moving_mean, layer.moving_variance))
    gamma = to_numpy(layer.gamma).astype(np.float64) if layer.scale else np.ones_like(mean)
    beta = to_numpy(layer.beta).astype(np.float64) if layer.center else np.zeros_like(mean)
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale
