"""The recipes, the loss, and a network that is trained, lowered and read out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import models.omtf as omtf
from firmware_flows.model_source import Dataset, Split
from firmware_flows.recipe import load_recipe
from models.omtf.encoding import INPUT_TYPE, N_INPUTS
from models.omtf.evaluation import THRESHOLDS, golden_answer, network_answer, rate
from models.omtf.momentum_bins import N_BINS, N_OUTPUTS, targets
from models.omtf.networks import NetworkOptions
from models.omtf.truth import unpack

RECIPES = sorted(Path(omtf.__file__).parent.glob("*.yaml"))


def noise(muons: int = 300) -> Dataset:
    rng = np.random.default_rng(1)

    def split(count: int) -> Split:
        x = np.clip(rng.normal(size=(count, N_INPUTS)), -3, 3).astype(np.float32)
        return Split(x, targets(rng.uniform(2, 120, count), rng.choice([-1, 1], count)))

    return Dataset(split(muons), split(100), split(100), {"input_type": INPUT_TYPE})


def test_importing_the_source_is_light() -> None:
    code = (
        "import sys, models.omtf as o\n"
        "o.DataOptions(), o.NetworkOptions()\n"
        "bad = {'tensorflow', 'keras', 'qkeras', 'h5py', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(omtf.__file__).parents[2])


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.source.name == "models.omtf"
    assert recipe.float_reference
    assert recipe.settings.floors["bit-accurate.rate_reduction.at_20"] >= 0.1


def test_the_deployable_recipe_states_the_losses_it_allows() -> None:
    recipe, fast = (load_recipe(Path(omtf.__file__).with_name(f"{name}.yaml")) for name in ("recipe", "fast"))
    assert recipe.settings.max_loss == {"rate_gain.mean": 0.03}
    assert recipe.network_options == fast.network_options
    assert recipe.hls == fast.hls
    deep = load_recipe(Path(omtf.__file__).with_name("deep.yaml"))
    assert deep.network_options.hidden == (128,) * 10  # type: ignore[attr-defined]


@pytest.mark.keras
def test_the_loss_is_a_softmax_over_classes_and_a_sigmoid_for_the_charge() -> None:
    network = omtf.float_network(NetworkOptions(), noise(), 1)
    assert network.count_params() == 44 * 64 + 64 + 64 * 32 + 32 + 32 * 44 + 44
    data = noise().test
    z = np.asarray(network(data.x), np.float64)
    classes = z[:, :N_BINS] - np.log(np.exp(z[:, :N_BINS]).sum(axis=1, keepdims=True))
    charge = np.logaddexp(0, -np.where(data.y[:, N_BINS] > 0, z[:, N_BINS], -z[:, N_BINS]))
    wanted = (charge - (classes * data.y[:, :N_BINS]).sum(axis=1)).mean()
    network.compile(loss="binary_crossentropy")
    found = network.evaluate(data.x, data.y.astype(np.float32), verbose=0, return_dict=True)["loss"]
    assert found == pytest.approx(wanted, rel=1e-5)


@pytest.mark.keras
def test_a_network_is_lowered_and_answers_as_in_keras(tmp_path: Path) -> None:
    import firmware_flows as ff
    from quantization import load_keras

    data = noise(2000)
    network = omtf.build_network(NetworkOptions(hidden=(16, 8)), data, 3)
    again = omtf.build_network(NetworkOptions(hidden=(16, 8)), data, 3)
    np.testing.assert_array_equal(np.asarray(network(data.train.x)), np.asarray(again(data.train.x)))
    network.save(tmp_path / "network.keras")
    program = ff.lower(load_keras(tmp_path / "network.keras"))
    assert ff.emulate(program, data.train.x).shape == (2000, N_OUTPUTS)
    np.testing.assert_array_equal(ff.emulate(program, data.train.x), np.asarray(network(data.train.x)))


@pytest.mark.keras
@pytest.mark.slow
def test_a_short_training_already_beats_the_golden_patterns(tmp_path: Path) -> None:
    import firmware_flows as ff
    import quantization

    options = omtf.DataOptions(
        muons=400_000, validation_muons=30_000, test_muons=150_000, pattern_muons=300_000, workers=1
    )
    data = omtf.load_data(options, tmp_path, 1, lambda *call: None)
    network = omtf.build_network(NetworkOptions(), data, 1)
    settings = quantization.TrainingSettings(epochs=6, learning_rate=0.004, loss="own", seed=1)
    quantization.train(network, data, settings, tmp_path / "training")
    truth = unpack(data.test.y)
    answer = network_answer(ff.emulate(ff.lower(network), data.test.x))
    for threshold in THRESHOLDS:
        assert rate(truth, answer, threshold) < 0.8 * rate(truth, golden_answer(truth), threshold)
