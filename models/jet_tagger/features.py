"""What the trigger hands to the network: integers on the wire, and the same integers scaled by powers of two.

Constituents are those of the CMS Phase-2 Level-1 correlator (PUPPI candidates, CMS-TDR-021): pT in 14 unsigned bits of
0.25 GeV, angles in units of pi/720 (0.0044 rad), here relative to the jet as signed integers of 9 bits, which hold
+-1.1 and so every constituent of a jet of R = 0.8.

The network sees these integers times a power of two, which in hardware is a choice of where the binary point stands
and costs nothing: no division by the jet's pT and no logarithm. pT saturates at 1024 GeV, beyond which 0.03 %
of the leading constituents lie. Every value of `constituent_inputs` is exact in `CONSTITUENT_INPUT_TYPE`, so
that converting it to fixed point changes no bit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from firmware_flows.files import write_json

from .errors import SampleError, SampleFileError
from .sample import HIGH_LEVEL_FEATURES, JetSample

PT_LSB_GEV = 0.25
PT_BITS = 14
ANGLE_LSB = np.pi / 720
"""Unit of eta and phi [rad], as in CMS's correlator."""
ANGLE_BITS = 9
"""Signed, relative to the jet."""

MIN_PT_GEV = 2.0
"""Constituents must be harder; the cut acts on the integer, as a trigger's does. Value of arXiv:2402.01876."""

PT_SCALE = 2.0**-9
"""One unit of the network is 128 GeV."""
PT_SATURATION = 2**12 - 1
"""Largest pT integer passed on: 1023.75 GeV, just below 8 in units of the network."""
ANGLE_SCALE = 2.0**-5
"""One unit of the network is 32 angle units, 0.14 rad."""

CONSTITUENT_INPUT_TYPE = "ap_fixed<14,5,AP_RND,AP_SAT>"
"""Holds pT (9 fractional bits, below 8) and angles (5 fractional bits, -8 to 7.97) exactly."""

HIGH_LEVEL_INPUT_TYPE = "ap_fixed<12,4,AP_RND,AP_SAT>"
"""Standardised features: steps of 1/256, saturating at 8 standard deviations."""

Integers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def to_hardware_units(constituents: npt.NDArray[Any]) -> Integers:
    """Integers on the wire, int32 (N, n, 3), of physical (N, n, 3) pT [GeV], eta_rel, phi_rel [rad].

    Rounded to the nearest, halves up, and saturating: pT in 0 .. 2^14 - 1, angles in -2^8 .. 2^8 - 1.
    Raises `SampleError` for another shape, or for NaN.
    """
    if constituents.ndim != 3 or constituents.shape[2] != 3:
        raise SampleError("constituents", f"expected (N, n, 3), got {constituents.shape}")
    units = np.array([PT_LSB_GEV, ANGLE_LSB, ANGLE_LSB])
    rounded = np.floor(constituents.astype(np.float64) / units + 0.5)
    if np.isnan(rounded).any():
        raise SampleError("constituents", "NaN has no hardware value")
    angle = 2 ** (ANGLE_BITS - 1)
    return np.clip(rounded, [0, -angle, -angle], [2**PT_BITS - 1, angle - 1, angle - 1]).astype(np.int32)


def hardware_to_network(integers: Integers) -> Floats:
    """Inputs of the network, float32 of the same shape, of the integers on the wire; exact."""
    pt = np.minimum(integers[..., :1], PT_SATURATION) * PT_SCALE
    return np.concatenate([pt, integers[..., 1:] * ANGLE_SCALE], axis=-1).astype(np.float32)


def constituent_inputs(sample: JetSample, n: int) -> Floats:
    """Inputs of the network, float32 (N, n, 3), from the leading `n` constituents with pT above `MIN_PT_GEV`.

    Empty places are zero. Raises `SampleError` if the sample has no constituents, fewer than `n`, or out of order.
    """
    stored = sample.constituents.shape[1]
    if not 0 < n <= stored:
        raise SampleError("constituents", f"wanted {n} of each jet, the sample has {stored}")
    leading = sample.constituents[:, :n]
    if (np.diff(leading[:, :, 0], axis=1) > 0).any():
        raise SampleError("constituents", "not in falling order of pT")
    integers = to_hardware_units(leading)
    hard = integers[:, :, :1] * PT_LSB_GEV > MIN_PT_GEV
    return hardware_to_network(np.where(hard, integers, 0).astype(np.int32))


@dataclass(frozen=True)
class Standardisation:
    """Mean and standard deviation of the 16 high-level features, in their own units, of the training part."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, sample: JetSample) -> Standardisation:
        """Statistics of `sample`, which should be the training part alone. Raises `SampleError` if it has none."""
        values = _high_level(sample).astype(np.float64)
        std = values.std(axis=0)
        if not (std > 0).all():
            constant = HIGH_LEVEL_FEATURES[int(np.argmin(std))]
            raise SampleError("high_level", f"{constant} is the same for all jets")
        return cls(tuple(values.mean(axis=0).tolist()), tuple(std.tolist()))

    def save(self, path: Path) -> None:
        """Write as JSON, with the names of the features."""
        write_json(path, {"features": list(HIGH_LEVEL_FEATURES), **asdict(self)})

    @classmethod
    def load(cls, path: Path) -> Standardisation:
        """Read a file of `save`. Raises `SampleFileError`."""
        import json

        remedy = "Fit the standardisation on the training part again"
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            if content["features"] != list(HIGH_LEVEL_FEATURES):
                raise SampleFileError(path, "its features are not the 16 in our order", remedy)
            return cls(tuple(map(float, content["mean"])), tuple(map(float, content["std"])))
        except SampleFileError:
            raise
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise SampleFileError(path, f"not a standardisation ({error})", remedy) from error


def high_level_inputs(sample: JetSample, mean: npt.ArrayLike, std: npt.ArrayLike) -> Floats:
    """z-scores (value - mean) / std, float32 (N, 16). `HIGH_LEVEL_INPUT_TYPE` rounds and saturates them.

    Raises `SampleError` if the sample has no high-level features, `InputError` unless std is positive.
    """
    deviation = np.asarray(std, dtype=np.float64)
    if not (deviation > 0).all():
        raise InputError(f"standard deviations must be positive, got {deviation.tolist()}")
    return ((_high_level(sample) - np.asarray(mean, dtype=np.float64)) / deviation).astype(np.float32)


def _high_level(sample: JetSample) -> Floats:
    if sample.high_level.shape[1] == 0:
        raise SampleError("high_level", "this sample has none")
    return sample.high_level
