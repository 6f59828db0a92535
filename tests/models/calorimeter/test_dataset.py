"""Samples and their file, production in chunks, windows, and the data set of a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import models.calorimeter as calorimeter
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from models.calorimeter import data_source, dataset
from models.calorimeter.dataset import Purpose, plan, produce
from models.calorimeter.errors import SampleFileError, SettingError
from models.calorimeter.generator import GeneratorSettings, generate
from models.calorimeter.optimal_filter import OptimalFilter, find_maxima
from models.calorimeter.sample import CellSample, concatenate, load_sample, save_sample
from models.calorimeter.truth import COLUMNS, Truth
from models.calorimeter.windows import INPUT_TYPE, MARGIN, UNKNOWN_GAP, Window, choose, gaps

h5py = pytest.importorskip("h5py", reason="needs the train or physics extra")

PARTS = ("adc", "energy", "injected", "filled")


def assert_same(one: CellSample, other: CellSample) -> None:
    for part in PARTS:
        np.testing.assert_array_equal(getattr(one, part), getattr(other, part), err_msg=part)


def silent(step: str, done: int, total: int) -> None:
    pass


# ---- samples and their file


def test_a_sample_survives_its_file_which_states_units(tmp_path: Path) -> None:
    sample = generate(3, 500, 1)
    save_sample(sample, tmp_path / "deep" / "cells.h5", {"seed": 1})
    assert_same(load_sample(tmp_path / "deep" / "cells.h5"), sample)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["cells.h5"]
    with h5py.File(tmp_path / "deep" / "cells.h5") as file:
        assert {name: file[name].attrs["units"] for name in PARTS} == {
            "adc": "ADC counts",
            "energy": "MeV",
            "injected": "MeV",
            "filled": "1",
        }
        assert file.attrs["crossing_ns"] == 25.0
        assert file.attrs["seed"] == "1"


@pytest.mark.parametrize("damage", ["absent", "empty", "cut", "text", "other hdf5", "units", "shape"])
def test_a_damaged_file_is_named(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "cells.h5"
    if damage != "absent":
        save_sample(generate(3, 500, 1), path)
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:3000])
    elif damage == "text":
        path.write_text("energy")
    elif damage == "other hdf5":
        with h5py.File(path, "w") as file:
            file["adc"] = 1
    elif damage == "units":
        with h5py.File(path, "r+") as file:
            file["energy"].attrs["units"] = "GeV"
    elif damage == "shape":
        with h5py.File(path, "r+") as file:
            del file["adc"]
            file["adc"] = np.zeros((2, 2), np.int16)
            file["adc"].attrs["units"] = "ADC counts"
    with pytest.raises(SampleFileError, match=r"cells\.h5"):
        load_sample(path)


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    one = generate(2, 50, 1)
    with pytest.raises(InputError, match="energy"):
        CellSample(one.adc, one.energy[:, 1:], one.injected, one.filled)
    with pytest.raises(InputError, match="adc"):
        CellSample(one.adc.astype(np.int32), one.energy, one.injected, one.filled)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        concatenate([one, generate(2, 60, 1)])
    with pytest.raises(InputError):
        concatenate([])


# ---- production in chunks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 2 cells of 1,000 crossings."""
    monkeypatch.setattr(dataset, "CROSSINGS", 1000)
    monkeypatch.setattr(dataset, "CELLS_PER_CHUNK", 2)


@pytest.mark.slow
def test_the_sample_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    """As processes start them: with chunks of the full size."""
    cells = dataset.CELLS_PER_CHUNK + 2
    one = produce(tmp_path / "one", cells, 5, Purpose.TEST, workers=1)
    two = produce(tmp_path / "two", cells, 5, Purpose.TEST, workers=2)
    assert_same(one, two)
    assert {p.name for p in (tmp_path / "one").iterdir()} == {p.name for p in (tmp_path / "two").iterdir()}


