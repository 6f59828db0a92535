"""Inputs are exact in their type; the read-out is exact in integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_flows.fixed_point import FixedPoint
from models.omtf import momentum_bins, readout
from models.omtf.encoding import FEATURES, INPUT_TYPE, MAX_ANGLE, N_INPUTS, STEPS, UNITS, angle_table, encode
from models.omtf.generator import generate
from models.omtf.geometry import BENDING_LAYERS, N_LAYERS, NO_HIT
from models.omtf.golden_patterns import make_patterns

CANDIDATES = make_patterns([generate(60_000, 1)]).find(generate(20_000, 2))


def test_every_input_is_exact_in_the_declared_type() -> None:
    x = encode(CANDIDATES)
    kind = FixedPoint.parse(INPUT_TYPE)
    assert x.shape == (len(CANDIDATES), N_INPUTS) == (len(CANDIDATES), 44)
    assert len(FEATURES) == len(UNITS) == N_INPUTS
    np.testing.assert_array_equal(kind.to_float(kind.quantize(x)), x)
    for bending in (False, True):
        codes = angle_table(bending) / STEPS
        np.testing.assert_array_equal(kind.to_float(kind.quantize(codes)), codes)


def test_codes_rise_with_the_angle_and_resolve_small_ones() -> None:
    for bending in (False, True):
        table = angle_table(bending).astype(int)
        assert (np.diff(table) >= 0).all()
        np.testing.assert_array_equal(table, -table[::-1])
        assert table[MAX_ANGLE] == 0
    # Eight units of position are told apart one by one.
    assert (np.diff(angle_table(False)[MAX_ANGLE - 12 : MAX_ANGLE + 13].astype(int)) >= 1).all()


def test_hit_bits_and_reference_bits() -> None:
    x = encode(CANDIDATES)
    hit = CANDIDATES.angles != NO_HIT
    np.testing.assert_array_equal(x[:, N_LAYERS : 2 * N_LAYERS], hit)
    assert (x[:, :N_LAYERS][~hit] == 0).all()
    seen = CANDIDATES.reference >= 0
    assert (x[seen, 2 * N_LAYERS :].sum(axis=1) == 1).all()
    assert (x[~seen] == 0).all()
    np.testing.assert_array_equal(x[seen, 2 * N_LAYERS :].argmax(axis=1), CANDIDATES.reference[seen])
    layer = 1
    there = hit[:, layer]
    table = angle_table(layer in BENDING_LAYERS)
    np.testing.assert_array_equal(x[there, layer] * STEPS, table[CANDIDATES.angles[there, layer] + MAX_ANGLE])


def test_the_43_classes() -> None:
    assert momentum_bins.N_BINS == 43
    assert momentum_bins.bin_of([0.4, 0.5, 4.6, 5.0, 20.0, 20.001, 29.5, 100.0, 101.0, 5000.0]).tolist() == [
        *(1, 1, 10, 10, 25, 26, 35, 41, 42, 42)
    ]
    assert len(momentum_bins.names()) == momentum_bins.N_OUTPUTS == 44
    assert momentum_bins.names()[26] == "20 < pT <= 21"
    y = momentum_bins.targets(np.float32([20.5, 3.0]), np.int8([1, -1]))
    assert y[0].nonzero()[0].tolist() == [26, 43]
    assert y[1].nonzero()[0].tolist() == [6]


logits = st.lists(st.integers(-(2**15), 2**15 - 1), min_size=44, max_size=44).map(lambda z: np.array([z]) / 2**12)


@given(logits)
@settings(max_examples=100, deadline=None)
def test_the_posterior_is_the_softmax_within_its_steps(z: np.ndarray) -> None:
    weights = readout.posterior(z)
    exact = np.exp(z[:, :43] - z[:, :43].max())
    exact /= exact.sum()
    np.testing.assert_allclose(weights / weights.sum(), exact, rtol=2 / readout.STEPS_PER_UNIT, atol=1e-5)
    for threshold in (20.0, 22.0, 26.0):
        above, total = readout.sums(weights, threshold)
        for constant in (0, 1, 500, 1024):
            wanted = Fraction(int(above[0]), int(total[0])) >= Fraction(constant, 1024)
            assert bool(readout.passes(weights, threshold, constant)[0]) is wanted


@given(logits, st.integers(-1000, 1000))
@settings(max_examples=50, deadline=None)
def test_a_constant_added_to_all_logits_changes_nothing(z: np.ndarray, shift: int) -> None:
    np.testing.assert_array_equal(readout.posterior(z), readout.posterior(z + shift / 2**12))


def test_the_table_is_made_of_integers_that_are_the_same_anywhere() -> None:
    table = readout.exponential_table()
    assert table[0] == 2**20
    assert table[256] == 385750
    assert table[-1] == 0
    # No entry is near a half, where rounding could depend on the machine's exp.
    parts = np.exp(-np.arange(4096) / 256) * 2**20 % 1
    assert np.abs(parts - 0.5).min() > 1e-5


def test_a_certain_network_is_read_out_as_what_it_says() -> None:
    pt = np.array([6.5, 15.5, 24.5, 45.0])
    z = np.zeros((4, 44))
    z[np.arange(4), momentum_bins.bin_of(pt)] = 20.0
    z[:, 43] = (1, -1, 2, -0.5)
    weights = readout.posterior(z)
    np.testing.assert_allclose(readout.expected_pt(weights), pt, rtol=0.01)
    assert readout.charge(z).tolist() == [1, -1, 1, -1]
    # Read at three quarters: 20 GeV at 15.
    assert readout.score(weights, 20.0).round(3).tolist() == [0.0, 1.0, 1.0, 1.0]
    codes = readout.hardware_pt(weights, (6.0, 10.0, 20.0, 30.0, 40.0), (512,) * 5)
    assert ((codes - 1) / 2).tolist() == [6.0, 20.0, 30.0, 40.0]
    with pytest.raises(ValueError, match="no threshold"):
        readout.first_bin_above(500.0)
    with pytest.raises(ValueError, match="shape"):
        readout.posterior(np.zeros((3, 43)))


def test_the_constant_passes_the_efficiency_asked_for() -> None:
    scores = np.random.default_rng(1).beta(5, 2, 10_000)
    constant = readout.constant_for(scores, 0.9)
    assert np.mean(scores * 1024 >= constant) == pytest.approx(0.9, abs=0.005)
    assert np.mean(scores * 1024 >= constant) >= 0.9
