"""Quantization after training: a float network in, a QKeras network of the same function and layer names out."""

from __future__ import annotations

import logging
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from quantization.backend import import_keras, import_qkeras
from quantization.calibration import Calibration, integer_bits
from quantization.errors import QuantizationError
from quantization.schemes import Bits

log = logging.getLogger(__name__)

FEWEST_BITS, MOST_BITS = 2, 24
"""Beyond 24 bits Keras' float32 cannot hold a value of the type."""


def quantize_after_training(
    model: Any, x: npt.ArrayLike, total_bits: int, *, calibration: Calibration | str = Calibration.LEAST_SQUARES
) -> Any:
    """A QKeras network in which every input, weight, bias and activation has `total_bits` bits.

    model: a float Sequential or functional network of dense layers and convolutions (see `REMEDY`). x: (events, ...)
    calibration events, from which the integer bits of inputs and activations come; those of weights and biases come
    from their values. A range is a power of two; `calibration` says how it is chosen (by default what costs least in
    squares).

    What is done, in order: Dropout and noise layers are left out; a batch normalization is folded into the dense layer
    or convolution beside it; the events are rounded by a QActivation `<input>_rounding`; dense layers and convolutions
    become QDense, QConv1D and so on, of the same name, with quantized_bits (alpha=1) for weights and biases and with
    their ReLU or linear activation quantized; ReLU, LeakyReLU (slope a power of two) and Activation layers become
    QActivation of the same name; sums, products and averages are followed by a QActivation `<layer>_rounding`. A Dense
    layer that is not trainable, has no bias and a kernel of -1, 0 and 1 stays as it is: it picks and sums exactly. The
    results of the last dense layer stay as they are, exact sums: rounding them could only change the order of classes.
    A softmax at the end is kept as a layer of its own (lowering drops it); a sigmoid at the end is taken off, so that
    the network gives logits: cut at logit(p) in place of p.

    Raises QuantizationError (layer, reason, remedy) for what is not of this family, ValueError for `total_bits`
    outside 2 to 24 or unusable calibration events.
    """
    if not FEWEST_BITS <= total_bits <= MOST_BITS:
        raise ValueError(f"total_bits must be between {FEWEST_BITS} and {MOST_BITS}, not {total_bits}")
    from quantization.folding import fold_normalizations
    from quantization.graphs import read_graph

    graph = _without_training_layers(read_graph(model))
    events = _checked_events(x, graph)
    graph, weights = fold_normalizations(graph)
    return _Quantizer(graph, weights, total_bits, Calibration(calibration)).build(events)


REMEDY = (
    "The layers known here are Dense, Conv1D, Conv2D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D, ReLU, "
    "LeakyReLU, Activation (relu, linear, softmax), Softmax, BatchNormalization, Flatten, Reshape, Permute, "
    "Concatenate, Add, Subtract, Multiply, Average, Maximum, MaxPooling, AveragePooling and global pooling of one and "
    "two axes, SumPooling1D, ZeroPadding, Cropping, UpSampling (nearest) and Dropout"
)


def _without_training_layers(graph: Any) -> Any:
    """Without the layers that do nothing once a network is trained."""
    layers = import_keras().layers
    idle = (
        layers.Dropout,
        layers.SpatialDropout1D,
        layers.SpatialDropout2D,
        layers.GaussianDropout,
        layers.GaussianNoise,
        layers.ActivityRegularization,
        layers.Identity,
    )
    for step in graph.steps:
        linear = isinstance(step.layer, layers.Activation) and step.layer.activation.__name__ == "linear"
        if isinstance(step.layer, idle) or linear:
            graph = graph.without(step.name)
    return graph


def _checked_events(x: npt.ArrayLike, graph: Any) -> npt.NDArray[np.float32]:
    inputs = [step for step in graph.steps if step.layer is None]
    if len(inputs) != 1:
        raise QuantizationError(inputs[1].name, "the network has several inputs", "Concatenate them into one")
    events = np.asarray(x, dtype=np.float32)
    if events.shape[1:] != inputs[0].shape:
        raise InputError(f"calibration events have shape {events.shape}: give (events, {_sizes(inputs[0].shape)})")
    if len(events) == 0:
        raise InputError("there are no calibration events: give some hundred")
    finite = np.isfinite(events).reshape(len(events), -1).all(axis=1)
    if not finite.all():
        raise InputError(f"calibration event {int(np.argmin(finite))} is not finite: remove or repair such events")
    return events


