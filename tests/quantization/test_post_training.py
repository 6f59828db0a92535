"""Float networks quantized after training: what becomes of each layer, and that it computes nearly the same."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.keras

pytest.importorskip("keras")
pytest.importorskip("qkeras")

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


def test_branches_and_merges() -> None:
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
        (lambda: [layers.Conv1D(4, 2, name="bad")], (4, 3), "bad"),
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
    ("x", "bits", "reason"),
    [
        (X, 1, "total_bits"),
        (X, 25, "total_bits"),
        (X[:, :5], 8, "do not fit"),
        (X[:0], 8, "needs events"),
        (np.full_like(X, np.inf), 8, "finite"),
    ],
)
def test_unusable_arguments(x: np.ndarray[Any, Any], bits: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        quantize_after_training(chain(layers.Dense(2)), x, bits)
