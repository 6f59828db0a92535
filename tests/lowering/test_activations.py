"""Rectifiers, steps and hard functions: equal to Keras where it is exact, and to hls4ml's C++ for every input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.verification.witness import keras_witness

pytestmark = pytest.mark.keras

FAMILIES = ("line_", "step_", "norm_", "table_", "soft_")


def test_every_layer_equals_keras_where_it_is_exact(elementwise: Any) -> None:
    model, program, x, values = elementwise
    witness = keras_witness(program, model)
    names = [layer.name for layer in witness.layers]
    for needed in ("line_leaky", "line_limited", "line_threshold", "line_both", "line_gated", "line_hard_tanh",
                   "line_prelu0", "line_prelu1", "step_binary", "step_ternary", "step_01", "step_half", "table_po2",
                   "table_relu_po2", "norm_plain", "norm_folded", "norm_quantized"):  # fmt: skip
        assert needed in names
    valid = witness.valid([x])
    assert valid.mean() > 0.3, "of events where float32 is exact"
    for layer, keras_value in zip(witness.layers, witness.predict([x]), strict=True):
        np.testing.assert_array_equal(values[layer.name][valid], keras_value[valid], err_msg=layer.name)


@pytest.mark.cpp
@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_equals_the_compiled_cpp(elementwise: Any, traced: Any, family: str) -> None:
    names = [name for name in traced if name.startswith(family)]
    assert names
    for name in names:
        np.testing.assert_array_equal(traced[name], elementwise.values[name], err_msg=name)


def test_hard_sigmoid_of_keras_says_that_a_sixth_is_rounded(elementwise: Any) -> None:
    layer = elementwise.program.layer("line_hard_sigmoid")
    assert not layer.exact_in_keras
    assert "10923/65536" in layer.remarks[0]
    assert elementwise.program.layer("line_qkeras_sigmoid").exact_in_keras
    x = elementwise.values["few"]
    assert np.abs(elementwise.values["line_hard_sigmoid"] - np.clip(x / 6 + 0.5, 0, 1)).max() < 2.0**-13


def _refusal(layer: Any, inputs: str = "ap_fixed<12,5>", shape: tuple[int, ...] = (4,)) -> ff.LoweringError:
    import keras

    x = keras.layers.Input(shape, name="x")
    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(keras.Model(x, layer(x)), input_type=inputs)
    assert caught.value.remedy
    return caught.value


def test_parameters_off_the_grid_are_refused() -> None:
    from keras import layers
    from qkeras import QActivation

    assert _refusal(layers.LeakyReLU(name="y")).value == pytest.approx(0.3)
    assert _refusal(layers.ReLU(max_value=0.1, name="y")).field == "max_value"
    assert _refusal(layers.ReLU(negative_slope=0.3, name="y")).field == "negative_slope"
    assert _refusal(layers.ReLU(threshold=0.3, name="y")).field == "threshold"
    assert _refusal(layers.ELU(alpha=0.7, name="y")).field == "alpha"
    assert _refusal(layers.PReLU(alpha_initializer="random_normal", name="y")).field == "alpha"
    assert _refusal(QActivation("binary(alpha=0.3)", name="y")).field == "activation.alpha"
    assert "10 bits" in _refusal(QActivation("quantized_po2(4)", name="y")).remedy


def test_binary_of_inputs_beyond_float32_is_no_matter_of_keras() -> None:
    import keras
    from qkeras import QActivation

    x = keras.layers.Input((4,), name="x")
    model = keras.Model(x, QActivation("binary(alpha=1)", name="y")(x))
    assert ff.lower(model, input_type="ap_fixed<12,5>").layer("y").exact_in_keras
    layer = ff.lower(model, input_type="ap_fixed<40,5>").layer("y")
    assert not layer.exact_in_keras
    assert "float32" in layer.remarks[0]


@pytest.mark.cpp
@pytest.mark.parametrize(("seed", "io"), [(1, "stream"), (6, "parallel")])
def test_random_layers_on_random_types_equal_the_compiled_cpp(seed: int, io: str, tmp_path: Path) -> None:
    from random_elementwise import random_elementwise

    program = random_elementwise(seed, layers=12)
    project = ff.hls.write_project(program, tmp_path / "p", io=io)
    rng = np.random.default_rng(seed)
    x = (rng.normal(0, 6, (3000, 2, 3)) * np.exp2(rng.uniform(-6, 0, (3000, 1, 1)))).astype(np.float32)
    wanted, found = ff.trace(program, x), project.trace(x)
    for name, values in found.items():
        np.testing.assert_array_equal(values, wanted[name], err_msg=name)


def test_the_program_survives_a_file_and_verification(elementwise: Any, tmp_path: Path) -> None:
    program = elementwise.program
    program.save(tmp_path / "net.ffp")
    again = ff.load_program(tmp_path / "net.ffp")
    assert again.digest == program.digest
    assert [layer.remarks for layer in again.layers] == [layer.remarks for layer in program.layers]
    verification = ff.verify(program, elementwise.x[:200], keras_model=elementwise.model, random_events=500)
    assert verification.divergence is None
    assert not verification.passed  # tables are the hardware's: without the C++ nothing is proven about the outputs
    assert {f.name: f.compared for f in verification.forms}["Program, interpreted"] > 500
