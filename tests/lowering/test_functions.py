"""Functions and numbers in a functional model are refused with what to write instead, and that is true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff

pytestmark = pytest.mark.keras


def _model(shape: tuple[int, ...], call: Callable[[Any, Any, Any], Any]) -> Any:
    import keras
    from qkeras import QActivation

    x = keras.Input(shape, name="x")
    q = QActivation("quantized_bits(6,2,alpha=1)", name="q")(x)
    return keras.Model(x, call(keras.layers, keras.ops, q), name="functions")


def _scaled(layers: Any, x: Any, name: str, gamma: float, beta: float) -> Any:
    layer = layers.BatchNormalization(epsilon=0.0, name=name)
    y = layer(x)
    n = x.shape[-1]
    layer.set_weights([np.full(n, v, np.float32) for v in (gamma, beta, 0.0, 1.0)])
    return y


def _absolute(layers: Any, x: Any) -> Any:
    negative = _scaled(layers, x, "minus", -1.0, 0.0)
    return layers.Add(name="sum")([layers.ReLU(name="above")(x), layers.ReLU(name="below")(negative)])


PAIRS: dict[str, tuple[tuple[int, ...], Any, Any]] = {
    "factor": ((3,), lambda _, o, x: x * 2.0, lambda k, o, x: _scaled(k, x, "bn", 2.0, 0.0)),
    "offset": ((3,), lambda _, o, x: 1.0 - x, lambda k, o, x: _scaled(k, x, "bn", -1.0, 1.0)),
    "division": ((3,), lambda _, o, x: x / 4.0, lambda k, o, x: _scaled(k, x, "bn", 0.25, 0.0)),
    "minimum": (
        (3,),
        lambda _, o, x: o.minimum(x, 0.5),
        lambda k, o, x: k.ReLU(max_value=0.5, negative_slope=1.0, name="r")(x),
    ),
    "maximum": ((3,), lambda _, o, x: o.maximum(0.0, x), lambda k, o, x: k.ReLU(name="r")(x)),
    "relu": ((3,), lambda _, o, x: o.relu(x), lambda k, o, x: k.ReLU(name="r")(x)),
    "relu6": ((3,), lambda _, o, x: o.relu6(x), lambda k, o, x: k.ReLU(max_value=6.0, name="r")(x)),
    "square": ((3,), lambda _, o, x: o.square(x), lambda k, o, x: k.Multiply(name="m")([x, x])),
    "absolute": ((3,), lambda _, o, x: o.absolute(x), lambda k, o, x: _absolute(k, x)),
    "clip": ((3,), lambda _, o, x: o.clip(x, 0, 1.5), lambda k, o, x: k.ReLU(max_value=1.5, name="r")(x)),
    "transpose": ((2, 3), lambda _, o, x: o.transpose(x, (0, 2, 1)), lambda k, o, x: k.Permute((2, 1), name="p")(x)),
    "squeeze": ((1, 3), lambda _, o, x: o.squeeze(x, 1), lambda k, o, x: k.Reshape((3,), name="r")(x)),
    "slice": (
        (5,),
        lambda _, o, x: x[:, 1:4],
        lambda k, o, x: k.Flatten(name="f")(k.Cropping1D((1, 1), name="c")(k.Reshape((5, 1), name="r")(x))),
    ),
    "stack": (
        (3,),
        lambda _, o, x: o.stack([x, x], axis=1),
        lambda k, o, x: k.Concatenate(axis=1, name="c")([k.Reshape((1, 3), name=f"r{n}")(x) for n in (1, 2)]),
    ),
    "pad": (
        (3, 2),
        lambda _, o, x: o.pad(x, ((0, 0), (1, 2), (0, 0))),
        lambda k, o, x: k.ZeroPadding1D((1, 2), name="z")(x),
    ),
    "repeat": ((3, 2), lambda _, o, x: o.repeat(x, 2, axis=1), lambda k, o, x: k.UpSampling1D(2, name="u")(x)),
    "matmul": ((2, 2), lambda _, o, x: o.matmul(x, x), lambda k, o, x: k.Dot((2, 1), name="d")([x, x])),
    "tile": ((3,), lambda _, o, x: o.tile(x, (1, 2)), lambda k, o, x: k.Concatenate(name="c")([x, x])),
    "cast": ((3,), lambda _, o, x: o.cast(x, "float32"), lambda k, o, x: x),
}
"""What users write, and what its refusal advises."""


@pytest.mark.parametrize("case", PAIRS)
def test_a_refused_function_names_what_computes_the_same(case: str) -> None:
    shape, function, instead = PAIRS[case]
    wanted = _model(shape, function)
    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(wanted)
    assert "Valid names" not in str(caught.value)
    layers = {type(layer).__name__ for layer in _model(shape, instead).layers[2:]}
    assert any(layer in caught.value.remedy for layer in layers) or not layers
    x = np.random.default_rng(1).integers(-32, 32, (50, *shape)).astype(np.float32) / 8
    found = ff.emulate(ff.lower(_model(shape, instead)), x)
    assert np.array_equal(found, wanted.predict(x, verbose=0))


def test_a_number_in_the_graph_is_the_value_of_the_refusal() -> None:
    with pytest.raises(ff.LoweringError, match=r"constant = 2\.0: a number that no layer") as caught:
        ff.lower(_model((3,), lambda _, o, x: x * 2.0))
    assert caught.value.field == "constant"


def test_a_reshape_that_joins_events_is_said_so() -> None:
    with pytest.raises(ff.LoweringError, match=r"joins events\. Use the layer Reshape"):
        ff.lower(_model((4, 6), lambda _, o, x: o.reshape(x, (-1, 6))))


def test_masking_is_refused_by_its_own_name() -> None:
    import qkeras

    def masked(layers: Any, ops: Any, x: Any) -> Any:
        recurrent = qkeras.QSimpleRNN(2, activation="quantized_bits(4,1,alpha=1)", name="rnn")
        return recurrent(layers.Masking(name="padding")(x))

    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(_model((3, 2), masked))
    assert (caught.value.layer, caught.value.value) == ("padding", "Masking")


def test_a_layer_given_as_activation_is_told_to_stand_alone() -> None:
    with pytest.raises(ff.LoweringError, match="a layer of its own") as caught:
        ff.lower(_model((3,), lambda k, o, x: k.Activation(k.ReLU(), name="a")(x)))
    assert (caught.value.layer, caught.value.value) == ("a", "ReLU")


def test_keras_is_a_witness_of_an_output_that_is_the_input_quantizer() -> None:
    model = _model((3,), lambda k, o, x: k.Identity(name="i")(x))
    found = ff.verify(ff.lower(model), keras_model=model, random_events=50)
    assert found.passed
    assert next(f for f in found.forms if f.name == "Keras").compared > 50
