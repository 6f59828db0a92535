"""`python -m benchmarks.shared_models`: networks that nobody here made, each converted and compared, or refused.

The networks lie in ../shared/data; tests/test_shared_models.py runs the same. Ends with 1 if a bit differs, if a
network that is listed as refused converts, or the other way round.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import firmware_flows as ff

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
EXAMPLES = "models/hls4ml_example_models"
ENTRY = "ap_fixed<16,6,AP_RND,AP_SAT>"

# quantized by their authors; the input type is the one that their own hls4ml configuration took
QUANTIZED = {
    "models/jet_hlf_qkeras6_pruned_a/model.h5": ENTRY,
    "models/jet_hlf_qkeras6_pruned_b/model.h5": ENTRY,
    "models/anomaly_autoencoder_ad07/model.h5": ENTRY,
    "models/anomaly_autoencoder_ad08/model.h5": ENTRY,
    f"{EXAMPLES}/qkeras_3layer.json": ENTRY,
    f"{EXAMPLES}/qkeras-v3_3layer.keras": ENTRY,
    f"{EXAMPLES}/qkeras_mnist_dense.json": None,
    f"{EXAMPLES}/qkeras_mnist_cnn.json": ENTRY,
}

# float networks: quantized after training to so many bits for every weight and activation, integer bits from the data;
# fewer where Keras' float32 would hold few of the sums
FLOAT = {
    "models/jet_hlf_float_a/model.h5": 12,
    "models/jet_hlf_float_b/model.h5": 12,
    "models/jet_hlf_float_pruned75/model.h5": 12,
    f"{EXAMPLES}/keras_1layer.h5": 12,
    f"{EXAMPLES}/keras_3layer.h5": 12,
    f"{EXAMPLES}/keras_3layer_70pruned_retrained.h5": 12,
    f"{EXAMPLES}/keras_3layer_batch_norm.h5": 12,
    f"{EXAMPLES}/keras_conv1d_small.h5": 12,
    f"{EXAMPLES}/keras_conv2d_model.h5": 12,
    f"{EXAMPLES}/keras_jetTagger_Conv2D_Small_NoBatchNorm.h5": 8,
}

WITNESSED = {f"{EXAMPLES}/keras_jetTagger_Conv2D_Small_NoBatchNorm.h5": 500}
"""Events on which Keras must be a witness, where that is not 1000: all others are beyond its float32."""

# 251,281 weights: g++ had 3.5 GB and was not done after minutes, so that Keras alone is the witness; its float32 holds
# sums of 3,200 products of 6 bits
LARGE = [f"{EXAMPLES}/keras_conv1d.h5"]

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


class Disagreement(AssertionError):
    """A network that does not do what is said of it."""


def events(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Real jets for their networks, random numbers for all others."""
    if shape == (16,):
        return np.load(DATA / "sets/jets_hlf_5120/X.npy").astype(np.float32)
    return np.random.default_rng(0).uniform(0, 1, (1000, *shape)).astype(np.float32)


def agrees(model: Any, program: ff.Program, directory: Path, witnessed: int = 1000) -> ff.Verification:
    """Keras, Program and compiled C++ on data, built and random events. Raises Disagreement.

    `witnessed`: events on which Keras must have been compared at least.
    """
    project = ff.hls.write_project(program, directory)
    project.compile()
    x = events(program.inputs[0].shape)
    image = x[0].size > 500  # hls4ml's C++ does some hundred events of these in a second
    verification = ff.verify(program, x, keras_model=model, project=project, random_events=3000, adversarial=not image)
    compared = {f.name: f.compared for f in verification.forms}
    complete = compared["HLS C++"] == sum(verification.groups.values()) and compared["Keras"] >= witnessed
    if not verification.passed or not complete:
        raise Disagreement(verification.summary())
    return verification


def quantized(name: str, directory: Path) -> str:
    """A network that its authors quantized: what was found, for the table."""
    import quantization

    model = quantization.load_keras(DATA / name)
    return _equal(agrees(model, ff.lower(model, input_type=QUANTIZED[name]), directory))


def after_training(name: str, directory: Path) -> str:
    """A float network, quantized; it must also decide as before."""
    import quantization

    model = quantization.load_keras(DATA / name)
    x = events(tuple(model.input_shape[1:]))
    rounded = quantization.quantize_after_training(model, x[:2000], total_bits=FLOAT[name])
    program = ff.lower(rounded)
    verification = agrees(rounded, program, directory, WITNESSED.get(name, 1000))
    decided = np.asarray(model(x)).argmax(axis=-1)
    same = float((ff.classify(program, x) == decided).mean()) if model.output_shape[-1] > 1 else 1.0
    if same <= 0.97:
        raise Disagreement(f"only {same:.1%} of decisions are as in float")
    return f"{FLOAT[name]} bits after training, {same:.1%} of decisions as in float; {_equal(verification)}"


def large(name: str, directory: Path | None = None) -> str:
    """A float network whose C++ takes too long: quantized to 6 bits, and compared with Keras."""
    import quantization

    model = quantization.load_keras(DATA / name)
    x = events(tuple(model.input_shape[1:]))[:300]
    rounded = quantization.quantize_after_training(model, x, total_bits=6)
    program = ff.lower(rounded)
    verification = ff.verify(program, x, keras_model=rounded, random_events=200, adversarial=False)
    compared = next(f.compared for f in verification.forms if f.name == "Keras")
    if not verification.passed or compared < sum(verification.groups.values()):
        raise Disagreement(verification.summary())
    return f"6 bits after training; {_equal(verification)}; C++ not compiled"


def refused(name: str, directory: Path | None = None) -> str:
    """The reason why a network is not converted as it is. Raises Disagreement where there is none."""
    import quantization

    path = DATA / name
    try:
        ff.lower(quantization.load_keras(path), input_type=ENTRY)
    except ff.FirmwareFlowsError as error:
        text = str(error).replace(str(path), path.name)
        if not re.search(REFUSED[name], text):
            raise Disagreement(f"refused for another reason: {text}") from error
        return text
    raise Disagreement("is converted")


def _equal(verification: ff.Verification) -> str:
    return f"0 of {sum(verification.groups.values()):,} events differ"


RUNS: list[tuple[str, list[str], Callable[[str, Path], str]]] = [
    ("converted", list(QUANTIZED), quantized),
    ("quantized", list(FLOAT), after_training),
    ("quantized", LARGE, large),
    ("refused", list(REFUSED), refused),
]


def main() -> int:
    console = Console()
    if not DATA.exists():
        console.print(f"{DATA} is not beside the checkout", style="red")
        return 2
    table = Table("network", "outcome", "found", show_lines=True)
    wrong = 0
    for outcome, names, run in RUNS:
        for name in names:
            console.print(f"{name} ...", style="dim", highlight=False)
            with tempfile.TemporaryDirectory() as directory:
                try:
                    row = (outcome, run(name, Path(directory) / "hls"))
                except (Disagreement, ff.FirmwareFlowsError) as error:
                    wrong += 1
                    row = ("WRONG", str(error))
            table.add_row(name.removeprefix("models/"), *row)
    console.print(table)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
