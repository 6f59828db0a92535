"""The networks: dense, or with one convolution in front; quantized, or in floating point of the same shape.

All read a window of samples and give one energy. The quantized ones round it to a word of 1 MeV, which is what the
next board receives.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.model_source import Dataset
from quantization.backend import import_keras, import_qkeras
from quantization.schemes import Bits

ENERGY = Bits(18, 5)
"""The output, in 4096 MeV: 18 bits with sign, least bit 1 MeV, up to 131 GeV; twice what 14 bits of ADC hold."""


class Architecture(StrEnum):
    """Which family."""

    DENSE = "dense"
    CONVOLUTION = "convolution"


class NetworkOptions(BaseModel):
    """The recipe's `network:` section. Integer bits are counted without the sign, as QKeras does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Architecture = Field(Architecture.DENSE, description="dense or convolution")
    hidden: tuple[int, ...] = Field((16, 8), description="neurons of each hidden dense layer")
    filters: int = Field(6, ge=1, le=64, description="convolution: filters")
    kernel: int = Field(4, ge=2, le=32, description="convolution: samples a filter reads, and its stride")
    weight_bits: int = Field(12, ge=2, le=18, description="bits of weights and biases")
    weight_integer: int = Field(2, ge=-4, le=8, description="of these, integer bits")
    activation_bits: int = Field(12, ge=2, le=18, description="bits after each ReLU")
    activation_integer: int = Field(2, ge=-4, le=12, description="of these, integer bits")

    @model_validator(mode="after")
    def _has_neurons(self) -> Self:
        if any(units < 1 for units in self.hidden):
            raise ValueError("hidden must hold whole numbers of at least 1")
        return self


def build_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The quantized network, untrained, its weights drawn by `seed`: (events, samples) -> (events, 1) [4096 MeV]."""
    import_keras().utils.set_random_seed(seed)
    return _Quantized(options, FixedPoint.parse(dataset.metadata["input_type"])).build(dataset.event_shape)


def float_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The same network in floating point, against which the quantized one is measured."""
    import_keras().utils.set_random_seed(seed)
    return _Float(options).build(dataset.event_shape)


class _Float:
    """Layers `dense_1`, `relu_1`, ..., `energy`; in front of them `blocks`, `filters`, `filters_relu`, `flat`."""

    def __init__(self, options: NetworkOptions) -> None:
        self.options = options
        self.layers = import_keras().layers

    def build(self, event_shape: tuple[int, ...]) -> Any:
        keras, options = import_keras(), self.options
        if len(event_shape) != 1:
            raise InputError(f"the calorimeter's networks read a window of samples, not events of shape {event_shape}")
        inputs = keras.Input(event_shape, name="samples")
        x = self.rounded(inputs)
        if options.architecture is Architecture.CONVOLUTION:
            x = self._convolution(x, event_shape[0])
        for number, units in enumerate(options.hidden, start=1):
            x = self.relu(self.dense(x, units, f"dense_{number}"), f"relu_{number}")
        return keras.Model(inputs, self.energy(x), name="calorimeter")

    def _convolution(self, x: Any, samples: int) -> Any:
        """A convolution whose stride is its kernel: the same filters on each block of samples, no sample in two."""
        kernel = self.options.kernel
        if samples % kernel:
            raise InputError(
                f"network.kernel {kernel} does not divide the {samples} samples of data.past + 1 + data.future"
            )
        x = self.layers.Reshape((samples // kernel, kernel), name="blocks")(x)
        x = self.relu(self.convolution(x, self.options.filters, "filters"), "filters_relu")
        return self.layers.Flatten(name="flat")(x)

    def rounded(self, x: Any) -> Any:
        return x

    def dense(self, x: Any, units: int, name: str) -> Any:
        return self.layers.Dense(units, kernel_initializer="he_normal", name=name)(x)

    def convolution(self, x: Any, filters: int, name: str) -> Any:
        return self.layers.Conv1D(filters, 1, kernel_initializer="he_normal", name=name)(x)

    def relu(self, x: Any, name: str) -> Any:
        return self.layers.ReLU(name=name)(x)

    def energy(self, x: Any) -> Any:
        return self.dense(x, 1, "energy")


class _Quantized(_Float):
    """Every value in a fixed-point type. The input is rounded first thing, the sum at the end to an energy word."""

    def __init__(self, options: NetworkOptions, input_type: FixedPoint) -> None:
        super().__init__(options)
        self.qkeras = import_qkeras()
        self.inputs = Bits(input_type.width, input_type.integer - 1)
        self.weights = Bits(options.weight_bits, options.weight_integer)
        self.activations = Bits(options.activation_bits, options.activation_integer)

    def rounded(self, x: Any) -> Any:
        return self.qkeras.QActivation(self.inputs.signed(), name="input_rounding")(x)

    def dense(self, x: Any, units: int, name: str) -> Any:
        return self.qkeras.QDense(units, **self._quantizers(), name=name)(x)

    def convolution(self, x: Any, filters: int, name: str) -> Any:
        return self.qkeras.QConv1D(filters, 1, **self._quantizers(), name=name)(x)

    def relu(self, x: Any, name: str) -> Any:
        return self.qkeras.QActivation(self.activations.relu(), name=name)(x)

    def energy(self, x: Any) -> Any:
        return self.qkeras.QActivation(ENERGY.signed(), name="energy")(self.dense(x, 1, "energy_sum"))

    def _quantizers(self) -> dict[str, Any]:
        return {
            "kernel_quantizer": self.weights.signed(),
            "bias_quantizer": self.weights.signed(),
            "kernel_initializer": "he_normal",
        }
