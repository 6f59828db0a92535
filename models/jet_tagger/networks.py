"""The tagger's networks: dense, or DeepSets over constituents; quantized, or in floating point of the same shape."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from quantization.networks import Pooling, deep_sets_network, dense_network, pooled_bits
from quantization.schemes import Bits, Scheme


class Architecture(StrEnum):
    """Which family."""

    DENSE = "dense"
    DEEP_SETS = "deep_sets"


class NetworkOptions(BaseModel):
    """The recipe's `network:` section. Integer bits are counted without the sign, as QKeras does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Architecture = Field(Architecture.DENSE, description="dense or deep_sets")
    hidden: tuple[int, ...] = Field((64, 32, 32), description="dense: neurons of each hidden layer")
    phi: tuple[int, ...] = Field((32, 32, 32), description="deep_sets: neurons of the layers that read a constituent")
    rho: tuple[int, ...] = Field((32,), description="deep_sets: neurons of the hidden layers behind the pool")
    pooling: Pooling = Field(Pooling.SUM, description="deep_sets: sum, average or maximum over the constituents")
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


def scheme_of(options: NetworkOptions, inputs: Bits, constituents: int) -> Scheme:
    """The types of all values."""
    weights = Bits(options.weight_bits, options.weight_integer)
    activations = Bits(options.activation_bits, options.activation_integer)
    return Scheme(
        inputs=inputs,
        weights=weights,
        biases=weights,
        activations=activations,
        pooled=pooled_bits(activations, constituents, options.pooling),
    )


def build(options: NetworkOptions, event_shape: tuple[int, ...], outputs: int, scheme: Scheme | None) -> Any:
    """The Keras network, in floating point where `scheme` is None; ends in logits."""
    if options.architecture is Architecture.DEEP_SETS:
        return deep_sets_network(
            event_shape,
            options.phi,
            options.rho,
            outputs,
            scheme,
            pooling=options.pooling,
            name="jet_tagger",
        )
    return dense_network(event_shape, options.hidden, outputs, scheme, name="jet_tagger")
