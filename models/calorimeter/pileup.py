"""Pile-up in one cell: what the other collisions of each crossing leave in it.

A toy of one cell of the middle layer of the barrel: each collision leaves something with a small probability, of an
exponential spectrum with a harder part. Chosen so that noise and pile-up together have an rms after the optimal filter
of about 90 MeV at 140 collisions a crossing and 100 MeV at 200.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SettingError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class PileupSpectrum:
    """Deposits of one collision in one cell. Raises SettingError.

    probability: that there is one. mean_mev: of its transverse energy. tail_share of them have a mean `tail_factor`
    times as large.
    """

    probability: float = 0.0025
    mean_mev: float = 38.0
    tail_share: float = 0.12
    tail_factor: float = 6.0

    def __post_init__(self) -> None:
        for field in ("probability", "tail_share"):
            if not 0.0 <= getattr(self, field) <= 1.0:
                raise SettingError(field, getattr(self, field), "wanted a share, 0 to 1")
        for field in ("mean_mev", "tail_factor"):
            if not getattr(self, field) > 0.0:
                raise SettingError(field, getattr(self, field), "wanted a number above 0")

    def mean(self, collisions: float) -> float:
        """Mean deposit of a crossing with `collisions` collisions on average [MeV]."""
        return collisions * self.probability * self.mean_mev * self._moment(1)

    def variance(self, collisions: float) -> float:
        """Variance of the deposit of a crossing [MeV^2]: rate times mean square, as the collisions are Poisson's."""
        return collisions * self.probability * 2.0 * self.mean_mev**2 * self._moment(2)

    def draw(self, rng: np.random.Generator, collisions: float, filled: npt.NDArray[np.bool_]) -> Floats:
        """Deposits [MeV] of consecutive crossings, none where `filled` is false.

        The number of all deposits is drawn, then the crossing of each: the same as one Poisson number a crossing.
        """
        crossings = np.flatnonzero(filled)
        count = int(rng.poisson(collisions * self.probability * crossings.size))
        if count == 0:
            return np.zeros(filled.size)
        where = crossings[rng.integers(0, crossings.size, count)]
        energy = rng.standard_exponential(count) * self.mean_mev
        energy[rng.random(count, dtype=np.float32) < self.tail_share] *= self.tail_factor
        return np.bincount(where, energy, minlength=filled.size).astype(np.float64)

    def _moment(self, power: int) -> float:
        return 1.0 - self.tail_share + self.tail_share * self.tail_factor**power
