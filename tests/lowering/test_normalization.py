"""Batch normalization: folded, a scale and an offset, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import firmware_flows as ff

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
