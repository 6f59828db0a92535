"""Simulated CMS events with the answer of the track finder that ran in the experiment, as a sample of ours.

The file is the demonstration data set of the Warsaw group (akalinow/fuw-nn4omtf-demo) as plain arrays: HITS (N, 18, 2)
with all angles shifted by 600 so that 0 means no hit, PT_VAL, SIGN and, for the test part, OMTF_PT, OMTF_SIGN and
OMTF_QUALITY. Unlike ours the muons also come from outside 0.82 < |eta| < 1.24, and eta is not told.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.errors import SampleFileError

from .geometry import N_LAYERS, NO_HIT
from .sample import MuonSample

ANGLE_OFFSET = 600
"""Added to all angles, of both kinds, in the file."""

_PART = "TEST"
_COLUMNS = ("HITS", "PT_VAL", "SIGN", "OMTF_PT", "OMTF_SIGN", "OMTF_QUALITY")


@dataclass(frozen=True, eq=False)
class RealEvents:
    """Muons, and the present algorithm's answer to each: pT [GeV], 0 where it has none; charge; quality 0, 4 or 12."""

    sample: MuonSample
    present_pt: npt.NDArray[np.float32]
    present_charge: npt.NDArray[np.int8]
    present_quality: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.sample)


def load_real_events(path: Path) -> RealEvents:
    """Read the file, or the last one by name of a folder of them. Raises SampleFileError."""
    if path.is_dir():
        files = sorted(path.glob("omtf_*_plain.npz"))
        if not files:
            raise SampleFileError(path, "no file omtf_*_plain.npz in this folder", "Correct the path")
        path = files[-1]
    if not path.is_file():
        raise SampleFileError(path, "no such file", "Correct the path, or leave out real_events")
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            columns = {name: archive[f"{_PART}_{name}"] for name in _COLUMNS}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise SampleFileError(
            path, f"unreadable as events of the track finder ({error})", "Correct the path"
        ) from error
    raw = columns["HITS"]
    if raw.ndim != 3 or raw.shape[1:] != (N_LAYERS, 2) or any(len(c) != len(raw) for c in columns.values()):
        raise SampleFileError(path, f"HITS has shape {raw.shape}, wanted (N, {N_LAYERS}, 2)", "Correct the path")
    hits = np.where(raw == 0, NO_HIT, raw - ANGLE_OFFSET).astype(np.int16)
    pt = columns["PT_VAL"].astype(np.float32)
    answered = columns["OMTF_PT"] > 0
    return RealEvents(
        MuonSample(
            np.ascontiguousarray(hits[:, :, 0]),
            np.ascontiguousarray(hits[:, :, 1]),
            pt,
            np.where(columns["SIGN"] > 0, np.int8(1), np.int8(-1)),
            np.full(len(pt), np.nan, np.float32),
        ),
        np.where(answered, columns["OMTF_PT"], 0).astype(np.float32),
        np.where(columns["OMTF_SIGN"] > 0, np.int8(1), np.int8(-1)),
        np.where(answered, columns["OMTF_QUALITY"], 0).astype(np.int8),
    )
