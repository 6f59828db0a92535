"""The recipe's `data:` section, and the events it stands for: generated jets, or a public file that the user has."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from firmware_flows.errors import InputError
from firmware_flows.model_source import Dataset, Split

from .dataset import produce
from .features import (
    ANGLE_LSB,
    ANGLE_SCALE,
    CONSTITUENT_INPUT_TYPE,
    HIGH_LEVEL_INPUT_TYPE,
    PT_LSB_GEV,
    PT_SCALE,
    Standardisation,
    constituent_inputs,
    high_level_inputs,
)
from .public_files import load_arrays, load_constituent_files, load_feature_file, load_openml
from .sample import (
    CLASSES,
    CONSTITUENT_FEATURES,
    HIGH_LEVEL_FEATURES,
    MAX_CONSTITUENTS,
    JetSample,
    is_sample_file,
    load_sample,
)

Progress = Callable[[str, int, int], None]

GENERATED = "generated"


class Inputs(StrEnum):
    """What the network reads of a jet."""

    CONSTITUENTS = "constituents"
    HIGH_LEVEL = "high_level"


class DataOptions(BaseModel):
    """Which jets, and what of them. Splits are drawn by the run's seed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str = Field(
        GENERATED,
        min_length=1,
        description="generated, or a file: Zenodo 3602260 (.h5, or a folder of them), OpenML 42468 (.arff, .csv), "
        "CERNBox (.z), arrays (.npy, with labels and class_order), a saved sample (.h5, .parquet); a relative path is "
        "taken from the working directory",
    )
    labels: str | None = Field(None, description="one-hot labels (.npy) of a source that is an array")
    test_source: str | None = Field(
        None,
        description="a file as for source, whose jets, all of them, are for evaluation and verification; test_share of "
        "source is then trained on too",
    )
    test_labels: str | None = Field(None, description="one-hot labels (.npy) of a test_source that is an array")
    class_order: tuple[str, ...] | None = Field(
        None, description="classes of the columns of labels and test_labels, such as [g, q, w, z, t]; never guessed"
    )
    cache: str | None = Field(
        None,
        description="folder where generated jets are kept, for several recipes to share; absent: in the run directory",
    )
    jets: int | None = Field(
        50_000, ge=10, description="number of jets; with a public file at most so many, absent: all"
    )
    inputs: Inputs = Field(Inputs.CONSTITUENTS, description="constituents or high_level")
    constituents: int = Field(16, ge=1, le=MAX_CONSTITUENTS, description="leading constituents of each jet")
    validation_share: float = Field(0.1, gt=0.0, lt=1.0, description="share of the jets to choose the best epoch by")
    test_share: float = Field(0.2, gt=0.0, lt=1.0, description="share of the jets for evaluation and verification")
    workers: int | None = Field(None, ge=1, description="generated: processes at a time; absent: one a core")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.validation_share + self.test_share >= 1.0:
            raise ValueError("validation_share and test_share leave no jets to train on")
        if self.source == GENERATED and self.jets is None:
            raise ValueError("generated jets need a number: jets")
        if self.test_source == GENERATED:
            raise ValueError("test_source is a file; for generated test jets leave it out and give test_share")
        for name in ("source", "test_source"):
            labels = name.removesuffix("source") + "labels"
            is_array = (getattr(self, name) or "").endswith(".npy")
            if is_array != (getattr(self, labels) is not None):
                raise ValueError(f"{labels} goes with a {name} that is an array (.npy), and only with one")
        if (self.class_order is not None) != (self.labels is not None or self.test_labels is not None):
            raise ValueError("class_order goes with labels or test_labels, and only with these")
        return self


