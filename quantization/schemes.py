"""Quantization schemes: how many bits inputs, weights and activations have. QKeras objects are made on demand.

Every quantizer is written out in full. `alpha=1` above all: QDense turns an `alpha` that is not given into
`auto_po2`, a scale that follows the weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from quantization.backend import import_qkeras


@dataclass(frozen=True)
class Bits:
    """Total bits and integer bits, the sign excluded from the latter, as QKeras counts."""

    total: int
    integer: int = 0

    def signed(self) -> Any:
        """`quantized_bits`: [-2**integer, 2**integer) in steps of 2**(integer + 1 - total)."""
        return import_qkeras().quantized_bits(self.total, self.integer, alpha=1)

    def relu(self, negative_slope: float = 0.0) -> Any:
        """`quantized_relu`: [0, 2**integer) in steps of 2**(integer - total)."""
        integer = self.integer if self.integer >= 0 else float(self.integer)  # TensorFlow has no 2 ** -1 of integers
        return import_qkeras().quantized_relu(self.total, integer, negative_slope=negative_slope)


@dataclass(frozen=True)
class Scheme:
    """The types of a whole network; `pooled` is that of the sum over constituents of a DeepSets network."""

    inputs: Bits
    weights: Bits
    biases: Bits
    activations: Bits
    pooled: Bits
