"""Keras layers of our own, registered under the package `firmware_flows`. Imports Keras."""

from __future__ import annotations

from typing import Any

from quantization.backend import import_keras

keras = import_keras()
Layer: Any = keras.layers.Layer


@keras.saving.register_keras_serializable(package="firmware_flows")
class SumPooling1D(Layer):  # type: ignore[misc]  # Keras is untyped
    """Sum over the positions: (events, positions, channels) -> (events, channels).

    The sum over a jet's constituents, say. Unlike the average it needs no division, and in fixed point it is exact.
    """

    def call(self, inputs: Any) -> Any:
        """Sum over axis 1."""
        return keras.ops.sum(inputs, axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """(events, channels)."""
        if len(input_shape) != 3:
            raise ValueError(
                f"layer {self.name!r} sums over the positions of (events, positions, channels), not of {input_shape}"
            )
        return (input_shape[0], input_shape[2])