def load_data(options: DataOptions, directory: Path, seed: int, progress: Progress) -> Dataset:
    """The jets as inputs of the network, split in three.

    Generated jets are kept in chunks below `directory` (or `options.cache`), from which an interrupted production goes
    on. x: float32
    (jets, constituents, 3) or (jets, 16); y: int64 (jets,), index into `CLASSES`. The metadata state the classes in
    order, the features with their units, the input's fixed-point type and, for high-level features, the
    standardisation, fitted on the training part alone.
    """
    train, validation, test = _three_parts(options, directory, seed, progress)
    metadata: dict[str, Any] = {
        "classes": list(CLASSES),
        "source": options.source,
        "seed": seed,
        "jets": len(train) + len(validation) + len(test),
        "inputs": options.inputs.value,
    }
    if options.test_source is not None:
        metadata["test_source"] = options.test_source
    angle = ANGLE_LSB / ANGLE_SCALE
    if options.inputs is Inputs.HIGH_LEVEL:
        standard = Standardisation.of(train)
        metadata |= {
            "features": list(HIGH_LEVEL_FEATURES),
            "units": ["standard deviations"] * len(HIGH_LEVEL_FEATURES),
            "input_type": HIGH_LEVEL_INPUT_TYPE,
            "mean": list(standard.mean),
            "std": list(standard.std),
        }

        def inputs(part: JetSample) -> npt.NDArray[np.float32]:
            return high_level_inputs(part, standard.mean, standard.std)

    else:
        metadata |= {
            "features": list(CONSTITUENT_FEATURES),
            "units": [f"{PT_LSB_GEV / PT_SCALE:g} GeV", f"{angle:.4f}", f"{angle:.4f} rad"],
            "input_type": CONSTITUENT_INPUT_TYPE,
            "constituents": options.constituents,
        }

        def inputs(part: JetSample) -> npt.NDArray[np.float32]:
            return constituent_inputs(part, options.constituents)

    def split(part: JetSample) -> Split:
        return Split(inputs(part), part.labels.astype(np.int64))

    return Dataset(split(train), split(validation), split(test), metadata)


def _three_parts(
    options: DataOptions, directory: Path, seed: int, progress: Progress
) -> tuple[JetSample, JetSample, JetSample]:
    """Training, validation and test part."""
    if options.source == GENERATED:
        sample = produce(
            Path(options.cache).expanduser() if options.cache is not None else directory,
            options.jets or 0,
            seed,
            options.workers,
            lambda done, total: progress("generating jets", done, total),
        )
    else:
        sample = _read(options.source, options.labels, options, progress).shuffled(seed)[: options.jets]
    validation = round(len(sample) * options.validation_share)
    if options.test_source is None:
        test = round(len(sample) * options.test_share)
        sample, tested = sample[test:], sample[:test]
    else:
        # `jets` does not limit these: a test sample is a whole.
        tested = _read(options.test_source, options.test_labels, options, progress)
    if min(len(tested), validation, len(sample) - validation) < 1:
        raise InputError(f"{len(sample) + len(tested)} jets are too few to be split in three")
    return sample[validation:], sample[:validation], tested


def _read(source: str, labels: str | None, options: DataOptions, progress: Progress) -> JetSample:
    path = Path(source).expanduser()
    progress(f"reading {path.name}", 0, 1)
    if labels is not None and options.class_order is not None:
        sample = load_arrays(path, Path(labels).expanduser(), options.class_order)
    else:
        sample = _reader(path)(path)
    progress(f"reading {path.name}", 1, 1)
    return sample


def _reader(path: Path) -> Callable[[Path], JetSample]:
    readers = {
        ".arff": load_openml,
        ".csv": load_openml,
        ".z": load_feature_file,
        ".h5": load_constituent_files,
        ".hdf5": load_constituent_files,
        ".parquet": load_sample,
    }
    if path.is_dir():
        return load_constituent_files
    if path.suffix in (".h5", ".hdf5") and is_sample_file(path):
        return load_sample
    if path.suffix not in readers:
        raise InputError(
            f"data source {str(path)!r} is neither {GENERATED!r}, a folder, nor a file ending in {', '.join(readers)} "
            "or .npy"
        )
    return readers[path.suffix]
