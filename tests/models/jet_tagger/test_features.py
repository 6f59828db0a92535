"""The integers a trigger delivers, and that the network's inputs lose nothing of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from models.jet_tagger.errors import SampleError, SampleFileError
from models.jet_tagger.features import (
    ANGLE_BITS,
    ANGLE_LSB,
    CONSTITUENT_INPUT_TYPE,
    HIGH_LEVEL_INPUT_TYPE,
    PT_BITS,
    Standardisation,
    constituent_inputs,
    hardware_to_network,
    high_level_inputs,
    to_hardware_units,
)
from models.jet_tagger.sample import JetSample


def sample_of(constituents: np.ndarray, high_level: np.ndarray | None = None) -> JetSample:
    jets = len(constituents)
    features = np.zeros((jets, 0)) if high_level is None else high_level
    return JetSample(
        np.zeros(jets, np.int8),
        constituents.astype(np.float32),
        features.astype(np.float32),
        np.zeros((jets, 0), np.float32),
    )


def jet(*constituents: tuple[float, float, float]) -> np.ndarray:
    return np.array([constituents], dtype=np.float32)


@given(
    pt=st.floats(0, 10_000, width=32),
    eta=st.floats(-3, 3, width=32),
    phi=st.floats(-3.25, 3.25, width=32),
)
def test_hardware_units_are_within_half_a_unit_or_saturated(pt: float, eta: float, phi: float) -> None:
    integers = to_hardware_units(jet((pt, eta, phi)))[0, 0]
    assert 0 <= integers[0] < 2**PT_BITS
    assert np.abs(integers[1:] + 0.5).max() < 2 ** (ANGLE_BITS - 1)
    if pt < 4095:
        assert abs(integers[0] * 0.25 - pt) <= 0.125
    for integer, angle in zip(integers[1:], (eta, phi), strict=True):
        if abs(angle) < 1.1:
            assert abs(integer * ANGLE_LSB - angle) <= ANGLE_LSB / 2 * (1 + 1e-9)


@given(
    pt=st.integers(0, 2**PT_BITS - 1),
    eta=st.integers(-(2 ** (ANGLE_BITS - 1)), 2 ** (ANGLE_BITS - 1) - 1),
)
def test_network_inputs_are_exact_in_their_type(pt: int, eta: int) -> None:
    inputs = hardware_to_network(np.array([[[pt, eta, -eta - 1]]], np.int32))
    kind = FixedPoint.parse(CONSTITUENT_INPUT_TYPE)
    step = 2.0 ** (kind.integer - kind.width)
    mantissas = inputs.astype(np.float64) / step
    assert (mantissas == np.floor(mantissas)).all()
    limit = 2 ** (kind.width - 1)
    assert (-limit <= mantissas).all()
    assert (mantissas < limit).all()
    assert inputs[0, 0, 0] == min(pt, 4095) / 512
    assert inputs[0, 0, 1] == eta / 32


def test_rounding_is_to_the_nearest_with_halves_up() -> None:
    integers = to_hardware_units(jet((0.375, 1.5 * ANGLE_LSB, -2.4 * ANGLE_LSB)))
    assert integers[0, 0].tolist() == [2, 2, -2]


def test_soft_constituents_and_padding_are_zero_in_all_three_features() -> None:
    constituents = jet((100, 0.1, 0.2), (2.2, 0.1, 0.2), (2.0, 0.1, 0.2), (1.0, 0.3, 0.3), (0, 0, 0))
    inputs = constituent_inputs(sample_of(constituents), 5)
    assert inputs.dtype == np.float32
    assert (inputs[0, :2] != 0).all()
    assert (inputs[0, 2:] == 0).all()


def test_leading_constituents_only() -> None:
    constituents = jet(*[(100 - i, 0.01 * i, 0) for i in range(10)])
    inputs = constituent_inputs(sample_of(constituents), 4)
    assert inputs[0, :, 0].tolist() == [100 / 128, 99 / 128, 98 / 128, 97 / 128]


def test_a_sample_too_short_or_out_of_order_is_refused() -> None:
    with pytest.raises(SampleError, match="wanted 16 of each jet"):
        constituent_inputs(sample_of(jet((10, 0, 0))), 16)
    with pytest.raises(SampleError, match="falling order"):
        constituent_inputs(sample_of(jet((10, 0, 0), (20, 0, 0))), 2)
    with pytest.raises(SampleError, match="NaN"):
        to_hardware_units(jet((np.nan, 0, 0)))


def test_standardised_features_have_mean_0_and_deviation_1(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(np.arange(16), np.arange(1, 17), (500, 16))
    sample = sample_of(np.zeros((500, 0, 3)), values)
    scale = Standardisation.of(sample)
    scores = high_level_inputs(sample, scale.mean, scale.std)
    np.testing.assert_allclose(scores.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(axis=0), 1, rtol=1e-5)
    scale.save(tmp_path / "scale.json")
    assert Standardisation.load(tmp_path / "scale.json") == scale
    FixedPoint.parse(HIGH_LEVEL_INPUT_TYPE)


def test_what_cannot_be_standardised_is_refused(tmp_path: Path) -> None:
    constant = sample_of(np.zeros((4, 0, 3)), np.ones((4, 16)))
    with pytest.raises(SampleError, match="zlogz is the same for all jets"):
        Standardisation.of(constant)
    with pytest.raises(InputError, match="must be positive"):
        high_level_inputs(constant, np.zeros(16), np.zeros(16))
    with pytest.raises(SampleError, match="has none"):
        Standardisation.of(sample_of(np.zeros((4, 1, 3))))
    (tmp_path / "scale.json").write_text("{}")
    with pytest.raises(SampleFileError, match=r"scale\.json"):
        Standardisation.load(tmp_path / "scale.json")
