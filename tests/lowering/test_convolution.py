"""Convolutions, pooling, padding: what Keras computes and what the Program computes, equal in every bit."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import window_networks as networks

import firmware_flows as ff
from firmware_flows.lowering.windows import windows
from firmware_flows.verification.witness import keras_witness


def _check(model: Any, events: int = 200) -> ff.Program:
    program = ff.lower(model)
    shape = program.inputs[0].shape
    x = np.random.default_rng(1).normal(0, 2, (events, *shape)).astype(np.float32)
    witness = keras_witness(program, model)
    valid = witness.valid([x])
    assert valid.all()
    traced = ff.trace(program, x)
    compared = {layer.name for layer in witness.layers}
    assert {x.name for x in program.layers if x.name in _names(model) and x.exact_in_keras} <= compared | {"q"}
    for layer, keras_value in zip(witness.layers, witness.predict([x]), strict=True):
        np.testing.assert_array_equal(traced[layer.name], keras_value, err_msg=layer.name)
    return program


def _names(model: Any) -> set[str]:
    return {layer.name for layer in model.layers}


@pytest.mark.keras
def test_every_layer_on_images_equals_keras() -> None:
    program = _check(networks.branches((6, 7, 4), networks.image_layers()))
    kinds = {layer.kind for layer in program.layers}
    assert {"Conv2D", "DepthwiseConv2D", "LocalPool", "Pool", "ZeroPadding", "Cropping", "UpSampling"} <= kinds
    assert sum(not layer.exact_in_keras for layer in program.layers) == 3  # averages of 6, 9 and 42 numbers


@pytest.mark.keras
def test_every_layer_on_rows_equals_keras() -> None:
    program = _check(networks.branches((11, 4), networks.row_layers()))
    kinds = {layer.kind for layer in program.layers}
    assert {"Conv1D", "DepthwiseConv1D", "LocalPool", "Repeat", "Dense"} <= kinds


@pytest.mark.keras
@pytest.mark.parametrize("seed", range(4))
def test_random_stacks_equal_keras(seed: int) -> None:
    rng = np.random.default_rng(seed)
    _check(networks.random_stack(rng, (int(rng.integers(4, 9)), int(rng.integers(4, 9)), int(rng.integers(1, 5)))))


@pytest.mark.keras
@pytest.mark.parametrize("name", ["average of 6", "average same of 9", "global average"])
def test_an_average_divides_toward_zero(name: str) -> None:
    """Where the number of terms is no power of two, integers are the reference."""
    program = ff.lower(networks.branches((6, 7, 4), {name: networks.image_layers()[name]}))
    layer = program.layers[-1]
    x = np.random.default_rng(2).normal(0, 3, (300, 6, 7, 4))
    traced = ff.trace(program, x)
    values = traced["q"] * 2.0**layer.type.fractional
    if layer.kind == "Pool":
        at, covered = np.arange(42)[np.newaxis, :], np.array([42])
    else:
        a = layer.attributes
        w = windows((6, 7), a["kernel"], a["strides"], (1, 1), "same" if "same" in name else "valid")
        at, covered = w.indices(1)[..., 0].reshape(-1, np.prod(a["kernel"])), w.covered().reshape(-1)
    flat = values.reshape(300, 42, 4)
    for result, (positions, n) in zip(
        np.moveaxis(traced[layer.name].reshape(300, -1, 4), 1, 0), zip(at, covered, strict=True), strict=True
    ):
        total = flat[:, positions[positions >= 0]].sum(axis=1).astype(np.int64)
        expected = np.sign(total) * (np.abs(total) // n)
        np.testing.assert_array_equal(result * 2.0**layer.type.fractional, expected)
    assert not layer.exact_in_keras
    assert "toward zero" in layer.remarks[0]


@pytest.mark.parametrize("padding", ["valid", "same", "causal"])
def test_windows_are_those_of_a_plain_loop(padding: str) -> None:
    for size, kernel, stride, dilation in product((5, 6), (1, 2, 3), (1, 2, 4), (1, 2)):
        w = windows((size,), (kernel,), (stride,), (dilation,), padding)
        span = dilation * (kernel - 1) + 1
        results = -(-size // stride) if padding != "valid" else (size - span) // stride + 1
        total = max((results - 1) * stride + span - size, 0)
        before = {"valid": 0, "same": total // 2, "causal": span - 1}[padding]
        wanted = [
            [p if 0 <= (p := r * stride + k * dilation - before) < size else -1 for k in range(kernel)]
            for r in range(results)
        ]
        assert w.indices(1)[..., 0].tolist() == wanted
        assert w.covered().tolist() == [sum(p >= 0 for p in row) for row in wanted]


def test_indices_of_two_axes_and_channels() -> None:
    image = np.arange(4 * 5 * 3).reshape(4, 5, 3)
    picked = windows((4, 5), (2, 3), (2, 1), (1, 1), "valid").indices(3)
    assert picked.shape == (2, 3, 6, 3)
    for row, column in np.ndindex(2, 3):
        patch = image[2 * row : 2 * row + 2, column : column + 3].reshape(6, 3)
        np.testing.assert_array_equal(picked[row, column], patch)


def test_a_word_for_padding_that_nobody_knows() -> None:
    with pytest.raises(ValueError, match="'full' is none of valid, same, causal"):
        windows((4,), (2,), (1,), (1,), "full")


@pytest.mark.keras
@pytest.mark.parametrize(
    ("layer", "field"),
    [
        (lambda: networks.plain("MaxPooling2D", 2, data_format="channels_first"), "data_format"),
        (lambda: networks.conv2d(2, 2, kernel_quantizer="quantized_bits(4,0,alpha='auto')"), "kernel_quantizer.alpha"),
        (lambda: networks.conv2d(2, 2, kernel_quantizer=None), "kernel_quantizer"),
        (lambda: networks.depthwise2d(2, depthwise_quantizer=None), "depthwise_quantizer"),
        (lambda: networks.plain("UpSampling2D", 2, interpolation="bilinear"), "interpolation"),
        (lambda: networks.averaged("quantized_bits(8,0,alpha=1)"), "average_quantizer"),
    ],
)
def test_refusals_name_the_field(layer: Any, field: str) -> None:
    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(networks.branches((6, 7, 4), {"refused": layer()}))
    assert caught.value.field == field
    assert caught.value.remedy


@pytest.mark.keras
@pytest.mark.parametrize("kernel", [1, 3])
def test_causal_padding_fails_in_qkeras_and_is_refused(kernel: int) -> None:
    model = networks.branches((9, 2), {"causal": networks.conv1d(2, kernel, padding="causal", name="causal")})
    with pytest.raises(Exception, match="CAUSAL"):
        model(np.zeros((1, 9, 2), np.float32))
    with pytest.raises(ff.LoweringError, match="call of the layer fails") as caught:
        ff.lower(model)
    assert caught.value.field == "padding"


@pytest.mark.keras
def test_what_to_do_instead_of_causal_padding_is_the_same() -> None:
    """Keras' own Conv1D, which can, and the remedy."""
    import keras

    causal = networks.plain("Conv1D", 2, 3, padding="causal", dilation_rate=2)
    valid = networks.plain("Conv1D", 2, 3, dilation_rate=2)
    model = networks.branches((9, 2), {"causal": causal, "remedy": [keras.layers.ZeroPadding1D((4, 0)), valid]})
    one, other = ff.emulate(ff.lower(model), np.random.default_rng(1).normal(0, 2, (50, 9, 2)))
    assert one.any()
    np.testing.assert_array_equal(one, other)


@pytest.mark.keras
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_random_layers_of_all_widths_equal_keras_in_float64(seed: int, rank: int) -> None:
    """Weights and inputs of 1 to 16 bits, -4 to 8 integer bits: too many for float32, so Keras' own layers compute."""
    rng = np.random.default_rng(seed)
    shape = (*(int(n) for n in rng.integers(2, 9, rank)), int(rng.integers(1, 5)))
    layers = {f"layer_{k}": networks.random_layer(rng, shape, f"layer_{k}") for k in range(10)}
    model = networks.branches(shape, layers, first=networks.random_bits(rng))
    program = ff.lower(model)
    x = rng.normal(0, 2.0 ** rng.integers(-2, 6), (20, *shape)).astype(np.float32)
    traced = ff.trace(program, x)
    readers = {layer.name: layer.inputs[0] for layer in program.layers if layer.inputs}
    for name in layers:
        source = readers[name]
        source = readers[source] if source.endswith("_depthwise") else source
        wanted = networks.in_float64(model.get_layer(name), traced[source])
        np.testing.assert_array_equal(traced[name], wanted, err_msg=f"{name}: {model.get_layer(name).get_config()}")
