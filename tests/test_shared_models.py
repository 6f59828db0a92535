"""Networks that nobody here made: each converts and agrees bit for bit with csim, or is refused with a true reason.

`pytest tests/test_shared_models.py -s` prints the table.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff

pytestmark = [pytest.mark.keras, pytest.mark.shared_data, pytest.mark.slow]

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EXAMPLES = "models/hls4ml_example_models"

# quantized by their authors; the input type is the one that their own hls4ml configuration took
QUANTIZED = {
    "models/jet_hlf_qkeras6_pruned_a/model.h5": "ap_fixed<16,6,AP_RND,AP_SAT>",
    "models/jet_hlf_qkeras6_pruned_b/model.h5": "ap_fixed<16,6,AP_RND,AP_SAT>",
    "models/anomaly_autoencoder_ad07/model.h5": "ap_fixed<16,6,AP_RND,AP_SAT>",
    "models/anomaly_autoencoder_ad08/model.h5": "ap_fixed<16,6,AP_RND,AP_SAT>",
    f"{EXAMPLES}/qkeras_3layer.json": "ap_fixed<16,6,AP_RND,AP_SAT>",
    f"{EXAMPLES}/qkeras-v3_3layer.keras": "ap_fixed<16,6,AP_RND,AP_SAT>",
    f"{EXAMPLES}/qkeras_mnist_dense.json": None,
    f"{EXAMPLES}/qkeras_mnist_cnn.json": "ap_fixed<16,6,AP_RND,AP_SAT>",
}

# float networks: quantized after training to 12 bits for every weight and activation, integer bits from the data
FLOAT = [
    "models/jet_hlf_float_a/model.h5",
    "models/jet_hlf_float_b/model.h5",
    "models/jet_hlf_float_pruned75/model.h5",
    f"{EXAMPLES}/keras_1layer.h5",
    f"{EXAMPLES}/keras_3layer.h5",
    f"{EXAMPLES}/keras_3layer_70pruned_retrained.h5",
    f"{EXAMPLES}/keras_3layer_batch_norm.h5",
    f"{EXAMPLES}/keras_conv1d_small.h5",
    f"{EXAMPLES}/keras_conv2d_model.h5",
]

# refused when loaded, or when lowered as they are (float ones unquantized): what the message must name
REFUSED = {
    "models/jet_hlf_model31/model.h5": "HGQ",
    "models/jet_hlf_model31/model.keras": "HGQ",
    "models/svhn_qcnn_pruned/model.h5": "bn_dense_0",  # a float BatchNormalization behind a QDense
    f"{EXAMPLES}/KERAS_3layer_ternary_small.json": "TernaryDense",
    f"{EXAMPLES}/keras_bnn.json": "BinaryDense",
    f"{EXAMPLES}/keras_conv1d.h5": "kernel_quantizer",
    f"{EXAMPLES}/keras_conv1d_small.h5": "kernel_quantizer",
    f"{EXAMPLES}/keras_conv2d_model.h5": "kernel_quantizer",
    f"{EXAMPLES}/keras_jetTagger_Conv2D_Small_NoBatchNorm.h5": "kernel_quantizer",
}


def _path(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} of the shared data is not beside the checkout")
    return path


def _events(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    if shape == (16,):
        return np.load(_path("sets/jets_hlf_5120/X.npy")).astype(np.float32)
    return np.random.default_rng(0).uniform(0, 1, (1000, *shape)).astype(np.float32)


def _agrees(model: Any, program: ff.Program, directory: Path) -> ff.Verification:
    project = ff.hls.write_project(program, directory)
    project.compile()
    x = _events(program.inputs[0].shape)
    image = x[0].size > 500  # hls4ml's C++ does some hundred events of these in a second
    verification = ff.verify(program, x, keras_model=model, project=project, random_events=3000, adversarial=not image)
    assert verification.passed, verification.summary()
    compared = {f.name: f.compared for f in verification.forms}
    assert compared["HLS C++"] == sum(verification.groups.values())
    assert compared["Keras"] > 1000
    return verification


@pytest.mark.cpp
@pytest.mark.parametrize("name", QUANTIZED)
def test_quantized_networks_agree_with_csim(name: str, tmp_path: Path) -> None:
    import quantization

    if name.endswith("mnist_cnn.json") and not os.environ.get("FIRMWARE_FLOWS_EXHAUSTIVE"):
        pytest.skip("simulates for two minutes: set FIRMWARE_FLOWS_EXHAUSTIVE=1")

    model = quantization.load_keras(_path(name))
    program = ff.lower(model, input_type=QUANTIZED[name])
    verification = _agrees(model, program, tmp_path / "hls")
    print(f"| {name} | converted | 0 of {sum(verification.groups.values()):,} events differ |")


@pytest.mark.cpp
@pytest.mark.parametrize("name", FLOAT)
def test_float_networks_agree_after_post_training_quantization(name: str, tmp_path: Path) -> None:
    import quantization

    model = quantization.load_keras(_path(name))
    x = _events(tuple(model.input_shape[1:]))
    quantized = quantization.quantize_after_training(model, x[:2000], total_bits=12)
    program = ff.lower(quantized)
    verification = _agrees(quantized, program, tmp_path / "hls")
    decided = np.asarray(model(x)).argmax(axis=-1)
    same = float((ff.classify(program, x) == decided).mean()) if model.output_shape[-1] > 1 else 1.0
    print(
        f"| {name} | 12 bits after training, {same:.1%} of decisions as in float "
        f"| 0 of {sum(verification.groups.values()):,} events differ |"
    )
    assert same > 0.97


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_converted_is_refused_with_a_true_reason(name: str) -> None:
    import quantization

    path = _path(name)
    with pytest.raises(ff.FirmwareFlowsError, match=REFUSED[name]) as caught:
        ff.lower(quantization.load_keras(path), input_type="ap_fixed<16,6,AP_RND,AP_SAT>")
    print(f"| {name} | refused | {str(caught.value).replace(str(path), path.name)} |")


def test_every_network_of_the_shared_data_is_in_the_table() -> None:
    if not DATA.exists():
        pytest.skip("the shared data is not beside the checkout")
    found = {
        str(p.relative_to(DATA))
        for p in (DATA / "models").rglob("*")
        if p.suffix in (".h5", ".keras", ".json") and not p.name.endswith("_weights.h5")
    }
    assert found == set(QUANTIZED) | set(FLOAT) | set(REFUSED)


def test_authors_decisions_are_reproduced_from_integers() -> None:
    """The class that the integer Program gives, against the authors' own float outputs of the same QKeras networks."""
    import quantization

    x = _events((16,))
    outputs = {n: np.load(_path(f"sets/jets_hlf_5120/hector_{n}_y_qkeras.npy")) for n in ("5ce726ee", "28188a7a")}
    truth = np.load(_path("sets/jets_hlf_5120/y_onehot.npy")).argmax(axis=1)
    matched = set()
    for letter in "ab":
        model = quantization.load_keras(_path(f"models/jet_hlf_qkeras6_pruned_{letter}/model.h5"))
        classes = ff.classify(ff.lower(model, input_type="ap_fixed<16,6,AP_RND,AP_SAT>"), x)
        same = {n: float((classes == y.argmax(axis=1)).mean()) for n, y in outputs.items()}
        best = max(same, key=lambda n: same[n])
        matched.add(best)
        assert same[best] > 0.99, same  # the authors fed unrounded events, and ties of logits are theirs to break
        assert (classes == truth).mean() > 0.74
    assert matched == set(outputs)
