"""Recurrent layers: what Keras computes, what a slow reference computes, and the Program, equal in every bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import recurrent_networks as networks
from hypothesis import given, settings
from hypothesis import strategies as st

import firmware_flows as ff
from firmware_flows.errors import LoweringError
from firmware_flows.verification.witness import keras_witness

pytestmark = pytest.mark.keras

AUTO = "quantized_bits(4,0,alpha='auto')"
KINDS = ("QSimpleRNN", "QLSTM", "QGRU")


def _events(program: ff.Program, number: int) -> Any:
    return np.random.default_rng(1).normal(0, 2, (number, *program.inputs[0].shape)).astype(np.float32)


def _quantized(x: Any) -> Any:
    """The networks' input quantizer, of 6 bits with 2 before the point."""
    return np.clip(np.round(x.astype(np.float64) * 8), -32, 31) / 8


def _equals_keras(model: Any, events: int = 200) -> ff.Program:
    program = ff.lower(model)
    x = _events(program, events)
    witness = keras_witness(program, model)
    assert witness.valid([x]).all()
    assert witness.outputs_comparable
    traced = ff.trace(program, x)
    for layer, keras_value in zip(witness.layers, witness.predict([x]), strict=True):
        np.testing.assert_array_equal(traced[layer.name], keras_value, err_msg=layer.name)
        assert len(np.unique(keras_value)) > 4, layer.name
    return program


def test_every_cell_equals_keras() -> None:
    layers = {f"{kind}{seq:d}": networks.cell(kind, return_sequences=seq) for kind in KINDS for seq in (False, True)}
    layers |= {f"{kind}_back": networks.cell(kind, return_sequences=True, go_backwards=True) for kind in KINDS}
    layers["after"] = networks.cell("QGRU", reset_after=True, use_bias=True)
    layers["rectified"] = networks.plain("SimpleRNN", activation="relu", return_sequences=True)
    program = _equals_keras(networks.network((4, 3), layers))
    names = [layer.name for layer in program.layers]
    assert {"QLSTM0_t0_i", "QLSTM0_t2_f", "QLSTM0_carry", "QGRU1_t3_z"} <= set(names)
    assert "QLSTM0_t0_f" not in names  # there is nothing to forget


def test_an_activation_that_changes_nothing_leaves_the_name_to_the_sum() -> None:
    layer = networks.cell("QSimpleRNN", activation="quantized_bits(20,6,alpha=1)")
    program = _equals_keras(networks.network((2, 2), {"y": layer}))
    assert program.layers[-1].name == "y"


@pytest.mark.parametrize("sequences", [False, True])
def test_both_directions_equal_keras(sequences: bool) -> None:
    words = {
        "return_sequences": sequences,
        "activation": "quantized_tanh(3)",
        "recurrent_activation": "quantized_sigmoid(3)",
    }
    layers = {mode: networks.both(networks.cell("QLSTM", **words), mode) for mode in ("concat", "sum", "mul", "ave")}
    _equals_keras(networks.network((3, 2), layers))


def test_layers_at_every_time_step_equal_keras() -> None:
    import keras
    import qkeras

    layers = {
        "dense": qkeras.QDense(3, **networks.DENSE),
        "convolution": qkeras.QConv1D(2, 3, activation="quantized_relu(4,1)", **networks.DENSE),
        "largest": keras.layers.MaxPooling1D(2),
        "over all": keras.layers.GlobalMaxPooling1D(),
        "recurrent": networks.cell("QLSTM"),
        "flat": keras.layers.Flatten(),
        "permuted": keras.layers.Permute((2, 1)),
        "nested": networks.each(keras.layers.Reshape((2, 1))),
    }
    program = _equals_keras(networks.network((3, 4, 2), {n: networks.each(layer) for n, layer in layers.items()}))
    assert program.layer("dense").kind == "Dense"  # the whole sequence at once
    assert program.layer("convolution_t2_linear").kind == "Conv1D"


def _quantizer(bits: int, signed: bool, integer: int) -> str:
    return f"quantized_bits({bits},{integer},{signed:d},alpha=1)"


