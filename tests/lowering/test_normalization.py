"""Batch normalization: folded, a scale and an offset, or refused."""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import pytest
import window_networks as networks

import firmware_flows as ff
from firmware_flows.lowering import trained

pytestmark = pytest.mark.keras


def test_powers_of_two_are_folded_into_the_dense_layer(elementwise: Any) -> None:
    program = elementwise.program
    layer = program.layer("norm_folded")
    assert layer.kind == "Dense"
    assert "folded into the weights and the bias of 'before'" in layer.remarks[0]
    assert all(x.name != "before" for x in program.layers)
    assert layer.types["weight"].width <= 16


def test_other_scales_stay_a_scale_and_an_offset(elementwise: Any) -> None:
    for name, reason in (("norm_plain", "wider"), ("norm_quantized", "wider")):
        layer = elementwise.program.layer(name)
        assert layer.kind == "Scale"
        assert set(layer.types) == {"scale", "offset", "result"}
        assert reason in layer.remarks[0]
        assert str(layer.types["scale"]) in layer.remarks[0]


def _network(normalization: Any, twice: bool = False) -> Any:
    import keras
    from qkeras import QActivation, QDense

    x = keras.layers.Input((4,), name="x")
    h = QActivation("quantized_bits(8,3,alpha=1)", name="q")(x)
    h = QDense(3, kernel_quantizer="quantized_bits(6,0,alpha=1)", use_bias=False, name="d")(h)
    y = normalization(h)
    return keras.Model(x, [y, h] if twice else y)


def _identity(**options: Any) -> Any:
    import keras

    return keras.layers.BatchNormalization(epsilon=0.0, name="bn", **options)


def test_a_layer_that_is_read_elsewhere_is_not_folded() -> None:
    program = ff.lower(_network(_identity(), twice=True))
    assert program.layer("d").kind == "Dense"
    assert "read elsewhere" in program.layer("bn").remarks[0]


def test_a_layer_that_is_read_before_a_layer_that_changes_nothing_is_not_folded() -> None:
    """The dropout's tensor has one reader; the value has two, or is an output."""
    import keras

    def behind_dropout(h: Any) -> Any:
        return _identity(beta_initializer="ones", gamma_initializer="ones")(keras.layers.Dropout(0.5, name="drop")(h))

    as_output = _network(behind_dropout, twice=True)
    normalized, dense = as_output.outputs
    relu = keras.layers.ReLU(name="relu")(dense)
    x = np.random.default_rng(0).normal(0, 3, (50, 4)).astype(np.float32)
    for model in (as_output, keras.Model(as_output.inputs[0], [normalized, relu])):
        program = ff.lower(model)
        assert "read elsewhere" in program.layer("bn").remarks[0]
        for found, wanted in zip(ff.emulate(program, x), model.predict_on_batch(x), strict=True):
            np.testing.assert_array_equal(found, wanted)
    alone = ff.lower(keras.Model(as_output.inputs[0], normalized))
    assert alone.layer("bn").kind == "Dense"  # still folded where nothing else reads it


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}, {"scale": False, "center": False}])
def test_without_gamma_or_beta(options: dict[str, bool]) -> None:
    model = _network(_identity(**options))
    program = ff.lower(model)
    x = np.random.default_rng(1).normal(0, 4, (500, 4)).astype(np.float32)
    np.testing.assert_array_equal(ff.emulate(program, x), np.asarray(model(x)))


def test_parameters_off_the_grid_are_refused_with_a_remedy() -> None:
    import keras
    from qkeras import QBatchNormalization

    for layer in (keras.layers.BatchNormalization(name="bn"), QBatchNormalization(name="bn")):
        with pytest.raises(ff.LoweringError) as caught:
            ff.lower(_network(layer))
        assert (caught.value.layer, caught.value.field) == ("bn", "scale")
        assert "inverse_quantizer" in caught.value.remedy


