"""Float networks quantized after training: what becomes of each layer, and that it computes nearly the same."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.keras

pytest.importorskip("keras")
pytest.importorskip("qkeras")

from firmware_flows.errors import InputError  # noqa: E402
from quantization import QuantizationError, SumPooling1D, quantize_after_training  # noqa: E402
from quantization.backend import import_keras, import_qkeras  # noqa: E402

keras = import_keras()
qkeras = import_qkeras()
layers = keras.layers

RNG = np.random.default_rng(1)
X = RNG.normal(size=(400, 6)).astype(np.float32)
SETS = RNG.normal(size=(200, 4, 3)).astype(np.float32)


def randomised(model: Any) -> Any:
    """Biases, means and variances that are not the zeros and ones they begin with."""
    rng = np.random.default_rng(2)
    for variable in model.weights:
        if variable.name in ("bias", "beta", "moving_mean"):
            variable.assign(rng.normal(scale=0.3, size=variable.shape))
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 2.0, size=variable.shape))
    return model


def chain(*steps: Any, shape: tuple[int, ...] = (6,)) -> Any:
    keras.utils.set_random_seed(3)
    return randomised(keras.Sequential([keras.Input(shape), *steps]))


def predict(model: Any, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array(model.predict_on_batch(x))


def kinds(model: Any) -> list[tuple[str, str]]:
    return [(layer.name, type(layer).__name__) for layer in model.layers]


def relative_difference(model: Any, bits: int, x: np.ndarray[Any, Any] = X) -> float:
    """Largest difference of a quantized network to its float one, over the spread of the outputs."""
    expected, found = predict(model, x), predict(quantize_after_training(model, x, bits), x)
    return float(np.abs(expected - found).max() / expected.std())


def test_layers_become_quantized_ones_of_the_same_name() -> None:
    model = chain(
        layers.Dense(8, activation="relu", name="a"),
        layers.Dropout(0.5),
        layers.Dense(8, name="b"),
        layers.ReLU(name="c"),
        layers.Dense(3, activation="softmax", name="d"),
    )
    network = quantize_after_training(model, X, 8)
    assert kinds(network) == [
        ("events", "InputLayer"),
        ("events_rounding", "QActivation"),
        ("a", "QDense"),
        ("b", "QDense"),
        ("c", "QActivation"),
        ("d", "QDense"),
        ("d_softmax", "Activation"),
    ]
    assert type(network.get_layer("a").activation).__name__ == "quantized_relu"
    for name in "abd":
        for quantizer in network.get_layer(name).get_quantizers():
            assert (type(quantizer).__name__, quantizer.bits, quantizer.alpha) == ("quantized_bits", 8, 1)


def test_more_bits_come_nearer() -> None:
    model = chain(layers.Dense(16, activation="relu"), layers.Dense(16, activation="relu"), layers.Dense(3))
    differences = [relative_difference(model, bits) for bits in (6, 10, 16, 20)]
    assert differences == sorted(differences, reverse=True)
    assert differences[-1] < 1e-4


@pytest.mark.parametrize("place", ["after a dense layer", "before a dense layer"])
def test_batch_normalization_is_folded(place: str) -> None:
    normal = layers.BatchNormalization(name="bn")
    if place == "after a dense layer":
        model = chain(layers.Dense(8, use_bias=False), normal, layers.ReLU(), layers.Dense(3))
    else:
        model = chain(normal, layers.Dense(8, activation="relu", use_bias=False), layers.Dense(3))
    assert "bn" not in [name for name, _ in kinds(quantize_after_training(model, X, 8))]
    assert relative_difference(model, 20) < 1e-4


def test_a_batch_normalization_with_no_dense_layer_beside_it_is_refused() -> None:
    model = chain(layers.Dense(8, activation="relu"), layers.BatchNormalization(name="bn"), layers.ReLU())
    with pytest.raises(QuantizationError, match="'bn'"):
        quantize_after_training(model, X, 8)


@pytest.mark.parametrize("pool", ["sum", "average", "maximum"])
@pytest.mark.parametrize("pointwise", ["dense", "convolution"])
def test_sets_of_constituents(pool: str, pointwise: str) -> None:
    first = layers.Dense(8, activation="relu") if pointwise == "dense" else layers.Conv1D(8, 1, activation="relu")
    pools = {"sum": SumPooling1D, "average": layers.GlobalAveragePooling1D, "maximum": layers.GlobalMaxPooling1D}
    model = chain(first, pools[pool](), layers.Dense(3), shape=(4, 3))
    assert relative_difference(model, 20, SETS) < 1e-4


IMAGES = RNG.normal(size=(150, 8, 7, 2)).astype(np.float32)
ROWS = RNG.normal(size=(150, 9, 2)).astype(np.float32)


def image_network() -> Any:
    return chain(
        layers.ZeroPadding2D(((1, 0), (0, 1)), name="zeros"),
        layers.Conv2D(4, 3, padding="same", use_bias=False, name="same"),
        layers.BatchNormalization(name="after_same"),
        layers.ReLU(name="relu"),
        layers.SpatialDropout2D(0.1),
        layers.MaxPooling2D(2, name="maximum"),
        layers.DepthwiseConv2D(2, depth_multiplier=2, name="depthwise"),
        layers.BatchNormalization(name="after_depthwise"),
        layers.Activation("relu", name="relu_2"),
        layers.SeparableConv2D(6, 2, padding="same", depth_multiplier=2, name="separable"),
        layers.BatchNormalization(name="after_separable"),
        layers.AveragePooling2D(2, padding="same", name="average"),
        layers.BatchNormalization(name="before_grouped"),
        layers.Conv2D(4, (1, 1), activation="relu", name="last"),
        layers.Flatten(),
        layers.Dense(3, name="logits"),
        shape=(8, 7, 2),
    )


def row_network() -> Any:
    return chain(
        layers.Conv1D(4, 3, strides=2, activation="relu", name="strided"),
        layers.BatchNormalization(name="before_valid"),
        layers.Conv1D(4, 2, name="valid"),
        layers.AveragePooling1D(2, name="average"),
        layers.UpSampling1D(4, name="larger"),
        layers.SeparableConv1D(4, 2, activation="relu", name="separable"),
        layers.Conv1D(4, 2, groups=2, dilation_rate=2, padding="same", name="grouped"),
        layers.Cropping1D((1, 0), name="cropped"),
        layers.GlobalMaxPooling1D(),
        layers.Dense(2, name="logits"),
        shape=(9, 2),
    )


@pytest.mark.parametrize(("make", "x"), [(image_network, IMAGES), (row_network, ROWS)])
def test_convolutions_and_pooling(make: Any, x: np.ndarray[Any, Any]) -> None:
    """Layers of the same names and, with many bits, nearly the same function: folding and weights are right."""
    model = make()
    network = quantize_after_training(model, x, 10)
    found = dict(kinds(network))
    for layer in model.layers:
        kind = type(layer).__name__
        if "Conv" in kind or kind == "Dense":
            assert found[layer.name] == f"Q{kind}"
    assert not [kind for kind in found.values() if "Normalization" in kind]
    differences = [relative_difference(model, bits, x) for bits in (6, 10, 20)]
    assert differences == sorted(differences, reverse=True)
    assert differences[-1] < 1e-3


@pytest.mark.parametrize(("make", "x"), [(image_network, IMAGES), (row_network, ROWS)])
def test_quantized_convolutions_are_converted_and_agree(make: Any, x: np.ndarray[Any, Any]) -> None:
    import firmware_flows as ff

    network = quantize_after_training(make(), x, 8)
    program = ff.lower(network)
    if all(layer.exact_in_keras for layer in program.layers):
        np.testing.assert_array_equal(ff.emulate(program, x), predict(network, x))
    else:  # averages of 2 and 4 with fewer inside at the border: no power of two
        assert [layer.name for layer in program.layers if not layer.exact_in_keras] == ["average"]


def test_integer_bits_of_convolutions_come_from_the_data() -> None:
    model = chain(
        layers.Conv2D(3, 2, activation="relu", name="conv"), layers.Flatten(), layers.Dense(2), shape=(4, 4, 1)
    )
    images = RNG.normal(size=(100, 4, 4, 1)).astype(np.float32)
    found = [
        quantize_after_training(model, images * scale, 8, calibration="max").get_layer("conv").activation.integer
        for scale in (1, 16)
    ]
    assert found[1] - found[0] in (3, 4)  # the bias does not grow


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_batch_normalization_before_a_convolution_is_folded_unless_that_pads(padding: str) -> None:
    steps = [layers.BatchNormalization(name="bn"), layers.Conv2D(3, 2, padding=padding), layers.Flatten()]
    model = chain(*steps, layers.Dense(2), shape=(4, 4, 2))
    images = RNG.normal(size=(100, 4, 4, 2)).astype(np.float32)
    if padding == "same":
        with pytest.raises(QuantizationError, match=r"'bn'.*folded"):
            quantize_after_training(model, images, 8)
    else:
        assert relative_difference(model, 20, images) < 1e-3


def test_branches_and_merges() -> None:
    keras.utils.set_random_seed(3)
    inputs = keras.Input((6,), name="x")
    a = layers.Dense(4, activation="relu", name="a")(inputs)
    b = layers.Dense(4, name="b")(inputs)
    merged = [
        layers.Add(name="add")([a, b]),
        layers.Subtract()([a, b]),
        layers.Multiply()([a, b]),
        layers.Average()([a, b]),
        layers.Maximum()([a, b]),
    ]
    joined = layers.Reshape((20,))(layers.Concatenate()(merged))
    model = randomised(keras.Model(inputs, layers.Dense(2)(layers.LeakyReLU(0.25)(layers.Flatten()(joined)))))
    network = quantize_after_training(model, X, 20)
    assert ("x_rounding", "QActivation") in kinds(network)
    assert ("add_rounding", "QActivation") in kinds(network)
    assert relative_difference(model, 20) < 1e-3


def test_the_range_of_a_leaky_relu_holds_its_negative_values() -> None:
    """QKeras limits them to slope times the positive end."""
    model = chain(layers.Dense(4), layers.LeakyReLU(0.25, name="leaky"))
    model.layers[0].set_weights([np.eye(6, 4), np.full(4, -8.0)])
    assert predict(model, X).min() < -2
    assert relative_difference(model, 20) < 1e-4


def test_a_sigmoid_at_the_end_is_taken_off_and_said(caplog: pytest.LogCaptureFixture) -> None:
    model = chain(layers.Dense(1, activation="sigmoid", name="score"))
    with caplog.at_level(logging.WARNING):
        network = quantize_after_training(model, X, 20)
    assert "score" in caplog.text
    np.testing.assert_allclose(1 / (1 + np.exp(-predict(network, X))), predict(model, X), atol=1e-4)


@pytest.mark.parametrize(
    ("steps", "shape", "layer"),
    [
        (lambda: [layers.Dense(4, activation="tanh", name="bad")], (6,), "bad"),
        (lambda: [layers.Dense(4, activation="softmax", name="bad"), layers.Dense(2)], (6,), "bad"),
        (lambda: [layers.ReLU(max_value=6.0, name="bad")], (6,), "bad"),
        (lambda: [layers.LeakyReLU(0.3, name="bad")], (6,), "bad"),
        (lambda: [layers.Conv1D(4, 2, padding="causal", name="bad")], (4, 3), "bad"),
        (lambda: [layers.UpSampling2D(2, interpolation="bilinear", name="bad")], (4, 3, 2), "bad"),
        (lambda: [layers.DepthwiseConv1D(2, name="bad")], (4, 3), "bad"),
        (lambda: [layers.LSTM(4, name="bad")], (4, 3), "bad"),
        (lambda: [keras.Sequential([keras.Input((6,)), layers.Dense(2)], name="bad")], (6,), "bad"),
        (lambda: [qkeras.QDense(4, kernel_quantizer=qkeras.quantized_bits(6, 0, alpha=1), name="bad")], (6,), "bad"),
    ],
)
def test_what_is_not_of_the_family_is_refused_by_name(steps: Any, shape: tuple[int, ...], layer: str) -> None:
    with pytest.raises(QuantizationError) as caught:
        quantize_after_training(chain(*steps(), shape=shape), np.zeros((5, *shape)), 8)
    assert caught.value.layer == layer
    assert caught.value.remedy


def test_a_layer_used_twice_is_refused() -> None:
    inputs = keras.Input((6,))
    shared = layers.Dense(6, name="shared")
    with pytest.raises(QuantizationError, match="shared"):
        quantize_after_training(keras.Model(inputs, shared(shared(inputs))), X, 8)


@pytest.mark.parametrize(
    ("x", "reason"),
    [
        (X[:, :5], r"have shape \(\d+, 5\): give \(events, "),
        (X[:0], "no calibration events"),
        (np.concatenate([X[:3], np.full_like(X[:1], np.inf)]), "event 3 is not finite"),
    ],
)
def test_unusable_events(x: np.ndarray[Any, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        quantize_after_training(chain(layers.Dense(2)), x, 8)


@pytest.mark.parametrize("bits", [1, 25])
def test_unusable_numbers_of_bits(bits: int) -> None:
    with pytest.raises(ValueError, match="total_bits"):
        quantize_after_training(chain(layers.Dense(2)), X, bits)


def test_activations_below_one_half_have_negative_integer_bits() -> None:
    """QKeras calls 2 ** integer, which TensorFlow refuses for a negative integer."""
    model = keras.Sequential([keras.Input((4,), name="x"), keras.layers.Dense(3, "relu", name="hidden")])
    model.set_weights([np.full((4, 3), 2.0**-5), np.zeros(3)])
    x = np.random.default_rng(0).uniform(0, 1, (200, 4))
    rounded = quantize_after_training(model, x, total_bits=8)
    assert rounded.get_layer("hidden").activation.integer < 0
    assert np.abs(np.asarray(rounded(x)) - np.asarray(model(x))).max() < 2.0**-8
