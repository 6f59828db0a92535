"""The track finder's networks: dense, 44 inputs to 43 momentum classes and the charge; quantized, or in float."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.model_source import Dataset
from quantization.backend import import_keras
from quantization.networks import dense_network
from quantization.schemes import Bits, Scheme

from .momentum_bins import N_BINS, N_OUTPUTS


class NetworkOptions(BaseModel):
    """The recipe's `network:` section. Integer bits are counted without the sign, as QKeras does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden: tuple[int, ...] = Field((64, 32), min_length=1, description="neurons of each hidden layer")
    weight_bits: int = Field(8, ge=2, le=16, description="bits of weights and biases")
    weight_integer: int = Field(1, ge=-4, le=8, description="of these, integer bits")
    activation_bits: int = Field(10, ge=2, le=16, description="bits after each ReLU")
    activation_integer: int = Field(4, ge=-4, le=12, description="of these, integer bits")

    @model_validator(mode="after")
    def _has_neurons(self) -> Self:
        if any(units < 1 for units in self.hidden):
            raise ValueError("hidden must hold whole numbers of at least 1")
        return self


def build_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The quantized network, untrained, its weights drawn by `seed`: (muons, 44) -> logits (muons, 44)."""
    return _network(options, dataset, seed, quantized=True)


def float_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The same network in floating point, against which the quantized one is measured."""
    return _network(options, dataset, seed, quantized=False)


def scheme_of(options: NetworkOptions, input_type: FixedPoint) -> Scheme:
    """The types of all values; `input_type` is that of the data."""
    weights = Bits(options.weight_bits, options.weight_integer)
    activations = Bits(options.activation_bits, options.activation_integer)
    return Scheme(
        inputs=Bits(input_type.width, input_type.integer - 1),
        weights=weights,
        biases=weights,
        activations=activations,
        pooled=activations,
    )


def _network(options: NetworkOptions, dataset: Dataset, seed: int, *, quantized: bool) -> Any:
    scheme = scheme_of(options, FixedPoint.parse(dataset.metadata["input_type"])) if quantized else None
    import_keras().utils.set_random_seed(seed)
    network = dense_network(dataset.event_shape, options.hidden, N_OUTPUTS, scheme, name="omtf")
    # `loss: own` in the recipe. On the object, not in a subclass, whose file nobody else could load.
    network.compute_loss = compute_loss
    return network


def compute_loss(
    x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
) -> Any:
    """Cross-entropy of the momentum class (softmax over 43) plus that of the charge (sigmoid), mean over muons."""
    ops, keras = import_keras().ops, import_keras()
    y = ops.cast(y, y_pred.dtype)
    momentum = keras.losses.categorical_crossentropy(y[:, :N_BINS], y_pred[:, :N_BINS], from_logits=True)
    charge = keras.losses.binary_crossentropy(y[:, N_BINS:], y_pred[:, N_BINS:], from_logits=True)
    return ops.mean(momentum + charge)
