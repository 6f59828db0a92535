"""Transverse momenta: what the generator draws, and what the LHC delivers.

Muons are drawn evenly enough to train on and to measure every threshold with; the weight of each turns the sample
into the spectrum of a Level-1 trigger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Doubles = npt.NDArray[np.float64]

RATE_COEFFICIENTS = (-0.235801, -2.82346, 17.162)
"""Prompt muons in CMS, quadratic in ln pT: ln(rate above pT) = a ln(pT)^2 + b ln(pT) + c, arbitrary unit of rate.
The parametrisation that the Warsaw group weights its studies of the overlap track finder with (`getVxMuRate`)."""


class Spectrum(BaseModel):
    """A mixture of muons that are flat in 1/pT and muons that are flat in pT [GeV]."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inverse_share: float = Field(default=0.5, ge=0.0, le=1.0, description="share of the muons drawn flat in 1/pT")
    pt_min: float = Field(default=2.5, gt=1.5, description="smallest pT, GeV")
    pt_max: float = Field(default=200.0, description="largest pT of those flat in 1/pT, GeV")
    flat_max: float = Field(default=110.0, description="largest pT of those flat in pT, GeV")

    @model_validator(mode="after")
    def _ordered(self) -> Spectrum:
        if not self.pt_min < self.flat_max <= self.pt_max:
            raise ValueError("wanted pt_min < flat_max <= pt_max")
        return self

    def draw(self, muons: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
        """pT [GeV] of `muons` muons."""
        where = rng.random(muons)
        inverse = rng.random(muons) < self.inverse_share
        low, high = 1.0 / self.pt_max, 1.0 / self.pt_min
        pt = np.where(inverse, 1.0 / (low + (high - low) * where), self.pt_min + (self.flat_max - self.pt_min) * where)
        return pt.astype(np.float32)

    def density(self, pt: npt.ArrayLike) -> Doubles:
        """Probability density of the pT drawn, per GeV."""
        pt = np.asarray(pt, np.float64)
        # float32 rounds some of the largest a little beyond the edge.
        margin = 1e-6
        inside = (pt >= self.pt_min * (1 - margin)) & (pt <= self.pt_max * (1 + margin))
        flat = inside & (pt <= self.flat_max * (1 + margin))
        inverse = self.inverse_share / (1.0 / self.pt_min - 1.0 / self.pt_max)
        return np.where(inside, inverse / pt**2, 0.0) + np.where(
            flat, (1.0 - self.inverse_share) / (self.flat_max - self.pt_min), 0.0
        )


def rate_above(pt: npt.ArrayLike) -> Doubles:
    """Rate of prompt muons above pT [GeV], arbitrary unit."""
    a, b, c = RATE_COEFFICIENTS
    logarithm = np.log(np.asarray(pt, np.float64))
    result: Doubles = np.exp(a * logarithm**2 + b * logarithm + c)
    return result


def rate_density(pt: npt.ArrayLike) -> Doubles:
    """Rate of prompt muons per GeV: minus the derivative of `rate_above`."""
    a, b, _ = RATE_COEFFICIENTS
    pt = np.asarray(pt, np.float64)
    return -rate_above(pt) * (2.0 * a * np.log(pt) + b) / pt


def rate_weights(pt: npt.NDArray[Any], spectrum: Spectrum) -> Doubles:
    """Weight of each muon drawn from `spectrum`; over n muons, sum(weights) / n is the rate that they stand for."""
    density = spectrum.density(pt)
    if (density <= 0.0).any():
        raise ValueError("pT outside the spectrum that the muons are said to be drawn from")
    result: Doubles = rate_density(pt) / density
    return result
