"""Networks that others have trained: each loads, or is refused for a reason that is true of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.keras, pytest.mark.shared_data]

pytest.importorskip("keras")
pytest.importorskip("qkeras")

from quantization import ModelFileError, load_keras, quantize_after_training  # noqa: E402

REFUSED = {
    "hls4ml_example_models/KERAS_3layer_ternary_small.json": "TernaryDense",
    "hls4ml_example_models/keras_bnn.json": "BinaryDense",
    "jet_hlf_model31/model.h5": "HGQ",
    "jet_hlf_model31/model.keras": "HGQ",
}

AUTHORS_OUTPUTS = {"jet_hlf_qkeras6_pruned_a": "hector_5ce726ee", "jet_hlf_qkeras6_pruned_b": "hector_28188a7a"}

FLOAT_TAGGERS = ("jet_hlf_float_a", "jet_hlf_float_b", "jet_hlf_float_pruned75")


def jets(shared_data: Path) -> tuple[np.ndarray, np.ndarray]:
    folder = shared_data / "sets" / "jets_hlf_5120"
    return np.load(folder / "X.npy").astype(np.float32), np.load(folder / "y_onehot.npy").argmax(axis=1)


def test_every_network_loads_or_is_refused_for_its_reason(shared_data: Path) -> None:
    files = [path for path in sorted(shared_data.glob("models/*/*")) if "weights" not in path.name]
    assert len(files) >= 20
    refused = {}
    for path in files:
        name = str(path.relative_to(shared_data / "models"))
        try:
            model = load_keras(path)
        except ModelFileError as error:
            refused[name] = error.reason
        else:
            assert all(np.isfinite(w).all() for w in model.get_weights()), name
            assert not any("prune" in type(layer).__name__.lower() for layer in model.layers)
    assert set(refused) == set(REFUSED)
    for name, reason in REFUSED.items():
        assert reason in refused[name]


@pytest.mark.parametrize("name", AUTHORS_OUTPUTS)
def test_outputs_are_those_that_the_authors_published(shared_data: Path, name: str) -> None:
    """Softmax outputs in float32 from two versions of Keras: compared within 1e-6, classes exactly."""
    x, labels = jets(shared_data)
    published = np.load(shared_data / "sets" / "jets_hlf_5120" / f"{AUTHORS_OUTPUTS[name]}_y_qkeras.npy")
    outputs = np.array(load_keras(shared_data / "models" / name / "model.h5").predict_on_batch(x))
    np.testing.assert_allclose(outputs, published, rtol=0.0, atol=1e-6)
    assert np.array_equal(outputs.argmax(axis=1), published.argmax(axis=1))
    assert (outputs.argmax(axis=1) == labels).mean() > 0.76


@pytest.mark.parametrize("name", FLOAT_TAGGERS)
def test_float_taggers_keep_their_accuracy_when_quantized_after_training(shared_data: Path, name: str) -> None:
    x, labels = jets(shared_data)
    model = load_keras(shared_data / "models" / name / "model.h5")
    right = {"float": (np.array(model.predict_on_batch(x)).argmax(axis=1) == labels).mean()}
    for bits in (8, 12):
        network = quantize_after_training(model, x[:1000], bits)
        right[str(bits)] = (np.array(network.predict_on_batch(x)).argmax(axis=1) == labels).mean()
    assert right["float"] - right["8"] < 0.02
    assert right["float"] - right["12"] < 0.005
