"""Networks of Keras 1 to 3 and of QKeras load, compute what they should, and the rest is refused with the reason."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.keras

pytest.importorskip("keras")
pytest.importorskip("qkeras")

import keras2_files as keras2  # noqa: E402

from quantization import ModelFileError, SumPooling1D, load_keras  # noqa: E402
from quantization.backend import import_keras, import_qkeras  # noqa: E402
from quantization.networks import deep_sets_network  # noqa: E402
from quantization.schemes import Bits, Scheme  # noqa: E402

keras = import_keras()
qkeras = import_qkeras()

RNG = np.random.default_rng(1)
KERNEL, BIAS = RNG.normal(size=(4, 3)).astype(np.float32), RNG.normal(size=3).astype(np.float32)
X = RNG.normal(size=(50, 4)).astype(np.float32)
W = {"fc": {"kernel": KERNEL, "bias": BIAS}}


def quantized(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """quantized_bits(6, 0, alpha=1)."""
    return np.clip(np.round(values * 32), -32, 31) / 32


def predict(model: Any, x: np.ndarray[Any, Any] = X) -> np.ndarray[Any, Any]:
    return np.array(model.predict_on_batch(x))


def test_sequential_h5_of_keras_2(tmp_path: Path) -> None:
    config = keras2.sequential([keras2.dense("fc", 3), keras2.activation("act", "relu")], (4,))
    model = load_keras(keras2.write_h5(tmp_path / "m.h5", config, W))
    assert [layer.name for layer in model.layers] == ["x", "fc", "act"]
    np.testing.assert_allclose(predict(model), np.maximum(X @ KERNEL + BIAS, 0), rtol=1e-5, atol=1e-6)


def test_sequential_without_an_input_layer(tmp_path: Path) -> None:
    config = keras2.sequential([keras2.dense("fc", 3)], (4,), with_input=False)
    model = load_keras(keras2.write_h5(tmp_path / "m.h5", config, W, "2.0.5"))
    assert model.input_shape == (None, 4)
    assert np.array_equal(model.get_layer("fc").get_weights()[0], KERNEL)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "pruned"])
def test_qkeras_of_2021(tmp_path: Path, wrapped: bool) -> None:
    layer = keras2.qdense("fc", 3)
    layers = [
        keras2.pruned(layer) if wrapped else layer,
        keras2.activation("act", "quantized_relu(6,2)", "QActivation"),
    ]
    weights = W
    if wrapped:
        extra = {"mask": np.ones((4, 3)), "threshold": np.zeros(()), "pruning_step": np.zeros((), np.int64)}
        weights = {"prune_low_magnitude_fc": {**W["fc"], **extra}}
    model = load_keras(keras2.write_h5(tmp_path / "m.h5", keras2.sequential(layers, (4,)), weights))
    exact = np.clip(np.round((X.astype(float) @ quantized(KERNEL) + quantized(BIAS)) * 16), 0, 63) / 16
    assert [type(layer).__name__ for layer in model.layers] == ["InputLayer", "QDense", "QActivation"]
    # Keras rounds a float32 sum: a tie may fall the other way, no more.
    assert (np.abs(predict(model) - exact) <= 1 / 16).all()
    assert (predict(model) == exact).mean() > 0.99
    assert model.get_layer("fc").kernel_quantizer_internal.alpha == 1


def test_functional_network_with_branches(tmp_path: Path) -> None:
    layers = [
        (keras2.layer("Add", "sum"), ["left", "right"]),
        (keras2.dense("left", 3), ["x"]),
        (keras2.dense("right", 3, use_bias=False), ["x"]),
    ]
    weights = {"left": {"kernel": KERNEL, "bias": BIAS}, "right": {"kernel": -2 * KERNEL}, "sum": {}}
    model = load_keras(keras2.write_h5(tmp_path / "m.h5", keras2.functional(layers, (4,), ["sum"]), weights))
    np.testing.assert_allclose(predict(model), BIAS - X @ KERNEL, rtol=1e-4, atol=1e-5)


def test_json_with_weights_beside_it(tmp_path: Path) -> None:
    path = keras2.write_json_pair(tmp_path / "net.json", keras2.sequential([keras2.dense("fc", 3)], (4,)), W)
    assert np.array_equal(load_keras(path).get_layer("fc").get_weights()[1], BIAS)
    (tmp_path / "net_weights.h5").unlink()
    with pytest.raises(ModelFileError, match=r"net_weights\.h5"):
        load_keras(path)


def test_archive_of_keras_2(tmp_path: Path) -> None:
    layers = [keras2.dense("first", 3), keras2.pruned(keras2.dense("second", 3))]
    groups = {"dense": [KERNEL, BIAS], "prune_low_magnitude/layer": [KERNEL[:3], BIAS]}
    model = load_keras(keras2.write_archive(tmp_path / "m.keras", keras2.sequential(layers, (4,)), groups))
    assert np.array_equal(model.get_layer("second").get_weights()[0], KERNEL[:3])


def test_batch_normalization_and_leaky_relu(tmp_path: Path) -> None:
    normal = keras2.layer("BatchNormalization", "bn", axis=[1], momentum=0.9, epsilon=1e-3, center=True, scale=True)
    slope = {"class_name": "__numpy__", "value": 0.25, "dtype": "float32"}
    config = keras2.sequential([normal, keras2.layer("LeakyReLU", "leaky", alpha=slope)], (3,))
    values = {name: np.abs(RNG.normal(size=3)).astype(np.float32) + 0.5 for name in ("gamma", "beta", "moving_mean")}
    weights = {"bn": {**values, "moving_variance": np.full(3, 4.0, np.float32)}, "leaky": {}}
    x = X[:, :3]
    y = (x - values["moving_mean"]) / np.sqrt(4.001) * values["gamma"] + values["beta"]
    model = load_keras(keras2.write_h5(tmp_path / "m.h5", config, weights))
    np.testing.assert_allclose(predict(model, x), np.where(y > 0, y, 0.25 * y), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_our_own_networks_of_keras_3(tmp_path: Path, suffix: str) -> None:
    model = deep_sets_network((4, 3), (8,), (8,), 2, Scheme(Bits(8, 3), Bits(6, 1), Bits(6, 1), Bits(6, 2), Bits(8, 4)))
    x = RNG.normal(size=(20, 4, 3)).astype(np.float32)
    model.save(tmp_path / f"m{suffix}")
    read = load_keras(tmp_path / f"m{suffix}")
    assert isinstance(read.get_layer("pool"), SumPooling1D)
    assert np.array_equal(predict(read, x), predict(model, x))
    assert read.get_layer("phi_1").kernel_quantizer_internal.alpha == 1


# --- refusals ---------------------------------------------------------------------------------------------------


def test_lambda_layers_are_refused_in_keras_3(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    keras.Model(inputs, keras.layers.Lambda(lambda v: v * 2, name="bad")(inputs)).save(tmp_path / "m.keras")
    with pytest.raises(ModelFileError, match="code from a file is never run") as caught:
        load_keras(tmp_path / "m.keras")
    assert caught.value.layer == "bad"
    assert caught.value.path == tmp_path / "m.keras"


@pytest.mark.parametrize(
    ("module", "name"), [("subprocess", "Popen"), ("os", "system"), ("HGQ.layers", "HDense"), ("hgq.layers", "QDense")]
)
def test_classes_of_other_packages_are_refused_unseen(tmp_path: Path, module: str, name: str) -> None:
    layer = {"module": module, "class_name": name, "config": {"name": "bad"}, "registered_name": None}
    config = {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [layer]}}
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")
    with pytest.raises(ModelFileError, match="bad") as caught:
        load_keras(tmp_path / "m.keras")
    assert ("HGQ" in caught.value.reason) == ("hgq" in module.lower())


def _refused(tmp_path: Path, layers: list[dict[str, Any]], weights: Any = W) -> ModelFileError:
    path = keras2.write_h5(tmp_path / "m.h5", keras2.sequential(layers, (4,)), weights)
    with pytest.raises(ModelFileError) as caught:
        load_keras(path)
    assert str(path) in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("hard_sigmoid", "clip(0.2 x"),
        ("ternary_tanh", "'ternary_tanh' is known neither"),
        ("rellu", "did you mean 'relu'"),
    ],
)
def test_activations_refused(tmp_path: Path, function: str, reason: str) -> None:
    error = _refused(tmp_path, [keras2.dense("fc", 3, activation=function)])
    assert error.layer == "fc"
    assert reason in error.reason


@pytest.mark.parametrize(
    "text", ["quantized_relu(__import__('os').getpid())", "quantized_relu(6,2)+1", "quantized_bits(x)"]
)
def test_quantizers_written_as_code_are_not_run(tmp_path: Path, text: str) -> None:
    error = _refused(tmp_path, [keras2.activation("fc", text, "QActivation")])
    assert "not a name with numbers" in error.reason


def test_unknown_layers_and_fields_are_refused(tmp_path: Path) -> None:
    assert "TernaryDense is a layer neither" in _refused(tmp_path, [keras2.layer("TernaryDense", "fc")]).reason
    assert "field H = 2" in _refused(tmp_path, [keras2.dense("fc", 3, H=2)]).reason
    bits = {"class_name": "quantized_bits", "config": {"bits": 6, "magic": 3}}
    assert "field magic" in _refused(tmp_path, [keras2.qdense("fc", 3, kernel_quantizer=bits)]).reason


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"fc": {"kernel": KERNEL}}, "its bias is not in"),
        ({"fc": {"kernel": KERNEL.T, "bias": BIAS}}, "shape (3, 4)"),
        ({"fc": {"kernel": KERNEL * np.nan, "bias": BIAS}}, "NaN"),
        ({"fc": {"kernel": KERNEL, "bias": BIAS, "scale": BIAS}}, "'scale'"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, weights: Any, reason: str) -> None:
    assert reason in _refused(tmp_path, [keras2.dense("fc", 3)], weights).reason


@pytest.mark.parametrize("name", ["m.h5", "m.keras", "m.json", "m.onnx"])
def test_files_that_are_something_else(tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        load_keras(tmp_path / name)
    (tmp_path / name).write_bytes(b"\x89 not a network")
    with pytest.raises(ModelFileError) as caught:
        load_keras(tmp_path / name)
    assert caught.value.path == tmp_path / name


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = keras2.write_h5(tmp_path / "m.h5", keras2.sequential([keras2.dense("fc", 3)], (4,)), W)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ModelFileError, match="whole HDF5"):
        load_keras(path)


def test_weights_alone_and_directories_are_refused(tmp_path: Path) -> None:
    keras2.write_json_pair(tmp_path / "net.json", keras2.sequential([keras2.dense("fc", 3)], (4,)), W)
    with pytest.raises(ModelFileError, match="weights without a network"):
        load_keras(tmp_path / "net_weights.h5")
    with pytest.raises(ModelFileError, match="directory"):
        load_keras(tmp_path)
