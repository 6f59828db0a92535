"""Reading the public samples of the same benchmark, for a user who has them.

| function | file | what it has |
|---|---|---|
| `load_constituent_files` | Zenodo 3602260, HDF5, up to 150 particles a jet; one file or a folder | all parts |
| `load_feature_file` | CERNBox `processed-pythia82-lhc13-...truth.z`, HDF5 table `t_allpar_new` | high_level, jet |
| `load_openml` | OpenML 42468 `hls4ml_lhc_jets_hlf` as .arff or .csv | high_level |
| `load_arrays` | a pair of .npy: constituents (N, n, 3) or features (N, 16), and one-hot labels | one of the two |

A part that the source lacks is zero wide; a jet quantity that it lacks is NaN (no public file has phi of the jet).

The three public samples are different productions: the same network scores 1.5 to 2 % higher on OpenML than on the
CERNBox file. Never compare an accuracy on one with an accuracy on another, or on jets generated here.

Labels are mapped by name to the order of `CLASSES`, never by position.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import SampleError, SampleFileError, UnknownClassError
from .sample import (
    CLASSES,
    CONSTITUENT_FEATURES,
    HIGH_LEVEL_FEATURES,
    JET_FEATURES,
    JetSample,
    class_index,
    concatenate,
    labels_from_one_hot,
    leading_constituents,
)

_LABEL_COLUMNS = tuple(f"j_{name.lower()}" for name in CLASSES)
_PARTICLE_COLUMNS = ("j1_pt", "j1_etarel", "j1_phirel")
"""`CONSTITUENT_FEATURES` as the Zenodo files name them; columns 5, 8 and 11 of the 16 stored."""
_TABLE = "t_allpar_new"

_CONTENT_ERRORS = (
    OSError,
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    StopIteration,
    SampleError,
    UnknownClassError,
)
"""What NumPy, h5py, csv and our own checks raise on a file that is damaged or of another kind."""

Table = dict[str, npt.NDArray[Any]]


def load_constituent_files(path: Path) -> JetSample:
    """Zenodo 3602260: one HDF5 file, or every .h5 file below a folder (train/, val/) in order of name.

    Raises `SampleFileError` naming the file that is missing, damaged or not of this kind.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.h5"))
        if not files:
            raise SampleFileError(path, "no .h5 file below this folder", "Unpack hls4ml_LHCjet_150p_*.tar.gz there")
        return concatenate(_load_constituent_file(file) for file in files)
    return _load_constituent_file(path)


def load_feature_file(path: Path) -> JetSample:
    """CERNBox file: HDF5 with the compound table `t_allpar_new`, one row a jet. Raises `SampleFileError`."""
    with _reading(path, f"expected an HDF5 file with the table {_TABLE!r}"):
        import h5py

        with h5py.File(path, "r") as file:
            rows = file[_TABLE][()]
    with _reading(path, "expected the 16 high-level features and one-hot columns j_g ... j_t"):
        return _sample_of_table({name: rows[name] for name in rows.dtype.names})


def load_openml(path: Path) -> JetSample:
    """OpenML 42468 saved as .arff or .csv: 16 features and a column `class` of names. Raises `SampleFileError`."""
    with _reading(path, "expected a header, 16 numeric columns and a column 'class'"), path.open(newline="") as file:
        columns = _arff_columns(file) if path.suffix == ".arff" else [name.strip() for name in next(csv.reader(file))]
        rows = [row for row in csv.reader(file) if row and not row[0].startswith("%")]
        ragged = next((i for i, row in enumerate(rows) if len(row) != len(columns)), None)
        if ragged is not None:
            raise ValueError(f"data row {ragged} has {len(rows[ragged])} values for {len(columns)} columns")
        where = columns.index("class")
        labels = np.array([class_index(row[where]) for row in rows], dtype=np.int8)
        values = np.array([[row[columns.index(name)] for name in HIGH_LEVEL_FEATURES] for row in rows], np.float32)
        values = values.reshape(len(rows), len(HIGH_LEVEL_FEATURES))
        return JetSample(labels, _no_constituents(len(rows)), values, np.zeros((len(rows), 0), np.float32))


