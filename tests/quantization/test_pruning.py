"""Masks and the schedule of pruning, without training."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.keras

pytest.importorskip("keras")

from quantization.pruning import magnitude_mask, sparsity_at  # noqa: E402
from quantization.settings import PruningSettings  # noqa: E402


@pytest.mark.parametrize("sparsity", [0.0, 0.25, 0.5, 0.9])
def test_the_smallest_magnitudes_go(sparsity: float) -> None:
    kernel = np.random.default_rng(1).normal(size=(10, 20))
    mask = magnitude_mask(kernel, sparsity)
    assert (mask == 0).sum() == round(sparsity * 200)
    if sparsity:
        assert np.abs(kernel[mask == 0]).max() <= np.abs(kernel[mask == 1]).min()


def test_equal_magnitudes_still_give_the_sparsity_asked_for() -> None:
    assert (magnitude_mask(np.zeros((4, 4)), 0.5) == 0).sum() == 8


def test_the_schedule_is_the_published_polynomial() -> None:
    settings = PruningSettings(final_sparsity=0.8, begin=0.2, end=0.6)
    assert sparsity_at(0.0, settings) == 0.0
    assert sparsity_at(0.2, settings) == 0.0
    assert sparsity_at(0.4, settings) == pytest.approx(0.8 * (1 - 0.5**3), rel=1e-12)
    assert sparsity_at(0.6, settings) == 0.8
    assert sparsity_at(1.0, settings) == 0.8