@pytest.mark.usefixtures("small")
def test_chunks_are_made_once_and_damaged_ones_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    whole = produce(tmp_path, 5, 1, Purpose.TRAIN, workers=1, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 5000), (2000, 5000), (4000, 5000), (5000, 5000)]
    assert (whole.cells, whole.crossings) == (5, 1000)
    made: list[int] = []

    def counted(cells: int, length: int, seed: int, settings: GeneratorSettings) -> CellSample:
        made.append(cells)
        return generate(cells, length, seed, settings)

    monkeypatch.setattr(dataset, "generate", counted)
    assert_same(produce(tmp_path, 5, 1, Purpose.TRAIN, workers=1), whole)
    assert made == []
    next(iter(sorted(tmp_path.iterdir()))).write_bytes(b"damaged")
    assert_same(produce(tmp_path, 5, 1, Purpose.TRAIN, workers=1), whole)
    assert len(made) == 1
    # A larger sample has the full chunks of the smaller one.
    larger = produce(tmp_path, 6, 1, Purpose.TRAIN, workers=1)
    np.testing.assert_array_equal(larger.adc[:4], whole.adc[:4])
    assert len(made) == 2


def test_chunks_differ_by_purpose_seed_and_settings(tmp_path: Path) -> None:
    settings = GeneratorSettings()
    plans = [
        plan(60, 1, Purpose.TRAIN, settings),
        plan(60, 1, Purpose.TEST, settings),
        plan(60, 2, Purpose.TRAIN, settings),
        plan(60, 1, Purpose.TRAIN, GeneratorSettings(pileup=200.0)),
        plan(60, 1, Purpose.NOISE, settings),
    ]
    names = [chunk.path(tmp_path).name for chunks in plans for chunk in chunks]
    assert len(set(names)) == len(names) == 10
    assert not plans[-1][0].settings.signals
    seeds = {chunk.seed for chunks in plans[:3] for chunk in chunks}
    assert len(seeds) == 6


# ---- windows


def test_a_window_holds_the_samples_around_the_deposit() -> None:
    sample = generate(2, 400, 1)
    cell, crossing = np.array([0, 1]), np.array([150, 200])
    x = Window(4, 3).inputs(sample, cell, crossing, 1000)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x[1] * 1024 + 1000, sample.adc[1, 196:204])
    np.testing.assert_array_equal(x[0] * 1024 + 1000, sample.adc[0, 146:154])


def test_every_count_is_exact_in_the_type_of_the_input() -> None:
    counts = np.arange(2**14)
    sample = CellSample(
        counts.astype(np.int16)[None],
        np.zeros((1, counts.size), np.float32),
        np.zeros((1, counts.size), np.float32),
        np.zeros((1, counts.size), np.bool_),
    )
    x = Window(0, 0).inputs(sample, np.zeros_like(counts), counts, 1000)[:, 0]
    t = FixedPoint.parse(INPUT_TYPE)
    np.testing.assert_array_equal(t.to_float(t.quantize(x)), x)
    np.testing.assert_array_equal(t.quantize(x), counts - 1000)


def test_gaps_are_counted_from_the_previous_signal() -> None:
    injected = np.zeros((2, 12), np.float32)
    injected[0, [2, 7]] = 1.0
    injected[1, 0] = 1.0
    np.testing.assert_array_equal(gaps(injected)[0], [UNKNOWN_GAP] * 3 + [1, 2, 3, 4, 5, 1, 2, 3, 4])
    np.testing.assert_array_equal(gaps(injected)[1], [UNKNOWN_GAP, *range(1, 12)])


def test_all_signals_and_a_share_of_the_rest_are_chosen() -> None:
    sample = generate(10, 5000, 1)
    cell, crossing = choose(sample, 2.0, np.random.default_rng(1))
    signal = sample.injected[cell, crossing] > 0.0
    inside = sample.injected[:, MARGIN:-MARGIN] > 0.0
    assert signal.sum() == inside.sum()
    assert (~signal).sum() == pytest.approx(2.0 * signal.sum(), rel=0.1)
    assert crossing.min() >= MARGIN
    assert crossing.max() < 5000 - MARGIN


