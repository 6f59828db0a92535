"""Layers that multiply by trained weights: dense ones and convolutions, in float and as QKeras makes them.

`Weights` holds float64 arrays in the layer's own shapes: kernel (*window, inputs, outputs), of a depthwise convolution
(*window, channels, multiplier); bias (outputs,), zeros where the layer has none; first: the depthwise part of a
separable convolution, whose kernel is the pointwise part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from quantization.backend import import_keras, import_qkeras, to_numpy

layers = import_keras().layers

Floats = npt.NDArray[np.float64]

DENSE = (layers.Dense,)
DEPTHWISE = (layers.DepthwiseConv2D,)
SEPARABLE = (layers.SeparableConv1D, layers.SeparableConv2D)
CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, *DEPTHWISE, *SEPARABLE)

_WINDOW = ("kernel_size", "strides", "padding", "dilation_rate")


@dataclass(frozen=True)
class Weights:
    """The numbers of one layer."""

    kernel: Floats
    bias: Floats
    first: Floats | None = None

    def variables(self, with_bias: bool) -> list[Floats]:
        """In the order of the layer's variables."""
        arrays = [*([] if self.first is None else [self.first]), self.kernel]
        return [*arrays, self.bias] if with_bias else arrays

    def scaled(self, scale: Floats, shift: Floats, depthwise: bool) -> Weights:
        """With every output times scale plus shift."""
        factors = scale.reshape(self.kernel.shape[-2:]) if depthwise else scale
        return Weights(self.kernel * factors, self.bias * scale + shift, self.first)


def is_affine(layer: Any) -> bool:
    """Whether it is a layer of this file."""
    return isinstance(layer, (*DENSE, *CONVOLUTIONS))


def objection(layer: Any) -> tuple[str, str] | None:
    """Why an affine layer has no quantized form that works, and what to do; None where it has one."""
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its channels are not the last axis", "Use data_format='channels_last'"
    if getattr(layer, "padding", "valid") == "causal":
        return (
            "QKeras cannot call a convolution with causal padding",
            "Put ZeroPadding1D((dilation_rate * (kernel_size - 1), 0)) before it, with padding='valid'",
        )
    return None


def weights_of(layer: Any) -> Weights:
    """The trained numbers of an affine layer."""
    arrays = {name: getattr(layer, name, None) for name in ("kernel", "depthwise_kernel", "pointwise_kernel")}
    if isinstance(layer, SEPARABLE):
        kernel, first = _floats(arrays["pointwise_kernel"]), _floats(arrays["depthwise_kernel"])
    else:
        kernel, first = _floats(arrays["kernel"]), None
    outputs = int(np.prod(kernel.shape[-2:])) if isinstance(layer, DEPTHWISE) else kernel.shape[-1]
    return Weights(kernel, _floats(layer.bias) if layer.use_bias else np.zeros(outputs), first)


def float_copy(layer: Any, weights: Weights) -> Callable[[Any], Any]:
    """The same layer without activation, with these weights: a function of its input tensor."""
    copy = type(layer).from_config({**layer.get_config(), "use_bias": True, "activation": "linear"})

    def call(tensor: Any) -> Any:
        result = copy(tensor)
        copy.set_weights([a.astype(np.float32) for a in weights.variables(with_bias=True)])
        return result

    return call


def quantized_layer(
    layer: Any, weights: Weights, quantizer: Callable[[Floats], Any], with_bias: bool, activation: Any
) -> Any:
    """QKeras' layer of the same name; `quantizer` makes one from the values that it is for."""
    qkeras = import_qkeras()
    words: dict[str, Any] = {"use_bias": with_bias, "activation": activation, "name": layer.name}
    words["bias_quantizer"] = quantizer(weights.bias) if with_bias else None
    if isinstance(layer, DENSE):
        return qkeras.QDense(layer.units, kernel_quantizer=quantizer(weights.kernel), **words)
    words |= {name: getattr(layer, name) for name in _WINDOW}
    if isinstance(layer, DEPTHWISE):
        own = {"depthwise_quantizer": quantizer(weights.kernel), "depth_multiplier": layer.depth_multiplier}
        return qkeras.QDepthwiseConv2D(**own, **words)
    rank = len(layer.kernel_size)
    if isinstance(layer, SEPARABLE):
        assert weights.first is not None
        return getattr(qkeras, f"QSeparableConv{rank}D")(
            layer.filters,
            depth_multiplier=layer.depth_multiplier,
            depthwise_quantizer=quantizer(weights.first),
            pointwise_quantizer=quantizer(weights.kernel),
            **words,
        )
    words |= {"groups": layer.groups, "kernel_quantizer": quantizer(weights.kernel)}
    return getattr(qkeras, f"QConv{rank}D")(layer.filters, **words)


def assign(layer: Any, weights: Weights) -> None:
    """Give QKeras' layer its numbers, before they are rounded."""
    kernel = next(n for n in ("pointwise_kernel", "depthwise_kernel", "kernel") if getattr(layer, n, None) is not None)
    getattr(layer, kernel).assign(weights.kernel)
    if weights.first is not None:
        layer.depthwise_kernel.assign(weights.first)
    if layer.use_bias:
        layer.bias.assign(weights.bias)


def _floats(variable: Any) -> Floats:
    return to_numpy(variable).astype(np.float64)