def test_other_axes_are_refused() -> None:
    import keras

    x = keras.layers.Input((4, 3), name="x")
    model = keras.Model(x, keras.layers.BatchNormalization(axis=1, epsilon=0.0, name="bn")(x))
    with pytest.raises(ff.LoweringError, match="last axis"):
        ff.lower(model, input_type="ap_fixed<8,4>")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("normalized", "Conv2D"),
        ("depthwise normalized", "DepthwiseConv2D"),
        ("separable normalized", "Conv2D"),
    ],
)
def test_powers_of_two_are_folded_into_convolutions(name: str, kind: str) -> None:
    """That they are the same numbers is in test_convolution.py."""
    program = ff.lower(networks.branches((5, 6, 2), {name: networks.image_layers()[name]}))
    layer = program.layers[-1]
    assert layer.kind == kind
    assert "folded into the weights and the bias of" in layer.remarks[0]
    assert not any(x.kind == "Scale" for x in program.layers)


def test_other_scales_behind_a_convolution_stay() -> None:
    """A scale of 3/4 would widen the weights."""
    import keras

    scale = keras.layers.BatchNormalization(epsilon=0.0, name="bn")
    model = networks.branches((5, 6, 2), {"scaled": [networks.conv2d(3, 2), scale]})
    scale.set_weights([np.full(3, v, np.float32) for v in (0.75, 0, 0, 1)])
    program = ff.lower(model)
    assert program.layer("bn").kind == "Scale"
    assert "wider than the weights" in program.layer("bn").remarks[0]


FOLDING = ("QDenseBatchnorm", "QConv2DBatchnorm", "QDepthwiseConv2DBatchnorm")


def _folding(kind: str, **options: Any) -> Any:
    values = {"QDenseBatchnorm": (3,), "QConv2DBatchnorm": (3, 2), "QDepthwiseConv2DBatchnorm": (2,)}[kind]
    return networks.branches((5, 6, 2), {"folding": networks.folding(kind, *values, name="folding", **options)})


@pytest.mark.parametrize("kind", FOLDING)
@pytest.mark.parametrize("mode", ["ema_stats_folding", "batch_stats_folding"])
def test_both_folding_modes_give_the_weights_of_keras(kind: str, mode: str) -> None:
    """The weights themselves, as QKeras' own formula gives them; results are compared in test_convolution.py."""
    model = _folding(kind, folding_mode=mode)
    layer, found = model.get_layer("folding"), ff.lower(model).layer("folding")
    kernel, bias = layer.get_folded_weights()
    quantizer = getattr(layer, "depthwise_quantizer_internal", None) or layer.kernel_quantizer_internal
    for name, wanted in (("weight", quantizer(kernel)), ("bias", layer.bias_quantizer_internal(bias))):
        values = found.arrays[name] * 2.0 ** -found.types[name].fractional
        np.testing.assert_array_equal(values, np.asarray(wanted))


@pytest.mark.parametrize("kind", FOLDING)
@pytest.mark.parametrize("option", ["scale", "center"])
def test_without_gamma_or_beta_qkeras_folding_layers_fail_and_are_refused(kind: str, option: str) -> None:
    import keras
    import qkeras

    values = {"QDenseBatchnorm": (3,), "QConv2DBatchnorm": (3, 2), "QDepthwiseConv2DBatchnorm": (2,)}[kind]
    x = keras.Input((5, 6, 2), name="x")
    model = keras.Model(x, getattr(qkeras, kind)(*values, name="folding", **{option: False})(x))
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'value'"):
        model(np.zeros((1, 5, 6, 2), np.float32))
    with pytest.raises(ff.LoweringError, match="call of the layer fails") as caught:
        ff.lower(model, input_type="ap_fixed<8,4>")
    assert caught.value.field == option


@pytest.mark.parametrize(("kind", "field"), [*zip(FOLDING, ("kernel", "kernel", "depthwise"), strict=True)])
def test_folded_weights_need_a_quantizer(kind: str, field: str) -> None:
    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(_folding(kind, **{f"{field}_quantizer": None}))
    assert caught.value.field == f"{field}_quantizer"


def test_folded_weights_that_depend_on_a_rounding_of_float32_are_refused() -> None:
    model = _folding("QConv2DBatchnorm")
    ff.lower(model)
    either = mock.patch.object(trained, "_inverse_roots", lambda v: [v**-0.5, v**-0.5 * np.float32(1.1)])
    with either, pytest.raises(ff.LoweringError, match="float32 computes either") as caught:
        ff.lower(model)
    assert (caught.value.layer, caught.value.field) == ("folding", "kernel")
