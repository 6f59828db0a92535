"""Simulated ADC samples of calorimeter cells at 40 MHz: signal, pile-up, pulse shape, noise, digitisation.

Everything is linear up to the digitisation, so a cell is one product in the frequency domain and one inverse
transform. About 10 million samples a second on one core.

Signals are injected with a uniform spectrum at intervals of 30 +- 10 crossings, which is how the ATLAS studies do it
(Aad et al., Comput. Softw. Big Sci. 5 (2021) 19): most pulses then lie on the tail of an earlier one, which lasts 25
crossings. They come in any crossing, also in empty ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from . import noise
from .errors import SettingError
from .pileup import PileupSpectrum
from .pulse import PULSE_SAMPLES, PulseShape
from .sample import ADC_BITS, CellSample
from .trains import ORBIT, crossings

GENERATOR_VERSION = 1
"""Part of the name of cached chunks: to be raised when the same settings give other samples."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class GeneratorSettings:
    """All constants of the simulation. Energies are transverse, in MeV. Raises SettingError.

    pileup: collisions a crossing, on average. signal_gap, signal_gap_spread: mean and standard deviation of the
    crossings between two signals. trains: false for collisions in every crossing.
    """

    pileup: float = 140.0
    noise_mev: float = 30.0
    lsb_mev: float = 4.0
    pedestal: int = 1000
    signals: bool = True
    signal_gap: float = 30.0
    signal_gap_spread: float = 10.0
    signal_max_mev: float = 5000.0
    trains: bool = True
    pulse: PulseShape = field(default_factory=PulseShape)
    spectrum: PileupSpectrum = field(default_factory=PileupSpectrum)

    def __post_init__(self) -> None:
        for name in ("pileup", "noise_mev", "signal_gap_spread", "signal_max_mev"):
            if not getattr(self, name) >= 0.0:
                raise SettingError(name, getattr(self, name), "must not be negative")
        for name in ("lsb_mev", "signal_gap"):
            if not getattr(self, name) > 0.0:
                raise SettingError(name, getattr(self, name), "wanted a number above 0")
        if not 0 <= self.pedestal < 2**ADC_BITS:
            raise SettingError("pedestal", self.pedestal, f"wanted 0 to {2**ADC_BITS - 1} counts")


def generate(cells: int, length: int, seed: int, settings: GeneratorSettings | None = None) -> CellSample:
    """`cells` independent cells over `length` crossings each, all drawn from `seed`.

    Each cell begins somewhere in the orbit, with the tails of earlier crossings in place.
    """
    if cells < 1 or length < 1:
        raise SettingError("cells, length", (cells, length), "wanted at least 1 each")
    settings = settings or GeneratorSettings()
    rng = np.random.default_rng(seed)
    adc = np.empty((cells, length), np.int16)
    energy = np.empty((cells, length), np.float32)
    injected = np.empty((cells, length), np.float32)
    filled = np.empty((cells, length), np.bool_)
    for cell in range(cells):
        adc[cell], energy[cell], injected[cell], filled[cell] = _one_cell(length, rng, settings)
    return CellSample(adc, energy, injected, filled)


def _one_cell(length: int, rng: np.random.Generator, settings: GeneratorSettings) -> tuple[npt.NDArray[Any], ...]:
    """ADC counts, energy, injected energy and whether filled, of `length` crossings."""
    # What is deposited before the first crossing is still in the samples.
    total = length + PULSE_SAMPLES
    first = int(rng.integers(ORBIT))
    filled = crossings(total, first) if settings.trains else np.ones(total, np.bool_)
    injected = _signals(total, rng, settings) if settings.signals else np.zeros(total)
    energy = injected + settings.spectrum.draw(rng, settings.pileup, filled)
    period = _fast_length(total + PULSE_SAMPLES)
    response, factors = _transfer(period, settings.pulse)
    transformed = np.fft.rfft(energy, period) * response
    if settings.noise_mev > 0.0:
        transformed += settings.noise_mev * noise.spectrum(rng, factors)
    analogue = np.fft.irfft(transformed, period)[PULSE_SAMPLES:total]
    adc = np.clip(np.rint(analogue / settings.lsb_mev) + settings.pedestal, 0, 2**ADC_BITS - 1)
    return tuple(array[-length:] for array in (adc, energy, injected, filled))


def _signals(total: int, rng: np.random.Generator, settings: GeneratorSettings) -> Floats:
    """Energy [MeV] of the signal in each crossing, mostly 0."""
    # Enough for all crossings: a gap of less than half the mean throughout does not happen.
    count = int(2.0 * total / settings.signal_gap) + 20
    gaps = np.maximum(np.rint(rng.normal(settings.signal_gap, settings.signal_gap_spread, count)), 1.0)
    # A random place between two signals to begin at.
    where = np.cumsum(gaps).astype(np.int64) - int(rng.integers(1, max(int(settings.signal_gap), 1) + 1))
    where = where[(where >= 0) & (where < total)]
    energy = np.zeros(total)
    energy[where] = rng.uniform(0.0, settings.signal_max_mev, where.size)
    return energy


@lru_cache(maxsize=8)
def _transfer(period: int, pulse: PulseShape) -> tuple[npt.NDArray[np.complex128], Floats]:
    """Spectrum of the sampled pulse, and the factors of the noise."""
    return np.fft.rfft(pulse.samples(), period), noise.amplitudes(period, pulse.shaping_ns)


def _fast_length(least: int) -> int:
    """The smallest even 2^a 3^b 5^c that is not below `least`: what a fast Fourier transform is fast for."""
    best = 1 << max(least - 1, 1).bit_length()
    five = 1
    while five < best:
        three = five
        while three < best:
            two = max(-(-least // three) - 1, 1)
            best = min(best, three << max(two.bit_length(), 1))
            three *= 3
        five *= 5
    return best
