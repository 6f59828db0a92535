"""A sample of jets as Parquet: one row a jet, for pandas, awkward-array, DuckDB and their like.

| columns | type |
|---|---|
| `class` | string: the name, not a number whose meaning could be mistaken |
| `constituent_pt`, `constituent_eta_rel`, `constituent_phi_rel` | lists of n float32, padded with zeros |
| the 16 high-level features by name | float32 |
| `jet_pt`, `jet_eta`, `jet_phi`, `jet_mass` | float32 |

A part that the sample does not have has no columns. Every column of numbers has its unit in the field's metadata under
`unit`; the file's metadata hold `format`, `format_version` and `classes`, the names in the order of the labels.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import MissingToolError
from firmware_flows.files import atomic_path

from .errors import SampleError, SampleFileError, UnknownClassError
from .sample import (
    CLASSES,
    CONSTITUENT_FEATURES,
    CONSTITUENT_UNITS,
    FORMAT,
    FORMAT_VERSION,
    HIGH_LEVEL_FEATURES,
    HIGH_LEVEL_UNITS,
    JET_FEATURES,
    JET_UNITS,
    JetSample,
    class_index,
)

_CONSTITUENTS = tuple(f"constituent_{name}" for name in CONSTITUENT_FEATURES)
_JET = tuple(f"jet_{name}" for name in JET_FEATURES)


def save_parquet(sample: JetSample, path: Path) -> None:
    """Write `sample`, complete or not at all. Raises `MissingToolError` without pyarrow."""
    pyarrow, parquet = _pyarrow()
    names = pyarrow.DictionaryArray.from_arrays(pyarrow.array(sample.labels), pyarrow.array(CLASSES))
    columns = [(pyarrow.field("class", names.type), names)]

    def add(name: str, unit: str, array: Any) -> None:
        columns.append((pyarrow.field(name, array.type, metadata={"unit": unit}), array))

    count = sample.constituents.shape[1]
    for index, (name, unit) in enumerate(zip(_CONSTITUENTS, CONSTITUENT_UNITS, strict=True)):
        if count:
            values = pyarrow.array(np.ascontiguousarray(sample.constituents[:, :, index]).reshape(-1))
            add(name, unit, pyarrow.FixedSizeListArray.from_arrays(values, count))
    for part, features, units in (
        (sample.high_level, HIGH_LEVEL_FEATURES, HIGH_LEVEL_UNITS),
        (sample.jet, _JET, JET_UNITS),
    ):
        # A part that is absent has no columns, and so adds none.
        for values, name, unit in zip(part.T, features, units, strict=False):
            add(name, unit, pyarrow.array(np.ascontiguousarray(values)))
    metadata = {"format": FORMAT, "format_version": str(FORMAT_VERSION), "classes": json.dumps(CLASSES)}
    schema = pyarrow.schema([field for field, _ in columns], metadata)
    with atomic_path(path) as temporary:
        parquet.write_table(
            pyarrow.Table.from_arrays([array for _, array in columns], schema=schema), temporary, compression="zstd"
        )


def load_parquet(path: Path) -> JetSample:
    """Read a file of `save_parquet`; classes are mapped by name.

    Raises `SampleFileError` where the file is missing, cut short, of another format, or lacks a column;
    `MissingToolError` without pyarrow.
    """
    pyarrow, parquet = _pyarrow()
    remedy = "Save the sample again with save_sample"
    if not path.is_file():
        raise SampleFileError(path, "no such file", "Produce the sample first or correct the path")
    try:
        table = parquet.read_table(path)
        metadata = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if metadata.get("format") != FORMAT or metadata.get("format_version") != str(FORMAT_VERSION):
            raise SampleFileError(path, "not a jet sample of this version", remedy)
        found = set(table.column_names)
        labels = [class_index(name) for name in table["class"].to_pylist()]
        return JetSample(
            np.array(labels, np.int8),
            _stack([_lists(table[name]) for name in _present(_CONSTITUENTS, found)], (len(labels), 0, 3)),
            _stack([table[name].to_numpy() for name in _present(HIGH_LEVEL_FEATURES, found)], (len(labels), 0)),
            _stack([table[name].to_numpy() for name in _present(_JET, found)], (len(labels), 0)),
        )
    except (OSError, KeyError, AttributeError, ValueError, pyarrow.ArrowException) as error:
        raise SampleFileError(path, f"unreadable as a jet sample ({error})", remedy) from error
    except (SampleError, UnknownClassError) as error:
        raise SampleFileError(path, str(error), remedy) from error


def _present(names: tuple[str, ...], found: set[str]) -> tuple[str, ...]:
    """All of `names`, or none where the file has none of them."""
    missing = [name for name in names if name not in found]
    if missing and len(missing) < len(names):
        raise ValueError(f"the column {missing[0]} is missing")
    return () if missing else names


def _stack(columns: list[npt.NDArray[Any]], empty: tuple[int, ...]) -> npt.NDArray[np.float32]:
    return np.stack(columns, axis=-1).astype(np.float32) if columns else np.zeros(empty, np.float32)


def _lists(column: Any) -> npt.NDArray[Any]:
    """(jets, n) of a column of lists of equal length."""
    values = column.combine_chunks().flatten().to_numpy()
    result: npt.NDArray[Any] = values.reshape(len(column), column.type.list_size)
    return result


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "pyarrow", "to read and write Parquet", 'install the physics extra: pip install "firmware-flows[physics]"'
        ) from error
    return pyarrow, pyarrow.parquet
