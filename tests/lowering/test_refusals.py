"""What cannot be converted exactly is refused: layer, field, value, remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qkeras_networks as networks

import firmware_flows as ff

pytestmark = pytest.mark.keras


def _refusal(model: Any, **options: Any) -> ff.LoweringError:
    with pytest.raises(ff.LoweringError) as caught:
        ff.lower(model, **options)
    error = caught.value
    text = str(error)
    assert repr(error.layer) in text
    assert error.field in text
    assert error.remedy in text
    assert error.remedy
    return error


@pytest.mark.parametrize(
    ("options", "layer", "field", "value"),
    [
        ({"weights": "quantized_bits(6,0,alpha='auto')"}, "d0", "kernel_quantizer.alpha", "auto"),
        ({"weights": "quantized_bits(6,0,alpha=0.3)"}, "d0", "kernel_quantizer.alpha", 0.3),
        ({"bias": None}, "d0", "bias_quantizer", None),
        ({"weights": None}, "d0", "kernel_quantizer", None),
        ({"inputs": None}, "x", "input type", "none"),
        ({"activation": "quantized_bits(6,0,alpha='auto_po2')"}, "d0", "activation.alpha", "auto_po2"),
        ({"activation": "quantized_bits(6,0,alpha='auto')"}, "d0", "activation.alpha", "auto"),
        (
            {"activation": "quantized_bits(6,0,alpha=1,use_stochastic_rounding=True)"},
            "d0",
            "activation.use_stochastic_rounding",
            True,
        ),
        (
            {"weights": "quantized_bits(6,0,alpha=1,use_stochastic_rounding=True)"},
            "d0",
            "kernel_quantizer.use_stochastic_rounding",
            True,
        ),
        ({"weights": "quantized_bits(6,0,alpha=1,qnoise_factor=0.5)"}, "d0", "kernel_quantizer.qnoise_factor", 0.5),
        ({"activation": "quantized_relu(6,2,qnoise_factor=0.5)"}, "d0", "activation.qnoise_factor", 0.5),
        ({"activation": "quantized_relu(6,2,use_sigmoid=1)"}, "d0", "activation.use_sigmoid", 1),
        ({"activation": "gelu"}, "d0", "activation", "gelu"),
        ({"activation": "silu"}, "d0", "activation", "silu"),
        ({"activation": "softmax"}, "d0", "activation", "softmax"),
        ({"activation": "leaky_relu"}, "d0", "negative_slope", 0.2),
        ({"activation": "binary(alpha='auto_po2')"}, "d0", "activation.alpha", "auto_po2"),
        ({"activation": "ternary(alpha='auto')"}, "d0", "activation.alpha", "auto"),
        ({"activation": "ternary(threshold='x',alpha=1)"}, "d0", "activation.threshold", "x"),
        ({"activation": "stochastic_ternary"}, "d0", "activation", "stochastic_ternary"),
        ({"activation": "bernoulli"}, "d0", "activation", "bernoulli"),
        ({"activation": "quantized_po2(4)"}, "d0", "activation", "quantized_po2"),
    ],
)
def test_settings_without_an_exact_form(options: dict[str, Any], layer: str, field: str, value: Any) -> None:
    error = _refusal(networks.dense_network(**options))
    assert (error.layer, error.field) == (layer, field)
    assert error.value == value or str(value) in str(error.value)


def test_soft_internal_sigmoid_is_refused() -> None:
    import qkeras

    model = networks.dense_network(activation="quantized_tanh(6)")
    qkeras.quantizers.set_internal_sigmoid("real")
    try:
        error = _refusal(model)
    finally:
        qkeras.quantizers.set_internal_sigmoid("hard")
    assert "set_internal_sigmoid" in error.remedy


def test_unsupported_layer_names_it() -> None:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1), name="x"), keras.layers.Conv2DTranspose(2, 3, name="conv")])
    error = _refusal(model, input_type="ap_fixed<8,4>")
    assert (error.layer, error.field, error.value) == ("conv", "type", "Conv2DTranspose")


def test_a_users_own_class_of_a_known_name_is_not_taken_for_it() -> None:
    import keras

    class Flatten(keras.layers.Layer):
        def call(self, x: Any) -> Any:
            return x + 1

    model = keras.Sequential([keras.Input((3,), name="x"), Flatten(name="own")])
    assert _refusal(model, input_type="ap_fixed<8,4>").value.endswith(".Flatten")


def test_unbuilt_model() -> None:
    import keras

    assert _refusal(keras.Sequential([keras.layers.Flatten(name="f")])).field == "type"


def test_two_different_input_quantizers_are_refused_unless_a_type_is_given() -> None:
    import keras
    from qkeras import QActivation

    x = keras.layers.Input((3,), name="x")
    a, b = (
        QActivation("quantized_bits(6,1,alpha=1)", name="a")(x),
        QActivation("quantized_bits(8,1,alpha=1)", name="b")(x),
    )
    model = keras.Model(x, keras.layers.Add(name="sum")([a, b]))
    assert _refusal(model).field == "input type"
    program = ff.lower(model, input_type="ap_fixed<10,2,AP_RND_CONV,AP_SAT>")
    assert ff.verify(program, np.linspace(-3, 3, 300).reshape(100, 3), keras_model=model, random_events=500).passed


def test_weights_that_are_not_finite() -> None:
    model = networks.dense_network()
    kernel = model.get_layer("d1").kernel
    values = np.array(kernel)
    values[0, 0] = np.nan
    kernel.assign(values)
    assert _refusal(model).layer == "d1"


def test_accumulator_beyond_63_bits() -> None:
    wide = "quantized_bits(23,0,alpha=1)"
    model = networks.dense_network(
        weights=wide, bias=wide, activation="quantized_relu(24,4)", inputs="quantized_bits(24,4,alpha=1)"
    )
    program = ff.lower(model)  # 24 + 23 bits and a few for the sum: held in float64
    assert program.layer("d1_linear").type.width > 45
    model = networks.dense_network(weights=wide, bias=wide, activation="relu", inputs="quantized_bits(24,4,alpha=1)")
    error = _refusal(model)
    assert error.field == "bits"


def test_misspelt_input_name() -> None:
    error = _refusal(networks.dense_network(inputs=None), input_type={"y": "ap_fixed<8,3>"})
    assert error.value == "y"


def test_layers_that_do_not_compute_with_their_weights_in_float32_are_refused() -> None:
    import keras
    from qkeras import QActivation

    x = keras.Input((2, 4), name="x")
    q = QActivation("quantized_bits(6,2,alpha=1)", name="q")(x)
    dense = keras.layers.Dense(2, name="d", kernel_initializer="ones")
    half = keras.layers.Dense(2, name="h", kernel_initializer="ones", dtype="mixed_float16")
    inside = keras.layers.TimeDistributed(keras.layers.Dense(2, kernel_initializer="ones"), name="t")
    networks = [keras.Model(x, layer(q)) for layer in (dense, half, inside)]
    for network in networks:
        network.get_layer(index=-1).dtype_policy = "float32"
        ff.lower(network)
    dense.quantize("int8")
    inside.layer.quantize("int8")
    half.dtype_policy = "mixed_float16"
    found = [_refusal(network) for network in networks]
    assert [(e.layer, e.field, e.value) for e in found] == [
        ("d", "quantization_mode", "int8"),
        ("h", "dtype", "float16"),
        ("t", "quantization_mode", "int8"),
    ]


@pytest.mark.parametrize("activation", ["sigmoid", "elu", "quantized_tanh(6,use_real_tanh=True)"])
def test_a_table_of_a_value_beyond_63_bits(activation: str) -> None:
    """Such a value is refused also where a function of it is a table, whose difference nobody could measure."""
    import keras
    from qkeras import QActivation

    x = keras.Input((2,), name="x")
    q = y = QActivation("quantized_bits(16,2,alpha=1)", name="q")(x)
    for number in range(4):
        y = keras.layers.Multiply(name=f"m{number}")([y, q])
    error = _refusal(keras.Model(x, QActivation(activation, name="a")(y), name="powers"))
    assert (error.layer, error.field, error.reason) == ("m3", "bits", "an accumulator needs more than 63 bits")


def test_quantizers_of_weights() -> None:
    """What QKeras cannot compute is said to be so; the remedy for weights names quantizers that weights can have."""
    error = _refusal(networks.dense_network(weights="ternary(alpha='auto_po2',threshold=0.3)"))
    assert (error.layer, error.field) == ("d0", "kernel_quantizer")
    assert "QKeras' own call of it fails" in error.reason
    error = _refusal(networks.dense_network(weights="quantized_relu(4,1)"))
    assert "quantized_relu" not in error.remedy
    error = _refusal(networks.dense_network(activation="quantized_bits(4,1,alpha=2)"))
    assert error.remedy == "Set alpha=1"


def test_scales_that_differ_within_a_channel_are_folded() -> None:
    model = networks.dense_network(weights="quantized_bits(4,0,alpha='auto_po2',scale_axis=0)")
    kernel = model.get_layer("d0").kernel
    kernel.assign(np.array(kernel) * 4.0 ** np.arange(kernel.shape[0])[:, np.newaxis] / 64)
    program = ff.lower(model)
    assert program.layer("d0_linear").types["weight"].width > 5
    assert ff.verify(program, keras_model=model, random_events=100).passed


@pytest.mark.parametrize("softmax", [None, 3, "Stable"])
def test_no_form_of_softmax(softmax: Any) -> None:
    assert _refusal(networks.dense_network(), softmax=softmax).field == "softmax"
