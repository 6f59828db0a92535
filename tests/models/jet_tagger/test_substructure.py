"""Groomed substructure against brute-force definitions, known configurations and FastJet."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.jet_tagger.sample import HIGH_LEVEL_FEATURES

pytest.importorskip("numba", reason="needs the physics extra")

from models.jet_tagger.substructure import (
    energy_correlations,
    groomed_constituents,
    high_level_features,
    jets_of,
)

pytestmark = pytest.mark.physics


def random_jet(seed: int, count: int, spread: float = 0.3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    # Around phi = pi, so that differences must wrap.
    phi = (np.pi + rng.normal(0, spread, count) + np.pi) % (2 * np.pi) - np.pi
    return rng.exponential(20, count) + 0.1, rng.normal(0.3, spread, count), phi


def brute_force_correlations(z: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """The definitions of arXiv:1305.0007 and arXiv:1609.07483, one pair and one triple at a time."""
    result = np.zeros((4, 3))

    def theta(i: int, j: int) -> float:
        dphi = (phi[i] - phi[j] + np.pi) % (2 * np.pi) - np.pi
        return float(np.sqrt((eta[i] - eta[j]) ** 2 + dphi**2))

    for i, j in itertools.combinations(range(len(z)), 2):
        for beta in (0, 1, 2):
            result[0, beta] += z[i] * z[j] * theta(i, j) ** beta
    for i, j, k in itertools.combinations(range(len(z)), 3):
        angles = sorted([theta(i, j), theta(i, k), theta(j, k)])
        for beta in (1, 2):
            for factors in (1, 2, 3):
                result[factors, beta] += z[i] * z[j] * z[k] * np.prod(angles[:factors]) ** beta
    return result


def features(pt: np.ndarray, eta: np.ndarray, phi: np.ndarray) -> dict[str, float]:
    values = high_level_features(pt, eta, phi, np.array([0, len(pt)]))
    return dict(zip(HIGH_LEVEL_FEATURES, values[0].tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 9))
def test_energy_correlations_equal_their_definition(seed: int, count: int) -> None:
    pt, eta, phi = random_jet(seed, count)
    z = pt / pt.sum()
    np.testing.assert_allclose(
        energy_correlations(z, eta, phi), brute_force_correlations(z, eta, phi), rtol=1e-9, atol=1e-15
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(3, 40), angle=st.floats(-3, 3), factor=st.floats(0.1, 10))
def test_ratios_do_not_change_with_rotation_and_momentum_scale(
    seed: int, count: int, angle: float, factor: float
) -> None:
    pt, eta, phi = random_jet(seed, count, spread=0.1)
    rotated = (phi + angle + np.pi) % (2 * np.pi) - np.pi
    before, after = features(pt, eta, phi), features(factor * pt, eta, rotated)
    after["mass_mmdt"] /= factor  # of one constituent: 0 up to the rounding of E^2 - p^2, hence the absolute term
    np.testing.assert_allclose(list(after.values()), list(before.values()), rtol=1e-6, atol=1e-5)


def test_features_follow_their_definitions() -> None:
    pt, eta, phi = random_jet(5, 30, spread=0.1)
    keep = groomed_constituents(pt, eta, phi)
    z = pt / pt.sum()
    groomed = pt[keep] / pt[keep].sum()
    e = brute_force_correlations(groomed, eta[keep], phi[keep])
    got = features(pt, eta, phi)
    expected = {
        "zlogz": (z * np.log(z)).sum(),
        "c1_b0_mmdt": (1 - (groomed**2).sum()) / 2,
        "c2_b2_mmdt": e[3, 2] / e[0, 2] ** 2,
        "d2_b1_mmdt": e[3, 1] / e[0, 1] ** 3,
        "d2_b2_mmdt": e[3, 2] / e[0, 2] ** 3,
        "d2_a1_b1_mmdt": e[3, 1] / e[0, 1] ** 3,
        "d2_a1_b2_mmdt": e[3, 1] / e[0, 2] ** 1.5,
        "m2_b1_mmdt": e[1, 1] / e[0, 1],
        "n2_b2_mmdt": e[2, 2] / e[0, 2] ** 2,
        "multiplicity": 30,
    }
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, rel=1e-9), name


@pytest.mark.parametrize(("share", "kept"), [(0.05, 1), (0.09, 1), (0.11, 2), (0.3, 2), (0.5, 2)])
def test_mmdt_keeps_a_prong_above_a_tenth_of_the_momentum(share: float, kept: int) -> None:
    pt = 1000 * np.array([1 - share, share])
    keep = groomed_constituents(pt, np.array([0.0, 0.2]), np.array([0.0, 0.1]))
    assert keep.sum() == kept
    assert keep[0]


def test_mmdt_strips_soft_wide_radiation_and_leaves_the_two_prongs() -> None:
    pt = np.array([600.0, 380.0, 10.0, 5.0, 5.0])
    eta = np.array([0.0, 0.16, -0.35, 0.5, 0.02])
    phi = np.array([0.0, 0.0, 0.30, -0.2, 0.01])
    keep = groomed_constituents(pt, eta, phi)
    # The last soft one lies inside the first prong and stays.
    assert keep.tolist() == [True, True, False, False, True]
    two_prong = np.sqrt(2 * 600 * 380 * (np.cosh(0.16) - 1))
    assert features(pt, eta, phi)["mass_mmdt"] == pytest.approx(two_prong, rel=0.02)


def test_mass_of_two_massless_prongs() -> None:
    got = features(np.array([500.0, 500.0]), np.array([1.0, 1.1]), np.array([3.1, -3.1]))
    dphi = 2 * np.pi - 6.2
    assert got["mass_mmdt"] == pytest.approx(np.sqrt(2 * 500 * 500 * (np.cosh(0.1) - np.cos(dphi))), rel=1e-6)
    assert got["c1_b0_mmdt"] == pytest.approx(0.25)
    assert got["d2_b1_mmdt"] == 0


def test_a_single_constituent_has_no_substructure() -> None:
    got = features(np.array([900.0]), np.array([0.5]), np.array([1.0]))
    assert got["multiplicity"] == 1
    assert got["mass_mmdt"] == pytest.approx(0, abs=1e-3)
    assert all(got[name] == 0 for name in HIGH_LEVEL_FEATURES if name not in ("multiplicity", "mass_mmdt"))


@pytest.mark.parametrize("seed", range(12))
def test_grooming_equals_fastjets_cambridge_aachen_history(seed: int) -> None:
    """Decluster FastJet's own C/A tree with the textbook rule and compare what is left."""
    fastjet = pytest.importorskip("fastjet", reason="needs the physics extra")
    fastjet._swig.ClusterSequence.set_fastjet_banner_stream(None)
    count = 8 + 9 * seed
    pt, eta, phi = random_jet(seed, count, spread=0.25)
    particles = []
    for i in range(count):
        momentum = [pt[i] * np.cos(phi[i]), pt[i] * np.sin(phi[i]), pt[i] * np.sinh(eta[i]), pt[i] * np.cosh(eta[i])]
        particles.append(fastjet._swig.PseudoJet(*map(float, momentum)))
        particles[-1].set_user_index(i)
    clustering = fastjet._swig.ClusterSequence(
        particles, fastjet._swig.JetDefinition(fastjet.cambridge_algorithm, 100.0)
    )
    (jet,) = clustering.inclusive_jets()
    one, other = fastjet._swig.PseudoJet(), fastjet._swig.PseudoJet()
    while jet.has_parents(one, other):
        low, high = sorted([one.pt(), other.pt()])
        if low > 0.1 * (low + high):
            break
        jet = fastjet._swig.PseudoJet(one if one.pt() > other.pt() else other)
    expected = sorted(constituent.user_index() for constituent in jet.constituents())
    assert np.flatnonzero(groomed_constituents(pt, eta, phi)).tolist() == expected


def test_many_jets_at_once_equal_one_by_one() -> None:
    padded = np.zeros((5, 20, 3))
    for j in range(5):
        padded[j, : 4 * j + 1] = np.stack(random_jet(j, 4 * j + 1), axis=1)
    together = high_level_features(*jets_of(padded))
    for j in range(5):
        alone = list(features(*random_jet(j, 4 * j + 1)).values())
        assert together[j].tolist() == alone
