"""Models called as layers, and layers called at several places: the same numbers as Keras, and readable names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import qkeras_networks as networks

import firmware_flows as ff
from firmware_flows.verification.witness import keras_witness

pytestmark = pytest.mark.keras

DENSE = {
    "kernel_quantizer": networks.WEIGHTS,
    "bias_quantizer": networks.BIAS,
    "bias_initializer": "random_normal",
}


def siamese() -> Any:
    """One encoder at two places: within it a Sequential, and a layer used twice; then two outputs, one the encoder's.

    Names collide on purpose: a layer outside is called as the second call of one inside would be.
    """
    import keras
    from keras import layers
    from qkeras import QActivation, QDense

    keras.utils.set_random_seed(4)
    small = keras.Sequential(
        [keras.Input((4,)), QDense(4, activation=networks.RELU, name="inner", **DENSE), layers.Dropout(0.5)], name="mlp"
    )
    a, b = layers.Input((4,), name="a"), layers.Input((4,), name="b")
    shared = QDense(4, activation=networks.RELU, name="twice", **DENSE)
    h = layers.Concatenate(name="join")([shared(small(a)), shared(b)])
    encoder = keras.Model([a, b], [QDense(3, name="code", **DENSE)(h), shared(small(b))], name="encoder")
    x, y = layers.Input((4,), name="x"), layers.Input((4,), name="y")
    q, r = QActivation(networks.INPUT, name="q")(x), QActivation("quantized_bits(7,1,alpha=1)", name="r")(y)
    first, side = encoder([q, r])
    second, _ = encoder([r, q])
    again = QDense(4, name="twice_2", **DENSE)(shared(QActivation(networks.RELU, name="cut")(side)))
    return keras.Model([x, y], [layers.Subtract(name="difference")([first, second]), again], name="siamese")


def test_every_layer_equals_keras_and_the_cpp(tmp_path: Path) -> None:
    model = siamese()
    program = ff.lower(model)
    names = {layer.name for layer in program.layers}
    assert {"encoder/mlp/inner", "encoder_2/mlp/inner", "encoder/mlp_2/inner", "encoder/twice", "encoder/twice_2",
            "encoder/twice_3", "encoder/code", "encoder_2/code", "twice", "twice_2"} <= names  # fmt: skip
    assert "encoder_2/mlp_2/inner" not in names  # nothing reads it
    assert [output.name for output in program.outputs] == ["difference", "twice_2"]
    rng = np.random.default_rng(0)
    x = [rng.normal(0, 3, (2000, 4)).astype(np.float32) for _ in range(2)]
    expected = [np.asarray(v) for v in model(x)]
    for wanted, found in zip(expected, ff.emulate(program, x), strict=True):
        np.testing.assert_array_equal(found, wanted)
    witness = keras_witness(program, model)
    assert witness.outputs_comparable
    assert {layer.name for layer in witness.layers} == names - {"q", "r"} - {n for n in names if n.endswith("_linear")}
    traced = ff.trace(program, x)
    for layer, keras_value in zip(witness.layers, witness.predict(x), strict=True):
        np.testing.assert_array_equal(traced[layer.name], keras_value, err_msg=layer.name)
    project = ff.hls.write_project(program, tmp_path / "p")
    result = ff.verify(program, x, keras_model=model, project=project, random_events=2000)
    assert result.passed, result.summary()
    assert min(form.compared for form in result.forms) > 1000


def test_an_error_names_the_path() -> None:
    import keras
    from qkeras import QActivation

    x = keras.layers.Input((3,), name="x")
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="float")], name="inner")
    outer = keras.Sequential([keras.Input((3,)), inner], name="outer")
    model = keras.Model(x, outer(QActivation(networks.INPUT, name="q")(x)))
    with pytest.raises(ff.LoweringError, match="'outer/inner/float', kernel_quantizer"):
        ff.lower(model)


def test_calls_that_are_not_what_the_graph_says() -> None:
    import keras

    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x + 1

    x = keras.layers.Input((3,), name="x")
    y = keras.layers.Input((3,), name="y")
    own = Own(x, keras.layers.Flatten(name="f")(x), name="own")
    with pytest.raises(ff.LoweringError, match="'own', type"):
        ff.lower(own, input_type="ap_fixed<8,3>")
    dropout = keras.layers.Dropout(0.5, name="active")
    with pytest.raises(ff.LoweringError, match="'active', training"):
        ff.lower(keras.Model(x, dropout(x, training=True)), input_type="ap_fixed<8,3>")
    pair = keras.Model([x, y], keras.layers.Subtract(name="minus")([x, y]), name="pair")
    with pytest.raises(ff.LoweringError, match="'pair', inputs"):
        ff.lower(keras.Model([x, y], pair({"x": x, "y": y})), input_type="ap_fixed<8,3>")
    named = keras.Model({"y": y, "x": x}, keras.layers.Subtract(name="minus")([x, y]), name="named")
    program = ff.lower(keras.Model([x, y], named({"x": x, "y": y})), input_type="ap_fixed<8,3>")
    np.testing.assert_array_equal(ff.emulate(program, {"x": np.full((1, 3), 2.0), "y": np.full((1, 3), 0.5)}), 1.5)
    with pytest.raises(ff.LoweringError, match=r"'average', type = '.*Average'"):
        ff.lower(keras.Model(x, keras.ops.average(x, axis=1)), input_type="ap_fixed<8,3>")


def test_a_step_of_one_layer_named_as_another_layer() -> None:
    import keras
    from qkeras import QActivation, QDense

    x = keras.layers.Input((3,), name="x")
    h = QDense(3, activation=networks.RELU, name="d", **DENSE)(QActivation(networks.INPUT, name="q")(x))
    model = keras.Model(x, QDense(3, name="d_linear", **DENSE)(h))
    with pytest.raises(ff.LoweringError, match=r"'d_linear', name = 'd_linear'.*Rename"):
        ff.lower(model)
    nothing = keras.layers.Dropout(0.5, name="d_linear")(h)  # of itself it adds no layer that could clash
    with pytest.raises(ff.LoweringError, match=r"'d_linear', name = 'd_linear'.*Rename"):
        ff.lower(keras.Model(x, nothing))
