"""Samples as physics: noise, pile-up after Campbell's theorem, trains, pulses; and the same for the same seed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.calorimeter import noise
from models.calorimeter.errors import SettingError
from models.calorimeter.generator import GeneratorSettings, _fast_length, generate
from models.calorimeter.optimal_filter import autocovariance
from models.calorimeter.pileup import PileupSpectrum
from models.calorimeter.pulse import PULSE_SAMPLES, PulseShape
from models.calorimeter.trains import ORBIT, crossings, orbit

QUIET = GeneratorSettings(pileup=0.0, noise_mev=0.0, signals=False)


# ---- noise


def test_the_autocorrelation_of_the_noise_is_that_of_the_shaper() -> None:
    x = np.arange(0.0, 60.0, 1e-3)
    impulse = (x - x * x / 2.0) * np.exp(-x)
    wanted = []
    for lag in range(5):
        shift = round(25.0 * lag / 13.0 / 1e-3)
        wanted.append(float(impulse[: impulse.size - shift] @ impulse[shift:]))
    found = noise.autocorrelation(5, 13.0)
    np.testing.assert_allclose(found, np.array(wanted) / wanted[0], atol=1e-3)
    np.testing.assert_allclose(found, [1.0, -0.113, -0.213, -0.083, -0.023], atol=6e-4)


@pytest.mark.parametrize("length", [64, 81, 1000])
def test_the_spectrum_of_the_noise_has_its_autocorrelation_at_every_place(length: int) -> None:
    """Exactly: the mean over draws of a linear combination is known from its factors."""
    factors = noise.amplitudes(length, 13.0)
    variance = 2.0 * factors**2 / length
    variance[0] /= 2.0
    if length % 2 == 0:
        variance[-1] /= 2.0
    np.testing.assert_allclose(np.fft.irfft(variance, length)[:6], noise.autocorrelation(6, 13.0), atol=1e-6)


def test_samples_without_pile_up_are_coloured_noise() -> None:
    sample = generate(8, 40_000, 1, replace(QUIET, noise_mev=30.0, lsb_mev=0.25, pedestal=8000))
    covariance = autocovariance(sample.adc.astype(np.float64) * 0.25, 6)
    assert covariance[0] == pytest.approx(30.0**2 + 0.25**2 / 12.0, rel=0.01)
    np.testing.assert_allclose(covariance / covariance[0], noise.autocorrelation(6, 13.0), atol=0.008)
    # The same at the beginning of a cell as anywhere.
    assert sample.adc[:, :200].std() * 0.25 == pytest.approx(30.0, rel=0.1)


# ---- pile-up


@pytest.mark.parametrize("collisions", [140.0, 200.0])
def test_deposits_of_pile_up_have_the_mean_and_variance_of_a_compound_poisson_law(collisions: float) -> None:
    spectrum = PileupSpectrum()
    energy = spectrum.draw(np.random.default_rng(1), collisions, np.ones(2_000_000, np.bool_))
    assert spectrum.mean(collisions) == pytest.approx(collisions * 0.0025 * 38.0 * 1.6)
    assert energy.mean() == pytest.approx(spectrum.mean(collisions), rel=0.01)
    assert energy.var() == pytest.approx(spectrum.variance(collisions), rel=0.03)
    assert np.mean(energy == 0.0) == pytest.approx(np.exp(-0.0025 * collisions), abs=2e-3)


def test_nothing_is_deposited_where_no_bunches_cross() -> None:
    filled = np.arange(50_000) % 3 == 0
    energy = PileupSpectrum().draw(np.random.default_rng(1), 140.0, filled)
    assert not energy[~filled].any()
    assert energy[filled].any()
    assert not PileupSpectrum().draw(np.random.default_rng(1), 0.0, filled).any()


@pytest.mark.parametrize("collisions", [140.0, 200.0])
def test_pile_up_in_the_samples_obeys_campbells_theorem(collisions: float) -> None:
    """Without trains: mean = rate <E> sum g, autocovariance = rate <E^2> sum g_i g_(i+k)."""
    settings = replace(QUIET, pileup=collisions, trains=False)
    sample = generate(30, 20_000, 3, settings)
    mev = (sample.adc.astype(np.float64) - settings.pedestal) * settings.lsb_mev
    g, spectrum = PulseShape().samples(), PileupSpectrum()
    assert mev.mean() == pytest.approx(spectrum.mean(collisions) * g.sum(), abs=0.3)
    wanted = [spectrum.variance(collisions) * float(g[: g.size - k] @ g[k:]) for k in range(4)]
    wanted[0] += settings.lsb_mev**2 / 12.0
    np.testing.assert_allclose(autocovariance(mev, 4), wanted, rtol=0.03, atol=0.01 * wanted[0])


# ---- trains


def test_an_orbit_has_2808_bunches_in_39_trains_and_ends_in_a_gap() -> None:
    filled = orbit()
    assert filled.size == ORBIT == 3564
    assert filled.sum() == 2808
    edges = np.flatnonzero(np.diff(np.concatenate([[False], filled, [False]]).astype(int)))
    starts, ends = edges[::2], edges[1::2]
    assert set((ends - starts).tolist()) == {72}
    assert len(starts) == 39
    assert set((starts[1:] - ends[:-1]).tolist()) == {8, 39}
    assert ORBIT - ends[-1] >= 119


def test_crossings_go_round_the_orbit() -> None:
    long = crossings(3 * ORBIT, 100)
    np.testing.assert_array_equal(long[:ORBIT], np.roll(orbit(), -100))
    np.testing.assert_array_equal(long[:ORBIT], long[ORBIT : 2 * ORBIT])


def test_the_baseline_moves_at_the_ends_of_a_train_only() -> None:
    """The undershoots of a train's pulses are not there yet at its beginning: the mean sample is high there."""
    settings = replace(QUIET, pileup=200.0)
    sample = generate(60, 4 * ORBIT, 5, settings)
    counts = sample.adc.astype(np.float64) - settings.pedestal
    filled = sample.filled
    # After a gap of 39 crossings or more nothing is left of earlier pulses.
    age = np.zeros_like(counts, dtype=int)
    for crossing in range(40, filled.shape[1]):
        fresh = filled[:, crossing] & ~filled[:, crossing - 39 : crossing].any(axis=1)
        age[:, crossing] = np.where(fresh, 1, np.where(age[:, crossing - 1] > 0, age[:, crossing - 1] + 1, 0))
    first = counts[age == 6].mean() * settings.lsb_mev
    late = counts[age == 60].mean() * settings.lsb_mev
    g = PulseShape().samples()
    mean = PileupSpectrum().mean(200.0)
    assert first == pytest.approx(mean * g[:6].sum(), abs=8.0)
    assert late == pytest.approx(mean * g.sum(), abs=8.0)
    assert first > 5.0 * abs(late)


