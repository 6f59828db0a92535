"""Angles of particles and decays; arrays only."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

Polarisation = Literal["none", "longitudinal"]
"""Of a boson along its flight; "none" decays isotropically."""


def directions(momenta: Floats) -> tuple[Floats, Floats]:
    """Pseudorapidity and azimuth [rad] of (N, 4) px, py, pz, E; pT must not be 0."""
    eta = np.arcsinh(momenta[:, 2] / np.hypot(momenta[:, 0], momenta[:, 1]))
    return eta, np.arctan2(momenta[:, 1], momenta[:, 0])


def wrap_angle(angle: Floats) -> Floats:
    """`angle` [rad] brought into [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def decay_cosines(boson: Floats, daughter: Floats) -> Floats:
    """cos(theta*) of decays, float64 (N,), from (N, 4) px, py, pz, E of the boson and of one of its daughters.

    theta* is the angle between the daughter in the rest frame of the boson and the boson's flight in the laboratory.
    """
    energy = boson[:, 3]
    momentum = np.linalg.norm(boson[:, :3], axis=1)
    mass = np.sqrt(energy**2 - momentum**2)
    along = np.einsum("ij,ij->i", daughter[:, :3], boson[:, :3]) / momentum
    across2 = np.maximum((daughter[:, :3] ** 2).sum(axis=1) - along**2, 0.0)
    boosted = (energy * along - momentum * daughter[:, 3]) / mass
    cosines: Floats = boosted / np.sqrt(boosted**2 + across2)
    return cosines


def polarisation_weight(cosines: Floats, polarisation: Polarisation) -> Floats:
    """Probability to keep an isotropic decay at cos(theta*) so that those kept are polarised as asked.

    A longitudinal boson decays as 1 - cos^2, so that two of three are kept.
    """
    return 1.0 - cosines**2 if polarisation == "longitudinal" else np.ones_like(cosines)
