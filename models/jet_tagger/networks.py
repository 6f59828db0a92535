"""The tagger's networks: dense, DeepSets or interaction network; quantized, or in floating point of the same shape."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.model_source import Dataset
from quantization.backend import import_keras
from quantization.networks import Pooling, deep_sets_network, dense_network, interaction_network, pooled_bits
from quantization.schemes import Bits, Scheme

from .sample import CLASSES


class Architecture(StrEnum):
    """Which family."""

    DENSE = "dense"
    DEEP_SETS = "deep_sets"
    INTERACTION = "interaction"


class NetworkOptions(BaseModel):
    """The recipe's `network:` section. Integer bits are counted without the sign, as QKeras does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Architecture = Field(Architecture.DEEP_SETS, description="dense, deep_sets or interaction")
    hidden: tuple[int, ...] = Field((64, 32, 32), description="dense: neurons of each hidden layer")
    phi: tuple[int, ...] = Field((16, 16), description="deep_sets: neurons of the layers that read a constituent")
    rho: tuple[int, ...] = Field((32, 32), description="deep_sets: neurons of the hidden layers behind the pool")
    effects: tuple[int, ...] = Field(
        (8, 4), description="interaction: neurons of the layers that read a pair of constituents"
    )
    objects: tuple[int, ...] = Field(
        (16, 16), description="interaction: neurons of the layers that read a constituent and what the others do to it"
    )
    classifier: tuple[int, ...] = Field((32,), description="interaction: neurons of the hidden layers behind the pool")
    pooling: Pooling = Field(
        Pooling.AVERAGE, description="deep_sets, interaction: sum, average or maximum over the constituents"
    )
    weight_bits: int = Field(8, ge=2, le=16, description="bits of weights and biases")
    weight_integer: int = Field(1, ge=-4, le=8, description="of these, integer bits")
    activation_bits: int = Field(8, ge=2, le=16, description="bits after each ReLU")
    activation_integer: int = Field(2, ge=-4, le=12, description="of these, integer bits")

    @model_validator(mode="after")
    def _has_layers(self) -> Self:
        for name in ("hidden", "phi", "rho", "effects", "objects", "classifier"):
            if any(units < 1 for units in getattr(self, name)):
                raise ValueError(f"{name} must hold whole numbers of at least 1")
        for name in ("phi", "effects", "objects"):
            if not getattr(self, name):
                raise ValueError(f"{name} needs at least one layer")
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
    shape, outputs, name = dataset.event_shape, len(CLASSES), "jet_tagger"
    if options.architecture is not Architecture.DENSE and len(shape) != 2:
        raise InputError(
            f"network.architecture {options.architecture.value} reads constituents; with data.inputs high_level write "
            "architecture: dense"
        )
    scheme = scheme_of(options, shape, FixedPoint.parse(dataset.metadata["input_type"])) if quantized else None
    import_keras().utils.set_random_seed(seed)
    if options.architecture is Architecture.DENSE:
        return dense_network(shape, options.hidden, outputs, scheme, name=name)
    if options.architecture is Architecture.DEEP_SETS:
        return deep_sets_network(shape, options.phi, options.rho, outputs, scheme, pooling=options.pooling, name=name)
    if shape[0] < 2:
        raise InputError("network.architecture interaction reads pairs; write data.constituents: 2 or more")
    sizes = (options.effects, options.objects, options.classifier)
    return interaction_network(shape, *sizes, outputs, scheme, pooling=options.pooling, name=name)
