"""Muon candidates: the hits that the golden-pattern algorithm put together, its own answer, and the truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import SampleError, SampleFileError

from .geometry import N_LAYERS, NO_HIT
from .tables import read_table, write_table

_KIND = "firmware-flows muon candidates"
_VERSION = 1

_TYPES: dict[str, type[np.generic]] = {
    "angles": np.int16,
    "reference": np.int8,
    "pattern_pt": np.float32,
    "pattern_charge": np.int8,
    "quality": np.int8,
    "pt": np.float32,
    "charge": np.int8,
    "eta": np.float32,
}

_UNITS = {
    "angles": f"2 pi / 5400 from the reference hit; layers 1, 3, 5: rad / 512; {NO_HIT}: none",
    "reference": "number of the reference layer, -1: none",
    "pattern_pt": "GeV",
    "pattern_charge": "e",
    "quality": "layers in agreement with the pattern, 0: no candidate",
    "pt": "GeV",
    "charge": "e",
    "eta": "1",
}


@dataclass(frozen=True, eq=False)
class Candidates:
    """One entry a muon, (N,), `angles` (N, 18); columns and units as in the file. `quality` 0: no candidate."""

    angles: npt.NDArray[np.int16]
    reference: npt.NDArray[np.int8]
    pattern_pt: npt.NDArray[np.float32]
    pattern_charge: npt.NDArray[np.int8]
    quality: npt.NDArray[np.int8]
    pt: npt.NDArray[np.float32]
    charge: npt.NDArray[np.int8]
    eta: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, kind in _TYPES.items():
            array = getattr(self, name)
            shape = (len(self.pt), N_LAYERS) if name == "angles" else (len(self.pt),)
            if array.dtype != kind or array.shape != shape:
                raise SampleError(name, f"expected {kind.__name__} {shape}, got {array.dtype} {array.shape}")

    def __len__(self) -> int:
        return len(self.pt)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> Candidates:
        """The muons picked by a slice, an array of indices or a mask."""
        return Candidates(*(getattr(self, field.name)[index] for field in fields(self)))

    @classmethod
    def concatenate(cls, parts: Sequence[Candidates]) -> Candidates:
        """One of many, in order."""
        if not parts:
            raise SampleError("candidates", "nothing to concatenate")
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))

    def save(self, path: Path) -> None:
        """Write as HDF5 with the unit of every column, complete or not at all."""
        write_table(path, _KIND, _VERSION, {name: getattr(self, name) for name in _TYPES}, _UNITS)

    @classmethod
    def load(cls, path: Path) -> Candidates:
        """Read what `save` wrote; raises SampleFileError."""
        columns = read_table(path, _KIND, _VERSION, _UNITS)
        try:
            return cls(**columns)
        except SampleError as error:
            raise SampleFileError(path, str(error), "Delete it and produce the data again") from error