# ---- signals and digitisation


def test_a_signal_alone_is_the_pulse_in_counts() -> None:
    settings = replace(QUIET, signals=True, signal_gap=200.0, signal_gap_spread=0.0)
    sample = generate(1, 2000, 7, settings)
    where = np.flatnonzero(sample.injected[0])
    assert set(np.diff(where).tolist()) == {200}
    g = PulseShape().samples()
    for crossing in where[where < 2000 - PULSE_SAMPLES]:
        wanted = settings.pedestal + np.rint(sample.injected[0, crossing] * g / settings.lsb_mev)
        found = sample.adc[0, crossing : crossing + PULSE_SAMPLES]
        # Equal but where the float32 of the truth moves a value over a rounding boundary.
        assert np.abs(found - wanted).max() <= 1
        assert np.mean(found == wanted) > 0.95
    np.testing.assert_array_equal(sample.energy, sample.injected)


def test_signals_are_uniform_and_their_gaps_as_asked_for() -> None:
    sample = generate(20, 20_000, 2, replace(QUIET, signals=True))
    energies = sample.injected[sample.injected > 0.0]
    assert energies.mean() == pytest.approx(2500.0, rel=0.02)
    assert energies.std() == pytest.approx(5000.0 / 12.0**0.5, rel=0.02)
    gaps = np.concatenate([np.diff(np.flatnonzero(row)) for row in sample.injected])
    assert gaps.mean() == pytest.approx(30.0, rel=0.02)
    assert gaps.std() == pytest.approx(10.0, rel=0.05)


def test_tails_of_what_came_before_the_first_sample_are_in_it() -> None:
    settings = replace(QUIET, pileup=140.0, trains=False)
    sample = generate(3000, 4, 1, settings)
    first = sample.adc[:, 0].astype(np.float64) * settings.lsb_mev
    g = PulseShape().samples()
    assert first.std() == pytest.approx((PileupSpectrum().variance(140.0) * float(g @ g)) ** 0.5, rel=0.1)


def test_the_digitiser_saturates() -> None:
    settings = replace(QUIET, signals=True, signal_max_mev=400_000.0)
    sample = generate(2, 5000, 1, settings)
    assert sample.adc.min() == 0
    assert sample.adc.max() == 2**14 - 1


# ---- repeatable


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    one, two, other = generate(3, 500, 1), generate(3, 500, 1), generate(3, 500, 2)
    for part in ("adc", "energy", "injected", "filled"):
        np.testing.assert_array_equal(getattr(one, part), getattr(two, part), err_msg=part)
    assert (one.adc != other.adc).any()


def test_cells_are_independent() -> None:
    sample = generate(2, 20_000, 1)
    assert abs(np.corrcoef(sample.energy)[0, 1]) < 0.03


@pytest.mark.parametrize("least", [1, 2, 3, 17, 1000, 20_064, 100_001])
def test_the_length_of_the_transform_is_even_not_too_short_and_has_small_factors(least: int) -> None:
    length = _fast_length(least)
    assert least <= length <= 2 * least + 2
    assert length % 2 == 0
    for factor in (2, 3, 5):
        while length % factor == 0:
            length //= factor
    assert length == 1


@pytest.mark.parametrize(
    ("field", "value"), [("pileup", -1.0), ("lsb_mev", 0.0), ("pedestal", 20_000), ("signal_gap", 0.0)]
)
def test_settings_without_meaning_are_refused(field: str, value: float) -> None:
    with pytest.raises(SettingError, match=field):
        GeneratorSettings(**{field: value})
    with pytest.raises(SettingError):
        PileupSpectrum(probability=1.5)
    with pytest.raises(SettingError):
        generate(0, 10, 1)
