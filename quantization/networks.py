"""Three families of trigger networks, quantized by a scheme or, without one, in floating point of the same shape.

All end in logits: firmware has no softmax, and the class is the index of the largest logit all the same. All round the
inputs first thing, so that training sees what the trigger delivers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from quantization.backend import import_keras, import_qkeras
from quantization.schemes import Bits, Scheme


class Pooling(StrEnum):
    """How the constituents of a DeepSets or interaction network are put together."""

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
        x = _relu(_dense(x, units, f"dense_{number}", scheme), f"relu_{number}", _activations(scheme))
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
    _check_sets(event_shape, "a DeepSets network")
    inputs = keras.Input(tuple(event_shape), name="events")
    x = _layers(_round_inputs(inputs, scheme), phi, "phi", scheme)
    x = _layers(_pooled(x, Pooling(pooling), scheme), rho, "rho", scheme)
    return keras.Model(inputs, _dense(x, outputs, "logits", scheme), name=name)


def interaction_network(
    event_shape: Sequence[int],
    effects: Sequence[int],
    objects: Sequence[int],
    classifier: Sequence[int],
    outputs: int,
    scheme: Scheme | None,
    *,
    pooling: Pooling | str = Pooling.SUM,
    name: str = "interaction",
) -> Any:
    """A network of what every constituent does to every other (Battaglia et al., arXiv:1612.00222).

    Of each ordered pair of constituents of (events, constituents, features) the dense layers `effects` read the
    features of receiver and sender; what comes out is summed over the senders. The dense layers `objects` read each
    constituent with that sum; their results are pooled over the constituents; the dense layers `classifier` read the
    pool: -> logits (events, outputs). For jets: arXiv:1908.05318; in firmware: arXiv:2402.01876.

    Which constituents make a pair is constant, so picking and summing are Dense layers without bias whose kernels of
    zeros and ones are not trained: wires and adders in firmware, exact in fixed point. As in DeepSets there is no mask.
    Layers: `input_rounding`, `receivers`, `senders`, `pairs`, `effect_1`, `effect_relu_1`, ..., `collected`,
    `collected_rounding`, `nodes`, `object_1`, `object_relu_1`, ..., `pool`, `pool_rounding`, `classifier_1`,
    `classifier_relu_1`, ..., `logits`; Permute layers `<name>_turned` between.
    """
    keras = import_keras()
    _check_sets(event_shape, "an interaction network")
    constituents = int(event_shape[0])
    if constituents < 2 or not effects:
        raise ValueError("an interaction network needs at least two constituents and one layer of effects")
    receivers, senders = pair_matrices(constituents)
    inputs = keras.Input(tuple(event_shape), name="events")
    x = _round_inputs(inputs, scheme)
    features = _turned(x, "events")
    ends = [_constant(features, receivers, "receivers"), _constant(features, senders, "senders")]
    pairs = _turned(keras.layers.Concatenate(axis=1, name="pairs")(ends), "pairs")
    effect = _layers(pairs, effects, "effect", scheme)
    collected = _turned(_constant(_turned(effect, "effects"), receivers.T, "collected"), "collected")
    if scheme is not None:
        kind = pooled_bits(scheme.activations, constituents - 1, Pooling.SUM)
        collected = _relu(collected, "collected_rounding", kind)
    nodes = keras.layers.Concatenate(axis=2, name="nodes")([x, collected])
    x = _layers(nodes, objects, "object", scheme)
    x = _layers(_pooled(x, Pooling(pooling), scheme), classifier, "classifier", scheme)
    return keras.Model(inputs, _dense(x, outputs, "logits", scheme), name=name)


def pair_matrices(constituents: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Who receives and who sends: two matrices (n, n (n - 1)) of zeros and ones, a column an ordered pair."""
    receiver, sender = np.nonzero(~np.eye(constituents, dtype=bool))
    one = np.eye(constituents, dtype=np.float32)
    return one[:, receiver], one[:, sender]


def pooled_bits(activations: Bits, constituents: int, pooling: Pooling | str) -> Bits:
    """A type for the pool of values of the type `activations`.

    A sum has room for a quarter of the largest there could be, in steps as fine as its terms. An average has half of
    the bits that averaging adds below the point: it is small where few constituents contribute, and rounding it to the
    steps of the activations cost the jet tagger 0.4 % of accuracy. A maximum is one of its terms.
    """
    doublings = math.ceil(math.log2(constituents))
    match Pooling(pooling):
        case Pooling.SUM:
            extra = max(doublings - 2, 0)
            return Bits(activations.total + extra, activations.integer + extra)
        case Pooling.AVERAGE:
            return Bits(activations.total + math.ceil(doublings / 2), activations.integer)
        case Pooling.MAXIMUM:
            return activations


def _check_sets(event_shape: Sequence[int], what: str) -> None:
    if len(event_shape) != 2:
        raise ValueError(f"{what} reads (constituents, features), not events of shape {tuple(event_shape)}")


def _layers(x: Any, sizes: Sequence[int], prefix: str, scheme: Scheme | None) -> Any:
    """Dense layers with ReLU on the last axis: `<prefix>_1`, `<prefix>_relu_1`, ..."""
    for number, units in enumerate(sizes, start=1):
        x = _dense(x, units, f"{prefix}_{number}", scheme)
        x = _relu(x, f"{prefix}_relu_{number}", _activations(scheme))
    return x


def _turned(x: Any, name: str) -> Any:
    return import_keras().layers.Permute((2, 1), name=f"{name}_turned")(x)


def _constant(x: Any, matrix: npt.NDArray[np.float32], name: str) -> Any:
    """x times a constant matrix on its last axis."""
    keras = import_keras()
    layer = keras.layers.Dense(
        matrix.shape[1],
        use_bias=False,
        trainable=False,
        # In the configuration and not only among the weights: a clone of the network has it too.
        kernel_initializer=keras.initializers.Constant(matrix),
        name=name,
    )
    return layer(x)


def _pooled(x: Any, pooling: Pooling, scheme: Scheme | None) -> Any:
    """One vector of all constituents, rounded unless that is an identity."""
    x = _pool(x, pooling)
    if scheme is not None and pooling is not Pooling.MAXIMUM:
        # The pool of non-negative values is not negative: an unsigned type wastes no sign bit.
        x = _relu(x, "pool_rounding", scheme.pooled)
    return x


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
