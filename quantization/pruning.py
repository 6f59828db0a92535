"""Magnitude pruning inside the training step. Imports Keras.

The pruning of QKeras and of TensorFlow Model Optimization wraps layers of Keras 2. Here each pruned kernel is given a
constraint that multiplies it by a mask of zeros and ones after every step; the masks are renewed a few times an epoch
from the magnitudes of the weights (Zhu and Gupta, arXiv:1710.01878).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from quantization.backend import import_keras, to_numpy
from quantization.errors import TrainingError
from quantization.settings import PruningSettings

keras = import_keras()
Constraint: Any = keras.constraints.Constraint

UPDATES_PER_EPOCH = 4


class MaskConstraint(Constraint):  # type: ignore[misc]  # Keras is untyped
    """The kernel's own constraint, then the mask."""

    def __init__(self, mask: Any, inner: Any) -> None:
        self.mask = mask
        self.inner = inner

    def __call__(self, kernel: Any) -> Any:
        """Apply both."""
        if self.inner is not None:
            kernel = self.inner(kernel)
        return kernel * self.mask


def sparsity_at(progress: float, settings: PruningSettings) -> float:
    """Share of zero weights wanted when the share `progress` of all epochs is done."""
    t = np.clip((progress - settings.begin) / (settings.end - settings.begin), 0.0, 1.0)
    return float(settings.final_sparsity * (1.0 - (1.0 - t) ** 3))


def magnitude_mask(kernel: npt.NDArray[Any], sparsity: float) -> npt.NDArray[np.float32]:
    """Ones where the magnitude is among the largest, zeros for the share `sparsity` of the smallest."""
    zeros = round(sparsity * kernel.size)
    mask = np.ones(kernel.size, np.float32)
    mask[np.argsort(np.abs(kernel), axis=None, kind="stable")[:zeros]] = 0.0
    return mask.reshape(kernel.shape)


class Pruner:
    """The masks of a network's kernels."""

    def __init__(self, network: Any, settings: PruningSettings) -> None:
        self.settings = settings
        self.kernels: dict[str, Any] = {
            layer.name: layer.kernel for layer in _trained_layers(network) if layer.name not in settings.exclude
        }
        missing = sorted(set(settings.exclude) - {layer.name for layer in network.layers})
        if missing:
            names = ", ".join(layer.name for layer in network.layers)
            raise TrainingError(
                f"pruning.exclude names the layer {missing[0]!r}, which the network does not have",
                f"Its layers are {names}",
            )
        if not self.kernels:
            raise TrainingError("there is no kernel to prune in this network", "Leave the pruning section out")
        self.masks = {
            name: keras.Variable(np.ones(kernel.shape, np.float32), trainable=False, name=f"mask_{name}")
            for name, kernel in self.kernels.items()
        }

    @contextmanager
    def attached(self) -> Iterator[None]:
        """While the block runs every training step ends with the masks applied."""
        own = {name: kernel.constraint for name, kernel in self.kernels.items()}
        for name, kernel in self.kernels.items():
            kernel.constraint = MaskConstraint(self.masks[name], own[name])
        try:
            yield
        finally:
            for name, kernel in self.kernels.items():
                kernel.constraint = own[name]

    def update(self, progress: float) -> None:
        """Renew the masks from the present weights and apply them."""
        sparsity = sparsity_at(progress, self.settings)
        for name, kernel in self.kernels.items():
            weights = to_numpy(kernel)
            mask = magnitude_mask(weights, sparsity)
            self.masks[name].assign(mask)
            kernel.assign(weights * mask)

    def complete(self, progress: float) -> bool:
        """Whether the final sparsity is reached."""
        return progress >= self.settings.end

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """The masks, for a checkpoint."""
        return {name: to_numpy(mask) for name, mask in self.masks.items()}

    def restore(self, state: Mapping[str, npt.NDArray[Any]]) -> None:
        """The masks from a checkpoint."""
        for name, mask in self.masks.items():
            mask.assign(state[name])


def sparsity_of(network: Any) -> float:
    """Share of zeros among the weights of all kernels that are trained."""
    kernels = [to_numpy(layer.kernel) for layer in _trained_layers(network)]
    total = sum(kernel.size for kernel in kernels)
    return float(sum((kernel == 0).sum() for kernel in kernels) / total) if total else 0.0


def _trained_layers(network: Any) -> list[Any]:
    """Layers with a kernel that training may change: a constant matrix of zeros and ones is not for pruning."""
    return [layer for layer in network.layers if layer.trainable and getattr(layer, "kernel", None) is not None]