def test_windows_that_reach_beyond_the_margin_are_refused() -> None:
    with pytest.raises(SettingError, match="past"):
        Window(MARGIN, 0)
    with pytest.raises(SettingError, match="future"):
        Window(0, -1)


# ---- the data set


def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int = 1, **options: Any) -> Any:
    monkeypatch.setattr(dataset, "CROSSINGS", 4000)
    monkeypatch.setattr(dataset, "CELLS_PER_CHUNK", 10)
    monkeypatch.setattr(data_source, "NOISE_CELLS", 10)
    small = {"train_cells": 10, "validation_cells": 2, "test_cells": 6, "workers": 1}
    return calorimeter.load_data(calorimeter.DataOptions(**(small | options)), tmp_path, seed, silent)


def test_the_data_set_has_windows_and_energies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tmp_path, monkeypatch, past=4, future=4)
    assert data.event_shape == (9,)
    assert data.train.y.shape == (len(data.train), 1)
    assert data.test.y.shape == (len(data.test), len(COLUMNS))
    assert data.metadata["input_type"] == INPUT_TYPE
    assert data.metadata["target_unit"] == "4096 MeV"
    # An isolated, large pulse in the network's units: 1,024 counts are 4,096 MeV, and the peak is two samples later.
    truth = Truth.of(data.test.y)
    np.testing.assert_array_equal(truth.target * 4096.0, truth.energy)
    pulse = (truth.injected > 3000.0) & (truth.gap > 30)
    ratio = data.test.x[pulse, 4 + 2] / truth.target[pulse]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)


def test_the_truth_carries_the_optimal_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(tmp_path, monkeypatch, past=4, future=4)
    truth = Truth.of(data.test.y)
    baseline = OptimalFilter(**data.metadata["optimal_filter"])
    # The window holds the five samples of the filter, from the crossing of the deposit on.
    counts = data.test.x[:, 4:].astype(np.float64) * 1024 + 1000 - baseline.pedestal
    np.testing.assert_allclose(truth.optimal_filter, 4.0 * counts @ np.array(baseline.energy), atol=1e-6)
    kept = truth.optimal_filter_maximum != 0.0
    np.testing.assert_array_equal(truth.optimal_filter_maximum[kept], truth.optimal_filter[kept])
    assert 0.2 < kept.mean() < 0.9
    np.testing.assert_array_equal(truth.adc, data.test.x[:, 4] * 1024)


def test_the_time_series_is_a_row_of_trains_of_one_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = Truth.of(load(tmp_path, monkeypatch).test.y)
    inside = truth.series >= 0
    place = truth.series[inside]
    np.testing.assert_array_equal(place, np.arange(place.size))
    filled = truth.filled[inside].astype(bool)
    np.testing.assert_array_equal(np.flatnonzero(np.diff(filled.astype(int)))[:4] + 1, [30, 102, 110, 182])
    # Consecutive crossings of one cell: the maximum finder can be repeated on them.
    np.testing.assert_array_equal(
        find_maxima(truth.optimal_filter[inside])[1:-1], truth.optimal_filter_maximum[inside][1:-1]
    )


def test_the_splits_share_nothing_and_repeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = load(tmp_path / "one", monkeypatch), load(tmp_path / "two", monkeypatch)
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(getattr(one, name).x, getattr(two, name).x)
        np.testing.assert_array_equal(getattr(one, name).y, getattr(two, name).y)
    rows = [{row.tobytes() for row in split.x} for split in (one.train, one.validation, one.test)]
    assert not rows[0] & rows[1]
    assert not rows[0] & rows[2]
    other = load(tmp_path / "one", monkeypatch, seed=2)
    assert other.train.x.shape != one.train.x.shape or (other.train.x != one.train.x).any()


@pytest.mark.parametrize("wrong", [{"pileup": -1}, {"past": 61}, {"cells": 5}, {"train_cells": 0}])
def test_data_options_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        calorimeter.DataOptions(**wrong)


def test_targets_with_other_columns_are_refused() -> None:
    with pytest.raises(SettingError, match="target"):
        Truth.of(np.zeros((5, 2)))
