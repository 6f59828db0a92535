"""HDF5 files of records: columns of equal length, each with its unit. h5py is imported inside the functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import atomic_path
from models.errors import SampleFileError

_REMEDY = "Delete it and produce the data again"


def write_table(
    path: Path, kind: str, version: int, columns: Mapping[str, npt.NDArray[Any]], units: Mapping[str, str]
) -> None:
    """Write the columns, complete or not at all; `kind` and `version` say what they are. Every column needs a unit."""
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"] = kind
        file.attrs["format_version"] = version
        for name, values in columns.items():
            packing = {"compression": "gzip", "compression_opts": 1, "shuffle": True} if values.size else {}
            file.create_dataset(name, data=values, **packing).attrs["unit"] = units[name]


def read_table(path: Path, kind: str, version: int, units: Mapping[str, str]) -> dict[str, npt.NDArray[Any]]:
    """The columns that `units` names, which must be in these units.

    Raises SampleFileError where the file is missing, damaged, of another kind, or in other units.
    """
    import h5py

    if not path.is_file():
        raise SampleFileError(path, "no such file", "Produce the data first or correct the path")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != kind or file.attrs.get("format_version") != version:
                raise SampleFileError(path, f"not a {kind} of version {version}", _REMEDY)
            for name, unit in units.items():
                if file[name].attrs["unit"] != unit:
                    raise SampleFileError(path, f"{name} is in {file[name].attrs['unit']!r}, wanted {unit!r}", _REMEDY)
            columns = {name: np.asarray(file[name][()]) for name in units}
    except (OSError, KeyError, RuntimeError, ValueError) as error:
        raise SampleFileError(path, f"unreadable as a {kind} ({error})", _REMEDY) from error
    return columns
