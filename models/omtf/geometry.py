"""The overlap region of CMS as its muon track finder sees it: 18 logic layers, reference layers, integer angles.

Layer numbers, reference layers and their priority are those of the trigger's configuration (CMSSW,
`L1Trigger/L1TMuon/data/omtf_config/hwToLogicLayer_0x0005.xml`); the angular unit is its 5400 bins in a turn. Positions
are rounded from the CMS muon drawings (CMS, JINST 3 (2008) S08004): the algorithm sees no position, only angles.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

ETA_MIN, ETA_MAX = 0.82, 1.24
"""Pseudorapidity of the overlap region."""

PHI_BINS = 5400
"""Units of phi in a full turn."""

PHI_UNIT = 2.0 * math.pi / PHI_BINS
"""Radians."""

PROCESSOR_WIDTH = PHI_BINS // 6
"""Units of phi of the 60 degrees that one of the six processors of a side looks after."""

PHIB_PER_RADIAN = 512
"""Units of the bending angle of a drift-tube stub, Phase 1."""

PHIB_LIMIT = 511
"""Largest bending angle that can be sent: 10 bits with the sign."""

NO_HIT = 9999
"""What a layer without a hit holds; no angle is as large."""


class Technology(StrEnum):
    """Drift tubes, cathode strip chambers, resistive plate chambers; the bending angle is a drift tube's second one."""

    DT = "DT phi"
    BENDING = "DT bending"
    CSC = "CSC"
    RPC = "RPC"


@dataclass(frozen=True)
class Layer:
    """One logic layer: a cylinder of radius `position`, or a disc at |z| = `position` between two radii, in metres."""

    name: str
    technology: Technology
    barrel: bool
    position: float
    r_min: float = 0.0
    r_max: float = math.inf


def _barrel(name: str, technology: Technology, radius: float) -> Layer:
    return Layer(name, technology, True, radius)


def _endcap(name: str, technology: Technology, z: float, r_min: float, r_max: float) -> Layer:
    return Layer(name, technology, False, z, r_min, r_max)


LAYERS: tuple[Layer, ...] = (
    _barrel("MB1", Technology.DT, 4.31),
    _barrel("MB1 bending", Technology.BENDING, 4.31),
    _barrel("MB2", Technology.DT, 5.12),
    _barrel("MB2 bending", Technology.BENDING, 5.12),
    _barrel("MB3", Technology.DT, 6.20),
    _barrel("MB3 bending", Technology.BENDING, 6.20),
    _endcap("ME1/3", Technology.CSC, 6.95, 5.06, 6.98),
    _endcap("ME2/2", Technology.CSC, 8.28, 3.57, 6.96),
    _endcap("ME3/2", Technology.CSC, 9.36, 3.57, 6.96),
    _endcap("ME1/2", Technology.CSC, 6.98, 2.80, 4.65),
    _barrel("RB1in", Technology.RPC, 4.13),
    _barrel("RB1out", Technology.RPC, 4.49),
    _barrel("RB2in", Technology.RPC, 4.95),
    _barrel("RB2out", Technology.RPC, 5.34),
    _barrel("RB3", Technology.RPC, 6.00),
    _endcap("RE1/3", Technology.RPC, 7.05, 5.00, 7.00),
    _endcap("RE2/3", Technology.RPC, 7.95, 5.00, 7.05),
    _endcap("RE3/3", Technology.RPC, 9.65, 5.00, 7.05),
)
"""By logic layer number."""

N_LAYERS = len(LAYERS)

BENDING_LAYERS = {1: 0, 3: 2, 5: 4}
"""Layers that hold a bending angle, and the layer with the position of the same stub."""

POSITION_LAYERS = tuple(index for index in range(N_LAYERS) if index not in BENDING_LAYERS)
"""Layers that hold an angle phi."""

REFERENCE_LAYERS = (0, 7, 2, 6, 16, 4, 10, 11)
"""Logic layers that can be the origin of angles, in falling order of priority: reference number -> logic layer."""

N_REFERENCES = len(REFERENCE_LAYERS)

BARREL_Z_MIN, BARREL_Z_MAX = 3.95, 6.61
"""|z| in metres that the outermost barrel wheels cover; the inner ones belong to the barrel's own track finder."""
