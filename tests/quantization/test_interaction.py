"""The interaction network: its constant matrices, and that nothing on the way from training to firmware moves them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_flows.model_source import Dataset, Split

pytestmark = pytest.mark.keras

pytest.importorskip("keras")
pytest.importorskip("qkeras")

from quantization import TrainingSettings, load_keras, quantize_after_training, train  # noqa: E402
from quantization.backend import import_keras  # noqa: E402
from quantization.networks import interaction_network, pair_matrices, pooled_bits  # noqa: E402
from quantization.schemes import Bits, Scheme  # noqa: E402

SCHEME = Scheme(Bits(10, 3), Bits(8, 1), Bits(8, 1), Bits(8, 3), Bits(8, 3))
CONSTITUENTS = 4
CONSTANT = ("receivers", "senders", "collected")
X = np.random.default_rng(1).normal(size=(300, CONSTITUENTS, 3)).astype(np.float32)


def network(scheme: Scheme | None = SCHEME, pooling: str = "average") -> Any:
    import_keras().utils.set_random_seed(1)
    model = interaction_network((CONSTITUENTS, 3), (6, 4), (7,), (5,), 3, scheme, pooling=pooling)
    rng = np.random.default_rng(2)
    for layer in model.layers:
        if layer.trainable and getattr(layer, "bias", None) is not None:
            layer.bias.assign(rng.uniform(-0.5, 0.5, layer.bias.shape))
    return model


def constants(model: Any) -> list[np.ndarray[Any, Any]]:
    return [np.array(model.get_layer(name).kernel) for name in CONSTANT]


def expected_constants() -> list[np.ndarray[Any, Any]]:
    receivers, senders = pair_matrices(CONSTITUENTS)
    return [receivers, senders, receivers.T]


def assert_untouched(model: Any) -> None:
    for found, wanted in zip(constants(model), expected_constants(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert not any(model.get_layer(name).trainable for name in CONSTANT)


def test_a_column_is_an_ordered_pair_and_every_pair_is_there_once() -> None:
    receivers, senders = pair_matrices(5)
    pairs = {(int(r.argmax()), int(s.argmax())) for r, s in zip(receivers.T, senders.T, strict=True)}
    assert pairs == {(r, s) for r in range(5) for s in range(5) if r != s}
    assert receivers.shape == senders.shape == (5, 20)
    assert set(np.unique(receivers)) == set(np.unique(senders)) == {0.0, 1.0}
    assert (receivers.sum(axis=0) == 1).all()
    assert (senders.sum(axis=0) == 1).all()


@pytest.mark.parametrize(
    ("pooling", "constituents", "bits"),
    [
        ("maximum", 16, Bits(8, 2)),
        ("sum", 4, Bits(8, 2)),
        ("sum", 16, Bits(10, 4)),
        ("average", 8, Bits(10, 2)),
        ("average", 16, Bits(10, 2)),
        ("average", 32, Bits(11, 2)),
    ],
)
def test_a_pool_is_finer_or_wider_than_its_terms(pooling: str, constituents: int, bits: Bits) -> None:
    assert pooled_bits(Bits(8, 2), constituents, pooling) == bits


def test_it_computes_the_effects_of_every_sender_on_every_receiver() -> None:
    """Against the definition with loops over constituents, in float64."""
    model = network(None, "sum")

    def chain(values: np.ndarray[Any, Any], prefix: str, count: int) -> np.ndarray[Any, Any]:
        for number in range(1, count + 1):
            kernel, bias = (np.array(w, np.float64) for w in model.get_layer(f"{prefix}_{number}").get_weights())
            values = np.maximum(values @ kernel + bias, 0.0)
        return values

    expected = []
    for jet in X[:20].astype(np.float64):
        pool = np.zeros(7)
        for r in range(CONSTITUENTS):
            effects = [chain(np.concatenate([jet[r], jet[s]]), "effect", 2) for s in range(CONSTITUENTS) if s != r]
            pool += chain(np.concatenate([jet[r], np.sum(effects, axis=0)]), "object", 1)
        kernel, bias = model.get_layer("logits").get_weights()
        expected.append(chain(pool, "classifier", 1) @ kernel + bias)
    np.testing.assert_allclose(model.predict_on_batch(X[:20]), expected, rtol=1e-4, atol=1e-4)


def test_training_with_pruning_leaves_the_constants(tmp_path: Path) -> None:
    labels = (X[:, :, 0].max(axis=1) > 1).astype(int) + (X[:, :, 1].max(axis=1) > 1)
    data = Dataset(*[Split(X[part], labels[part]) for part in (slice(0, 200), slice(200, 250), slice(250, 300))])
    settings = TrainingSettings.model_validate(
        {
            "epochs": 3,
            "batch_size": 50,
            "learning_rate": 0.01,
            "seed": 1,
            "pruning": {"final_sparsity": 0.5, "begin": 0.0, "end": 0.6},
        }
    )
    model = network()
    before = np.array(model.get_layer("effect_1").kernel)
    rows: list[Mapping[str, float]] = []
    train(model, data, settings, tmp_path, lambda done, total, row: rows.append(row))
    assert_untouched(model)
    assert not np.array_equal(np.array(model.get_layer("effect_1").kernel), before)
    # Counted among what is trained: three quarters of the constants are zeros by nature.
    assert rows[-1]["sparsity"] == pytest.approx(0.5, abs=0.02)
    assert_untouched(load_keras(tmp_path / "network.keras"))


@pytest.mark.parametrize("scheme", [SCHEME, None], ids=["quantized", "float"])
def test_a_file_and_a_clone_have_the_constants(tmp_path: Path, scheme: Scheme | None) -> None:
    model = network(scheme)
    assert [w.shape for w in model.get_weights()] == [w.shape for w in network(None).get_weights()]
    model.save(tmp_path / "network.keras")
    loaded = load_keras(tmp_path / "network.keras")
    assert_untouched(loaded)
    assert np.array_equal(loaded.predict_on_batch(X), model.predict_on_batch(X))
    # A clone has new weights, except that these are not weights to be drawn.
    assert_untouched(import_keras().models.clone_model(network(None)))


@pytest.mark.parametrize("pooling", ["sum", "average", "maximum"])
def test_quantization_after_training_leaves_the_constants(pooling: str) -> None:
    import firmware_flows as ff

    model = network(None, pooling)
    quantized = quantize_after_training(model, X, 10)
    assert_untouched(quantized)
    kinds = {layer.name: type(layer).__name__ for layer in quantized.layers}
    assert [kinds[name] for name in CONSTANT] == ["Dense"] * 3
    # Picking needs no rounding; a sum does.
    assert "receivers_rounding" not in kinds
    assert kinds["collected_rounding"] == "QActivation"
    exact, found = (np.array(m.predict_on_batch(X)) for m in (model, quantized))
    assert np.abs(exact - found).max() < 0.1 * exact.std()
    assert np.array_equal(ff.emulate(ff.lower(quantized), X), found)


@pytest.mark.parametrize("shape", [(4,), (1, 3)])
def test_one_constituent_or_none_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="constituents"):
        interaction_network(shape, (6,), (7,), (5,), 3, None)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_hls4mls_c_plus_plus_agrees(tmp_path: Path, io: str) -> None:
    pytest.importorskip("hls4ml")
    import firmware_flows as ff

    model = network()
    program = ff.lower(model)
    project = ff.hls.write_project(program, tmp_path, io=io)
    project.compile()
    result = ff.verify(program, X, keras_model=model, project=project, random_events=500)
    assert result.passed, result.summary()
