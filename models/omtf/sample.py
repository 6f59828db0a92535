"""A sample of muons as the track finder's input: up to two hits a layer, and the truth; and its HDF5 file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.errors import SampleError, SampleFileError

from .geometry import N_LAYERS, NO_HIT
from .tables import read_table, write_table

_KIND = "firmware-flows muon sample"
_VERSION = 1

_TYPES: dict[str, type[np.generic]] = {
    "hits": np.int16,
    "second_hits": np.int16,
    "pt": np.float32,
    "charge": np.int8,
    "eta": np.float32,
}

_UNITS = {
    "hits": f"2 pi / 5400 from the processor's edge; layers 1, 3, 5: rad / 512; {NO_HIT}: none",
    "second_hits": f"2 pi / 5400 from the processor's edge; layers 1, 3, 5: rad / 512; {NO_HIT}: none",
    "pt": "GeV",
    "charge": "e",
    "eta": "1",
}


@dataclass(frozen=True, eq=False)
class MuonSample:
    """N muons.

    hits, second_hits: int16 (N, 18), integer angles by logic layer, `NO_HIT` where there is none. pt: float32 (N,) at
    the vertex [GeV]; charge: int8 (N,), +1 or -1; eta: float32 (N,), NaN where the source does not tell.

    Raises SampleError where shapes or types do not agree.
    """

    hits: npt.NDArray[np.int16]
    second_hits: npt.NDArray[np.int16]
    pt: npt.NDArray[np.float32]
    charge: npt.NDArray[np.int8]
    eta: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        for name, kind in _TYPES.items():
            array = getattr(self, name)
            shape = (len(self.pt), N_LAYERS) if name.endswith("hits") else (len(self.pt),)
            if array.dtype != kind or array.shape != shape:
                raise SampleError(name, f"expected {kind.__name__} {shape}, got {array.dtype} {array.shape}")
        if not np.isin(self.charge, (-1, 1)).all():
            raise SampleError("charge", f"expected -1 and 1, found {np.unique(self.charge)}")

    def __len__(self) -> int:
        return len(self.pt)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> MuonSample:
        """The muons picked by a slice, an array of indices or a mask."""
        return MuonSample(*(getattr(self, field.name)[index] for field in fields(self)))


def concatenate(samples: Iterable[MuonSample]) -> MuonSample:
    """One sample of many."""
    parts = list(samples)
    if not parts:
        raise SampleError("samples", "nothing to concatenate")
    return MuonSample(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(MuonSample)))


def save_sample(sample: MuonSample, path: Path) -> None:
    """Write `sample` as HDF5 with the unit of every column, complete or not at all."""
    write_table(path, _KIND, _VERSION, {name: getattr(sample, name) for name in _TYPES}, _UNITS)


def load_sample(path: Path) -> MuonSample:
    """Read a file of `save_sample`; raises SampleFileError."""
    columns = read_table(path, _KIND, _VERSION, _UNITS)
    try:
        return MuonSample(**columns)
    except SampleError as error:
        raise SampleFileError(path, str(error), "Delete it and produce the data again") from error
