"""What a CMS-like detector makes of the stable particles of an event.

Three instruments, each with a resolution, a granularity and a threshold:

- tracker: charged particles, 97 % found in the dense core of a jet, direction exact. A charged hadron or an electron
  without a track still showers: its energy goes to its calorimeter, as in particle flow. Lost muons are lost;
- electromagnetic calorimeter: photons, and electrons without a track, in cells of 0.0175;
- hadronic calorimeter: neutral hadrons, and charged hadrons without a track, in cells of 0.022.

All energy in one cell of one calorimeter becomes one candidate at the centre of the cell: neutrals merge. This, not
the energy resolution, is what limits the substructure of a jet of 1 TeV (Coleman et al., arXiv:1709.08705). The
granularities are those in the name of the public sample, `h022_e0175`.

Candidates are massless. Bending in the magnetic field and pile-up are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NEUTRINOS = (12, 14, 16)
PHOTON, ELECTRON, MUON = 22, 11, 13
CHARGED_HADRONS = (211, 321, 2212, 3112, 3222, 3312, 3334)
"""PDG codes (absolute) of the charged hadrons that live long enough to cross a tracker."""


@dataclass(frozen=True)
class Calorimeter:
    """Relative resolution stochastic/sqrt(E) + noise/E + constant (in quadrature, E in GeV), cell, threshold."""

    stochastic: float
    noise: float
    constant: float
    cell: float
    threshold: float


@dataclass(frozen=True)
class Detector:
    """The response. Resolutions as quoted for particle flow in CMS (arXiv:1706.04965), tracker arXiv:1405.6569."""

    track_efficiency: float = 0.97
    track_constant: float = 0.01
    track_slope: float = 1.5e-4
    """Relative pT resolution: `track_constant` and `track_slope` * pT [GeV] in quadrature."""
    track_threshold: float = 0.7
    """[GeV] a softer particle curls up inside the tracker in 3.8 T."""
    ecal: Calorimeter = Calorimeter(0.028, 0.12, 0.003, cell=0.0175, threshold=0.5)
    hcal: Calorimeter = Calorimeter(1.10, 0.0, 0.09, cell=0.022, threshold=1.5)
    acceptance: float = 3.0
    """Largest |eta|: wide enough that no jet with |eta| < 2 and R = 0.8 loses anything."""


@dataclass(frozen=True)
class Candidates:
    """Flat list of massless particles: `event` int64 (M,) not falling, `pt` [GeV], `eta`, `phi` [rad] float64 (M,)."""

    event: Integers
    pt: Floats
    eta: Floats
    phi: Floats

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: npt.NDArray[np.bool_] | Integers) -> Candidates:
        return Candidates(self.event[index], self.pt[index], self.eta[index], self.phi[index])


def visible(pdg: Integers) -> npt.NDArray[np.bool_]:
    """Which stable particles leave a signal: all but the neutrinos."""
    return ~np.isin(np.abs(pdg), NEUTRINOS)


def respond(particles: Candidates, pdg: Integers, detector: Detector, rng: np.random.Generator) -> Candidates:
    """What the detector sees of stable visible `particles` with PDG codes `pdg`, ordered by event."""
    inside = np.abs(particles.eta) < detector.acceptance
    particles, kind = particles[inside], np.abs(pdg[inside])
    hadron = np.isin(kind, CHARGED_HADRONS)
    charged = hadron | (kind == ELECTRON) | (kind == MUON)
    tracked = charged & (rng.random(len(kind)) < detector.track_efficiency)
    tracked &= particles.pt > detector.track_threshold
    in_ecal = (kind == PHOTON) | ((kind == ELECTRON) & ~tracked)
    in_hcal = ~in_ecal & ~tracked & (kind != MUON)
    seen = (
        _tracks(particles[tracked], detector, rng),
        _cells(particles[in_ecal], detector.ecal, rng),
        _cells(particles[in_hcal], detector.hcal, rng),
    )
    merged = Candidates(
        np.concatenate([part.event for part in seen]),
        np.concatenate([part.pt for part in seen]),
        np.concatenate([part.eta for part in seen]),
        np.concatenate([part.phi for part in seen]),
    )
    return merged[np.argsort(merged.event, kind="stable")]


def _tracks(particles: Candidates, detector: Detector, rng: np.random.Generator) -> Candidates:
    width = np.hypot(detector.track_constant, detector.track_slope * particles.pt)
    pt = particles.pt * (1.0 + width * rng.standard_normal(len(particles)))
    measured = Candidates(particles.event, pt, particles.eta, particles.phi)
    return measured[pt > detector.track_threshold]


def _cells(particles: Candidates, calorimeter: Calorimeter, rng: np.random.Generator) -> Candidates:
    """Sum the energy of each cell, then smear and cut: the read-out knows only the sum."""
    rows = np.floor(particles.eta / calorimeter.cell).astype(np.int64)
    columns = np.floor(particles.phi / calorimeter.cell).astype(np.int64)
    # One integer a cell: rows and columns of 0.0175 in |eta| < 5 and |phi| < pi fit in 10 signed bits.
    key = (particles.event << 24) + ((rows + 2048) << 12) + (columns + 2048)
    cells, member = np.unique(key, return_inverse=True)
    energy = np.bincount(member, particles.pt * np.cosh(particles.eta), minlength=len(cells))
    event = cells >> 24
    eta = calorimeter.cell * (((cells >> 12) & 0xFFF) - 2048 + 0.5).astype(np.float64)
    phi = calorimeter.cell * ((cells & 0xFFF) - 2048 + 0.5).astype(np.float64)
    # The cells do not divide the circle: the last one reaches past pi.
    phi = np.where(phi > np.pi, phi - 2 * np.pi, np.where(phi < -np.pi, phi + 2 * np.pi, phi))
    width = np.sqrt(calorimeter.stochastic**2 / energy + (calorimeter.noise / energy) ** 2 + calorimeter.constant**2)
    pt: Floats = energy * (1.0 + width * rng.standard_normal(len(cells))) / np.cosh(eta)
    return Candidates(event, pt, eta, phi)[pt > calorimeter.threshold]
