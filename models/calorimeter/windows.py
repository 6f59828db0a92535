"""What the network reads of a crossing, and which crossings it is trained and tested on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .errors import SettingError
from .sample import CellSample

COUNTS_PER_UNIT = 1024
"""ADC counts that are 1 in the network: the binary point of the input, which costs nothing in hardware."""

MEV_PER_UNIT = 4096.0
"""MeV that are 1 at the output: the least bit 2^-12 is 1 MeV."""

INPUT_TYPE = "ap_fixed<15,5>"
"""ADC counts less the pedestal, -1024 to 15,383 for a pedestal of at most 1024: 15 bits with sign, each count exact."""

MARGIN = 100
"""Crossings left out at either end of a sample: there the previous pulse may be unknown."""

UNKNOWN_GAP = 10_000
"""Gap of a crossing before which the sample has no pulse."""


@dataclass(frozen=True)
class Window:
    """Samples from `past` crossings before that of the deposit to `future` after it. The pulse peaks at 2 after."""

    past: int
    future: int

    def __post_init__(self) -> None:
        for field in ("past", "future"):
            if not 0 <= getattr(self, field) <= MARGIN - 10:
                raise SettingError(field, getattr(self, field), f"wanted 0 to {MARGIN - 10} crossings")

    @property
    def samples(self) -> int:
        return self.past + 1 + self.future

    def inputs(
        self, sample: CellSample, cell: npt.NDArray[np.int64], crossing: npt.NDArray[np.int64], pedestal: int
    ) -> npt.NDArray[np.float32]:
        """float32 (events, samples): counts less the pedestal, over 1024; every value is exact."""
        columns = crossing[:, None] + np.arange(-self.past, self.future + 1)
        counts = sample.adc[cell[:, None], columns].astype(np.float32)
        return (counts - np.float32(pedestal)) / np.float32(COUNTS_PER_UNIT)


def gaps(injected: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Crossings since the previous signal, (cells, crossings); `UNKNOWN_GAP` before the first."""
    index = np.arange(injected.shape[1])
    latest = np.maximum.accumulate(np.where(injected > 0.0, index, -UNKNOWN_GAP), axis=1)
    previous = np.concatenate([np.full((len(injected), 1), -UNKNOWN_GAP), latest[:, :-1]], axis=1)
    return np.minimum(index - previous, UNKNOWN_GAP)


def choose(
    sample: CellSample, empty_per_pulse: float, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Cell and crossing of every signal, and of `empty_per_pulse` times as many crossings without one, drawn by `rng`.

    Within `MARGIN` of the ends nothing is taken.
    """
    signal = sample.injected > 0.0
    inside = np.zeros(sample.crossings, np.bool_)
    inside[MARGIN : sample.crossings - MARGIN] = True
    share = empty_per_pulse * signal.mean() / max(1.0 - signal.mean(), 1e-9)
    drawn = rng.random(signal.shape, dtype=np.float32) < share
    cell, crossing = np.nonzero((signal | drawn) & inside)
    return cell, crossing
