"""Loss and accuracy for a network: knows a softmax or sigmoid at its end, labels and one-hot targets. Imports Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from quantization.backend import import_keras
from quantization.errors import TrainingError
from quantization.settings import Loss

keras = import_keras()


def final_activation(network: Any) -> str | None:
    """`softmax` or `sigmoid` where the network ends in one."""
    last = network.layers[-1]
    if isinstance(last, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(last, "activation", None), "__name__", None)
    return name if name in ("softmax", "sigmoid") else None


def make_objective(network: Any, loss: Loss, targets: npt.NDArray[Any]) -> tuple[Any, list[Any]]:
    """The Keras loss and metrics for these targets; raises TrainingError where they do not fit the network."""
    if loss is Loss.OWN:
        if "compute_loss" not in vars(network):
            raise TrainingError(
                "loss: own, but the network brings none",
                "Set network.compute_loss in build_network, or name a loss in the recipe",
            )
        return None, []
    outputs = int(network.output_shape[-1])
    end = final_activation(network)
    if loss is Loss.CROSSENTROPY:
        logits = end != "softmax"
        if _is_labels(targets):
            _check_labels(targets, outputs)
            return (
                keras.losses.SparseCategoricalCrossentropy(from_logits=logits),
                [keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
            )
        _check_width(targets, outputs)
        return (
            keras.losses.CategoricalCrossentropy(from_logits=logits),
            [keras.metrics.CategoricalAccuracy(name="accuracy")],
        )
    _check_width(targets.reshape(len(targets), -1), outputs)
    if loss is Loss.BINARY_CROSSENTROPY:
        logits = end != "sigmoid"
        return (
            keras.losses.BinaryCrossentropy(from_logits=logits),
            [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0 if logits else 0.5)],
        )
    table = {
        Loss.MSE: keras.losses.MeanSquaredError,
        Loss.MAE: keras.losses.MeanAbsoluteError,
        Loss.HUBER: keras.losses.Huber,
    }
    return table[loss](), []


def shaped_targets(targets: npt.NDArray[Any], loss: Loss) -> npt.NDArray[Any]:
    """Labels as int32; everything else as float32 of shape (events, outputs)."""
    if loss is Loss.CROSSENTROPY and _is_labels(targets):
        return targets.reshape(-1).astype(np.int32)
    return targets.reshape(len(targets), -1).astype(np.float32)


def _is_labels(targets: npt.NDArray[Any]) -> bool:
    return targets.ndim == 1 or (targets.ndim == 2 and targets.shape[1] == 1)


def _check_labels(targets: npt.NDArray[Any], outputs: int) -> None:
    wrong = (targets < 0) | (targets >= outputs) | (targets != np.floor(targets))
    if wrong.any():
        raise TrainingError(
            f"the label {targets[wrong].flat[0]} is none of the classes of the network, 0 to {outputs - 1}",
            "Give the network one output a class, or correct the labels",
        )


def _check_width(targets: npt.NDArray[Any], outputs: int) -> None:
    if targets.ndim != 2 or targets.shape[1] != outputs:
        raise TrainingError(
            f"the targets have shape {targets.shape}, the network {outputs} outputs",
            f"Wanted are targets of shape (events, {outputs})",
        )
