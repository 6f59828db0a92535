"""The test part's `y`: what is known of each muon, in columns, since an evaluation is given nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .candidates import Candidates

Doubles = npt.NDArray[np.float64]

COLUMNS = (
    "pt",  # at the vertex, GeV
    "charge",
    "weight",  # rate that the muon stands for, arbitrary unit; 0 for real events
    "pattern_pt",  # golden patterns of ours, GeV
    "pattern_charge",
    "quality",  # of the golden patterns; 0: no candidate
    "real",  # 1 for an event of the experiment's simulation
    "present_pt",  # what the experiment's algorithm answered to it, GeV; 0: nothing
    "present_charge",
    "present_quality",
)
"""float32 columns."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The columns by name, float64 (muons,)."""

    pt: Doubles
    charge: Doubles
    weight: Doubles
    pattern_pt: Doubles
    pattern_charge: Doubles
    quality: Doubles
    real: Doubles
    present_pt: Doubles
    present_charge: Doubles
    present_quality: Doubles

    def __len__(self) -> int:
        return len(self.pt)

    @property
    def candidate(self) -> npt.NDArray[np.bool_]:
        """Muons that the golden patterns found; the network is asked about no other."""
        result: npt.NDArray[np.bool_] = self.quality > 0
        return result

    def select(self, chosen: npt.NDArray[np.bool_]) -> Truth:
        """Some of the muons."""
        return Truth(*(getattr(self, name)[chosen] for name in COLUMNS))


def pack(
    candidates: Candidates,
    weight: npt.NDArray[np.float64] | None = None,
    present: tuple[npt.NDArray[np.float32], npt.NDArray[np.int8], npt.NDArray[np.int8]] | None = None,
) -> npt.NDArray[np.float32]:
    """`y` (muons, 10); `present`: pT, charge and quality of the experiment's algorithm, for real events."""
    nothing = np.zeros(len(candidates), np.float32)
    columns = [
        candidates.pt,
        candidates.charge,
        nothing if weight is None else weight,
        candidates.pattern_pt,
        candidates.pattern_charge,
        candidates.quality,
        nothing if present is None else nothing + 1,
        *((nothing,) * 3 if present is None else present),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def unpack(y: npt.NDArray[np.float32]) -> Truth:
    """The columns of `pack`."""
    if y.ndim != 2 or y.shape[1] != len(COLUMNS):
        raise ValueError(f"the muons' truth has shape {y.shape}, wanted (muons, {len(COLUMNS)})")
    return Truth(*(y[:, index].astype(np.float64) for index in range(len(COLUMNS))))
