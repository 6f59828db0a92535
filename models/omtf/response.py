"""What the chambers make of the muons that cross them: efficiency, resolution, digits, and hits of something else.

Efficiencies are typical of the CMS muon chambers (CMS, JINST 13 (2018) P06015). Resolutions are those that reproduce,
with the scattering of `propagation.py`, the spread of the angles in simulated CMS events (`real_events.py`) from 5 to
70 GeV; resistive plates have strips of 5/16 degree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .geometry import (
    BENDING_LAYERS,
    LAYERS,
    N_LAYERS,
    NO_HIT,
    PHI_UNIT,
    PHIB_LIMIT,
    PHIB_PER_RADIAN,
    POSITION_LAYERS,
    Technology,
)
from .propagation import Booleans, Tracks

Hits = npt.NDArray[np.int16]

HALF_STRIP = 0.5 * 5.0 / 16.0 / 360.0 * 5400
"""Units of phi. The centre of a cluster of strips lies on a strip or between two: 2.34 units."""


@dataclass(frozen=True)
class Chambers:
    """Response of the layers, by technology, and the background.

    Resolutions in units of phi, of the bending angle in units of the bending angle. background: chance of one more hit
    in a layer that the muon crosses: delta rays and showers near the track (`near_share`, Gaussian of `near_width`
    units), neutrons and others anywhere within `far_width` units of it.
    """

    dt_efficiency: float = 0.96
    csc_efficiency: float = 0.965
    rpc_barrel_efficiency: float = 0.95
    rpc_endcap_efficiency: float = 0.94
    bending_efficiency: float = 0.80
    dt_resolution: float = 0.35
    csc_resolution: float = 0.35
    rpc_resolution: float = 1.5
    bending_resolution: float = 1.6
    background: float = 0.04
    near_share: float = 0.6
    near_width: float = 12.0
    far_width: float = 150.0

    def efficiency(self, index: int) -> float:
        """Chance that a muon through layer `index` gives a hit; of a bending angle, where there is the stub."""
        layer = LAYERS[index]
        return {
            Technology.DT: self.dt_efficiency,
            Technology.BENDING: self.bending_efficiency,
            Technology.CSC: self.csc_efficiency,
            Technology.RPC: self.rpc_barrel_efficiency if layer.barrel else self.rpc_endcap_efficiency,
        }[layer.technology]

    def resolution(self, index: int) -> float:
        """Standard deviation of a measured angle, in the layer's units, before rounding."""
        return {
            Technology.DT: self.dt_resolution,
            Technology.BENDING: self.bending_resolution,
            Technology.CSC: self.csc_resolution,
            Technology.RPC: self.rpc_resolution,
        }[LAYERS[index].technology]


def respond(tracks: Tracks, chambers: Chambers, rng: np.random.Generator) -> tuple[Hits, Hits]:
    """First and second hit of every layer, int16 (muons, 18); `NO_HIT` where there is none.

    The muon's own hit is the first one. A background hit comes second, or first where the muon left none; it has no
    bending angle.
    """
    muons = tracks.phi.shape[1]
    first = np.full((N_LAYERS, muons), NO_HIT, np.int16)
    second = np.full((N_LAYERS, muons), NO_HIT, np.int16)
    for index in POSITION_LAYERS:
        found = tracks.reached[index] & (rng.random(muons, np.float32) < chambers.efficiency(index))
        measured = tracks.phi[index] * np.float32(1.0 / PHI_UNIT)
        _smear(measured, chambers.resolution(index), rng)
        if LAYERS[index].technology is Technology.RPC:
            measured *= np.float32(1.0 / HALF_STRIP)
            np.rint(measured, out=measured)
            measured *= np.float32(HALF_STRIP)
        np.copyto(first[index], np.rint(measured).astype(np.int16), where=found)
        _add_background(tracks, index, chambers, rng, first, second)
        if index + 1 in BENDING_LAYERS and BENDING_LAYERS[index + 1] == index:
            _measure_bending(tracks.phi[index + 1], found, chambers, rng, first[index + 1], index + 1)
    return np.ascontiguousarray(first.T), np.ascontiguousarray(second.T)


def _measure_bending(
    angle: npt.NDArray[np.float32],
    stub: Booleans,
    chambers: Chambers,
    rng: np.random.Generator,
    out: Hits,
    index: int,
) -> None:
    """Only stubs seen in both halves of a chamber have a usable direction."""
    found = stub & (rng.random(angle.size, np.float32) < chambers.efficiency(index))
    measured = angle * np.float32(PHIB_PER_RADIAN)
    _smear(measured, chambers.resolution(index), rng)
    np.rint(measured, out=measured)
    np.clip(measured, -PHIB_LIMIT, PHIB_LIMIT, out=measured)
    np.copyto(out, measured.astype(np.int16), where=found)


def _add_background(
    tracks: Tracks, index: int, chambers: Chambers, rng: np.random.Generator, first: Hits, second: Hits
) -> None:
    if chambers.background <= 0.0:
        return
    muons = tracks.phi.shape[1]
    # Few muons have one, so their number is drawn, and then who they are.
    chosen = rng.integers(0, muons, rng.binomial(muons, chambers.background))
    chosen = chosen[tracks.reached[index, chosen]]
    distance = np.where(
        rng.random(chosen.size) < chambers.near_share,
        rng.normal(0.0, chambers.near_width, chosen.size),
        rng.uniform(-chambers.far_width, chambers.far_width, chosen.size),
    )
    angle = np.rint(tracks.phi[index, chosen] / PHI_UNIT + distance).astype(np.int16)
    alone = first[index, chosen] == NO_HIT
    first[index, chosen[alone]] = angle[alone]
    second[index, chosen[~alone]] = angle[~alone]


def _smear(values: npt.NDArray[Any], width: float, rng: np.random.Generator) -> None:
    noise = rng.standard_normal(values.size, np.float32)
    noise *= np.float32(width)
    values += noise
