"""The 43 classes of transverse momentum that the network tells apart, and its targets.

The edges are those of the Warsaw group's classifier (akalinow/MachineLearning, `OMTF_NN.ipynb`). Class k holds
momenta above edge k - 1 up to and including edge k; class 0 stays empty, classes 1 to 5 nearly so.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

EDGES = np.concatenate(
    [np.arange(0.0, 5.0, 0.5), np.arange(5.0, 30.0, 1.0), [30.0, 35.0, 40.0, 50.0, 60.0, 80.0, 100.0, 99999.0]]
)
"""Upper edge of each class, GeV."""

N_BINS = EDGES.size
N_OUTPUTS = N_BINS + 1
"""The logits of the classes, then that of a positive charge."""

CHARGE_OUTPUT = N_BINS

_LAST = 150.0

CENTRES = np.concatenate([[0.25], 0.5 * (EDGES[:-2] + EDGES[1:-1]), [_LAST]])
"""A momentum for each class, GeV."""


def bin_of(pt: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Class of each pT [GeV]."""
    return np.searchsorted(EDGES[:-1], np.asarray(pt), side="left").astype(np.int64)


def targets(pt: npt.NDArray[Any], charge: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """(muons, 44): one of the class, then 1 for a positive charge."""
    result = np.zeros((len(pt), N_OUTPUTS), np.uint8)
    result[np.arange(len(pt)), bin_of(pt)] = 1
    result[:, CHARGE_OUTPUT] = np.asarray(charge) > 0
    return result


def names() -> tuple[str, ...]:
    """What each output stands for."""
    ranges = [f"pT <= {EDGES[0]:g}"]
    ranges += [f"{low:g} < pT <= {high:g}" for low, high in pairwise(EDGES[:-1])]
    return (*ranges, f"pT > {EDGES[-2]:g}", "positive charge")
