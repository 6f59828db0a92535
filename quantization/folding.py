"""Batch normalization folded into the dense layer beside it: weights and biases change, not what is computed.

In real numbers the folded network is the same function; in float32 it differs by rounding (some 1e-6 relative). That
comes before any quantization, so no exactness is lost by it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from quantization.backend import import_keras, to_numpy
from quantization.errors import QuantizationError
from quantization.graphs import Graph, Step

keras = import_keras()

Floats = npt.NDArray[np.float64]
Affine = tuple[Floats, Floats]
"""Kernel (inputs, outputs) and bias (outputs,)."""


def affine_of(layer: Any) -> Affine:
    """Kernel and bias of a Dense layer or a Conv1D of kernel size 1."""
    kernel = to_numpy(layer.kernel).astype(np.float64).reshape(layer.kernel.shape[-2:])
    bias = to_numpy(layer.bias).astype(np.float64) if layer.use_bias else np.zeros(kernel.shape[1])
    return kernel, bias


def is_affine(layer: Any) -> bool:
    """Whether it is a Dense layer or a Conv1D of kernel size 1."""
    if isinstance(layer, keras.layers.Conv1D):
        return bool(tuple(layer.kernel_size) == (1,) and tuple(layer.strides) == (1,) and layer.groups == 1)
    return isinstance(layer, keras.layers.Dense)


def fold_normalizations(graph: Graph) -> tuple[Graph, dict[str, Affine]]:
    """The graph without BatchNormalization, and the weights of all its dense layers, folded where one stood.

    One is folded into the linear dense layer before it if it is the only reader, else into the dense layer after it if
    that is its only reader. Raises QuantizationError where neither is the case.
    """
    weights = {step.name: affine_of(step.layer) for step in graph.steps if is_affine(step.layer)}
    for step in [step for step in graph.steps if isinstance(step.layer, keras.layers.BatchNormalization)]:
        step = graph[step.name]
        scale, shift = _scale_and_shift(step)
        before, readers = graph[step.inputs[0]], graph.readers(step.name)
        if _ends_linear(before) and len(graph.readers(before.name)) == 1 and before.name not in graph.outputs:
            kernel, bias = weights[before.name]
            weights[before.name] = (kernel * scale, bias * scale + shift)
        elif len(readers) == 1 and is_affine(readers[0].layer) and step.name not in graph.outputs:
            kernel, bias = weights[readers[0].name]
            weights[readers[0].name] = (kernel * scale[:, None], bias + shift @ kernel)
        else:
            raise QuantizationError(
                step.name,
                "this batch normalization stands beside no dense layer that it could be folded into",
                "Put it directly after a Dense layer without activation, or directly before one",
            )
        graph = graph.without(step.name)
    return graph, weights


def _ends_linear(step: Step) -> bool:
    return step.layer is not None and is_affine(step.layer) and step.layer.activation.__name__ == "linear"


def _scale_and_shift(step: Step) -> Affine:
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