def _sizes(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


class _Quantizer:
    """Builds the quantized network step by step, calibrating on the float values of each step."""

    def __init__(self, graph: Any, weights: dict[str, Any], total_bits: int, calibration: Calibration) -> None:
        self.graph, self.weights, self.bits, self.calibration = graph, weights, total_bits, calibration
        self.values: dict[str, npt.NDArray[Any]] = {}
        self.rounded_input: Any = None
        self.quantized: set[str] = set()

    def build(self, events: npt.NDArray[np.float32]) -> Any:
        from quantization.affine_layers import assign
        from quantization.graphs import build_model

        self._refuse_unknown()
        self.values = self._float_values(events)
        model = build_model(self.graph, self._make)
        for name in self.quantized:
            assign(model.get_layer(name), self.weights[name])
        return model

    def _refuse_unknown(self) -> None:
        for step in self.graph.steps:
            if step.layer is not None:
                self._maker(step)

    def _float_values(self, events: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[Any]]:
        """The float result of every step of the folded network; logits where it ends in softmax or sigmoid."""
        from quantization.affine_layers import float_copy
        from quantization.graphs import build_model

        keras = import_keras()
        copies: dict[str, Any] = {}

        def make(step: Any, inputs: list[Any]) -> Any:
            layer = step.layer
            if step.name in self.weights:
                result = float_copy(layer, self.weights[step.name])(inputs[0])
                name = layer.activation.__name__
                result = result if name in ("softmax", "sigmoid") else layer.activation(result)
            elif isinstance(layer, keras.layers.Softmax | keras.layers.Activation) and self._final(step):
                result = inputs[0]
            else:
                copy = type(layer).from_config(layer.get_config())
                result = copy(inputs[0] if len(inputs) == 1 else inputs)
            copies[step.name] = result
            return result

        float_model = build_model(self.graph, make)
        names = list(copies)
        taps = keras.Model(float_model.inputs, [copies[name] for name in names])
        values = taps.predict(events, batch_size=8192, verbose=0)
        # Keras gives the result of a single output without its list.
        values = values if isinstance(values, list) else [values]
        source = next(step.name for step in self.graph.steps if step.layer is None)
        return {source: events, **dict(zip(names, values, strict=True))}

    def _make(self, step: Any, inputs: list[Any]) -> Any:
        for index, name in enumerate(step.inputs):
            if self.graph[name].layer is None:
                if self.rounded_input is None:
                    self.rounded_input = self._round(inputs[index], name)
                inputs[index] = self.rounded_input
        return self._maker(step)(step, inputs)

    def _maker(self, step: Any) -> Any:
        """The method for this kind of layer; raises QuantizationError where there is none."""
        from quantization.affine_layers import is_affine, objection
        from quantization.layers import SumPooling1D

        layers, layer = import_keras().layers, step.layer
        if type(layer).__module__.startswith("qkeras"):
            raise QuantizationError(
                step.name, f"{type(layer).__name__} is quantized already", "Give the float network, or lower this one"
            )
        if is_affine(layer):
            refused = objection(layer)
            if refused is not None:
                raise QuantizationError(step.name, *refused)
            self._check_activation(step)
            return self._constant if self._is_constant(step) else self._affine
        if isinstance(layer, layers.Softmax | layers.Activation | layers.ReLU | layers.LeakyReLU):
            self._check_activation(step)
            return self._activation
        if isinstance(layer, layers.Add | layers.Subtract | layers.Multiply | layers.Average):
            if isinstance(layer, layers.Average) and math.log2(len(step.inputs)) % 1:
                raise QuantizationError(
                    step.name, f"an average of {len(step.inputs)} is not exact in fixed point", "Average 2 or 4, or add"
                )
            return self._merge
        averages = layers.AveragePooling1D | layers.AveragePooling2D
        if isinstance(layer, layers.GlobalAveragePooling1D | layers.GlobalAveragePooling2D | averages | SumPooling1D):
            return self._merge
        if isinstance(layer, layers.UpSampling2D) and layer.interpolation != "nearest":
            raise QuantizationError(
                step.name, f"interpolation {layer.interpolation!r} is not exact", "Use interpolation='nearest'"
            )
        if isinstance(
            layer,
            layers.Flatten
            | layers.Reshape
            | layers.Permute
            | layers.Concatenate
            | layers.Maximum
            | layers.GlobalMaxPooling1D
            | layers.GlobalMaxPooling2D
            | layers.MaxPooling1D
            | layers.MaxPooling2D
            | layers.ZeroPadding1D
            | layers.ZeroPadding2D
            | layers.Cropping1D
            | layers.Cropping2D
            | layers.UpSampling1D
            | layers.UpSampling2D,
        ):
            return self._same
        raise QuantizationError(step.name, f"{type(layer).__name__} is not known here", REMEDY)

    def _check_activation(self, step: Any) -> None:
        layers, layer = import_keras().layers, step.layer
        if isinstance(layer, layers.ReLU) and (layer.max_value is not None or layer.threshold):
            raise QuantizationError(step.name, "a ReLU with max_value or threshold is not known here", REMEDY)
        if isinstance(layer, layers.ReLU | layers.LeakyReLU):
            slope = float(layer.negative_slope)
            if slope < 0 or (slope and math.log2(slope) % 1):
                raise QuantizationError(
                    step.name, f"the slope {slope:g} is not a power of two", "Train with a slope of 0.25 or 0.125"
                )
            return
        name = "softmax" if isinstance(layer, layers.Softmax) else layer.activation.__name__
        if name in ("relu", "linear"):
            return
        if name in ("softmax", "sigmoid"):
            if not self._final(step):
                raise QuantizationError(step.name, f"a {name} inside the network has no exact fixed-point form", REMEDY)
            return
        raise QuantizationError(
            step.name, f"the activation {name!r} has no exact fixed-point form here", "Train with relu"
        )

    def _final(self, step: Any) -> bool:
        return step.name in self.graph.outputs and not self.graph.readers(step.name)

    def _feeds_activation(self, step: Any) -> bool:
        """Whether all readers round the result themselves, or it is a result of the network."""
        layers = import_keras().layers
        rounding = (layers.ReLU, layers.LeakyReLU, layers.Activation, layers.Softmax)
        readers = self.graph.readers(step.name)
        return all(isinstance(reader.layer, rounding) for reader in readers)

    def _is_constant(self, step: Any) -> bool:
        """Whether it is a constant matrix that picks and sums, as in an interaction network."""
        layer = step.layer
        if layer.trainable or not isinstance(layer, import_keras().layers.Dense):
            return False
        weights = self.weights[step.name]
        sums = not weights.bias.any() and bool(np.isin(weights.kernel, (-1, 0, 1)).all())
        return layer.activation.__name__ == "linear" and sums

    def _constant(self, step: Any, inputs: list[Any]) -> Any:
        kernel = self.weights[step.name].kernel
        self.quantized.add(step.name)
        layer = import_keras().layers.Dense(kernel.shape[1], use_bias=False, trainable=False, name=step.name)
        result = layer(inputs[0])
        if (np.abs(kernel).sum(axis=0) <= 1).all() or self._feeds_activation(step):
            return result
        return self._round(result, step.name)

    def _affine(self, step: Any, inputs: list[Any]) -> Any:
        from quantization.affine_layers import quantized_layer

        layers, layer, weights = import_keras().layers, step.layer, self.weights[step.name]
        name = layer.activation.__name__
        if name == "relu":
            activation = self._type(step.name, signed=False).relu()
        elif name == "linear" and not self._feeds_activation(step):
            activation = self._type(step.name, signed=True).signed()
        else:
            activation = None
        with_bias = bool(layer.use_bias or weights.bias.any())
        quantized = quantized_layer(layer, weights, lambda v: self._type_of(v).signed(), with_bias, activation)
        self.quantized.add(step.name)
        result = quantized(inputs[0])
        if name == "softmax":
            return layers.Activation("softmax", name=f"{step.name}_softmax")(result)
        if name == "sigmoid":
            self._say_logits(step)
        return result

    def _activation(self, step: Any, inputs: list[Any]) -> Any:
        layers, layer = import_keras().layers, step.layer
        if isinstance(layer, layers.ReLU | layers.LeakyReLU):
            slope = float(layer.negative_slope)
            values = self.values[step.name]
            if slope:  # QKeras limits to -slope * 2**integer, 2**integer
                values = np.where(values < 0, values / slope, values)
            bits = self._type_of(values, signed=bool(slope))
            return import_qkeras().QActivation(bits.relu(slope), name=step.name)(inputs[0])
        name = "softmax" if isinstance(layer, layers.Softmax) else layer.activation.__name__
        if name == "softmax":
            return layers.Activation("softmax", name=step.name)(inputs[0])
        if name == "sigmoid":
            self._say_logits(step)
            return inputs[0]
        return import_qkeras().QActivation(self._type(step.name, signed=False).relu(), name=step.name)(inputs[0])

    def _merge(self, step: Any, inputs: list[Any]) -> Any:
        result = self._same(step, inputs)
        return result if self._feeds_activation(step) else self._round(result, step.name)

    def _same(self, step: Any, inputs: list[Any]) -> Any:
        layer = type(step.layer).from_config(step.layer.get_config())
        return layer(inputs[0] if len(inputs) == 1 else inputs)

    def _round(self, tensor: Any, name: str) -> Any:
        bits = self._type(name, signed=True)
        return import_qkeras().QActivation(bits.signed(), name=f"{name}_rounding")(tensor)

    def _type(self, name: str, *, signed: bool) -> Bits:
        return self._type_of(self.values[name], signed=signed)

    def _type_of(self, values: npt.NDArray[Any], *, signed: bool = True) -> Bits:
        return Bits(self.bits, integer_bits(values, self.bits, signed=signed, method=self.calibration))

    def _say_logits(self, step: Any) -> None:
        log.warning("the sigmoid of layer %r is taken off: the quantized network gives logits", step.name)
