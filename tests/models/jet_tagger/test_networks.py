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
from models.jet_tagger.errors import SampleError
from models.jet_tagger.features import CONSTITUENT_INPUT_TYPE, HIGH_LEVEL_INPUT_TYPE, constituent_inputs
from models.jet_tagger.sample import JetSample, class_index, save_sample

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
        {"source": "x.npy"},
        {"source": "x.npy", "labels": "y.npy"},
        {"source": "x.h5", "labels": "y.npy", "class_order": ["g", "q", "w", "z", "t"]},
        {"test_source": "x.npy", "labels": "y.npy", "class_order": ["g", "q", "w", "z", "t"]},
        {"class_order": ["g", "q", "w", "z", "t"]},
        {"test_source": "generated"},
    ],
)
def test_data_options_refuse(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tagger.DataOptions.model_validate(values)


@pytest.mark.parametrize(
    "values",
    [{"architecture": "cnn"}, {"hidden": [0]}, {"phi": []}, {"effects": []}, {"weight_bits": 1}, {"a": 1}],
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


def arrays(directory: Path, jets: JetSample, order: str) -> dict[str, Any]:
    """Options for a pair of .npy files whose one-hot columns are in this order."""
    ours = [class_index(name) for name in order]
    np.save(directory / "x.npy", jets.constituents)
    np.save(directory / "y.npy", np.eye(5)[jets.labels][:, ours])
    return {"source": str(directory / "x.npy"), "labels": str(directory / "y.npy"), "class_order": list(order)}


def test_arrays_are_a_source_whose_class_order_is_stated(tmp_path: Path) -> None:
    jets = sample(200)
    options = tagger.DataOptions(**arrays(tmp_path, jets, "gqtwz"), jets=None)
    data = tagger.load_data(options, tmp_path, 1, silent)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [140, 20, 40]
    assert data.metadata["classes"] == ["g", "q", "W", "Z", "t"]
    known = dict(zip([x.tobytes() for x in constituent_inputs(jets, 16)], jets.labels, strict=True))
    assert [known[x.tobytes()] for x in data.train.x] == data.train.y.tolist()


@pytest.mark.parametrize("suffix", [".h5", ".parquet"])
def test_a_saved_sample_is_a_source_and_a_test_sample(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, suffix: str
) -> None:
    pytest.importorskip("h5py" if suffix == ".h5" else "pyarrow", reason="needs the physics extra")
    path = tmp_path / f"jets{suffix}"
    save_sample(sample(50), path)
    data = tagger.load_data(tagger.DataOptions(source=str(path), jets=40), tmp_path, 1, silent)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [28, 4, 8]
    data = load(monkeypatch, tmp_path, jets=200, test_source=str(path))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [180, 20, 50]
    assert data.metadata["test_source"] == str(path)
    # In the order of the file, so that outputs can be set against its rows.
    assert np.array_equal(data.test.y, sample(50).labels)


def test_a_test_sample_without_what_the_network_reads_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    files = arrays(tmp_path, sample(20), "gqwzt")
    options = {"test_source": files["source"], "test_labels": files["labels"], "class_order": files["class_order"]}
    with pytest.raises(SampleError, match="has none"):
        load(monkeypatch, tmp_path, jets=200, inputs="high_level", **options)


def test_generated_jets_may_be_kept_in_a_folder_for_several_recipes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def produce(directory: Path, jets: int, *rest: Any) -> JetSample:
        asked.append(directory)
        return sample(jets)

    monkeypatch.setattr(data_source, "produce", produce)
    for cache in (None, str(tmp_path / "shared")):
        tagger.load_data(tagger.DataOptions(jets=50, cache=cache), tmp_path / "run", 1, silent)
    assert asked == [tmp_path / "run", tmp_path / "shared"]


def test_a_data_source_of_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.root"):
        tagger.load_data(tagger.DataOptions(source="jets.root"), tmp_path, 1, silent)


# --- with Keras -------------------------------------------------------------------------------------------------

DENSE = {"architecture": "dense"}
INTERACTION = {"architecture": "interaction"}


@pytest.mark.keras
@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (16, 3)),
        ({"pooling": "sum"}, (8, 3)),
        (DENSE, (16, 3)),
        (DENSE, (16,)),
        (INTERACTION, (8, 3)),
        (INTERACTION | {"pooling": "sum"}, (16, 3)),
    ],
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
@pytest.mark.parametrize(
    "options",
    [{}, {"pooling": "sum"}, {"pooling": "maximum"}, DENSE, INTERACTION, INTERACTION | {"pooling": "sum"}],
    ids=str,
)
@pytest.mark.parametrize("constituents", [8, 16, 32])
def test_the_program_computes_what_keras_computes(options: dict[str, Any], constituents: int) -> None:
    pytest.importorskip("qkeras")
    import firmware_flows as ff

    data = dataset(constituents, 3)
    network = tagger.build_network(tagger.NetworkOptions(**options), data, 1)
    rng = np.random.default_rng(3)
    # Untrained biases are zero; these are not.
    network.set_weights([w if w.ndim > 1 else rng.uniform(-1, 1, w.shape) for w in network.get_weights()])
    program = ff.lower(network)
    x = data.test.x * 4
    assert np.array_equal(ff.emulate(program, x), np.array(network.predict_on_batch(x)))


@pytest.mark.keras
@pytest.mark.parametrize("options", [{}, INTERACTION], ids=str)
def test_the_order_of_constituents_does_not_matter(options: dict[str, Any]) -> None:
    pytest.importorskip("qkeras")
    data = dataset(16, 3)
    network = tagger.build_network(tagger.NetworkOptions(**options), data, 1)
    x = data.test.x
    assert np.array_equal(network.predict_on_batch(x), network.predict_on_batch(x[:, ::-1]))


@pytest.mark.keras
def test_the_seed_decides_the_weights() -> None:
    pytest.importorskip("qkeras")
    data = dataset(16, 3)
    kernels = [tagger.build_network(tagger.NetworkOptions(), data, seed).get_weights()[0] for seed in (1, 1, 2)]
    assert np.array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


@pytest.mark.parametrize("architecture", ["deep_sets", "interaction"])
def test_sets_of_constituents_on_high_level_features_are_refused(architecture: str) -> None:
    options = tagger.NetworkOptions.model_validate({"architecture": architecture})
    with pytest.raises(InputError, match="architecture: dense"):
        tagger.build_network(options, dataset(16, input_type=HIGH_LEVEL_INPUT_TYPE), 1)


def test_a_pair_needs_two_constituents() -> None:
    with pytest.raises(InputError, match="constituents: 2"):
        tagger.build_network(tagger.NetworkOptions.model_validate(INTERACTION), dataset(1, 3), 1)
