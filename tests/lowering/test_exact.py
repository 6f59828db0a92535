"""What QKeras computes and what the Program computes: equal in every bit of every layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import qkeras_networks as networks

import firmware_flows as ff
from firmware_flows.verification.witness import keras_witness

pytestmark = pytest.mark.keras

DENSE = {
    "plain": {},
    "auto_po2 weights": {"weights": "quantized_bits(6,0,alpha='auto_po2')"},
    "alpha not given": {"weights": "quantized_bits(6,0)"},
    "weights scaled by a half": {"weights": "quantized_bits(6,0,alpha=0.5)"},
    "symmetric": {"inputs": "quantized_bits(8,2,1,alpha=1)", "activation": "quantized_bits(8,2,1,alpha=1)"},
    "unsigned activation": {"activation": "quantized_bits(8,2,keep_negative=False,alpha=1)"},
    "leaky": {"activation": "quantized_relu(6,2,negative_slope=0.25)"},
    "hard tanh": {"activation": "quantized_tanh(6)"},
    "hard sigmoid": {"activation": "quantized_sigmoid(6)"},
    "relu input": {"inputs": "quantized_relu(5,3)"},
    "negative integer bits": {"weights": "quantized_bits(4,-2,alpha=1)", "activation": "quantized_bits(4,-2,alpha=1)"},
    "integer bits beyond the width": {"activation": "quantized_relu(2,4)", "weights": "quantized_bits(4,3,alpha=1)"},
    "exact relu": {"activation": "relu"},
    "softmax inside": {"last": "softmax"},
    "binary weights": {"weights": "binary(alpha=1)"},
    "ternary weights": {"weights": "ternary(alpha=1)"},
    "power-of-two weights": {"weights": "quantized_po2(4)"},
}


def _check(model: object, scale: float = 3.0) -> ff.Program:
    program = ff.lower(model)
    rng = np.random.default_rng(1)
    shape = program.inputs[0].shape
    x = rng.normal(0, scale, (3000, *shape)).astype(np.float32)
    x[:500] = np.round(x[:500] * 256) / 256  # rounding ties
    x[500:600] *= 100  # saturation
    witness = keras_witness(program, model)
    assert witness.layers, "nothing to compare"
    valid = witness.valid([x])
    assert valid.mean() > 0.3
    traced = ff.trace(program, x)
    for layer, keras_value in zip(witness.layers, witness.predict([x]), strict=True):
        np.testing.assert_array_equal(traced[layer.name][valid], keras_value[valid], err_msg=layer.name)
    return program


@pytest.mark.parametrize("name", DENSE)
def test_dense_networks_equal_keras_in_every_layer(name: str) -> None:
    _check(networks.dense_network(**DENSE[name]))


@pytest.mark.parametrize("pool", ["average", "maximum", "sum", "ops.sum", "ops.mean"])
def test_deep_sets_equal_keras(pool: str) -> None:
    program = _check(networks.deep_sets(pool))
    assert [layer.kind for layer in program.layers].count("Pool") == 1


def test_merges_equal_keras() -> None:
    program = _check(networks.merged())
    assert len(program.outputs) == 9


def test_interaction_network_equals_keras() -> None:
    """Constant 0/1 matrices and Permute, through the exact instructions."""
    program = _check(networks.interaction_network())
    assert [layer.kind for layer in program.layers].count("Transpose") == 4


@pytest.mark.parametrize("seed", range(8))
def test_random_networks_equal_keras(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def bits(low: int, high: int) -> int:
        return int(rng.integers(low, high))

    sizes = tuple(bits(1, 9) for _ in range(bits(3, 6)))
    activations = [
        f"quantized_relu({bits(2, 8)},{bits(0, 4)})",
        f"quantized_bits({bits(2, 8)},{bits(-1, 4)},{bits(0, 2)},alpha=1)",
        f"quantized_bits({bits(2, 8)},{bits(-1, 4)},keep_negative=False,alpha=1)",
    ]
    _check(
        networks.dense_network(
            seed,
            sizes,
            weights=f"quantized_bits({bits(2, 8)},{bits(-2, 3)},{bits(0, 2)},alpha=1)",
            bias=f"quantized_bits({bits(2, 8)},{bits(-2, 3)},alpha=1)",
            activation=activations[bits(0, 3)],
            inputs=f"quantized_bits({bits(2, 11)},{bits(-1, 5)},{bits(0, 2)},alpha=1)",
        )
    )


def test_outputs_that_are_one_value_keep_a_port_each() -> None:
    import keras
    from qkeras import QActivation, QDense

    x = keras.Input((3,), name="x")
    a = QActivation("quantized_bits(6,2,alpha=1)", name="a")(x)
    layer = QDense(2, kernel_quantizer="quantized_bits(4,1,alpha=1)", use_bias=False, name="d")
    d, other = layer(a), layer(QActivation("quantized_bits(4,2,alpha=1)", name="coarse")(a))
    unchanged = QActivation("quantized_bits(30,12,alpha=1)", name="q")(d)
    dropped = keras.layers.Softmax(name="softmax")(d)
    model = keras.Model(x, [unchanged, d, keras.layers.Dropout(0.5, name="drop")(d), d, dropped, other])
    program = ff.lower(model)
    assert [o.name for o in program.outputs] == ["d", "d_3", "drop", "d_4", "softmax", "d_2"]
    events = np.random.default_rng(0).normal(0, 3, (50, 3)).astype(np.float32)
    for k, (found, wanted) in enumerate(zip(ff.emulate(program, events), model(events), strict=True)):
        if k != 4:  # the softmax is its input
            np.testing.assert_array_equal(found, wanted)


def test_average_over_ten_divides_toward_zero() -> None:
    """Not a power of two: Keras is no reference, integers are."""
    program = ff.lower(networks.deep_sets("average", constituents=10))
    pool = program.layer("pool")
    assert not pool.exact_in_keras
    assert "no power of two" in pool.remarks[0]
    x = np.random.default_rng(2).normal(0, 3, (500, 10, 3))
    traced = ff.trace(program, x)
    unit = 2.0**pool.type.fractional
    sums = (traced["p1_relu"].sum(axis=1) * unit).astype(np.int64)
    expected = np.array([[-(-int(v) // 10) if v < 0 else int(v) // 10 for v in row] for row in sums])
    np.testing.assert_array_equal(traced["pool"] * unit, expected)


def test_softmax_is_dropped_and_said_so() -> None:
    model = networks.dense_network(last="softmax")
    program = ff.lower(model)
    assert [o.name for o in program.outputs] == ["out_linear"]
    layer = program.layer("out")
    assert layer.kind == "Argmax"
    assert "softmax is dropped" in layer.remarks[0]
    x = np.random.default_rng(3).normal(0, 2, (300, 7))
    logits = ff.emulate(program, x)
    np.testing.assert_array_equal(ff.classify(program, x), logits.argmax(axis=1))
    np.testing.assert_array_equal(ff.trace(program, x)["out"], logits.argmax(axis=1))


def test_input_quantizer_becomes_the_input_type() -> None:
    program = ff.lower(networks.dense_network(inputs="quantized_bits(9,4,1,alpha=1)"))
    assert str(program.inputs[0].type) == "ap_fixed<9,5,AP_RND_CONV,AP_SAT_SYM>"
    assert program.inputs[0].port == "x"
    assert program.layers[0].name == "q"
    assert sum(layer.kind == "Quantize" for layer in program.layers) == 0


def test_input_quantizer_is_found_behind_a_flatten() -> None:
    import keras
    from qkeras import QActivation, QDense

    x = keras.layers.Input((4, 2), name="x")
    h = keras.layers.Flatten(name="flat")(x)
    h = QActivation("quantized_bits(6,1,alpha=1)", name="q")(h)
    h = QDense(3, kernel_quantizer=networks.WEIGHTS, bias_quantizer=networks.BIAS, name="out")(h)
    program = ff.lower(keras.Model(x, h))
    assert str(program.inputs[0].type) == "ap_fixed<6,2,AP_RND_CONV,AP_SAT>"


def test_given_input_type_is_used_and_keras_is_fed_with_rounded_events() -> None:
    model = networks.dense_network(inputs=None)
    program = ff.lower(model, input_type="ap_fixed<7,3,AP_RND,AP_SAT>")
    x = np.random.default_rng(4).normal(0, 2, (2000, 7)).astype(np.float32)
    verification = ff.verify(program, x, keras_model=model, random_events=1000)
    assert verification.passed
    assert {f.name: f.compared for f in verification.forms}["Keras"] > 3000


def test_saved_program_computes_the_same(tmp_path: Path) -> None:
    program = ff.lower(networks.deep_sets("sum"), metadata={"classes": ["a", "b", "c"]})
    program.save(tmp_path / "net.ffp")
    again = ff.load_program(tmp_path / "net.ffp")
    x = np.random.default_rng(5).normal(0, 2, (200, 8, 3))
    np.testing.assert_array_equal(ff.emulate(again, x, raw=True), ff.emulate(program, x, raw=True))
    assert again.digest == program.digest
    assert again.metadata["classes"] == ["a", "b", "c"]
