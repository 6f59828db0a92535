"""Physics of the generated jets: windows that 150 jets of a class always meet and a wrong process does not."""

from __future__ import annotations

import numpy as np
import pytest

from models.jet_tagger.detector import Calorimeter, Candidates, Detector, respond, visible
from models.jet_tagger.errors import UnknownClassError
from models.jet_tagger.generator import GeneratorSettings, generate_chunk
from models.jet_tagger.kinematics import decay_cosines, polarisation_weight, wrap_angle
from models.jet_tagger.sample import CLASSES, HIGH_LEVEL_FEATURES, JetSample

for package in ("pythia8mc", "fastjet", "awkward", "numba"):
    pytest.importorskip(package, reason="needs the physics extra")


pytestmark = pytest.mark.physics

JETS = 150
MASS = HIGH_LEVEL_FEATURES.index("mass_mmdt")
MULTIPLICITY = HIGH_LEVEL_FEATURES.index("multiplicity")


@pytest.fixture(scope="module")
def jets() -> dict[str, JetSample]:
    return {name: generate_chunk(name, JETS, seed=11) for name in CLASSES}


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # W 80.4, Z 91.2, top 172.8 GeV, less what grooming and the detector take; a third of the tops lose a prong.
    [("g", 15, 70), ("q", 3, 25), ("W", 76, 82), ("Z", 85, 92), ("t", 110, 172)],
)
def test_groomed_mass_is_that_of_the_particle(jets: dict[str, JetSample], name: str, low: float, high: float) -> None:
    assert low < np.median(jets[name].high_level[:, MASS]) < high


def test_gluons_radiate_more_than_quarks(jets: dict[str, JetSample]) -> None:
    mean = {name: sample.high_level[:, MULTIPLICITY].mean() for name, sample in jets.items()}
    # Leading-order colour factors would give 9/4; at 1 TeV about 1.5 to 1.7 is left.
    assert 1.3 < mean["g"] / mean["q"] < 2.1
    assert mean["t"] > mean["W"] > mean["q"] - 5
    assert 30 < np.mean(list(mean.values())) < 60


def test_two_prongs_show_in_d2(jets: dict[str, JetSample]) -> None:
    d2 = HIGH_LEVEL_FEATURES.index("d2_b1_mmdt")
    median = {name: np.median(sample.high_level[:, d2]) for name, sample in jets.items()}
    assert max(median["W"], median["Z"]) < min(median["g"], median["q"])


@pytest.mark.parametrize("name", CLASSES)
def test_jets_lie_in_the_window_and_constituents_in_the_jet(jets: dict[str, JetSample], name: str) -> None:
    settings = GeneratorSettings()
    sample = jets[name]
    pt, eta, phi, mass = sample.jet.T
    assert len(sample) == JETS
    assert (sample.labels == CLASSES.index(name)).all()
    assert (pt > settings.jet_pt[0]).all()
    assert (pt < settings.jet_pt[1]).all()
    assert (np.abs(eta) < settings.jet_eta).all()
    assert (np.abs(phi) <= np.pi).all()
    assert (mass >= 0).all()
    c_pt, c_eta, c_phi = np.moveaxis(sample.constituents, 2, 0)
    assert (np.diff(c_pt, axis=1) <= 0).all()
    assert np.hypot(c_eta, c_phi).max() < 1.5 * settings.jet_radius
    assert ((c_pt > 0) == (np.arange(64) < sample.high_level[:, [MULTIPLICITY]])).all()
    # What is kept of the constituents carries the jet's momentum.
    along = (c_pt * np.cos(c_phi)).sum(axis=1)
    assert (along / pt > 0.9).all()
    assert (along / pt < 1.0001).all()


def test_the_same_seed_gives_the_same_bits_and_another_seed_other_jets() -> None:
    one, again, other = (generate_chunk("W", 12, seed) for seed in (5, 5, 6))
    for part in ("labels", "constituents", "high_level", "jet"):
        assert np.array_equal(getattr(one, part), getattr(again, part))
    assert not np.array_equal(one.jet, other.jet)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(UnknownClassError, match="unknown jet class 'b'"):
        generate_chunk("b", 10, seed=1)


def test_decay_angle_of_a_boosted_decay() -> None:
    cosine = np.linspace(-0.99, 0.99, 21)
    sine = np.sqrt(1 - cosine**2)
    mass, energy = 80.4, 1000.0
    gamma, momentum = energy / mass, np.sqrt(energy**2 - mass**2)
    along = gamma * mass / 2 * (cosine + momentum / energy)
    daughter = np.stack([along, mass / 2 * sine, 0 * cosine, np.hypot(along, mass / 2 * sine)], axis=1)
    boson = np.broadcast_to([momentum, 0, 0, energy], (21, 4))
    np.testing.assert_allclose(decay_cosines(boson, daughter), cosine, atol=1e-9)