def load_arrays(jets: Path, one_hot: Path, class_order: Sequence[str]) -> JetSample:
    """A pair of .npy files: jets, and one-hot labels (N, 5).

    jets: (N, n, 3) pT [GeV], eta_rel, phi_rel of constituents in any order; or (N, 16) high-level features in the order
    of `HIGH_LEVEL_FEATURES`, in their own units or standardised (to standardise them again changes nothing).

    The files do not say the order of their classes, so `class_order` must. The arrays published with l1-jet-id
    (arXiv:2402.01876) are g,q,w,z,t: by class, the median mass of their leading 32 constituents is 57, 35, 77, 87 and
    136 GeV, and a W, a Z and a top weigh 80, 91 and 173 GeV. Those of the hls4ml tutorial are g,q,t,w,z.

    Raises `SampleFileError`, `UnknownClassError`.
    """
    with _reading(jets, f"expected an array (N, n, 3) or (N, {len(HIGH_LEVEL_FEATURES)})"):
        values = np.load(jets, allow_pickle=False)
        is_constituents = values.ndim == 3 and values.shape[2] == len(CONSTITUENT_FEATURES)
        if not is_constituents and values.shape[1:] != (len(HIGH_LEVEL_FEATURES),):
            raise ValueError(f"shape {values.shape}")
    for name in class_order:
        class_index(name)
    with _reading(one_hot, f"expected one-hot rows ({len(values)}, {len(CLASSES)})"):
        labels = labels_from_one_hot(np.load(one_hot, allow_pickle=False), class_order)
        if len(labels) != len(values):
            raise ValueError(f"{len(labels)} rows")
        absent = np.zeros((len(labels), 0), np.float32)
        if is_constituents:
            return JetSample(labels, leading_constituents(values), absent, absent)
        return JetSample(labels, _no_constituents(len(labels)), values.astype(np.float32), absent)


def _load_constituent_file(path: Path) -> JetSample:
    with _reading(path, "expected the datasets jetConstituentList, jets and the names of their columns"):
        import h5py

        with h5py.File(path, "r") as file:
            particle_columns = _names(file["particleFeatureNames"][()])
            jet_columns = _names(file["jetFeatureNames"][()])
            # One name more than columns is normal: j1_pdgid is named and not stored.
            columns = [particle_columns.index(name) for name in _PARTICLE_COLUMNS]
            # Reading whole jets and picking columns in memory is ten times faster than a fancy selection in HDF5.
            particles = file["jetConstituentList"][()][:, :, columns]
            jets = file["jets"][()]
        if jets.shape[1] != len(jet_columns):
            raise ValueError(f"jets has {jets.shape[1]} columns and {len(jet_columns)} names")
        table = {name: jets[:, i] for i, name in enumerate(jet_columns)}
        return _sample_of_table(table, leading_constituents(particles))


def _sample_of_table(table: Table, constituents: npt.NDArray[np.float32] | None = None) -> JetSample:
    one_hot = np.stack([table[name] for name in _LABEL_COLUMNS], axis=1)
    labels = labels_from_one_hot(one_hot, _LABEL_COLUMNS)
    high_level = np.stack([table[f"j_{name}"] for name in HIGH_LEVEL_FEATURES], axis=1).astype(np.float32)
    absent = np.full(len(labels), np.nan)
    jet = np.stack([table.get(f"j_{name}", absent) for name in JET_FEATURES], axis=1).astype(np.float32)
    particles = _no_constituents(len(labels)) if constituents is None else constituents
    return JetSample(labels, particles, high_level, jet)


def _no_constituents(jets: int) -> npt.NDArray[np.float32]:
    return np.zeros((jets, 0, len(CONSTITUENT_FEATURES)), np.float32)


def _names(stored: npt.NDArray[Any]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in stored]


def _arff_columns(lines: Iterator[str]) -> list[str]:
    """Names of the attributes; leaves `lines` at the first row of data."""
    columns = []
    for line in lines:
        words = line.split()
        if not words:
            continue
        keyword = words[0].lower()
        if keyword == "@attribute":
            columns.append(words[1].strip("'\""))
        elif keyword == "@data":
            return columns
    raise ValueError("no @data line")


@contextmanager
def _reading(path: Path, expectation: str) -> Iterator[None]:
    """Turn whatever a wrong file causes into one error that names the file."""
    try:
        yield
    except (
        OSError,
        KeyError,
        IndexError,
        TypeError,
        ValueError,
        StopIteration,
        SampleError,
        UnknownClassError,
    ) as error:
        remedy = "Check the path and the download" if path.exists() else "Correct the path; nothing is there"
        raise SampleFileError(path, f"{expectation}, found: {error}", remedy) from error
