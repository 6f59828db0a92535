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
from .public_files import load_constituent_files, load_feature_file, load_openml
from .sample import CLASSES, CONSTITUENT_FEATURES, HIGH_LEVEL_FEATURES, MAX_CONSTITUENTS, JetSample

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
        description="generated, or a public file: Zenodo 3602260 (.h5, or a folder of them), OpenML 42468 (.arff, "
        ".csv), CERNBox (.z); a relative path is taken from the working directory",
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
        return self


def load_data(options: DataOptions, directory: Path, seed: int, progress: Progress) -> Dataset:
    """The jets as inputs of the network, split in three.

    Generated jets are kept in chunks below `directory`, from which an interrupted production goes on. x: float32
    (jets, constituents, 3) or (jets, 16); y: int64 (jets,), index into `CLASSES`. The metadata state the classes in
    order, the features with their units, the input's fixed-point type and, for high-level features, the
    standardisation, fitted on the training part alone.
    """
    sample = _sample(options, directory, seed, progress)
    train, validation, test = _split(sample, options)
    metadata: dict[str, Any] = {
        "classes": list(CLASSES),
        "source": options.source,
        "seed": seed,
        "jets": len(sample),
        "inputs": options.inputs.value,
    }
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


def _sample(options: DataOptions, directory: Path, seed: int, progress: Progress) -> JetSample:
    if options.source == GENERATED:
        return produce(
            directory,
            options.jets or 0,
            seed,
            options.workers,
            lambda done, total: progress("generating jets", done, total),
        )
    path = Path(options.source).expanduser()
    progress(f"reading {path.name}", 0, 1)
    sample = _reader(path)(path).shuffled(seed)
    progress(f"reading {path.name}", 1, 1)
    return sample[: options.jets] if options.jets is not None else sample


def _reader(path: Path) -> Callable[[Path], JetSample]:
    readers = {
        ".arff": load_openml,
        ".csv": load_openml,
        ".z": load_feature_file,
        ".h5": load_constituent_files,
        ".hdf5": load_constituent_files,
    }
    if path.is_dir():
        return load_constituent_files
    if path.suffix not in readers:
        raise InputError(
            f"data source {str(path)!r} is neither {GENERATED!r}, a folder, nor a file ending in {', '.join(readers)}"
        )
    return readers[path.suffix]


def _split(sample: JetSample, options: DataOptions) -> tuple[JetSample, JetSample, JetSample]:
    """Training, validation and test part of a shuffled sample."""
    test = round(len(sample) * options.test_share)
    validation = round(len(sample) * options.validation_share)
    if min(test, validation, len(sample) - test - validation) < 1:
        raise InputError(f"{len(sample)} jets are too few to be split in three")
    return sample[test + validation :], sample[test : test + validation], sample[:test]
