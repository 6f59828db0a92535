"""The generator: repeatable, fast, with hits where chambers are, and a spectrum that can be weighted."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from models.errors import SampleError, SampleFileError
from models.omtf.generator import GeneratorSettings, generate
from models.omtf.geometry import BENDING_LAYERS, ETA_MAX, ETA_MIN, N_LAYERS, NO_HIT, PHIB_LIMIT
from models.omtf.response import HALF_STRIP, Chambers
from models.omtf.sample import MuonSample, concatenate, load_sample, save_sample
from models.omtf.spectrum import Spectrum, rate_above, rate_density, rate_weights

SAMPLE = generate(60_000, 11)


def assert_same(one: MuonSample, other: MuonSample) -> None:
    for name in ("hits", "second_hits", "pt", "charge", "eta"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def test_the_same_seed_gives_the_same_muons_and_another_gives_others() -> None:
    assert_same(generate(20_000, 5), generate(20_000, 5))
    assert not np.array_equal(generate(1000, 5).pt, generate(1000, 6).pt)
    assert len(generate(0, 1)) == 0
    assert len(generate(8193, 1)) == 8193


def test_ten_million_muons_a_minute_on_one_core() -> None:
    generate(10_000, 1)
    # Processor time: the machine may be busy with something else.
    started = time.process_time()
    generate(200_000, 2)
    assert 200_000 / (time.process_time() - started) * 60 > 10e6


def test_hits_by_layer_are_those_of_chambers_and_acceptance() -> None:
    hard = SAMPLE[SAMPLE.pt > 10]
    found = hard.hits != NO_HIT
    occupancy = found.mean(axis=0)
    # All muons cross the first station but those near its end.
    assert 0.85 < occupancy[0] < 0.96
    for bending, position in BENDING_LAYERS.items():
        assert not (found[:, bending] & ~found[:, position]).any()
        assert occupancy[bending] / occupancy[position] == pytest.approx(Chambers().bending_efficiency, abs=0.02)
    # Inner rings cover the barrel's end, outer ones only what is left.
    assert occupancy[0] > occupancy[2] > occupancy[4]
    assert 7.5 < found.sum(axis=1).mean() < 10.0
    assert hard.eta.min() >= ETA_MIN
    assert hard.eta.max() <= ETA_MAX
    assert np.mean(hard.charge) == pytest.approx(0.0, abs=0.03)


def test_efficiency_and_background_can_be_taken_apart() -> None:
    quiet = generate(30_000, 3, GeneratorSettings(background=0.0))
    assert (quiet.second_hits == NO_HIT).all()
    loud = generate(30_000, 3, GeneratorSettings(background=0.2))
    assert not set(BENDING_LAYERS) & set(np.flatnonzero((loud.second_hits != NO_HIT).any(axis=0)))
    hard = loud.pt > 10
    crossed = (quiet.hits[quiet.pt > 10, 0] != NO_HIT).mean() / Chambers().dt_efficiency
    second = (loud.second_hits[hard, 0] != NO_HIT).mean()
    assert second == pytest.approx(0.2 * Chambers().dt_efficiency * crossed, rel=0.15)


def test_plates_answer_in_half_strips() -> None:
    quiet = generate(20_000, 4, GeneratorSettings(background=0.0))
    angles = np.unique(quiet.hits[:, 10])
    strips = angles[angles != NO_HIT] / HALF_STRIP
    assert np.abs(strips - np.rint(strips)).max() <= 0.5 / HALF_STRIP + 1e-6
    assert np.abs(SAMPLE.hits[:, 1][SAMPLE.hits[:, 1] != NO_HIT]).max() <= PHIB_LIMIT


def test_weights_turn_any_spectrum_into_that_of_the_experiment() -> None:
    for spectrum in (Spectrum(), Spectrum(inverse_share=0.9, flat_max=60.0), Spectrum(inverse_share=1.0)):
        pt = spectrum.draw(400_000, np.random.default_rng(1))
        weights = rate_weights(pt, spectrum) / pt.size
        for low, high in ((5.0, 10.0), (10.0, 20.0), (20.0, 50.0)):
            chosen = (pt > low) & (pt < high)
            wanted = rate_above(low) - rate_above(high)
            assert weights[chosen].sum() == pytest.approx(wanted, rel=5 / np.sqrt(chosen.sum())), (spectrum, low)
    with pytest.raises(ValueError, match="outside the spectrum"):
        rate_weights(np.array([300.0]), Spectrum())


def test_the_density_is_normalised_and_that_of_the_rate_is_its_derivative() -> None:
    pt = np.linspace(2.5, 200.0, 400_001)
    assert np.trapezoid(Spectrum().density(pt), pt) == pytest.approx(1.0, rel=1e-4)
    step = 1e-4
    slope = (rate_above(20.0 - step) - rate_above(20.0 + step)) / (2 * step)
    assert rate_density(20.0) == pytest.approx(slope, rel=1e-6)
    # Prompt muons fall about as pT^-4 to -5 here, a trigger group's rule of thumb.
    assert 3.5 < -np.log(rate_density(20.0) / rate_density(10.0)) / np.log(2.0) < 5.5


def test_a_sample_survives_its_file_which_states_units(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py", reason="needs the physics extra")
    part = SAMPLE[:500]
    save_sample(part, tmp_path / "muons.h5")
    assert_same(load_sample(tmp_path / "muons.h5"), part)
    with h5py.File(tmp_path / "muons.h5") as file:
        assert file["pt"].attrs["unit"] == "GeV"
        assert "5400" in file["hits"].attrs["unit"]
    with h5py.File(tmp_path / "muons.h5", "r+") as file:
        file["pt"].attrs["unit"] = "MeV"
    with pytest.raises(SampleFileError, match="pt is in 'MeV', wanted 'GeV'"):
        load_sample(tmp_path / "muons.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "muons.h5").read_bytes()[:3000])
    for name in ("cut.h5", "absent.h5"):
        with pytest.raises(SampleFileError, match=name):
            load_sample(tmp_path / name)


def test_parts_that_do_not_fit_are_refused() -> None:
    part = SAMPLE[:10]
    with pytest.raises(SampleError, match="hits: expected int16"):
        MuonSample(part.hits[:5], part.second_hits, part.pt, part.charge, part.eta)
    with pytest.raises(SampleError, match="charge: expected -1 and 1"):
        MuonSample(part.hits, part.second_hits, part.pt, part.charge * np.int8(2), part.eta)
    with pytest.raises(SampleError, match="nothing to concatenate"):
        concatenate([])
    assert part.hits.shape == (10, N_LAYERS)
