"""The second evaluation: simulated CMS events against what the experiment's algorithm answered to them.

There are a few thousand, so the efficiency is set in a wider window above the threshold and the numbers come with large
uncertainties. Rates are weighted as those of generated muons, by the density of pT that the events have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .evaluation import (
    EFFICIENCY,
    PRESENT,
    THRESHOLDS,
    Answer,
    cut_at,
    half_width,
    near,
    rate_uncertainties,
    wrong_charge,
)
from .spectrum import rate_density
from .truth import Truth

WIDTH = 8.0
"""GeV above a threshold in which the efficiency is set."""

RESOLUTION_RANGE = (10.0, 40.0)

MIN_PT = 4.0
"""GeV; below, few muons reach the chambers."""


def common(truth: Truth) -> npt.NDArray[np.bool_]:
    """Real events that both the experiment's algorithm and our golden patterns find."""
    result: npt.NDArray[np.bool_] = (truth.real > 0) & truth.candidate & (truth.present_pt > 0) & (truth.pt > MIN_PT)
    return result


def weighted(truth: Truth) -> Truth:
    """The same muons with weights that turn their pT into the spectrum of the LHC."""
    edges = np.geomspace(MIN_PT, max(float(truth.pt.max()) * 1.001, MIN_PT * 2), 25)
    counts, _ = np.histogram(truth.pt, edges)
    where = np.clip(np.digitize(truth.pt, edges) - 1, 0, counts.size - 1)
    density = counts[where] / np.diff(edges)[where]
    return replace(truth, weight=rate_density(truth.pt) / np.maximum(density, 1e-12))


def measure_real(truth: Truth, answers: Mapping[str, Answer]) -> dict[str, dict[str, Any]]:
    """Numbers by form, for the events of `common`, already selected: rates relative to the experiment's algorithm."""
    truth = weighted(truth)
    uncertainty = rate_uncertainties(truth, answers, PRESENT, width=WIDTH)
    rates = {
        form: {
            t: float(
                truth.weight @ cut_at(a.scores[t][near(truth, t, WIDTH)], efficiency=EFFICIENCY).passing(a.scores[t])
            )
            for t in THRESHOLDS
        }
        for form, a in answers.items()
    }
    return {
        form: {
            "real_rate_ratio": {f"at_{t:g}": rates[form][t] / rates[PRESENT][t] for t in THRESHOLDS},
            "real_rate_uncertainty": {f"at_{t:g}": uncertainty[form][t] for t in THRESHOLDS},
            "real_resolution": half_width(truth, answer, *RESOLUTION_RANGE),
            "real_charge_misid": wrong_charge(truth, answer),
            "real_events": len(truth),
        }
        for form, answer in answers.items()
    }
