"""Neighbouring windows gathered together, for speed: overlapping ones share what they pick.

A convolution is a Rearrange that picks every window, then a matrix. With few channels the picking costs more than the
product. Taking G neighbouring windows at once picks what they share once, for a larger matrix with some zeros: exact,
since products by zero change no sum, and faster where the picking saved outweighs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from firmware_flows.fixed_point import Integers

RUNS = (32, 16, 8, 4, 2)
LARGEST_GROUP = 16


@dataclass(frozen=True, eq=False)
class Groups:
    """`slots` (windows of a group, n_in): where each element of each window is among the `indices` (groups, slots)."""

    indices: Integers
    slots: Integers

    def weights(self, weights: Any) -> Any:
        """The matrix (slots, windows * n_out) that does for a group what `weights` (n_in, n_out) do for one window."""
        number, n_out = len(self.slots), weights.shape[1]
        result = np.zeros((self.indices.shape[1], number, n_out), dtype=weights.dtype)
        for window, slots in enumerate(self.slots):
            np.add.at(result[:, window], slots, weights)  # two elements of a window may be the same one
        return result.reshape(-1, number * n_out)


def run_length(indices: Integers, size: int) -> int:
    """How many neighbours are always picked together, from multiples of their number: taken at once in one copy.

    indices: of a Rearrange, flattened; size: of its joined sources.
    """
    for run in RUNS:
        if indices.size % run == 0 and size % run == 0:
            rows = indices.reshape(-1, run)
            first = rows[:, :1]
            together = np.where(first < 0, first, first + np.arange(run))
            if (rows == together).all() and (first[first >= 0] % run == 0).all():
                return run
    return 1


def group_windows(indices: Integers, size: int, n_out: int) -> Groups | None:
    """The fastest grouping of the windows `indices` (windows, n_in), or None where single ones are about as fast.

    size: elements that are picked from; n_out: results of a window.
    """
    best, least = None, 0.9 * _nanoseconds(indices, size, n_out)
    for number in range(2, LARGEST_GROUP + 1):
        if len(indices) % number == 0:
            found = _grouped(indices, number)
            cost = _nanoseconds(found.indices, size, number * n_out)
            if cost < least:
                best, least = found, cost
    return best


def _grouped(indices: Integers, number: int) -> Groups:
    """Groups of so many windows; what is the same element in every group is picked once."""
    picked = indices.reshape(-1, number * indices.shape[1])
    _, first, slots = np.unique(picked, axis=1, return_index=True, return_inverse=True)
    order = np.argsort(first)  # of the first window that has it: neighbours stay neighbours
    rank = np.argsort(order)
    return Groups(picked[:, first[order]], rank[slots.reshape(-1)].reshape(number, -1))


def _nanoseconds(indices: Integers, size: int, n_out: int) -> float:
    """About what picking (windows, n_in) and multiplying take for an event (NumPy's take, OpenBLAS with AVX2)."""
    run = run_length(indices.reshape(-1), size)
    return indices.size * (0.5 / run + 0.02 + (n_out + 6) / 45)
