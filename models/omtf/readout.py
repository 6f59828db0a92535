"""From the logits to what the trigger cuts on, in integers.

The posterior of the 43 classes is a softmax, which firmware would compute as here: exp(z - largest z) from a table of
integers, sums of integers, and a comparison with a constant for each threshold T,

    1024 * (sum over classes above T) >= constant(T) * (sum over all classes).

"Above T" is read at three quarters of T. Nine tenths of the muons just above T shall pass, so the cut asks for little
probability above T itself, which a far tail of the posterior of a soft muon has too; above 3/4 T it asks for about
half. (Golden patterns do the same: their cut for 20 GeV is the pattern of 16.) Nor would the most probable class do.

So the answer of the bit-accurate logits is exact on any machine, and float networks are read out by the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .momentum_bins import CENTRES, CHARGE_OUTPUT, EDGES, N_BINS, N_OUTPUTS

Integers = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

STEPS_PER_UNIT = 256
"""Logits are compared in steps of 1/256."""

RANGE = 16
"""Beyond this difference to the largest logit a class counts nothing."""

SCALE_BITS = 20
"""exp(0) = 2**20."""

CONSTANT_BITS = 10
"""Of the constant of a threshold."""

READING_SHARE = 0.75
"""Where the posterior is read for a threshold, as a share of it."""


_BLOCK = 8192


def exponential_table() -> Integers:
    """2**20 exp(-i / 256), rounded; the last entry is 0 and stands for everything beyond."""
    steps = np.arange(RANGE * STEPS_PER_UNIT + 1)
    table = np.rint(np.exp(-steps / STEPS_PER_UNIT) * 2.0**SCALE_BITS).astype(np.int64)
    table[-1] = 0
    return table


def posterior(logits: npt.NDArray[Any]) -> Integers:
    """Unnormalised posterior of the classes, integers (muons, 43), from outputs (muons, 44)."""
    if logits.ndim != 2 or logits.shape[1] != N_OUTPUTS:
        raise ValueError(f"the network has outputs of shape {logits.shape[1:]}, wanted ({N_OUTPUTS},)")
    table = exponential_table()
    weights = np.empty((len(logits), N_BINS), np.int64)
    for start in range(0, len(logits), _BLOCK):
        classes = logits[start : start + _BLOCK, :N_BINS].astype(np.float64)
        below = (classes.max(axis=1, keepdims=True) - classes) * STEPS_PER_UNIT
        index = np.minimum(below, RANGE * STEPS_PER_UNIT).astype(np.intp)  # cut off towards zero: the floor
        weights[start : start + _BLOCK] = table[index]
    return weights


def first_bin_above(threshold: float) -> int:
    """The lowest class that counts as above a threshold [GeV]: from the last edge that is not beyond 3/4 of it."""
    read_at = READING_SHARE * threshold
    edge = int(np.searchsorted(EDGES, read_at, side="right")) - 1
    if not EDGES[0] < read_at <= EDGES[-2]:
        raise ValueError(f"{threshold:g} GeV is no threshold that the momentum classes can tell")
    return edge + 1


def sums(weights: Integers, threshold: float) -> tuple[Integers, Integers]:
    """Posterior above a threshold [GeV], and all of it: two integers a muon."""
    return weights[:, first_bin_above(threshold) :].sum(axis=1), weights.sum(axis=1)


def score(weights: Integers, threshold: float) -> Doubles:
    """How probable it is that pT is above a threshold [GeV], from `posterior`: the ratio of two integers."""
    above, total = sums(weights, threshold)
    return above / total


def passes(weights: Integers, threshold: float, constant: int) -> npt.NDArray[np.bool_]:
    """Whether muons pass a threshold [GeV]: the comparison of integers that firmware makes."""
    above, total = sums(weights, threshold)
    return np.asarray((above << CONSTANT_BITS) >= constant * total)


def constant_for(scores: npt.NDArray[Any], efficiency: float) -> int:
    """The largest constant that at least this share of muons with these scores passes."""
    cut = np.quantile(scores, 1.0 - efficiency, method="lower")
    return int(np.floor(cut * 2**CONSTANT_BITS))


def hardware_pt(weights: Integers, thresholds: Sequence[float], constants: Sequence[int]) -> npt.NDArray[np.int64]:
    """The trigger's 9-bit code pT / 0.5 GeV + 1 of the highest threshold passed with all below it; 0: none."""
    code = np.zeros(len(weights), np.int64)
    passed = np.ones(len(weights), np.bool_)
    for threshold, constant in sorted(zip(thresholds, constants, strict=True)):
        passed &= passes(weights, threshold, constant)
        code[passed] = round(2.0 * threshold) + 1
    return code


def expected_pt(weights: Integers) -> Doubles:
    """Geometric mean of pT under the posterior, GeV: the estimate whose resolution is quoted."""
    result: Doubles = np.exp(weights @ np.log(CENTRES) / weights.sum(axis=1))
    return result


def charge(logits: npt.NDArray[Any]) -> npt.NDArray[np.int8]:
    """+1 where the last logit is positive, else -1: a sign bit."""
    return np.where(logits[:, CHARGE_OUTPUT] > 0, np.int8(1), np.int8(-1))
