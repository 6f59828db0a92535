"""What a training leaves behind besides weights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from firmware_flows.files import write_json


@dataclass(frozen=True)
class History:
    """One row of numbers an epoch, and which epoch's weights were kept.

    epochs: (loss, val_loss, learning_rate, seconds, and accuracy, val_accuracy, sparsity where they apply).
    best_epoch: counted from 1. network: the file that holds the best weights.
    """

    epochs: tuple[Mapping[str, float], ...]
    best_epoch: int
    seed: int
    network: Path
    settings: Mapping[str, Any] = field(default_factory=dict)
    resumed_after: int = 0

    @property
    def best(self) -> Mapping[str, float]:
        """The row of the epoch whose weights were kept."""
        return self.epochs[self.best_epoch - 1]

    @property
    def seconds(self) -> float:
        """Time spent in all epochs together, those before an interruption included."""
        return float(sum(row["seconds"] for row in self.epochs))

    def series(self, name: str) -> list[float]:
        """One number over the epochs; raises KeyError with the names there are."""
        if name not in self.epochs[0]:
            raise KeyError(f"no {name!r} in the history; there are {', '.join(self.epochs[0])}")
        return [row[name] for row in self.epochs]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {**asdict(self), "epochs": [dict(row) for row in self.epochs], "network": self.network.name}

    def save(self, path: str | Path) -> None:
        """Write JSON, atomically."""
        write_json(Path(path), self.to_dict())

    @classmethod
    def load(cls, path: str | Path) -> History:
        """Read what `save` wrote."""
        path = Path(path)
        values = json.loads(path.read_text(encoding="utf-8"))
        values["epochs"] = tuple(values["epochs"])
        values["network"] = path.parent / values["network"]
        return cls(**values)
