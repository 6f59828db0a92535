"""The tagger's networks: dense, or DeepSets over constituents; quantized, or in floating point of the same shape."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.model_source import Dataset
from quantization.backend import import_keras
from quantization.networks import Pooling, deep_sets_network, dense_network, pooled_bits
from quantization.schemes import Bits, Scheme

from .sample import CLASSES


class Architecture(StrEnum):
    """Which family."""

    DENSE = "dense"
    DEEP_SETS = "deep_sets"


class NetworkOptions(BaseModel):
    """The recipe's `network:` section. Integer bits are counted without the sign, as QKeras does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Architecture = Field(Architecture.DEEP_SETS, description="dense or deep_sets")
    hidden: tuple[int, ...] = Field((64, 32, 32), description="dense: neurons of each hidden layer")
    phi: tuple[int, ...] = Field((16, 16), description="deep_sets: neurons of the layers that read a constituent")
    rho: tuple[int, ...] = Field((32, 32), description="deep_sets: neurons of the hidden layers behind the pool")
    pooling: Pooling = Field(Pooling.AVERAGE, description="deep_sets: sum, average or maximum over the constituents")
    weight_bits: int = Field(8, ge=2, le=16, description="bits of weights and biases")
    weight_integer: int = Field(1, ge=-4, le=8, description="of these, integer bits")
    activation_bits: int = Field(8, ge=2, le=16, description="bits after each ReLU")
    activation_integer: int = Field(2, ge=-4, le=12, description="of these, integer bits")

    @model_validator(mode="after")
    def _has_layers(self) -> Self:
        for name in ("hidden", "phi", "rho"):
            if any(units < 1 for units in getattr(self, name)):
                raise ValueError(f"{name} must hold whole numbers of at least 1")
        if not self.phi:
            raise ValueError("phi needs at least one layer")
        return self


def build_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The quantized network, untrained, its weights drawn by `seed`: (jets, *event shape) -> logits (jets, 5)."""
    return _seeded(options, dataset, seed, quantized=True)


def float_network(options: NetworkOptions, dataset: Dataset, seed: int) -> Any:
    """The same network in floating point, against which the quantized one is measured."""
    return _seeded(options, dataset, seed, quantized=False)


def scheme_of(options: NetworkOptions, event_shape: tuple[int, ...], input_type: FixedPoint) -> Scheme:
    """The types of all values; `input_type` is that of the data."""
    weights = Bits(options.weight_bits, options.weight_integer)
    activations = Bits(options.activation_bits, options.activation_integer)
    return Scheme(
        inputs=Bits(input_type.width, input_type.integer - 1),
        weights=weights,
        biases=weights,
        activations=activations,
        pooled=pooled_bits(activations, event_shape[0], options.pooling),
    )


def _seeded(options: NetworkOptions, dataset: Dataset, seed: int, *, quantized: bool) -> Any:
    shape = dataset.event_shape
    deep_sets = options.architecture is Architecture.DEEP_SETS
    if deep_sets and len(shape) != 2:
        raise InputError(
            "network.architecture deep_sets reads constituents; with data.inputs high_level write architecture: dense"
        )
    scheme = scheme_of(options, shape, FixedPoint.parse(dataset.metadata["input_type"])) if quantized else None
    import_keras().utils.set_random_seed(seed)
    if deep_sets:
        return deep_sets_network(
            shape, options.phi, options.rho, len(CLASSES), scheme, pooling=options.pooling, name="jet_tagger"
        )
    return dense_network(shape, options.hidden, len(CLASSES), scheme, name="jet_tagger")
