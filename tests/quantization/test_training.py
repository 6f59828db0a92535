"""The training loop: refuses early, repeats exactly, survives a kill, prunes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_flows.errors import LoweringError
from firmware_flows.model_source import Dataset, Split

pytestmark = pytest.mark.keras

pytest.importorskip("keras")
pytest.importorskip("qkeras")

from quantization import History, PruningSettings, TrainingError, TrainingSettings, load_keras, train  # noqa: E402
from quantization.backend import import_keras, import_qkeras  # noqa: E402
from quantization.networks import dense_network  # noqa: E402
from quantization.schemes import Bits, Scheme  # noqa: E402

keras = import_keras()

SCHEME = Scheme(Bits(10, 3), Bits(6, 1), Bits(6, 1), Bits(6, 2), Bits(8, 4))


def split(events: int, seed: int) -> Split:
    """Three classes, by which of three sums of inputs is the largest."""
    x = np.random.default_rng(seed).normal(size=(events, 6)).astype(np.float32)
    return Split(x, (x[:, :3] + x[:, 3:]).argmax(axis=1))


@pytest.fixture
def dataset() -> Dataset:
    return Dataset(split(1000, 1), split(300, 2), split(300, 3))


def network(seed: int = 1, scheme: Scheme | None = SCHEME) -> Any:
    keras.utils.set_random_seed(seed)
    return dense_network((6,), (16,), 3, scheme)


SETTINGS = TrainingSettings(epochs=4, batch_size=100, learning_rate=0.02, seed=5)


def changed(**changes: Any) -> TrainingSettings:
    return TrainingSettings.model_validate({**SETTINGS.model_dump(), **changes})


def weights(model: Any) -> list[np.ndarray[Any, Any]]:
    return [np.array(w) for w in model.get_weights()]


def same(a: list[np.ndarray[Any, Any]], b: list[np.ndarray[Any, Any]]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


class KilledError(Exception):
    pass


def killer(after: int) -> Any:
    def progress(done: int, total: int, row: Mapping[str, float]) -> None:
        if done == after:
            raise KilledError

    return progress


def test_learns_and_writes_the_best_weights(dataset: Dataset, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    model = network()
    history = train(model, dataset, SETTINGS, tmp_path, lambda done, total, row: seen.append((done, total)))
    assert seen == [(i, 4) for i in range(1, 5)]
    assert history.best["val_accuracy"] > 0.85
    assert history.best["val_loss"] == min(history.series("val_loss"))
    assert history.seed == 5
    assert history.resumed_after == 0
    read = load_keras(history.network)
    assert same(weights(read), weights(model))
    x = dataset.test.x
    assert np.array_equal(read.predict_on_batch(x), model.predict_on_batch(x))
    assert History.load(tmp_path / "history.json") == history


def test_the_same_seed_gives_the_same_bits_another_seed_does_not(dataset: Dataset, tmp_path: Path) -> None:
    models = []
    for index, seed in enumerate((5, 5, 6)):
        models.append(network())
        train(models[-1], dataset, changed(seed=seed), tmp_path / str(index))
    assert same(weights(models[0]), weights(models[1]))
    assert not same(weights(models[0]), weights(models[2]))


@pytest.mark.parametrize(
    "changes",
    [{}, {"schedule": "plateau", "patience": 1, "pruning": PruningSettings(final_sparsity=0.5)}],
    ids=["cosine", "plateau and pruning"],
)
def test_a_killed_training_ends_as_one_that_was_not(dataset: Dataset, tmp_path: Path, changes: dict[str, Any]) -> None:
    settings = changed(**changes)
    whole = network()
    one = train(whole, dataset, settings, tmp_path / "whole")
    killed = network()
    with pytest.raises(KilledError):
        train(killed, dataset, settings, tmp_path / "killed", killer(2))
    # Another starting point: all must come from the checkpoint.
    resumed = network(seed=99)
    two = train(resumed, dataset, settings, tmp_path / "killed")
    assert two.resumed_after == 2
    assert same(weights(whole), weights(resumed))
    assert [{**row, "seconds": 0.0} for row in one.epochs] == [{**row, "seconds": 0.0} for row in two.epochs]


def test_a_finished_training_is_not_repeated(dataset: Dataset, tmp_path: Path) -> None:
    first = train(network(), dataset, SETTINGS, tmp_path)
    again = network(seed=99)
    second = train(again, dataset, SETTINGS, tmp_path)
    assert second.epochs == first.epochs
    assert second.resumed_after == 4
    assert same(weights(again), weights(load_keras(first.network)))


@pytest.mark.parametrize("damage", ["truncated", "other settings", "other data"])
def test_a_checkpoint_that_does_not_fit_is_not_used(dataset: Dataset, tmp_path: Path, damage: str) -> None:
    settings = SETTINGS
    with pytest.raises(KilledError):
        train(network(), dataset, settings, tmp_path, killer(2))
    if damage == "truncated":
        content = (tmp_path / "checkpoint.npz").read_bytes()
        (tmp_path / "checkpoint.npz").write_bytes(content[: len(content) // 2])
    elif damage == "other settings":
        settings = changed(batch_size=101)
    else:
        dataset = Dataset(split(1000, 7), dataset.validation, dataset.test)
    assert train(network(), dataset, settings, tmp_path).resumed_after == 0


def test_pruning_reaches_its_sparsity_and_keeps_an_epoch_that_has_it(dataset: Dataset, tmp_path: Path) -> None:
    model = network()
    pruning = PruningSettings(final_sparsity=0.75, exclude=("logits",))
    history = train(model, dataset, changed(pruning=pruning), tmp_path)
    kernel = np.array(model.get_layer("dense_1").get_weights()[0])
    assert (kernel == 0).mean() == 0.75
    assert (np.array(model.get_layer("logits").get_weights()[0]) != 0).all()
    assert history.best_epoch >= 3
    assert history.series("sparsity") == sorted(history.series("sparsity"))


def test_pruning_names_a_layer_that_is_not_there(dataset: Dataset, tmp_path: Path) -> None:
    settings = changed(pruning=PruningSettings(final_sparsity=0.5, exclude=("dense_9",)))
    with pytest.raises(TrainingError, match=r"dense_9.*dense_1"):
        train(network(), dataset, settings, tmp_path)


def test_training_stops_when_nothing_improves(dataset: Dataset, tmp_path: Path) -> None:
    settings = TrainingSettings(
        epochs=50, batch_size=100, learning_rate=1e-9, schedule="constant", stop_after=2, seed=1
    )
    history = train(network(), dataset, settings, tmp_path)
    assert len(history.epochs) < 50
    assert len(history.epochs) == history.best_epoch + 2


def test_what_cannot_be_converted_is_refused_before_any_training(dataset: Dataset, tmp_path: Path) -> None:
    qkeras = import_qkeras()
    inputs = keras.Input((6,))
    x = qkeras.QActivation(qkeras.quantized_bits(8, 3, alpha=1))(inputs)
    outputs = qkeras.QDense(3, kernel_quantizer=qkeras.quantized_bits(6, 0, alpha="auto"), name="bad")(x)
    with pytest.raises(LoweringError, match="bad"):
        train(keras.Model(inputs, outputs), dataset, SETTINGS, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_float_reference_is_trained_without_lowering(dataset: Dataset, tmp_path: Path) -> None:
    history = train(network(scheme=None), dataset, SETTINGS, tmp_path, lower_first=False)
    assert history.best["val_accuracy"] > 0.85


@pytest.mark.parametrize(
    ("loss", "targets", "outputs"),
    [
        ("crossentropy", "one-hot", 3),
        ("binary_crossentropy", "bits", 3),
        ("mse", "numbers", 1),
        ("mae", "numbers", 1),
        ("huber", "numbers", 1),
    ],
)
def test_losses_and_targets(tmp_path: Path, loss: str, targets: str, outputs: int) -> None:
    def made(events: int) -> Split:
        x = np.random.default_rng(events).normal(size=(events, 6)).astype(np.float32)
        y = {
            "one-hot": np.eye(3)[(x[:, :3]).argmax(axis=1)],
            "bits": (x[:, :3] > 0).astype(np.int8),
            "numbers": x.sum(axis=1),
        }[targets]
        return Split(x, y)

    keras.utils.set_random_seed(1)
    model = dense_network((6,), (16,), outputs, SCHEME)
    history = train(
        model, Dataset(made(800), made(200), made(100)), changed(loss=loss), tmp_path,
        lower_first=False,
    )  # fmt: skip
    assert history.epochs[-1]["loss"] < history.epochs[0]["loss"]
    assert ("accuracy" in history.best) == ("crossentropy" in loss)


def test_labels_beyond_the_outputs_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    train_split = Split(dataset.train.x, dataset.train.y + 1)
    with pytest.raises(TrainingError, match="label 3"):
        train(network(), Dataset(train_split, dataset.validation, dataset.test), SETTINGS, tmp_path)


def test_events_of_another_shape_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    narrow = [Split(s.x[:, :5], s.y) for s in (dataset.train, dataset.validation, dataset.test)]
    with pytest.raises(TrainingError, match=r"\(5,\)"):
        train(network(), Dataset(*narrow), SETTINGS, tmp_path)


def test_a_loss_that_becomes_infinite_is_an_error(tmp_path: Path) -> None:
    def made(events: int) -> Split:
        return Split(np.ones((events, 6), np.float32), np.full(events, 3e38, np.float32))

    model = network(scheme=None)
    model = keras.Model(model.inputs, keras.layers.Dense(1, name="one")(model.outputs[0]))
    with pytest.raises(TrainingError, match="loss is"):
        train(model, Dataset(made(50), made(50), made(50)), changed(loss="mse"), tmp_path,
              lower_first=False)  # fmt: skip
