"""Networks that nobody here made: each converts and agrees bit for bit with csim, or is refused with a true reason.

`make sweep-models` prints the table.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import firmware_flows as ff
from benchmarks import shared_models
from benchmarks.shared_models import DATA, ENTRY, FLOAT, LARGE, QUANTIZED, REFUSED

pytestmark = [pytest.mark.keras, pytest.mark.shared_data, pytest.mark.slow]


EXHAUSTIVE = bool(os.environ.get("FIRMWARE_FLOWS_EXHAUSTIVE"))
LIKE_ANOTHER = {
    "models/jet_hlf_qkeras6_pruned_b/model.h5",
    "models/anomaly_autoencoder_ad08/model.h5",
    "models/jet_hlf_float_b/model.h5",
    "models/jet_hlf_float_pruned75/model.h5",
    f"{shared_models.EXAMPLES}/keras_3layer_70pruned_retrained.h5",
}
"""The layers of another network with other weights: compiled by `make sweep-models` only."""


def _path(name: str) -> Path:
    if name in LIKE_ANOTHER and not EXHAUSTIVE:
        pytest.skip("the layers of another network: set FIRMWARE_FLOWS_EXHAUSTIVE=1")
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} of the shared data is not beside the checkout")
    return path


@pytest.mark.cpp
@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_networks_agree_with_csim(name: str, tmp_path: Path) -> None:
    if name.endswith("mnist_cnn.json") and not EXHAUSTIVE:
        pytest.skip("simulates for two minutes: set FIRMWARE_FLOWS_EXHAUSTIVE=1")
    _path(name)
    assert shared_models.quantized(name, tmp_path / "hls")


@pytest.mark.cpp
@pytest.mark.parametrize("name", FLOAT)
def test_float_networks_agree_after_post_training_quantization(name: str, tmp_path: Path) -> None:
    _path(name)
    assert shared_models.after_training(name, tmp_path / "hls")


@pytest.mark.parametrize("name", LARGE)
def test_large_networks_agree_with_keras_after_post_training_quantization(name: str) -> None:
    if not EXHAUSTIVE:
        pytest.skip("a quarter of a million weights: set FIRMWARE_FLOWS_EXHAUSTIVE=1")
    _path(name)
    assert shared_models.large(name)


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_refused_with_a_true_reason(name: str) -> None:
    _path(name)
    assert shared_models.refused(name)


def test_every_network_of_the_shared_data_is_in_the_table() -> None:
    if not DATA.exists():
        pytest.skip("the shared data is not beside the checkout")
    found = {
        str(p.relative_to(DATA))
        for p in (DATA / "models").rglob("*")
        if p.suffix in (".h5", ".keras", ".json") and not p.name.endswith("_weights.h5")
    }
    assert found == set(QUANTIZED) | set(FLOAT) | set(LARGE) | set(REFUSED)


def test_authors_decisions_are_reproduced_from_integers() -> None:
    """The class that the integer Program gives, against the authors' own float outputs of the same QKeras networks."""
    import quantization

    outputs = {n: np.load(_path(f"sets/jets_hlf_5120/hector_{n}_y_qkeras.npy")) for n in ("5ce726ee", "28188a7a")}
    truth = np.load(_path("sets/jets_hlf_5120/y_onehot.npy")).argmax(axis=1)
    x = shared_models.events((16,))
    matched = set()
    for letter in "ab":
        model = quantization.load_keras(_path(f"models/jet_hlf_qkeras6_pruned_{letter}/model.h5"))
        classes = ff.classify(ff.lower(model, input_type=ENTRY), x)
        same = {n: float((classes == y.argmax(axis=1)).mean()) for n, y in outputs.items()}
        best = max(same, key=lambda n: same[n])
        matched.add(best)
        assert same[best] > 0.99, same  # the authors fed unrounded events, and ties of logits are theirs to break
        assert (classes == truth).mean() > 0.74
    assert matched == set(outputs)
