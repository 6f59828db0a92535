"""A network that brings its own loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import quantization
from firmware_flows import Dataset, Split

pytestmark = pytest.mark.keras


def _dataset() -> Dataset:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 7)).astype(np.float32)
    parts = [
        Split(x[k : k + 200], np.stack([x[k : k + 200, 0], x[k : k + 200, 1] ** 2], axis=1)) for k in (0, 200, 400)
    ]
    return Dataset(*parts, metadata={})


def test_the_networks_own_loss_is_minimised(tmp_path: Path) -> None:
    import keras
    from qkeras_networks import dense_network

    network = dense_network(sizes=(7, 9, 4))

    def first_output_only(
        x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        return keras.ops.mean((y[:, 0] - y_pred[:, 0]) ** 2)

    network.compute_loss = first_output_only
    settings = quantization.TrainingSettings(epochs=12, batch_size=50, learning_rate=0.02, loss="own")
    history = quantization.train(network, _dataset(), settings, tmp_path)
    losses = [row["loss"] for row in history.epochs]
    assert losses[-1] < 0.5 * losses[0]
    assert "val_accuracy" not in history.epochs[-1]


def test_own_loss_without_one_is_refused(tmp_path: Path) -> None:
    from qkeras_networks import dense_network

    settings = quantization.TrainingSettings(epochs=1, loss="own")
    with pytest.raises(quantization.TrainingError, match="brings none"):
        quantization.train(dense_network(sizes=(7, 9, 4)), _dataset(), settings, tmp_path)
