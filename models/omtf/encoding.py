"""What the network reads of a candidate: 44 integers, as a look-up table in front of it would deliver them.

18 angles, 18 bits that tell which layers have a hit, 8 bits of which one tells the reference layer. An angle goes
through a table of one 11-bit address a layer: sign(d) log(1 + |d| / s) / 2, rounded to 1/64. Small angles, i.e. large
momenta, so keep their resolution while large ones need no more bits; with the angle itself as input the network learns
worse than the algorithm it replaces. A layer without a hit has the angle 0.

All values are exact in `INPUT_TYPE`; the bits are 0 and 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .candidates import Candidates
from .geometry import BENDING_LAYERS, LAYERS, N_LAYERS, N_REFERENCES, NO_HIT, REFERENCE_LAYERS

INPUT_TYPE = "ap_fixed<9,3,AP_RND_CONV,AP_SAT>"
"""Step 1/64, from -4 to 4: the largest code is 3.56."""

STEPS = 64
"""Integer codes per unit."""

N_INPUTS = 2 * N_LAYERS + N_REFERENCES

MAX_ANGLE = 1023
"""Larger angles are sent as this one: 11 bits with the sign."""

_SCALE = {False: 1.5, True: 6.0}
"""s in units of the layer's angle, about twice its resolution: for positions, and for bending angles."""

FEATURES: tuple[str, ...] = (
    *(f"angle {layer.name}" for layer in LAYERS),
    *(f"hit {layer.name}" for layer in LAYERS),
    *(f"reference {LAYERS[layer].name}" for layer in REFERENCE_LAYERS),
)

UNITS: tuple[str, ...] = (
    *("log(1 + |angle| / s) / 2 in 1/64",) * N_LAYERS,
    *("1",) * (N_LAYERS + N_REFERENCES),
)


def angle_table(bending: bool) -> npt.NDArray[np.int16]:
    """Codes of the angles -1023 ... 1023: the content of a layer's look-up table."""
    angles = np.arange(-MAX_ANGLE, MAX_ANGLE + 1, dtype=np.float64)
    codes = np.rint(np.sign(angles) * np.log1p(np.abs(angles) / _SCALE[bending]) / 2.0 * STEPS)
    return codes.astype(np.int16)


def encode(candidates: Candidates) -> npt.NDArray[np.float32]:
    """(muons, 44) in the order of `FEATURES`."""
    x = np.zeros((len(candidates), N_INPUTS), np.float32)
    for layer in range(N_LAYERS):
        angle = candidates.angles[:, layer]
        hit = angle != NO_HIT
        address = np.clip(angle, -MAX_ANGLE, MAX_ANGLE).astype(np.intp) + MAX_ANGLE
        code = angle_table(layer in BENDING_LAYERS)[address]
        x[:, layer] = np.where(hit, code, 0) / np.float32(STEPS)
        x[:, N_LAYERS + layer] = hit
    seen = np.flatnonzero(candidates.reference >= 0)
    x[seen, 2 * N_LAYERS + candidates.reference[seen]] = 1.0
    return x
