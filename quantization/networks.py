"""Two families of trigger networks, quantized by a scheme or, without one, in floating point of the same shape.

Both end in logits: firmware has no softmax, and the class is the index of the largest logit all the same. Both round
the inputs first thing, so that training sees what the trigger delivers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from quantization.backend import import_keras, import_qkeras
from quantization.schemes import Bits, Scheme


class Pooling(StrEnum):
    """How the constituents of a DeepSets network are put together."""

    SUM = "sum"
    AVERAGE = "average"
    MAXIMUM = "maximum"


def dense_network(
    event_shape: Sequence[int], hidden: Sequence[int], outputs: int, scheme: Scheme | None, *, name: str = "dense"
) -> Any:
    """A network of dense layers with ReLU between: (events, *event_shape) -> logits (events, outputs).

    Events of more than one axis are flattened. Layers: `input_rounding`, `dense_1`, `relu_1`, ..., `logits`.
    """
    keras = import_keras()
    inputs = keras.Input(tuple(event_shape), name="events")
    x = _round_inputs(inputs, scheme)
    if len(event_shape) > 1:
        x = keras.layers.Flatten(name="flat")(x)
    for number, units in enumerate(hidden, start=1):
        x = _dense(x, units, f"dense_{number}", scheme)
        x = _relu(x, f"relu_{number}", _activations(scheme))
    return keras.Model(inputs, _dense(x, outputs, "logits", scheme), name=name)


def deep_sets_network(
    event_shape: Sequence[int],
    phi: Sequence[int],
    rho: Sequence[int],
    outputs: int,
    scheme: Scheme | None,
    *,
    pooling: Pooling | str = Pooling.SUM,
    name: str = "deep_sets",
) -> Any:
    """A network that does not care for the order of the constituents (Zaheer et al., arXiv:1703.06114).

    The same dense layers `phi` read each constituent of (events, constituents, features); their results are pooled
    over the constituents; the dense layers `rho` read the pool: -> logits (events, outputs).

    There is no mask. A padded constituent, all zeros, contributes phi(0), which training learns like any other bias:
    the sum then knows how many constituents a jet has. Layers: `input_rounding`, `phi_1`, `phi_relu_1`, ..., `pool`,
    `pool_rounding`, `rho_1`, `rho_relu_1`, ..., `logits`.
    """
    keras = import_keras()
    pooling = Pooling(pooling)
    if len(event_shape) != 2:
        raise ValueError(f"a DeepSets network reads (constituents, features), not events of shape {tuple(event_shape)}")
    inputs = keras.Input(tuple(event_shape), name="events")
    x = _round_inputs(inputs, scheme)
    for number, units in enumerate(phi, start=1):
        x = _dense(x, units, f"phi_{number}", scheme)
        x = _relu(x, f"phi_relu_{number}", _activations(scheme))
    x = _pool(x, pooling)
    if scheme is not None and pooling is not Pooling.MAXIMUM:
        # The pool of non-negative values is not negative: an unsigned type wastes no sign bit.
        x = _relu(x, "pool_rounding", scheme.pooled)
    for number, units in enumerate(rho, start=1):
        x = _dense(x, units, f"rho_{number}", scheme)
        x = _relu(x, f"rho_relu_{number}", _activations(scheme))
    return keras.Model(inputs, _dense(x, outputs, "logits", scheme), name=name)


def pooled_bits(activations: Bits, constituents: int, pooling: Pooling | str) -> Bits:
    """A type for the pool: as many bits as an activation, room for a quarter of the largest sum there could be."""
    if Pooling(pooling) is not Pooling.SUM:
        return activations
    extra = max(math.ceil(math.log2(constituents)) - 2, 0)
    return Bits(activations.total + extra, activations.integer + extra)


def _activations(scheme: Scheme | None) -> Bits | None:
    return None if scheme is None else scheme.activations


def _round_inputs(inputs: Any, scheme: Scheme | None) -> Any:
    if scheme is None:
        return inputs
    return import_qkeras().QActivation(scheme.inputs.signed(), name="input_rounding")(inputs)


def _dense(x: Any, units: int, name: str, scheme: Scheme | None) -> Any:
    if scheme is None:
        return import_keras().layers.Dense(units, kernel_initializer="he_normal", name=name)(x)
    layer = import_qkeras().QDense(
        units,
        kernel_quantizer=scheme.weights.signed(),
        bias_quantizer=scheme.biases.signed(),
        kernel_initializer="he_normal",
        name=name,
    )
    return layer(x)


def _relu(x: Any, name: str, bits: Bits | None) -> Any:
    if bits is None:
        return import_keras().layers.ReLU(name=name)(x)
    return import_qkeras().QActivation(bits.relu(), name=name)(x)


def _pool(x: Any, pooling: Pooling) -> Any:
    layers = import_keras().layers
    if pooling is Pooling.AVERAGE:
        return layers.GlobalAveragePooling1D(name="pool")(x)
    if pooling is Pooling.MAXIMUM:
        return layers.GlobalMaxPooling1D(name="pool")(x)
    from quantization.layers import SumPooling1D

    return SumPooling1D(name="pool")(x)