OPTIONS = st.fixed_dictionaries(
    {
        "units": st.integers(1, 3),
        "shape": st.tuples(st.integers(1, 4), st.integers(1, 3)),
        "kernel_quantizer": st.builds(_quantizer, st.integers(1, 8), st.just(True), st.integers(-1, 1)),
        "recurrent_quantizer": st.builds(_quantizer, st.integers(1, 8), st.just(True), st.integers(-2, 1)),
        "bias_quantizer": st.builds(_quantizer, st.integers(1, 8), st.just(True), st.integers(0, 2)),
        "state_quantizer": st.none() | st.builds(_quantizer, st.integers(2, 8), st.booleans(), st.integers(0, 2)),
        "activation": st.builds("quantized_tanh({})".format, st.integers(1, 8))
        | st.builds(_quantizer, st.integers(2, 8), st.just(True), st.integers(0, 2))
        | st.just("quantized_relu(4,1)"),
        "recurrent_activation": st.builds("quantized_sigmoid({})".format, st.integers(1, 8)) | st.just("hard_sigmoid"),
        "use_bias": st.booleans(),
        "reset_after": st.booleans(),
        "return_sequences": st.booleans(),
        "go_backwards": st.booleans(),
        "seed": st.integers(0, 99),
    }
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=10, deadline=None, derandomize=True)
@given(options=OPTIONS)
def test_random_cells_equal_the_reference(kind: str, options: dict[str, Any]) -> None:
    options = dict(options)
    shape, seed = options.pop("shape"), options.pop("seed")
    if kind != "QGRU":
        del options["reset_after"]
    if kind == "QSimpleRNN":
        del options["recurrent_activation"]
    layer = networks.cell(kind, **options)
    model = networks.network(shape, {"y": layer}, seed)
    program = _lowered(model)
    if isinstance(program, LoweringError):  # nothing rounds the states
        assert (program.field, options["state_quantizer"]) == ("state_quantizer", None)
        return
    x = _events(program, 6)
    y = ff.emulate(program, x)
    np.testing.assert_array_equal(y, networks.outputs(layer, _quantized(x)))
    witness = keras_witness(program, model)
    valid = witness.valid([x])
    keras_y = np.asarray(model(x))
    np.testing.assert_array_equal(y[valid], keras_y[valid])


def _lowered(model: Any) -> ff.Program | LoweringError:
    try:
        return ff.lower(model)
    except LoweringError as error:
        return error


@pytest.mark.parametrize(("kind", "steps"), [("SimpleRNN", 5), ("LSTM", 3), ("GRU", 3)])
def test_the_tables_of_plain_layers_are_hls4mls(kind: str, steps: int) -> None:
    layer = networks.plain(kind, return_sequences=True)
    program = ff.lower(networks.network((steps, 2), {"y": layer}))
    x = _events(program, 20)
    np.testing.assert_array_equal(ff.emulate(program, x), networks.outputs(layer, _quantized(x)))
    tables = [layer for layer in program.layers if layer.kind == "Table"]
    assert tables
    assert all("hls4ml's table" in t.remarks[0] and not t.exact_in_keras for t in tables)


def test_a_cell_in_the_general_layer_is_the_same() -> None:
    import keras

    cell = keras.layers.GRUCell(2, kernel_initializer=networks.grid, recurrent_initializer=networks.grid)
    layer = keras.layers.RNN(cell)
    program = ff.lower(networks.network((2, 2), {"y": layer}))
    x = _events(program, 20)
    np.testing.assert_array_equal(ff.emulate(program, x), networks.outputs(layer, _quantized(x)))


def _stacked() -> Any:
    import keras

    return keras.layers.RNN([keras.layers.LSTMCell(2), keras.layers.LSTMCell(2)])


def _distributed(name: str, *values: Any) -> Any:
    import keras

    return networks.each(getattr(keras.layers, name)(*values))


@pytest.mark.parametrize(
    ("make", "field", "reason"),
    [
        (lambda: networks.plain("LSTM"), "state_quantizer", "nothing rounds the states, and 'y_t4_active' needs 64"),
        (lambda: networks.plain("LSTM", activation="softmax"), "activation", "not converted inside a recurrent cell"),
        (lambda: networks.plain("LSTM", kernel_initializer="glorot_uniform"), "kernel_quantizer", "not on a"),
        (lambda: networks.plain("GRU", activation="gelu"), "activation", "no such function"),
        (lambda: networks.plain("GRU", return_state=True), "outputs", "several outputs"),
        (lambda: networks.both(networks.cell("QGRU"), None), "outputs", "several outputs"),
        (lambda: networks.cell("QLSTM", state_quantizer="binary(alpha=1)"), "state_quantizer", "another number of"),
        (lambda: networks.cell("QGRU", state_quantizer=AUTO), "state_quantizer.alpha", "each batch of events"),
        (lambda: networks.cell("QLSTM", state_quantizer="quantized_bits(32,0,alpha=1)"), "bits", "too wide"),
        (_stacked, "cell", "this cell is not converted"),
        (lambda: _distributed("LayerNormalization"), "layer", "this layer is not converted"),
        (lambda: networks.each(_sequential()), "layer", "this layer is not converted"),
    ],
)  # fmt: skip
def test_refusals(make: Callable[[], Any], field: str, reason: str) -> None:
    model = networks.network((9, 2), {"y": make()})
    with pytest.raises(LoweringError, match=reason) as caught:
        ff.lower(model)
    assert (caught.value.layer, caught.value.field) == ("y", field)


def _sequential() -> Any:
    import keras

    return keras.Sequential([keras.layers.Dense(2)])


@pytest.mark.parametrize("field", ["stateful", "mask", "initial_state"])
def test_what_is_given_to_a_call_is_refused(field: str) -> None:
    import keras

    x = keras.Input(batch_shape=(1, 3, 2), name="x")
    words = {"mask": {"mask": np.ones((1, 3), bool)}, "initial_state": {"initial_state": np.zeros((1, 2), np.float32)}}
    layer = networks.plain("SimpleRNN", name="y", stateful=field == "stateful")
    model = keras.Model(x, layer(x, **words.get(field, {})))
    with pytest.raises(LoweringError) as caught:
        ff.lower(model, "ap_fixed<8,3>")
    assert (caught.value.layer, caught.value.field) == ("y", field)
