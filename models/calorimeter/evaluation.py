"""How well a form of the network, or the optimal filter, measures the energy of a crossing. NumPy only.

A residual is the energy given less the true transverse energy of the crossing, pile-up included. Resolution is its
standard deviation, bias its mean. Residuals are limited to +-2 GeV first, so that pulses which the maximum finder loses
(it gives 0) do not decide the comparison: this favours the optimal filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .truth import Truth
from .windows import MEV_PER_UNIT

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]

PULSE_MEV = 240.0
"""Signals above this are pulses: about three times the noise after the optimal filter. Also the cut for fakes."""

OVERLAPPING_GAP = 20
"""A pulse less than so many crossings after the previous signal lies on its tail."""

ISOLATED_GAP = 30
"""From so many on it lies on nothing."""

EMPTY_MEV = 1.0
"""A crossing with less true energy is empty."""

RESIDUAL_LIMIT_MEV = 2000.0

BASELINE = "optimal filter + maximum finder"
FILTER_ALONE = "optimal filter"

FLOAT = "float"


def energy_of(output: npt.ArrayLike) -> Floats:
    """Energies [MeV] (events,) of the outputs (events, 1) of a network."""
    values = np.asarray(output, dtype=np.float64)
    return values.reshape(len(values)) * MEV_PER_UNIT


def pulses(truth: Truth) -> Booleans:
    """Crossings with a signal above `PULSE_MEV`."""
    return truth.injected > PULSE_MEV


def residuals(energy: Floats, truth: Truth) -> Floats:
    """Limited residuals [MeV]."""
    return np.clip(energy - truth.energy, -RESIDUAL_LIMIT_MEV, RESIDUAL_LIMIT_MEV)


def resolution(values: Floats) -> tuple[float, float]:
    """Standard deviation of residuals and its statistical uncertainty; NaN for fewer than two."""
    if values.size < 2:
        return float("nan"), float("nan")
    centred = values - values.mean()
    variance = float(np.mean(centred**2))
    spread = float(np.mean(centred**4)) - variance**2
    if variance == 0.0:
        return 0.0, 0.0
    return variance**0.5, (max(spread, 0.0) / values.size) ** 0.5 / (2.0 * variance**0.5)


def measure(energy: Floats, truth: Truth) -> dict[str, Any]:
    """All numbers of one way to measure the energy, by name, as JSON values. Energies in MeV.

    core: half the width of the middle 68 %. efficiency: share of pulses given more than 240 MeV. empty.rms: of what is
    given in empty crossings; empty.fakes_per_million: of these crossings, how many are given more than 240 MeV.
    """
    off = residuals(energy, truth)
    pulse, empty = pulses(truth), truth.energy < EMPTY_MEV
    samples = {
        "overlapping": pulse & (truth.gap < OVERLAPPING_GAP),
        "isolated": pulse & (truth.gap >= ISOLATED_GAP),
    }
    width, uncertainty = resolution(off[pulse])
    low, high = np.percentile(off[pulse], [15.865, 84.135]) if pulse.any() else (np.nan, np.nan)
    found: dict[str, Any] = {
        "resolution": width,
        "resolution_uncertainty": uncertainty,
        "core": float(high - low) / 2.0,
        "bias": _mean(off[pulse]),
        "efficiency": _mean(energy[pulse] > PULSE_MEV),
    }
    for name, chosen in samples.items():
        width, uncertainty = resolution(off[chosen])
        found[name] = {"resolution": width, "resolution_uncertainty": uncertainty, "bias": _mean(off[chosen])}
    found["empty"] = {
        "rms": _mean(energy[empty] ** 2) ** 0.5,
        "fakes_per_million": 1e6 * _mean(energy[empty] > PULSE_MEV),
    }
    return found


def measure_all(outputs: Mapping[str, npt.ArrayLike], truth: Truth) -> dict[str, dict[str, Any]]:
    """`measure` for every form of the network and for the optimal filter, with and without the maximum finder.

    Forms of the network also have `improvement.overall` and `improvement.overlapping`, the resolution of filter plus
    maximum finder over their own, and, where the float network is there, `resolution_kept`, the float network's
    resolution over their own: 0.971 is a loss of 3 %.
    """
    measured = {form: measure(energy_of(output), truth) for form, output in outputs.items()}
    baseline = measure(truth.optimal_filter_maximum, truth)
    for found in measured.values():
        found["improvement"] = {
            "overall": _ratio(baseline["resolution"], found["resolution"]),
            "overlapping": _ratio(baseline["overlapping"]["resolution"], found["overlapping"]["resolution"]),
        }
        if FLOAT in measured:
            found["resolution_kept"] = _ratio(measured[FLOAT]["resolution"], found["resolution"])
    return {**measured, FILTER_ALONE: measure(truth.optimal_filter, truth), BASELINE: baseline}


def binned(off: Floats, by: Floats, edges: Floats, fewest: int = 20) -> tuple[Floats, Floats, Floats]:
    """Bias, resolution and its uncertainty of residuals in the bins of `by`; NaN where fewer than `fewest` are."""
    place = np.digitize(by, edges) - 1
    result = np.full((3, len(edges) - 1), np.nan)
    for number in range(len(edges) - 1):
        chosen = off[place == number]
        if chosen.size >= fewest:
            result[:, number] = (chosen.mean(), *resolution(chosen))
    return result[0], result[1], result[2]


def remarks_on(outputs: Mapping[str, npt.ArrayLike], truth: Truth) -> tuple[str, ...]:
    """What the numbers mean, and how far the forms differ."""
    found = [
        f"Resolutions are of {int(pulses(truth).sum()):,} pulses above {PULSE_MEV:g} MeV, residuals limited to "
        f"+-{RESIDUAL_LIMIT_MEV:g} MeV; overlapping: less than {OVERLAPPING_GAP} crossings after the previous signal",
        "The optimal filter alone answers in every crossing, beside pulses too: it needs the maximum finder to tell "
        "which crossing a pulse belongs to, and is shown without only to see what that costs",
    ]
    names = list(outputs)
    for position, first in enumerate(names):
        for second in names[position + 1 :]:
            apart = np.abs(energy_of(outputs[first]) - energy_of(outputs[second]))
            found.append(f"{first} and {second} differ by {apart.mean():.2f} MeV on average, {apart.max():.0f} at most")
    return tuple(found)


def _mean(values: npt.NDArray[Any]) -> float:
    return float(values.mean()) if values.size else float("nan")


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0.0 else float("nan")
