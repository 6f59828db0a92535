"""Which of the 3,564 crossings of an LHC orbit hold colliding bunches: the 25 ns scheme of 2,808 bunches, simplified.

Trains of 72 bunches come from the pre-accelerators, up to four in a row with 8 empty places (the rise of the injection
kicker) between them and 31 more after each row; the orbit ends in a gap in which the beam can be dumped.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

ORBIT = 3564
"""Crossings of an orbit, 25 ns each."""

TRAIN, TRAIN_GAP = 72, 8
TRAINS_IN_ROW, ROW_GAP = 4, 31
TRAINS = 39
"""Nine rows of four and one of three."""


@cache
def orbit() -> npt.NDArray[np.bool_]:
    """Whether each crossing of the orbit has collisions: bool (3564,), read-only."""
    filled = np.zeros(ORBIT, dtype=bool)
    start = 0
    for number in range(1, TRAINS + 1):
        filled[start : start + TRAIN] = True
        start += TRAIN + TRAIN_GAP
        if number % TRAINS_IN_ROW == 0:
            start += ROW_GAP
    filled.setflags(write=False)
    return filled


def crossings(length: int, first: int) -> npt.NDArray[np.bool_]:
    """`length` consecutive crossings, beginning with crossing `first` of an orbit."""
    turns = -(-(first + length) // ORBIT)
    return np.tile(orbit(), turns)[first : first + length]
