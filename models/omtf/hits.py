"""The reference hit, and all angles relative to it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .geometry import N_LAYERS, NO_HIT, POSITION_LAYERS, REFERENCE_LAYERS

Hits = npt.NDArray[np.int16]


def choose_reference(hits: Hits) -> npt.NDArray[np.int8]:
    """Number of the reference layer of highest priority that has a hit; -1 where none has. (muons, 18) -> (muons,)."""
    seen = hits[:, list(REFERENCE_LAYERS)] != NO_HIT
    return np.where(seen.any(axis=1), seen.argmax(axis=1), -1).astype(np.int8)


def relative_to_reference(hits: Hits, reference_hits: Hits, reference: npt.NDArray[np.int8]) -> Hits:
    """Angles of `hits` less that of the reference hit, which is in `reference_hits`; (muons, 18) int16.

    Bending angles stay as they are. `NO_HIT` stays too; a muon without reference hit has no hits.
    """
    layer = np.array(REFERENCE_LAYERS)[np.maximum(reference, 0)]
    origin = reference_hits[np.arange(len(hits)), layer]
    origin = np.where(reference >= 0, origin, 0).astype(np.int16)
    result = hits.copy()
    positions = np.zeros(N_LAYERS, np.bool_)
    positions[list(POSITION_LAYERS)] = True
    np.subtract(hits, origin[:, None], out=result, where=positions[None, :] & (hits != NO_HIT))
    result[reference < 0] = NO_HIT
    return result
