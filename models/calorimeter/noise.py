"""Electronics noise of a cell: white noise of the preamplifier, coloured by the shaper.

White series (voltage) noise of the preamplifier passes the CR-RC^2 shaper alone, whose response to an impulse is
h(t) ~ (x - x^2 / 2) exp(-x), x = t / tau. The samples have the autocorrelation of h, in closed form with u = t / tau:

    rho(t) = (1 + u - u^2) exp(-u)
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .pulse import CROSSING_NS

Floats = npt.NDArray[np.float64]


def autocorrelation(samples: int, shaping_ns: float) -> Floats:
    """Of samples 0, 1, 2, ... crossings apart; 1 for the first."""
    u = CROSSING_NS * np.arange(samples) / shaping_ns
    result: Floats = (1.0 + u - u * u) * np.exp(-u)
    return result


def amplitudes(length: int, shaping_ns: float) -> Floats:
    """Factors (length // 2 + 1,) for `coloured`: root of the power spectrum of noise of rms 1 and period `length`."""
    distance = np.minimum(np.arange(length), length - np.arange(length))
    u = CROSSING_NS * distance / shaping_ns
    periodic = (1.0 + u - u * u) * np.exp(-u)
    # A spectrum of power is not negative; what falls below zero is the rounding of the transform.
    power = np.maximum(np.fft.rfft(periodic).real, 0.0)
    result: Floats = np.sqrt(power * length / 2.0)
    result[0] *= np.sqrt(2.0)
    if length % 2 == 0:
        result[-1] *= np.sqrt(2.0)
    return result


def spectrum(rng: np.random.Generator, factors: Floats) -> npt.NDArray[np.complex128]:
    """The discrete spectrum (as of `numpy.fft.rfft`) of noise drawn by `rng`; `factors` come from `amplitudes`.

    Drawn where it is coloured, which saves one transform. Its inverse is stationary over the whole period.
    """
    white: npt.NDArray[np.complex128] = rng.standard_normal(2 * factors.size).view(np.complex128)
    return white * factors
