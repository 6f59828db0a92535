"""What is in use today: the optimal filter, and the maximum finder that assigns its result to a crossing.

The energy is a weighted sum of a few samples, E = sum a_i (S_i - pedestal). The weights have the least variance under
noise of autocovariance R among those that answer 1 to a pulse g, a.g = 1, and nothing to a small shift in time,
a.g' = 0 (Cleland and Stern, NIM A338 (1994) 467). With A = g R^-1 g, B = g' R^-1 g', C = g R^-1 g', D = AB - C^2:

    a = (B R^-1 g - C R^-1 g') / D

A second set b, with b.g = 0 and b.g' = -1, gives energy times time. The filter gives a number in every crossing, and
large ones beside a pulse too; the maximum finder keeps those that are larger than both neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SettingError
from .pulse import PulseShape

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class OptimalFilter:
    """Coefficients and what they were computed with.

    energy: a_i. time: b_i [ns]. lsb_mev: energy of an ADC count. pedestal: counts without a signal. sigma_mev: the
    standard deviation of the energy that the autocovariance means.
    """

    energy: tuple[float, ...]
    time: tuple[float, ...]
    pedestal: float
    lsb_mev: float
    sigma_mev: float

    @classmethod
    def from_noise(cls, adc: npt.ArrayLike, samples: int, pulse: PulseShape, lsb_mev: float) -> OptimalFilter:
        """Of `samples` samples; pedestal and autocovariance are measured on `adc` (cells, crossings) without signal."""
        counts = np.asarray(adc, dtype=np.float64)
        covariance = autocovariance(counts, samples)
        a, b = coefficients(pulse.samples(samples), pulse.slopes(samples), covariance)
        matrix = _toeplitz(covariance)
        sigma = float(np.sqrt(a @ matrix @ a)) * lsb_mev
        return cls(tuple(a.tolist()), tuple(b.tolist()), float(counts.mean()), lsb_mev, sigma)

    @property
    def samples(self) -> int:
        return len(self.energy)

    def __call__(self, adc: npt.ArrayLike) -> Floats:
        """Energy [MeV] of every crossing, same shape as adc (..., crossings).

        That of crossing i reads the samples i to i + n - 1; the last n - 1 crossings lack samples and are 0.
        """
        counts = np.asarray(adc, dtype=np.float64) - self.pedestal
        result = np.zeros_like(counts)
        whole = counts.shape[-1] - self.samples + 1
        if whole < 1:
            return result
        for shift, weight in enumerate(self.energy):
            result[..., :whole] += weight * self.lsb_mev * counts[..., shift : shift + whole]
        return result


def find_maxima(energy: npt.NDArray[np.float64]) -> Floats:
    """`energy` (..., crossings) where it is above the crossing before and not below the one after, else 0."""
    inner = energy[..., 1:-1]
    peaks = (inner > energy[..., :-2]) & (inner >= energy[..., 2:])
    result = np.zeros_like(energy)
    result[..., 1:-1] = np.where(peaks, inner, 0.0)
    return result


def coefficients(g: Floats, slope: Floats, covariance: Floats) -> tuple[Floats, Floats]:
    """Weights (a, b) for the pulse g and its derivative `slope`, (n,) each, in noise of autocovariance (n,).

    Raises SettingError where no weights satisfy the conditions.
    """
    if not g.shape == slope.shape == covariance.shape or g.ndim != 1 or g.size < 2:
        raise SettingError("samples", g.shape, "pulse, derivative and autocovariance need as many samples, 2 at least")
    try:
        whitened = np.linalg.solve(_toeplitz(covariance), np.stack([g, slope], axis=1))
    except np.linalg.LinAlgError as error:
        raise SettingError("covariance", covariance.tolist(), "is singular; give noise to measure it on") from error
    rg, rs = whitened.T
    aa, bb, cc = float(g @ rg), float(slope @ rs), float(g @ rs)
    determinant = aa * bb - cc * cc
    if not determinant > 1e-12 * aa * bb:
        raise SettingError("samples", g.size, "pulse and derivative are not independent in so few samples")
    return (bb * rg - cc * rs) / determinant, (cc * rg - aa * rs) / determinant


def autocovariance(values: Floats, lags: int) -> Floats:
    """Mean product of values 0, 1, ... lags - 1 crossings apart, over the last axis, the overall mean taken off."""
    centred = values - values.mean()
    length = centred.shape[-1]
    if length < lags:
        raise SettingError("crossings", length, f"wanted at least {lags} to measure the autocovariance")
    return np.array([np.mean(centred[..., lag:] * centred[..., : length - lag]) for lag in range(lags)])


def _toeplitz(column: Floats) -> Floats:
    index = np.arange(column.size)
    return column[np.abs(index[:, None] - index[None, :])]
