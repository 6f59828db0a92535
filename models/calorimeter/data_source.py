"""The recipe's `data:` section, and the events it stands for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from firmware_flows.model_source import Dataset, Split

from .dataset import CROSSINGS, Purpose, produce
from .generator import GeneratorSettings
from .optimal_filter import OptimalFilter, find_maxima
from .sample import CellSample
from .trains import TRAIN, TRAIN_GAP
from .truth import COLUMNS, Truth
from .windows import INPUT_TYPE, MARGIN, MEV_PER_UNIT, Window, choose, gaps

Progress = Callable[[str, int, int], None]

NOISE_CELLS = 50
"""Cells without signals that pedestal and autocovariance of the optimal filter are measured on."""

SERIES_TRAINS = 4
"""Trains drawn as a time series, with what comes before and after."""


class DataOptions(BaseModel):
    """How much is simulated, at which pile-up, and what the network reads of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pileup: float = Field(140.0, ge=0.0, le=400.0, description="collisions a crossing, on average")
    train_cells: int = Field(200, ge=1, description=f"cells to train on, {CROSSINGS:,} samples each")
    validation_cells: int = Field(20, ge=1, description="cells to choose the best epoch by")
    test_cells: int = Field(40, ge=1, description="cells for evaluation and verification")
    past: int = Field(4, ge=0, le=60, description="samples before that of the deposit")
    future: int = Field(4, ge=0, le=20, description="samples after it; each is 25 ns of waiting")
    empty_per_pulse: float = Field(1.5, ge=0.0, le=20.0, description="training: crossings without signal, per signal")
    test_empty_per_pulse: float = Field(4.0, ge=0.0, le=20.0, description="test: crossings without signal, per signal")
    optimal_filter_samples: int = Field(5, ge=3, le=30, description="samples of the optimal filter to compare with")
    workers: int | None = Field(None, ge=1, description="processes at a time; absent: one a core")


def load_data(options: DataOptions, directory: Path, seed: int, progress: Progress) -> Dataset:
    """Windows of samples and the energy of their crossing.

    x: float32 (events, past + 1 + future), ADC counts less the pedestal over 1024, exact in the input type. y: float32
    (events, 1), transverse energy in 4096 MeV; of the test events float64 (events, 9), the columns of `truth.COLUMNS`.
    Samples are kept in chunks below `directory`, from which an interrupted production goes on.
    """
    settings = GeneratorSettings(pileup=options.pileup)
    window = Window(options.past, options.future)

    def cells(purpose: Purpose, count: int) -> CellSample:
        step = f"simulating cells ({purpose.name.lower()}), samples"
        return produce(
            directory, count, seed, purpose, settings, options.workers, lambda done, total: progress(step, done, total)
        )

    baseline = OptimalFilter.from_noise(
        cells(Purpose.NOISE, NOISE_CELLS).adc, options.optimal_filter_samples, settings.pulse, settings.lsb_mev
    )
    splits = {}
    for purpose, count in ((Purpose.TRAIN, options.train_cells), (Purpose.VALIDATION, options.validation_cells)):
        sample = cells(purpose, count)
        where = choose(sample, options.empty_per_pulse, np.random.default_rng([seed, 1, int(purpose)]))
        target = (sample.energy[where] / np.float32(MEV_PER_UNIT))[:, None]
        splits[purpose] = Split(window.inputs(sample, *where, settings.pedestal), target)
    sample = cells(Purpose.TEST, options.test_cells)
    where = choose(sample, options.test_empty_per_pulse, np.random.default_rng([seed, 1, int(Purpose.TEST)]))
    series = _series(sample)
    where = _united(where, series)
    test = Split(
        window.inputs(sample, *where, settings.pedestal),
        _truth(sample, where, series, baseline, settings.pedestal).table(),
    )
    metadata = {
        "source": "simulated liquid-argon cells",
        "seed": seed,
        "input_type": INPUT_TYPE,
        "features": [f"sample {k:+d}" for k in range(-options.past, options.future + 1)],
        "units": ["1024 ADC counts"] * window.samples,
        "target": "transverse energy of the crossing",
        "target_unit": f"{MEV_PER_UNIT:g} MeV",
        "test_columns": [f"{name} [{unit}]" for name, unit in COLUMNS.items()],
        "generator": asdict(settings),
        "optimal_filter": asdict(baseline),
    }
    return Dataset(splits[Purpose.TRAIN], splits[Purpose.VALIDATION], test, metadata)


Places = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _series(sample: CellSample) -> Places:
    """Cell and crossing of a stretch of cell 0: the first row of trains, from some crossings before it."""
    before, length = 30, SERIES_TRAINS * (TRAIN + TRAIN_GAP) + 60
    filled = sample.filled[0]
    starts = np.flatnonzero(filled[1:] & ~filled[:-1]) + 1
    # The first train of a row: the gap before it is longer than that between trains.
    fits = starts[(starts >= MARGIN + before) & (starts + length <= sample.crossings - MARGIN)]
    row = [int(start) for start in fits if not filled[start - 2 * TRAIN_GAP : start].any()]
    first = (row[0] if row else MARGIN + before) - before
    crossing = np.arange(first, min(first + length, sample.crossings - MARGIN))
    return np.zeros_like(crossing), crossing


def _united(one: Places, other: Places) -> Places:
    """The places of both, each once, in order of cell and crossing."""
    both = np.unique(np.stack([np.concatenate(pair) for pair in zip(one, other, strict=True)]), axis=1)
    return both[0], both[1]


def _truth(sample: CellSample, where: Places, series: Places, baseline: OptimalFilter, pedestal: int) -> Truth:
    filtered = baseline(sample.adc)
    place = np.full(sample.adc.shape, -1.0)
    place[series] = np.arange(series[1].size)
    energy = sample.energy[where].astype(np.float64)
    return Truth(
        target=energy / MEV_PER_UNIT,
        energy=energy,
        injected=sample.injected[where].astype(np.float64),
        gap=gaps(sample.injected)[where].astype(np.float64),
        filled=sample.filled[where].astype(np.float64),
        adc=sample.adc[where].astype(np.float64) - pedestal,
        optimal_filter=filtered[where],
        optimal_filter_maximum=find_maxima(filtered)[where],
        series=place[where],
    )
