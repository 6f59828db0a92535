"""A sample of labelled jets, and its file: HDF5, or Parquet (`sample_parquet`).

The order of the classes is the one trap of this benchmark: the public files use g,q,w,z,t, scikit-learn's
label encoder turns the same names into g,q,t,w,z. Every sample here has the order of `CLASSES`, the file
states it, and a file that states another is reordered by name or refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import atomic_path

from .errors import SampleError, SampleFileError, UnknownClassError

CLASSES = ("g", "q", "W", "Z", "t")
"""Names of the labels 0..4: gluon, light quark, W boson, Z boson, top quark."""

MAX_CONSTITUENTS = 64
"""Constituents kept of each jet; the softer ones carry 0.4 % of the momentum of a gluon jet, less of the others."""

CONSTITUENT_FEATURES = ("pt", "eta_rel", "phi_rel")
CONSTITUENT_UNITS = ("GeV", "1", "rad")

HIGH_LEVEL_FEATURES = (
    "zlogz",
    "c1_b0_mmdt",
    "c1_b1_mmdt",
    "c1_b2_mmdt",
    "c2_b1_mmdt",
    "c2_b2_mmdt",
    "d2_b1_mmdt",
    "d2_b2_mmdt",
    "d2_a1_b1_mmdt",
    "d2_a1_b2_mmdt",
    "m2_b1_mmdt",
    "m2_b2_mmdt",
    "n2_b1_mmdt",
    "n2_b2_mmdt",
    "mass_mmdt",
    "multiplicity",
)
"""The 16 features in the order of OpenML 42468."""

HIGH_LEVEL_UNITS = tuple("GeV" if name == "mass_mmdt" else "1" for name in HIGH_LEVEL_FEATURES)

JET_FEATURES = ("pt", "eta", "phi", "mass")
JET_UNITS = ("GeV", "1", "rad", "GeV")

FORMAT = "firmware-flows jet sample"
FORMAT_VERSION = 1
PARQUET = ".parquet"

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class JetSample:
    """N labelled jets. A part the source does not have is zero wide, never None.

    labels: int8 (N,), index into `CLASSES`.
    constituents: float32 (N, n, 3), n <= 64: pT [GeV], eta - eta_jet, phi - phi_jet [rad], in falling order of
        pT, padded with zeros.
    high_level: float32 (N, 16) in the order of `HIGH_LEVEL_FEATURES`, or (N, 0).
    jet: float32 (N, 4): pT [GeV], eta, phi [rad], mass [GeV]; NaN where the source lacks a column; or (N, 0).

    Raises `SampleError` where shapes or labels do not agree.
    """

    labels: npt.NDArray[np.int8]
    constituents: FloatArray
    high_level: FloatArray
    jet: FloatArray

    def __post_init__(self) -> None:
        jets = len(self.labels)
        if self.labels.dtype != np.int8 or self.labels.ndim != 1:
            raise SampleError("labels", f"expected int8 of shape (N,), got {self.labels.dtype} {self.labels.shape}")
        if jets and not (self.labels.min() >= 0 and self.labels.max() < len(CLASSES)):
            raise SampleError("labels", f"expected 0..{len(CLASSES) - 1}, found {np.unique(self.labels)}")
        widths = {
            "constituents": (self.constituents, 3, (len(CONSTITUENT_FEATURES),)),
            "high_level": (self.high_level, 2, (0, len(HIGH_LEVEL_FEATURES))),
            "jet": (self.jet, 2, (0, len(JET_FEATURES))),
        }
        for part, (array, dimensions, allowed) in widths.items():
            good = array.ndim == dimensions and len(array) == jets and array.shape[-1] in allowed
            if not good or array.dtype != np.float32:
                raise SampleError(
                    part,
                    f"expected float32 of {dimensions} dimensions, {jets} jets and last size in {allowed}, "
                    f"got {array.dtype} {array.shape}",
                )

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: slice | npt.NDArray[Any]) -> JetSample:
        """The jets picked by a slice, an array of indices or a mask."""
        return JetSample(self.labels[index], self.constituents[index], self.high_level[index], self.jet[index])

    def shuffled(self, seed: int) -> JetSample:
        """The same jets in an order that depends on `seed` alone."""
        return self[np.random.default_rng(seed).permutation(len(self))]

    def of_class(self, name: str) -> JetSample:
        """The jets of one class. Raises `UnknownClassError`."""
        return self[self.labels == class_index(name)]


def class_index(name: str) -> int:
    """Label of a class by name; case does not matter, nor the prefix `j_` of the public files.

    Raises `UnknownClassError`: an unknown name is never guessed.
    """
    plain = name.strip().strip("'\"").removeprefix("j_").casefold()
    for index, known in enumerate(CLASSES):
        if known.casefold() == plain:
            return index
    raise UnknownClassError(name, CLASSES)


def labels_from_one_hot(one_hot: npt.NDArray[Any], class_order: Sequence[str]) -> npt.NDArray[np.int8]:
    """Labels in our order, int8 (N,), from one-hot rows (N, 5) whose columns are `class_order`.

    Raises `UnknownClassError` for a name, `SampleError` for rows that are not one-hot.
    """
    ours = np.array([class_index(name) for name in class_order], dtype=np.int8)
    if sorted(ours.tolist()) != list(range(len(CLASSES))):
        raise SampleError("class order", f"expected each of {CLASSES} once, got {tuple(class_order)}")
    if one_hot.ndim != 2 or one_hot.shape[1] != len(CLASSES):
        raise SampleError("labels", f"expected one-hot rows (N, {len(CLASSES)}), got {one_hot.shape}")
    is_one_hot = ((one_hot == 0) | (one_hot == 1)).all(axis=1) & (one_hot.sum(axis=1) == 1)
    if not is_one_hot.all():
        raise SampleError("labels", f"row {int(np.argmin(is_one_hot))} is not one-hot")
    labels: npt.NDArray[np.int8] = ours[one_hot.argmax(axis=1)]
    return labels


def leading_constituents(constituents: npt.NDArray[Any], limit: int = MAX_CONSTITUENTS) -> FloatArray:
    """The `limit` hardest constituents, float32 (N, <=limit, 3), in falling order of pT; ties keep their order."""
    order = np.argsort(-constituents[:, :, 0], axis=1, kind="stable")[:, :limit]
    return np.take_along_axis(constituents, order[:, :, None], axis=1).astype(np.float32)


def concatenate(samples: Iterable[JetSample]) -> JetSample:
    """One sample of many; all must have the same parts. Raises `SampleError`."""
    parts = list(samples)
    if not parts:
        raise SampleError("samples", "nothing to concatenate")
    for name in ("constituents", "high_level", "jet"):
        shapes = {getattr(part, name).shape[1:] for part in parts}
        if len(shapes) > 1:
            raise SampleError(name, f"samples differ in shape: {sorted(shapes)}")
    return JetSample(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.constituents for part in parts]),
        np.concatenate([part.high_level for part in parts]),
        np.concatenate([part.jet for part in parts]),
    )


def save_sample(sample: JetSample, path: Path) -> None:
    """Write `sample`, complete or not at all: a reader never sees half a file. Parquet by suffix, HDF5 otherwise.

    The file states classes in order, features and units.
    """
    if path.suffix == PARQUET:
        from .sample_parquet import save_parquet

        save_parquet(sample, path)
        return
    import h5py

    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        file.attrs["format"] = FORMAT
        file.attrs["format_version"] = FORMAT_VERSION
        labels = file.create_dataset("labels", data=sample.labels)
        labels.attrs["classes"] = list(CLASSES)
        for name, features, units in (
            ("constituents", CONSTITUENT_FEATURES, CONSTITUENT_UNITS),
            ("high_level", HIGH_LEVEL_FEATURES, HIGH_LEVEL_UNITS),
            ("jet", JET_FEATURES, JET_UNITS),
        ):
            array = getattr(sample, name)
            packing = {"compression": "gzip", "shuffle": True} if array.size else {}
            data = file.create_dataset(name, data=array, **packing)
            data.attrs["features"] = list(features)
            data.attrs["units"] = list(units)


def load_sample(path: Path) -> JetSample:
    """Read a file of `save_sample`.

    Raises `SampleFileError` where the file is missing, cut short, of another format, or its features are not
    in our order. Labels in another order of classes are mapped by name.
    """
    if path.suffix == PARQUET:
        from .sample_parquet import load_parquet

        return load_parquet(path)
    import h5py

    remedy = "Delete it and produce the sample again"
    if not path.is_file():
        raise SampleFileError(path, "no such file", "Produce the sample first or correct the path")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT or file.attrs.get("format_version") != FORMAT_VERSION:
                raise SampleFileError(path, "not a jet sample of this version", remedy)
            stored_order = [str(name) for name in file["labels"].attrs["classes"]]
            mapping = np.array([class_index(name) for name in stored_order], dtype=np.int8)
            for name, features in (
                ("constituents", CONSTITUENT_FEATURES),
                ("high_level", HIGH_LEVEL_FEATURES),
                ("jet", JET_FEATURES),
            ):
                stored = tuple(str(feature) for feature in file[name].attrs["features"])
                if stored != features:
                    raise SampleFileError(path, f"{name} has the features {stored}, not {features}", remedy)
            return JetSample(
                mapping[file["labels"][()]],
                file["constituents"][()],
                file["high_level"][()],
                file["jet"][()],
            )
    except (OSError, KeyError, IndexError, RuntimeError, ValueError, SampleError, UnknownClassError) as error:
        raise SampleFileError(path, f"unreadable as a jet sample ({error})", remedy) from error


def is_sample_file(path: Path) -> bool:
    """Whether `path` is an HDF5 file of `save_sample`, and not one of the public ones; False where nothing is there."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return bool(file.attrs.get("format") == FORMAT)
    except OSError:
        return False
