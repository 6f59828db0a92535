"""Simulated samples of cells, and their HDF5 file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from firmware_flows.files import atomic_path

from .errors import SampleFileError

ADC_BITS = 14

UNITS = {"adc": "ADC counts", "energy": "MeV", "injected": "MeV", "filled": "1"}

_FORMAT = "firmware-flows calorimeter cells"
_FORMAT_VERSION = 1
_DTYPES = {"adc": np.int16, "energy": np.float32, "injected": np.float32, "filled": np.bool_}


@dataclass(frozen=True, eq=False)
class CellSample:
    """Consecutive crossings, 25 ns apart, of several independent cells. Raises InputError where shapes disagree.

    adc: int16 (cells, crossings), what is digitised, 0 to 16383.
    energy: float32, true transverse energy [MeV] deposited in each crossing, signal and pile-up.
    injected: float32, the signal alone.
    filled: bool, whether the crossing has collisions.
    """

    adc: npt.NDArray[np.int16]
    energy: npt.NDArray[np.float32]
    injected: npt.NDArray[np.float32]
    filled: npt.NDArray[np.bool_]

    def __post_init__(self) -> None:
        for part, dtype in _DTYPES.items():
            array = getattr(self, part)
            if array.ndim != 2 or array.shape != self.adc.shape or array.dtype != dtype:
                raise InputError(
                    f"{part}: wanted {np.dtype(dtype)} of shape (cells, crossings) {self.adc.shape}, "
                    f"got {array.dtype} {array.shape}"
                )

    @property
    def cells(self) -> int:
        return int(self.adc.shape[0])

    @property
    def crossings(self) -> int:
        return int(self.adc.shape[1])


def concatenate(samples: Iterable[CellSample]) -> CellSample:
    """The cells of all samples; all must have as many crossings."""
    parts = list(samples)
    if not parts or len({part.crossings for part in parts}) != 1:
        raise InputError("samples of the same number of crossings can be joined, and one at least")
    return CellSample(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in _DTYPES})


def save_sample(sample: CellSample, path: Path, settings: dict[str, Any] | None = None) -> None:
    """Write `sample` as HDF5 with units, whole or not at all. `settings`, JSON values, are kept as attributes."""
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"] = _FORMAT
        file.attrs["format_version"] = _FORMAT_VERSION
        file.attrs["crossing_ns"] = 25.0
        for key, value in (settings or {}).items():
            file.attrs[key] = str(value)
        for name, unit in UNITS.items():
            data = file.create_dataset(name, data=getattr(sample, name), compression="lzf", shuffle=True)
            data.attrs["units"] = unit
            data.attrs["axes"] = ["cell", "crossing"]


def load_sample(path: Path) -> CellSample:
    """Read a file of `save_sample`. Raises SampleFileError where it is missing, damaged, of other form or units."""
    import h5py

    remedy = "Delete it and produce the sample again"
    if not path.is_file():
        raise SampleFileError(path, "no such file", "Produce the sample first or correct the path")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != _FORMAT or file.attrs.get("format_version") != _FORMAT_VERSION:
                raise SampleFileError(path, "not a sample of calorimeter cells of this version", remedy)
            for name, unit in UNITS.items():
                if file[name].attrs["units"] != unit:
                    raise SampleFileError(path, f"{name} is in {file[name].attrs['units']!r}, not {unit!r}", remedy)
            return CellSample(**{name: file[name][()] for name in _DTYPES})
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, InputError) as error:
        if isinstance(error, SampleFileError):
            raise
        raise SampleFileError(path, f"unreadable as a sample of calorimeter cells ({error})", remedy) from error