@pytest.mark.parametrize(
    ("polarisation", "mean_square"),
    # <cos^2> of an isotropic decay and of 1 - cos^2.
    [("none", 1 / 3), ("longitudinal", 1 / 5)],
)
def test_kept_decays_are_polarised_as_asked(polarisation: str, mean_square: float) -> None:
    """The decays that PYTHIA makes and the filter keeps, at the level of the hard process only."""
    import pythia8mc

    from models.jet_tagger.boson_filter import BosonFilter
    from models.jet_tagger.processes import process_of

    kept: list[float] = []

    class Recorder(BosonFilter):
        def doVetoProcessLevel(self, event):  # type: ignore[no-untyped-def]
            veto = super().doVetoProcessLevel(event)
            if not veto:
                for boson in (event[i] for i in range(event.size()) if abs(event[i].id()) == 24):
                    daughter = event[boson.daughter1()]
                    pair = [[[p.px(), p.py(), p.pz(), p.e()]] for p in (boson, daughter)]
                    kept.append(float(decay_cosines(*map(np.array, pair))[0]))
            return True if len(kept) < 3000 else veto

    pythia = pythia8mc.Pythia("", False)
    for line in (
        "Print:quiet = on",
        "Beams:eCM = 13000.",
        "Random:setSeed = on",
        "Random:seed = 7",
        *process_of("W").settings,
    ):
        assert pythia.readString(line)
    recorder = Recorder(24, (950.0, 1050.0), polarisation, np.random.default_rng(3))
    pythia.setUserHooksPtr(recorder)
    assert pythia.init()
    pythia.nextBatch(1)
    cosines = np.array(kept)
    assert len(cosines) >= 3000
    # The deviation of cos^2 is at most 0.31, so that of the mean of 3000 is 0.006.
    assert (cosines**2).mean() == pytest.approx(mean_square, abs=0.025)


def test_polarisation_weights_are_probabilities() -> None:
    cosines = np.linspace(-1, 1, 101)
    for polarisation in ("none", "longitudinal"):
        weight = polarisation_weight(cosines, polarisation)
        assert weight.min() >= 0
        assert weight.max() == 1


PERFECT = Detector(
    track_efficiency=1.0,
    track_constant=0.0,
    track_slope=0.0,
    ecal=Calorimeter(0.0, 0.0, 0.0, cell=0.0175, threshold=0.5),
    hcal=Calorimeter(0.0, 0.0, 0.0, cell=0.022, threshold=1.5),
)


def particles(*rows: tuple[int, float, float, float]) -> Candidates:
    event, pt, eta, phi = (np.array(column) for column in zip(*rows, strict=True))
    return Candidates(event.astype(np.int64), pt.astype(float), eta.astype(float), phi.astype(float))


def test_neutrals_in_one_cell_merge_and_tracks_do_not() -> None:
    # Two photons and two pions, each pair 0.001 apart, and one photon of another event in the same cell.
    stable = particles((0, 10, 0.005, 0.005), (0, 20, 0.006, 0.005), (0, 5, 0.3, 0.3), (0, 6, 0.301, 0.3), (1, 7, 0, 0))
    seen = respond(stable, np.array([22, 22, 211, -211, 22]), PERFECT, np.random.default_rng(1))
    assert seen.event.tolist() == [0, 0, 0, 1]
    assert np.sort(seen.pt[:3]) == pytest.approx([5, 6, 30], rel=1e-3)
    assert seen.eta[seen.pt.argmax()] == pytest.approx(0.0175 / 2)


def test_thresholds_acceptance_and_neutrinos() -> None:
    stable = particles((0, 0.6, 0, 0), (0, 0.4, 0, 1), (0, 1.4, 0, 2), (0, 0.6, 0, -1), (0, 50, 4.0, 0))
    seen = respond(stable, np.array([211, 22, 130, 22, 22]), PERFECT, np.random.default_rng(1))
    # The soft pion gives no track; its 0.6 GeV are below the threshold of the hadronic calorimeter.
    assert seen.pt == pytest.approx([0.6], rel=1e-3)
    assert visible(np.array([12, -14, 16, 22, 13])).tolist() == [False, False, False, True, True]


def test_a_hadron_without_a_track_is_seen_by_the_calorimeter() -> None:
    blind = Detector(track_efficiency=0.0, ecal=PERFECT.ecal, hcal=PERFECT.hcal)
    stable = particles((0, 40, 0.1, 0.1), (0, 30, 0.5, 0.5), (0, 20, -0.5, 0.5))
    seen = respond(stable, np.array([211, 11, 13]), blind, np.random.default_rng(1))
    assert np.sort(seen.pt) == pytest.approx([30, 40], rel=0.01)


def test_calorimeter_resolution() -> None:
    count = 20_000
    stable = Candidates(np.arange(count), np.full(count, 100.0), np.full(count, 0.011), np.full(count, 0.011))
    seen = respond(stable, np.full(count, 130), Detector(), np.random.default_rng(1))
    assert seen.pt.mean() == pytest.approx(100, rel=0.005)
    # 110 % / sqrt(100 GeV) and 9 % in quadrature.
    assert seen.pt.std() / 100 == pytest.approx(np.hypot(0.11, 0.09), rel=0.03)


def test_angles_wrap() -> None:
    assert wrap_angle(np.array([3.5, -3.5, 0.0])) == pytest.approx([3.5 - 2 * np.pi, 2 * np.pi - 3.5, 0])
