"""The training loop: refuses early, repeats exactly, survives a kill."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import atomic_path
from firmware_flows.model_source import Dataset, Split
from quantization.backend import import_keras, to_numpy
from quantization.checkpoints import State, fingerprint_of
from quantization.errors import TrainingError
from quantization.history import History
from quantization.settings import Schedule, TrainingSettings

log = logging.getLogger(__name__)

EpochProgress = Callable[[int, int, Mapping[str, float]], None]
"""Called as progress(epochs done, all epochs, numbers of the last epoch) after every epoch."""

_SMALLEST_RATE = 0.01
"""Where the cosine ends and the plateau stops halving, as a share of the first learning rate."""

_EVALUATION_BATCH = 8192


def train(
    network: Any,
    dataset: Dataset,
    settings: TrainingSettings,
    directory: str | Path,
    progress: EpochProgress | None = None,
    *,
    lower_first: bool = True,
) -> History:
    """Train a Keras network in place; it ends with the weights of the epoch of lowest validation loss.

    The untrained network is lowered first, so that one that firmware cannot compute exactly is refused before any time
    is spent; `lower_first=False` is for floating-point references. Below `directory`: `checkpoint.npz`, the state after
    the last whole epoch, from which a second call with the same arguments goes on; at the end `network.keras` and
    `history.json`. With the same seed and number of threads the result is the same in every bit on a CPU, interrupted
    or not. With pruning only epochs at the final sparsity can be the best.

    Raises LoweringError (layer, field, value, remedy), and TrainingError for data that does not fit the network or a
    loss that becomes infinite.
    """
    directory = Path(directory)
    keras = import_keras()
    _check_events(network, dataset)
    if lower_first:
        # Not at the top: the lowering needs a Program and range analysis that a mere reader of settings does not.
        from firmware_flows import lower

        lower(network)
    seed = settings.seed if settings.seed is not None else int(dataset.metadata.get("seed", 0))
    keras.utils.set_random_seed(seed)
    return _Training(network, dataset, settings, directory, seed).run(progress)


class _Training:
    """One training: the network with its optimizer, and the state that goes into the checkpoint."""

    def __init__(self, network: Any, dataset: Dataset, settings: TrainingSettings, directory: Path, seed: int) -> None:
        from quantization.objectives import make_objective, shaped_targets

        keras = import_keras()
        self.network, self.settings, self.directory, self.seed = network, settings, directory, seed
        loss, metrics = make_objective(network, settings.loss, dataset.train.y)
        self.x, self.y = dataset.train.x, shaped_targets(dataset.train.y, settings.loss)
        self.validation = (dataset.validation.x, shaped_targets(dataset.validation.y, settings.loss))
        self.pruner = None
        if settings.pruning is not None:
            from quantization.pruning import Pruner

            self.pruner = Pruner(network, settings.pruning)
        optimizer = keras.optimizers.Adam(settings.learning_rate)
        network.compile(optimizer=optimizer, loss=loss, metrics=metrics)
        optimizer.build(network.trainable_variables)
        self.optimizer = optimizer
        self.fingerprint = fingerprint_of(
            settings.model_dump(mode="json"), [seed, _signature(network)], [self.x, self.y, *self.validation]
        )

    @property
    def checkpoint(self) -> Path:
        return self.directory / "checkpoint.npz"

    def run(self, progress: EpochProgress | None) -> History:
        state = State.load(self.checkpoint, self.fingerprint)
        resumed = state.epoch if state is not None else 0
        if state is None:
            state = State(self.fingerprint, learning_rate=self.settings.learning_rate)
        else:
            log.info("training goes on after epoch %d of %d", resumed, self.settings.epochs)
            self._restore(state)
            if progress is not None:
                progress(resumed, self.settings.epochs, state.rows[-1])
        with self.pruner.attached() if self.pruner is not None else nullcontext():
            while not state.finished:
                self._epoch(state)
                if progress is not None:
                    progress(state.epoch, self.settings.epochs, state.rows[-1])
        _assign(self.network.variables, state.best)
        return self._write(state, resumed)

    def _epoch(self, state: State) -> None:
        """One epoch, then a checkpoint."""
        started = time.monotonic()
        rate = self._rate(state)
        self.optimizer.learning_rate = rate
        # The order depends on the seed and the epoch alone, so that a resumed run sees the same batches.
        order = np.random.default_rng((self.seed, state.epoch)).permutation(len(self.x))
        fitted = self.network.fit(
            self.x[order],
            self.y[order],
            batch_size=self.settings.batch_size,
            shuffle=False,
            verbose=0,
            callbacks=self._callbacks(state.epoch),
        )
        row = {name: float(values[-1]) for name, values in fitted.history.items()}
        if self.pruner is not None:
            self.pruner.update((state.epoch + 1) / self.settings.epochs)
        evaluated = self.network.evaluate(*self.validation, batch_size=_EVALUATION_BATCH, verbose=0, return_dict=True)
        row |= {f"val_{name}": float(value) for name, value in evaluated.items()}
        if not math.isfinite(row["loss"]) or not math.isfinite(row["val_loss"]):
            raise TrainingError(
                f"the loss is {row['loss']} (validation: {row['val_loss']}) in epoch {state.epoch + 1}",
                f"Lower the learning rate (now {rate:g}), or look for targets out of range",
            )
        row |= {"learning_rate": rate, "seconds": time.monotonic() - started}
        if self.pruner is not None:
            from quantization.pruning import sparsity_of

            row["sparsity"] = sparsity_of(self.network)
        state.rows.append(row)
        state.epoch += 1
        state.learning_rate = rate
        self._judge(state, row["val_loss"])
        state.network = _values(self.network.variables)
        state.optimizer = _values(self.optimizer.variables)
        state.masks = self.pruner.state() if self.pruner is not None else {}
        state.save(self.checkpoint)

    def _callbacks(self, epoch: int) -> list[Any]:
        if self.pruner is None:
            return []
        from quantization.pruning import UPDATES_PER_EPOCH

        pruner, epochs = self.pruner, self.settings.epochs
        steps = -(-len(self.x) // self.settings.batch_size)
        period = max(steps // UPDATES_PER_EPOCH, 1)

        def renew(batch: int, logs: Any = None) -> None:
            if batch % period == 0:
                pruner.update((epoch + batch / steps) / epochs)

        return [import_keras().callbacks.LambdaCallback(on_train_batch_begin=renew)]

    def _rate(self, state: State) -> float:
        """Learning rate of the coming epoch."""
        first = self.settings.learning_rate
        lowest = _SMALLEST_RATE * first
        if self.settings.schedule is Schedule.COSINE:
            phase = state.epoch / max(self.settings.epochs - 1, 1)
            return lowest + (first - lowest) * (1.0 + math.cos(math.pi * phase)) / 2.0
        if self.settings.schedule is Schedule.PLATEAU and state.waited >= self.settings.patience:
            state.waited = 0
            return max(state.learning_rate / 2.0, lowest)
        return state.learning_rate

    def _judge(self, state: State, loss: float) -> None:
        """Keep the best weights, and decide whether this was the last epoch."""
        done = state.epoch / self.settings.epochs
        eligible = self.pruner is None or self.pruner.complete(done)
        state.waited += 1
        if eligible and (state.best_loss is None or loss < state.best_loss):
            state.best_loss, state.best_epoch, state.waited = loss, state.epoch, 0
            state.best = _values(self.network.variables)
        stop = self.settings.stop_after
        tired = stop is not None and state.best_epoch > 0 and state.epoch - state.best_epoch >= stop
        state.finished = tired or state.epoch >= self.settings.epochs

    def _restore(self, state: State) -> None:
        _assign(self.network.variables, state.network)
        _assign(self.optimizer.variables, state.optimizer)
        if self.pruner is not None:
            self.pruner.restore(state.masks)

    def _write(self, state: State, resumed: int) -> History:
        path = self.directory / "network.keras"
        with atomic_path(path) as temporary:
            self.network.save(temporary, overwrite=True)
        history = History(
            epochs=tuple(state.rows),
            best_epoch=state.best_epoch,
            seed=self.seed,
            network=path,
            settings=self.settings.model_dump(mode="json"),
            resumed_after=resumed,
        )
        history.save(self.directory / "history.json")
        return history


def _check_events(network: Any, dataset: Dataset) -> None:
    wanted = tuple(network.input_shape[1:])
    if wanted != dataset.event_shape:
        raise TrainingError(
            f"an event of the data has shape {dataset.event_shape}, the network reads {wanted}",
            "Build the network for the shape of the data",
        )
    splits: dict[str, Split] = {"training": dataset.train, "validation": dataset.validation}
    for name, split in splits.items():
        if len(split) == 0:
            raise TrainingError(f"the {name} data holds no events", "Give more events or another split")


def _signature(network: Any) -> list[Any]:
    """What the network computes, without the names that Keras counts up in a process."""
    return [
        [
            type(layer).__name__,
            [list(weight.shape) for weight in layer.weights],
            _quantization(layer),
        ]
        for layer in network.layers
    ]


def _quantization(layer: Any) -> Any:
    """A layer's quantizers; functions among them are printed with an address, which differs in every process."""
    if not hasattr(layer, "get_quantization_config"):
        return None
    return re.sub(r" at 0x[0-9a-f]+", "", str(layer.get_quantization_config()))


def _values(variables: Any) -> list[npt.NDArray[Any]]:
    return [to_numpy(variable) for variable in variables]


def _assign(variables: Any, values: list[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
