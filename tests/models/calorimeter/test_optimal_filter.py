"""The optimal filter: unbiased, insensitive to a shift, of least variance; and the maximum finder."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.calorimeter.errors import SettingError
from models.calorimeter.generator import GeneratorSettings, generate
from models.calorimeter.optimal_filter import OptimalFilter, autocovariance, coefficients, find_maxima
from models.calorimeter.pulse import PulseShape

PULSE = PulseShape()


@pytest.fixture(scope="module")
def background() -> np.ndarray:
    return generate(50, 20_000, 1, GeneratorSettings(signals=False)).adc


@pytest.fixture(scope="module")
def five(background: np.ndarray) -> OptimalFilter:
    return OptimalFilter.from_noise(background, 5, PULSE, 4.0)


@pytest.mark.parametrize("samples", [3, 5, 9, 20])
def test_the_weights_satisfy_their_conditions(samples: int, background: np.ndarray) -> None:
    g, slope = PULSE.samples(samples), PULSE.slopes(samples)
    covariance = autocovariance(background.astype(np.float64), samples)
    a, b = coefficients(g, slope, covariance)
    assert a @ g == pytest.approx(1.0, abs=1e-9)
    assert a @ slope == pytest.approx(0.0, abs=1e-9)
    assert b @ g == pytest.approx(0.0, abs=1e-8)
    assert b @ slope == pytest.approx(-1.0, abs=1e-9)


def test_no_other_weights_of_these_conditions_have_less_variance() -> None:
    rng = np.random.default_rng(1)
    samples = 7
    covariance = np.array([1.0, 0.4, -0.1, -0.2, -0.1, 0.0, 0.05])
    matrix = covariance[np.abs(np.subtract.outer(np.arange(samples), np.arange(samples)))]
    g, slope = PULSE.samples(samples), PULSE.slopes(samples)
    a, _ = coefficients(g, slope, covariance)
    conditions = np.stack([g, slope])
    # Steps that keep both conditions: what is left of a random one orthogonal to them.
    for step in rng.normal(size=(50, samples)):
        step -= np.linalg.pinv(conditions) @ (conditions @ step)
        other = a + 0.1 * step
        assert other @ matrix @ other >= a @ matrix @ a


def test_the_weights_at_140_collisions_are_those_of_the_prototype(five: OptimalFilter) -> None:
    np.testing.assert_allclose(five.energy, [-0.283, -0.099, 1.143, -0.127, -0.120], atol=0.02)
    assert five.sigma_mev == pytest.approx(88.0, rel=0.03)


def test_clean_pulses_are_measured_without_bias(five: OptimalFilter) -> None:
    # Pulses that have the time to end, and a digitiser so fine that its rounding is all that is left.
    settings = GeneratorSettings(
        pileup=0.0, noise_mev=0.0, lsb_mev=1.0, pedestal=8000, signal_gap=100.0, signal_gap_spread=0.0
    )
    sample = generate(4, 10_000, 3, settings)
    clean = replace(five, pedestal=8000.0, lsb_mev=1.0)
    pulse = sample.injected > 0.0
    # Without neighbours, or without all samples, there is no maximum to find.
    pulse[:, :1] = pulse[:, -5:] = False
    off = clean(sample.adc)[pulse] - sample.injected[pulse]
    assert np.abs(off).max() < 0.5 * np.abs(clean.energy).sum() + 1e-3
    assert abs(off.mean()) < 0.1
    # The maximum finder finds them all.
    found = find_maxima(clean(sample.adc))
    large = pulse & (sample.injected > 50.0)
    assert (found[large] > 0.0).all()


def test_a_small_shift_in_time_changes_the_energy_in_second_order(five: OptimalFilter) -> None:
    def energy(shift: float) -> float:
        return float(np.array(five.energy) @ PULSE(PULSE.times(5) + shift))

    assert abs(energy(1.0) - 1.0) < 0.01
    assert energy(2.0) - 1.0 == pytest.approx(4.0 * (energy(1.0) - 1.0), rel=0.3)


def test_the_second_set_gives_the_time(five: OptimalFilter) -> None:
    # A pulse that comes late by dt has g(t - dt) = g - dt g', so b.S = E dt.
    late = PULSE(PULSE.times(5) - 1.0)
    assert np.array(five.time) @ late == pytest.approx(1.0, rel=0.1)


def test_the_variance_found_is_the_one_foretold(five: OptimalFilter, background: np.ndarray) -> None:
    assert five(background)[:, :-4].std() == pytest.approx(five.sigma_mev, rel=0.01)
    assert five(background)[:, :-4].mean() == pytest.approx(0.0, abs=0.5)


def test_energies_are_zero_where_samples_are_missing(five: OptimalFilter) -> None:
    assert not five(np.full((2, 10), 3000))[:, -4:].any()
    assert not five(np.full(3, 3000)).any()


def test_maxima_are_kept_and_nothing_else() -> None:
    energy = np.array([[9.0, 1.0, 3.0, 3.0, 2.0, -5.0, -4.0, -6.0, 8.0]])
    np.testing.assert_array_equal(find_maxima(energy), [[0, 0, 3.0, 0, 0, 0, -4.0, 0, 0]])


def test_what_determines_no_weights_is_refused() -> None:
    g, slope = PULSE.samples(5), PULSE.slopes(5)
    with pytest.raises(SettingError, match="independent"):
        coefficients(g, g, np.eye(5)[0])
    with pytest.raises(SettingError, match="as many"):
        coefficients(g, slope, np.eye(4)[0])
    with pytest.raises(SettingError, match="singular"):
        coefficients(g, slope, np.zeros(5))
    with pytest.raises(SettingError, match="crossings"):
        OptimalFilter.from_noise(np.zeros((2, 3)), 5, PULSE, 4.0)
