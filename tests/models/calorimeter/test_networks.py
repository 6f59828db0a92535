"""The networks: shapes and sizes, exact conversion, the convolution, and what a short training achieves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import firmware_flows as ff
import models.calorimeter as calorimeter
from firmware_flows.errors import InputError
from firmware_flows.model_source import Dataset, Split
from firmware_flows.recipe import Recipe, load_recipe
from models.calorimeter.evaluation import measure_all
from models.calorimeter.truth import COLUMNS, Truth
from models.calorimeter.windows import INPUT_TYPE

RECIPES = sorted(Path(calorimeter.__file__).parent.glob("*.yaml"))
IDS = [path.name for path in RECIPES]


def dataset(samples: int) -> Dataset:
    """Counts of noise and pulses over the whole range of the converter."""
    rng = np.random.default_rng(1)
    counts = [np.rint(np.clip(rng.normal(0, s, (300, samples)), -1000, 15383)) for s in (30, 500, 20_000)]
    x = np.concatenate(counts).astype(np.float32) / 1024
    parts = [Split(x, np.zeros((len(x), 1)))] * 2 + [Split(x, np.zeros((len(x), len(COLUMNS))))]
    return Dataset(*parts, metadata={"input_type": INPUT_TYPE})


def samples_of(recipe: Recipe) -> int:
    options: Any = recipe.data_options
    return int(options.past + 1 + options.future)


def test_importing_the_source_is_light() -> None:
    code = (
        "import sys, models.calorimeter as c\n"
        "c.DataOptions(), c.NetworkOptions()\n"
        "bad = {'tensorflow', 'keras', 'qkeras', 'h5py', 'matplotlib'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", RECIPES, ids=IDS)
def test_every_recipe_reads_and_states_its_floors(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.float_reference
    floors = recipe.settings.floors
    assert floors["bit-accurate.resolution_kept"] == 0.971
    if recipe.name in ("calorimeter", "calorimeter-fast"):
        assert floors["bit-accurate.improvement.overall"] == 1.8
        assert floors["bit-accurate.improvement.overlapping"] == 2.0


@pytest.mark.parametrize("wrong", [{"hidden": [0]}, {"kernel": 1}, {"weight_bits": 19}, {"layers": 3}])
def test_network_options_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        calorimeter.NetworkOptions(**wrong)


@pytest.mark.keras
@pytest.mark.parametrize("path", RECIPES, ids=IDS)
def test_every_network_converts_exactly(path: Path) -> None:
    recipe = load_recipe(path)
    data = dataset(samples_of(recipe))
    network = calorimeter.build_network(recipe.network_options, data, 1)
    program = ff.lower(network)
    (output,) = program.outputs
    assert output.name == "energy"
    assert str(program.layers[0].type).startswith("ap_fixed<15,5")
    assert str(program.layers[-1].type).startswith("ap_fixed<18,6")
    verification = ff.verify(program, data.test.x, keras_model=network, random_events=2000, seed=1)
    assert verification.passed
    # Its float reference has the same shape.
    assert calorimeter.float_network(recipe.network_options, data, 1).count_params() == network.count_params()


@pytest.mark.keras
@pytest.mark.parametrize(("samples", "hidden", "parameters"), [(5, (8, 4), 89), (9, (16, 8), 305), (30, (16, 8), 641)])
def test_dense_networks_have_the_known_sizes(samples: int, hidden: tuple[int, ...], parameters: int) -> None:
    options = calorimeter.NetworkOptions(hidden=hidden)
    assert calorimeter.build_network(options, dataset(samples), 1).count_params() == parameters


@pytest.mark.keras
def test_the_convolution_is_one_of_stride_and_kernel_alike() -> None:
    """Blocks and a pointwise layer give what Keras' own convolution of that stride gives."""
    import keras

    options = calorimeter.NetworkOptions(architecture="convolution", filters=3, kernel=4, hidden=(5,))
    data = dataset(12)
    network = calorimeter.float_network(options, data, 1)
    taps = keras.Model(network.inputs, network.get_layer("filters").output)
    kernel, bias = network.get_layer("filters").get_weights()
    assert kernel.shape == (1, 4, 3)
    reference = keras.Sequential([keras.Input((12, 1)), keras.layers.Conv1D(3, 4, strides=4)])
    reference.layers[-1].set_weights([kernel.reshape(4, 1, 3), bias])
    found = taps.predict(data.test.x, verbose=0)
    wanted = reference.predict(data.test.x[:, :, None], verbose=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.keras
def test_samples_that_are_no_whole_blocks_are_refused() -> None:
    options = calorimeter.NetworkOptions(architecture="convolution", kernel=4)
    with pytest.raises(InputError, match="kernel 4 does not divide the 9 samples"):
        calorimeter.build_network(options, dataset(9), 1)
    flat = Split(np.zeros((5, 3, 2)), np.zeros((5, 1)))
    with pytest.raises(InputError, match="window of samples"):
        calorimeter.build_network(
            calorimeter.NetworkOptions(), Dataset(flat, flat, flat, {"input_type": INPUT_TYPE}), 1
        )


@pytest.mark.keras
def test_the_same_seed_gives_the_same_weights() -> None:
    data, options = dataset(9), calorimeter.NetworkOptions()
    networks = [calorimeter.build_network(options, data, seed) for seed in (1, 1, 2)]
    one, same, other = (np.concatenate([w.reshape(-1) for w in n.get_weights()]) for n in networks)
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.keras
@pytest.mark.slow
def test_a_short_training_beats_the_optimal_filter(tmp_path: Path) -> None:
    """Less than a twentieth of the recipe's training, and the bit-accurate network is better than the filter."""
    from quantization import TrainingSettings, train

    options = calorimeter.DataOptions(train_cells=50, validation_cells=5, test_cells=20, workers=1)
    data = calorimeter.load_data(options, tmp_path, 1, lambda step, done, total: None)
    network = calorimeter.build_network(calorimeter.NetworkOptions(), data, 1)
    train(network, data, TrainingSettings(loss="mse", epochs=8, batch_size=512, learning_rate=0.01), tmp_path)
    outputs = {"bit-accurate": ff.emulate(ff.lower(network), data.test.x)}
    found = measure_all(outputs, Truth.of(data.test.y))["bit-accurate"]
    assert found["improvement"]["overall"] > 1.6
    assert found["improvement"]["overlapping"] > 1.8
    assert abs(found["bias"]) < 15.0
