"""The state of a training in one file, so that a killed run continues and ends as if it had not been killed."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import atomic_path

log = logging.getLogger(__name__)

Arrays = list[npt.NDArray[Any]]


@dataclass
class State:
    """After `epoch` epochs: all variables, the best weights so far, and the numbers of every epoch."""

    fingerprint: str
    epoch: int = 0
    rows: list[dict[str, float]] = field(default_factory=list)
    learning_rate: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0
    waited: int = 0
    """Epochs since the learning rate was last lowered or the validation loss last fell."""
    finished: bool = False
    network: Arrays = field(default_factory=list)
    optimizer: Arrays = field(default_factory=list)
    best: Arrays = field(default_factory=list)
    masks: dict[str, npt.NDArray[Any]] = field(default_factory=dict)

    _PLAIN = ("fingerprint", "epoch", "rows", "learning_rate", "best_loss", "best_epoch", "waited", "finished")

    def save(self, path: Path) -> None:
        """Write one .npz, atomically."""
        arrays: dict[str, npt.NDArray[Any]] = {
            "plain": np.array(json.dumps({name: getattr(self, name) for name in self._PLAIN}))
        }
        for part in ("network", "optimizer", "best"):
            for index, value in enumerate(getattr(self, part)):
                arrays[f"{part}/{index:05d}"] = value
        for name, mask in self.masks.items():
            arrays[f"masks/{name}"] = mask
        with atomic_path(path) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> State | None:
        """The state of the same training, or None: no file, a damaged one, or that of another training."""
        if not path.exists():
            return None
        try:
            # The stream is ours: np.load leaves a damaged file open when it is given the path.
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                plain = json.loads(str(archive["plain"]))
                parts: dict[str, dict[str, npt.NDArray[Any]]] = {}
                for key in archive.files:
                    part, _, name = key.partition("/")
                    parts.setdefault(part, {})[name] = archive[key]
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            log.warning("the checkpoint %s cannot be read (%s): training starts anew", path, error)
            return None
        if plain["fingerprint"] != fingerprint:
            log.info("the checkpoint %s is of another network, data or settings: training starts anew", path)
            return None

        def ordered(part: str) -> Arrays:
            return [value for _, value in sorted(parts.get(part, {}).items())]

        return cls(
            **plain,
            network=ordered("network"),
            optimizer=ordered("optimizer"),
            best=ordered("best"),
            masks=parts.get("masks", {}),
        )


def fingerprint_of(settings: Mapping[str, Any], network: Sequence[Any], arrays: Sequence[npt.NDArray[Any]]) -> str:
    """SHA-256 over the settings, what describes the network, and the training data."""
    digest = hashlib.sha256(json.dumps([settings, network], sort_keys=True, default=str).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
