"""The tagger's networks, its data options and its splits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import models.jet_tagger as tagger
from firmware_flows.errors import InputError
from firmware_flows.model_source import Dataset, Split
from firmware_flows.recipe import load_recipe
from models.jet_tagger import data_source
from models.jet_tagger.features import CONSTITUENT_INPUT_TYPE, HIGH_LEVEL_INPUT_TYPE
from models.jet_tagger.sample import JetSample

RECIPES = sorted(Path(tagger.__file__).parent.glob("*.yaml"))


def dataset(*shape: int, input_type: str = CONSTITUENT_INPUT_TYPE) -> Dataset:
    """Noise in the input's units."""
    rng = np.random.default_rng(1)
    parts = [Split(rng.normal(size=(n, *shape)), rng.integers(0, 5, n)) for n in (400, 100, 100)]
    return Dataset(*parts, metadata={"input_type": input_type, "classes": list(tagger.CLASSES)})


def sample(jets: int) -> JetSample:
    rng = np.random.default_rng(2)
    constituents = np.sort(rng.uniform(3.0, 100.0, size=(jets, 32, 3)), axis=1)[:, ::-1].astype(np.float32)
    constituents[:, :, 1:] = rng.normal(scale=0.1, size=(jets, 32, 2))
    high_level = rng.normal(size=(jets, 16)).astype(np.float32)
    return JetSample((np.arange(jets) % 5).astype(np.int8), constituents, high_level, np.zeros((jets, 0), np.float32))


def silent(step: str, done: int, total: int) -> None:
    pass


def load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int = 1, **options: Any) -> Dataset:
    def produce(directory: Path, jets: int, seed: int, workers: int | None, progress: Any) -> JetSample:
        progress(jets, jets)
        return sample(jets).shuffled(seed)

    monkeypatch.setattr(data_source, "produce", produce)
    return tagger.load_data(tagger.DataOptions(**options), tmp_path, seed, silent)


def test_importing_the_source_is_light() -> None:
    code = (
        "import sys, models.jet_tagger as t\n"
        "t.DataOptions(), t.NetworkOptions()\n"
        "bad = {'tensorflow', 'keras', 'qkeras', 'pythia8mc', 'fastjet', 'numba', 'matplotlib'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_are_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.source.name == "models.jet_tagger"
    assert recipe.float_reference


def test_the_recipes_of_the_demonstration_and_of_deployment_differ_in_the_jets_alone() -> None:
    fast, full = (load_recipe(Path(tagger.__file__).with_name(f"{name}.yaml")) for name in ("fast", "recipe"))
    assert fast.network_options == full.network_options
    assert (fast.data_options.model_dump() | {"jets": 0}) == (full.data_options.model_dump() | {"jets": 0})


@pytest.mark.parametrize(
    "values",
    [
        {"inputs": "jets"},
        {"constituents": 65},
        {"jets": None},
        {"validation_share": 0.5, "test_share": 0.5},
        {"jet": 3},
    ],
)
def test_data_options_refuse(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tagger.DataOptions.model_validate(values)


@pytest.mark.parametrize(
    "values", [{"architecture": "cnn"}, {"hidden": [0]}, {"phi": []}, {"weight_bits": 1}, {"a": 1}]
)
def test_network_options_refuse(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tagger.NetworkOptions.model_validate(values)


def test_constituents_are_split_by_the_seed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    first, again, other = (load(monkeypatch, tmp_path, seed, jets=200) for seed in (1, 1, 2))
    assert [len(part) for part in (first.train, first.validation, first.test)] == [140, 20, 40]
    assert first.event_shape == (16, 3)
    assert np.array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)
    events = {part.x[i].tobytes() for part in (first.train, first.validation, first.test) for i in range(len(part))}
    assert len(events) == 200
    assert first.metadata["classes"] == ["g", "q", "W", "Z", "t"]
    assert first.metadata["input_type"] == CONSTITUENT_INPUT_TYPE


def test_high_level_features_are_standardised_on_the_training_part(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    data = load(monkeypatch, tmp_path, jets=500, inputs="high_level")
    assert data.event_shape == (16,)
    np.testing.assert_allclose(data.train.x.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(data.train.x.std(axis=0), 1.0, atol=1e-6)
    assert len(data.metadata["mean"]) == 16


def test_a_data_source_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.root"):
        tagger.load_data(tagger.DataOptions(source="jets.root"), tmp_path, 1, silent)


# --- with Keras -------------------------------------------------------------------------------------------------

DENSE = {"architecture": "dense"}


@pytest.mark.keras
@pytest.mark.parametrize(
    ("options", "shape"), [({}, (16, 3)), ({"pooling": "sum"}, (8, 3)), (DENSE, (16, 3)), (DENSE, (16,))]
)
def test_networks_are_quantized_throughout_and_have_a_float_counterpart(
    options: dict[str, Any], shape: tuple[int, ...]
) -> None:
    pytest.importorskip("qkeras")
    data = dataset(*shape, input_type=HIGH_LEVEL_INPUT_TYPE if len(shape) == 1 else CONSTITUENT_INPUT_TYPE)
    chosen = tagger.NetworkOptions(**options)
    network, reference = tagger.build_network(chosen, data, 1), tagger.float_network(chosen, data, 1)
    assert network.output_shape == reference.output_shape == (None, 5)
    assert [w.shape for w in network.get_weights()] == [w.shape for w in reference.get_weights()]
    assert type(network.layers[1]).__name__ == "QActivation"
    for layer in network.layers:
        for quantizer in layer.get_quantizers() if hasattr(layer, "get_quantizers") else []:
            assert quantizer.alpha == 1
            assert quantizer.bits == chosen.weight_bits
    assert not any(type(layer).__name__ == "ReLU" for layer in network.layers)


@pytest.mark.keras
@pytest.mark.parametrize("options", [{}, {"pooling": "sum"}, {"pooling": "maximum"}, DENSE], ids=str)
def test_the_program_computes_what_keras_computes(options: dict[str, Any]) -> None:
    pytest.importorskip("qkeras")
    import firmware_flows as ff

    data = dataset(16, 3)
    network = tagger.build_network(tagger.NetworkOptions(**options), data, 1)
    rng = np.random.default_rng(3)
    # Untrained biases are zero; these are not.
    network.set_weights([w if w.ndim > 1 else rng.uniform(-1, 1, w.shape) for w in network.get_weights()])
    program = ff.lower(network)
    x = data.test.x * 4
    assert np.array_equal(ff.emulate(program, x), np.array(network.predict_on_batch(x)))


@pytest.mark.keras
def test_the_order_of_constituents_does_not_matter_to_deep_sets() -> None:
    pytest.importorskip("qkeras")
    data = dataset(16, 3)
    network = tagger.build_network(tagger.NetworkOptions(), data, 1)
    x = data.test.x
    assert np.array_equal(network.predict_on_batch(x), network.predict_on_batch(x[:, ::-1]))


@pytest.mark.keras
def test_the_seed_decides_the_weights() -> None:
    pytest.importorskip("qkeras")
    data = dataset(16, 3)
    kernels = [tagger.build_network(tagger.NetworkOptions(), data, seed).get_weights()[0] for seed in (1, 1, 2)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_deep_sets_on_high_level_features_is_refused() -> None:
    with pytest.raises(InputError, match="architecture: dense"):
        tagger.build_network(tagger.NetworkOptions(), dataset(16, input_type=HIGH_LEVEL_INPUT_TYPE), 1)
