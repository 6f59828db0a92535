"""Muons in field and iron, against the patterns of the CMS trigger and against first principles."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from models.omtf.geometry import (
    BENDING_LAYERS,
    ETA_MAX,
    ETA_MIN,
    LAYERS,
    PHI_UNIT,
    PHIB_PER_RADIAN,
    POSITION_LAYERS,
    REFERENCE_LAYERS,
)
from models.omtf.golden_patterns import PATTERN_PT
from models.omtf.propagation import FIELD, FIELD_RADIUS, LOSS_RADIUS, Tracks, propagate

ME22 = 7

LAYERS_OF_TABLE = (0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17)

CMS_PATTERNS = {
    (6.0, 12.0): (24, -183, 9, -110, 4, 4, 11, 29, 20, 12, 7, 3, -1, 4),
    (12.0, 21.0): (13, -87, 7, -57, 3, -1, 6, 16, 11, 8, 6, 3, 1, -1),
    (21.0, 30.0): (8, -53, 4, -35, 2, -1, 4, 10, 6, 5, 4, 2, 0, -1),
    (30.0, 48.0): (5, -38, 3, -25, 1, -1, 3, 7, 4, 4, 2, 1, 0, -1),
    (48.0, 82.0): (3, -24, 2, -16, 1, 0, 2, 4, 2, 2, 1, 1, 0, 0),
}
"""Mean angles (`meanDistPhi`) of the patterns of positive muons in these ranges of pT, to a reference hit in ME2/2,
from a pattern file of the trigger (pleguina/omtf_dataset_production, `DetailedSingleEv_1.xml`). Its bending angles are
in the units of Phase 2, 1024 per radian: ours are half as large."""


def tracks(pt: float, charge: int = 1, muons: int = 200, seed: int | None = None) -> Tracks:
    eta = np.linspace(ETA_MIN, ETA_MAX, muons, dtype=np.float32)
    rng = None if seed is None else np.random.default_rng(seed)
    return propagate(
        np.full(muons, pt, np.float32), np.full(muons, charge, np.int8), eta, np.zeros(muons, np.float32), rng
    )


def mean_angles(pt: float, reference: int) -> np.ndarray:
    """In the units of the layers, to the reference; NaN where no muon crosses both."""
    found = tracks(pt)
    result = np.full(len(LAYERS), np.nan)
    for layer in range(len(LAYERS)):
        both = found.reached[layer] & found.reached[reference]
        if both.any():
            angle = found.phi[layer, both]
            result[layer] = (
                angle.mean() * PHIB_PER_RADIAN
                if layer in BENDING_LAYERS
                else (angle - found.phi[reference, both]).mean() / PHI_UNIT
            )
    return result


@pytest.mark.parametrize(("low", "high"), CMS_PATTERNS)
def test_bending_is_that_of_the_trigger_s_patterns(low: float, high: float) -> None:
    edges = [pt for pt in PATTERN_PT if low <= pt <= high]
    momenta = [one + (other - one) * share for one, other in pairwise(edges) for share in (0.17, 0.5, 0.83)]
    model = np.mean([mean_angles(pt, ME22) for pt in momenta], axis=0)[list(LAYERS_OF_TABLE)]
    for layer, ours, theirs in zip(LAYERS_OF_TABLE, model, CMS_PATTERNS[low, high], strict=True):
        if layer in BENDING_LAYERS:
            wanted = theirs / 2
            # Those in simulated CMS events (`test_real_events.py`) are a little smaller than in the patterns.
            assert ours == pytest.approx(wanted, abs=max(3.0, 0.2 * abs(wanted))), LAYERS[layer].name
        else:
            assert ours == pytest.approx(theirs, abs=3.5 if low < 12 else 1.25), LAYERS[layer].name


def test_positive_and_negative_muons_are_mirror_images() -> None:
    positive, negative = tracks(15.0), tracks(15.0, -1)
    np.testing.assert_allclose(positive.phi, -negative.phi, atol=1e-6)
    np.testing.assert_array_equal(positive.reached, negative.reached)


def test_bending_falls_as_one_over_momentum() -> None:
    for layer in BENDING_LAYERS:
        at_40, at_80 = (np.mean(tracks(pt).phi[layer]) for pt in (40.0, 80.0))
        # A little more than twice, for the energy loss.
        assert 1.98 < at_40 / at_80 < 2.12


def test_the_field_bends_as_an_integrated_trajectory_does() -> None:
    """Steps along a helix, with the loss in the calorimeters, give the b of the closed formula."""
    from models.omtf.propagation import CALORIMETERS, Scattering, _through_solenoid

    for pt in (4.0, 8.0, 30.0):
        exact, left = _through_solenoid(np.float32([pt]), np.float32([1.0]), None, Scattering())
        x, y, psi, step, momentum = 0.0, 0.0, 0.0, 1e-4, pt
        while np.hypot(x, y) < FIELD_RADIUS:
            if np.hypot(x, y) >= LOSS_RADIUS:
                momentum = pt - CALORIMETERS.loss
            psi -= 0.3 * FIELD / momentum * step
            x, y = x + step * np.cos(psi), y + step * np.sin(psi)
        b = np.hypot(x, y) * np.sin(psi - np.arctan2(y, x))
        assert exact[0] == pytest.approx(b, rel=2e-3)
        assert left[0] == pytest.approx(pt - CALORIMETERS.loss)


def test_an_energetic_muon_goes_straight() -> None:
    found = tracks(1e5)
    positions = list(POSITION_LAYERS)
    assert np.abs(found.phi[positions]).max() < 0.1 * PHI_UNIT


def test_scattering_spreads_angles_as_one_over_momentum() -> None:
    def spread(pt: float) -> float:
        scattered = tracks(pt, muons=20_000, seed=1)
        both = scattered.reached[0] & scattered.reached[ME22]
        bend = scattered.phi[0, both] - scattered.phi[ME22, both]
        smooth = np.polyval(np.polyfit(np.flatnonzero(both), bend, 3), np.flatnonzero(both))
        low, high = np.percentile(bend - smooth, [16, 84])
        return float(high - low) / 2

    assert spread(20.0) / spread(40.0) == pytest.approx(2.0, rel=0.12)
    # Five units at 12 GeV, as in simulated CMS events.
    assert 3.5 < spread(12.0) / PHI_UNIT < 6.0


def test_soft_muons_do_not_arrive() -> None:
    assert not tracks(2.5).reached.any()
    reached = {pt: tracks(pt).reached for pt in (4.0, 8.0)}
    assert reached[4.0][0].mean() > 0.8
    assert not reached[4.0][4].any()
    assert reached[8.0][4].any()


def test_acceptance_follows_from_the_positions() -> None:
    reached = tracks(50.0, muons=2000).reached
    eta = np.linspace(ETA_MIN, ETA_MAX, 2000)
    for index in POSITION_LAYERS:
        layer = LAYERS[index]
        inside = eta[reached[index]]
        assert inside.size, layer.name
        if layer.barrel:
            assert layer.position * np.sinh(inside.max()) <= 6.61 + 1e-3
        else:
            radius = layer.position / np.sinh(inside)
            assert layer.r_min - 1e-3 <= radius.min() <= radius.max() <= layer.r_max + 1e-3
    # Nearly every muon of the overlap region crosses a reference layer.
    assert reached[list(REFERENCE_LAYERS)].any(axis=0).mean() > 0.999
