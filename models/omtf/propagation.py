"""A muon's way through the solenoid, the calorimeters and the iron of the yoke, in the transverse plane.

After the coil a trajectory is a straight line that thin planes bend: its direction psi, and b = r sin(psi - phi), which
is constant along a line. Hence phi(r) = psi - asin(b / r), and a drift tube measures psi - phi = asin(b / r).
Inside the solenoid r p_phi - q B r^2 / 2 is conserved (the canonical angular momentum), so b at the coil is exact for
any energy loss on the way. A plane at r_j that turns psi by delta changes b by r_j cos(psi - phi) delta.

Lengths in metres, momenta in GeV, angles in radians. The constants marked "fitted" were fitted, all at once, to the
mean angles in the patterns of the CMS trigger, which `tests/models/omtf/test_propagation.py` quotes, and to those of
simulated CMS events (`real_events.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .geometry import BARREL_Z_MAX, BARREL_Z_MIN, BENDING_LAYERS, LAYERS, N_LAYERS

Floats = npt.NDArray[np.float32]
Booleans = npt.NDArray[np.bool_]

FIELD = 3.8
"""Tesla, inside the solenoid."""

FIELD_RADIUS = 3.33
"""Where the field may be taken to end; the coil's mean radius is 3.1, the rest is the fringe field. Fitted."""

LOSS_RADIUS = 2.40
"""Where the energy loss in the calorimeters is put: the middle of the hadron calorimeter."""

MIN_PT = 1.3
"""A muon with less left is lost: stopped soon, or bent and scattered away. Set by where the hits of the inner stations
set in with pT in simulated CMS events."""


@dataclass(frozen=True)
class Plane:
    """All material between two layers in one place: a cylinder (barrel) or a disc (endcap).

    kick: angle times transverse momentum by which the iron's field turns a positive muon, rad GeV. Fitted.
    thickness: in radiation lengths at perpendicular incidence. loss: mean energy loss there, GeV.
    """

    barrel: bool
    position: float
    kick: float
    thickness: float
    loss: float


CALORIMETERS = Plane(True, LOSS_RADIUS, 0.0, 110.0, 1.36)
"""25 radiation lengths of crystals, the rest brass and coil. The loss is fitted: what bends muons in the field more."""

YOKE: tuple[Plane, ...] = (
    Plane(True, 4.02, 0.348, 14.0, 0.50),  # the coil's outside and the first iron
    Plane(True, 4.72, 0.188, 18.0, 0.65),  # between MB1 and MB2
    Plane(True, 5.70, 0.225, 26.0, 0.80),  # between MB2 and MB3
    Plane(False, 7.45, 0.558, 28.0, 0.70),  # YE1
    Plane(False, 8.75, 0.290, 28.0, 0.70),  # YE2
)
"""In the order in which a muon of the overlap region meets them: first out through the barrel, then the endcap."""


@dataclass(frozen=True)
class Scattering:
    """Multiple scattering and fluctuation of the energy loss.

    tail_share of the deflections are wider by a factor between the two `tail_factors`: single hard scatters and
    deflections by radiated photons. loss_spread: share of the mean loss that fluctuates, exponentially, as Landau's
    distribution does on its long side.
    """

    tail_share: float = 0.03
    tail_factors: tuple[float, float] = (2.0, 5.0)
    loss_spread: float = 0.12


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where muons cross the layers. phi: (18, muons), psi - phi in the bending layers; reached: (18, muons)."""

    phi: Floats
    reached: Booleans


def propagate(
    pt: Floats,
    charge: npt.NDArray[Any],
    eta: Floats,
    sector_phi: Floats,
    rng: np.random.Generator | None,
    scattering: Scattering | None = None,
) -> Tracks:
    """Crossings of all layers by muons from the beam spot.

    pt [GeV], charge (+-1), eta in the overlap region, sector_phi: phi where a muon leaves the field [rad], each
    (muons,). rng None: the mean trajectory, without scattering and fluctuations.
    """
    scattering = scattering or Scattering()
    muons = pt.size
    charge = charge.astype(np.float32)
    slope: Floats = np.sinh(eta)
    # Path through a cylinder and through a disc, in units of their thickness.
    path: tuple[Floats, Floats] = (np.cosh(eta), np.asarray(np.cosh(eta) / slope, np.float32))
    phi = np.empty((N_LAYERS, muons), np.float32)
    reached = np.empty((N_LAYERS, muons), np.bool_)

    b, momentum = _through_solenoid(pt, charge, rng, scattering)
    alive = (momentum > MIN_PT) & (np.abs(b) < 0.99 * FIELD_RADIUS)
    np.clip(b, -0.99 * FIELD_RADIUS, 0.99 * FIELD_RADIUS, out=b)
    np.maximum(momentum, MIN_PT, out=momentum)
    psi = sector_phi + np.arcsin(b / np.float32(FIELD_RADIUS))
    psi, b = _turn(psi, b, np.float32(LOSS_RADIUS), _deflection(CALORIMETERS, momentum, path[0], rng, scattering))
    for plane, layers in _SEQUENCE:
        if plane is not None:
            radius: Floats | np.float32 = np.float32(plane.position)
            radius = radius if plane.barrel else np.asarray(radius / slope, np.float32)
            # A muon that has left the barrel through its end meets no further iron of the barrel.
            inside = plane.position * slope < BARREL_Z_MAX if plane.barrel else np.ones(muons, np.bool_)
            # Along the transverse direction: E / (path sin(theta)) of a cylinder is the loss itself.
            loss = _loss(plane, muons, rng, scattering)
            loss = loss if plane.barrel else loss / slope
            half = np.where(inside, np.float32(0.5) * loss, np.float32(0.0))
            momentum -= half
            alive &= momentum > MIN_PT
            np.maximum(momentum, MIN_PT, out=momentum)
            turn = _deflection(plane, momentum, path[0] if plane.barrel else path[1], rng, scattering)
            turn += charge * np.float32(plane.kick) / momentum
            psi, b = _turn(psi, b, radius, np.where(inside, turn, np.float32(0.0)))
            momentum -= half
            np.maximum(momentum, MIN_PT, out=momentum)
        for index in layers:
            layer = LAYERS[index]
            if layer.barrel:
                z = np.float32(layer.position) * slope
                np.logical_and(z > BARREL_Z_MIN, z < BARREL_Z_MAX, out=reached[index])
                bend = np.arcsin(_sine(b, np.float32(layer.position)))
            else:
                radius = np.asarray(np.float32(layer.position) / slope, np.float32)
                np.logical_and(radius > layer.r_min, radius < layer.r_max, out=reached[index])
                bend = np.arcsin(_sine(b, radius))
            reached[index] &= alive
            np.subtract(psi, bend, out=phi[index])
            if index + 1 in BENDING_LAYERS and BENDING_LAYERS[index + 1] == index:
                phi[index + 1] = bend
                reached[index + 1] = reached[index]
    return Tracks(phi, reached)


def _layers_between() -> tuple[tuple[Plane | None, tuple[int, ...]], ...]:
    """Each plane with the layers behind it and before the next."""

    def place(barrel: bool, position: float) -> tuple[bool, float]:
        return (not barrel, position)

    places: list[tuple[tuple[bool, float], Plane | int]] = [(place(p.barrel, p.position), p) for p in YOKE]
    places += [
        (place(layer.barrel, layer.position), index)
        for index, layer in enumerate(LAYERS)
        if index not in BENDING_LAYERS
    ]
    sequence: list[tuple[Plane | None, list[int]]] = [(None, [])]
    for _, what in sorted(places, key=lambda entry: entry[0]):
        if isinstance(what, Plane):
            sequence.append((what, []))
        else:
            sequence[-1][1].append(what)
    return tuple((plane, tuple(layers)) for plane, layers in sequence)


_SEQUENCE = _layers_between()


def _through_solenoid(
    pt: Floats, charge: Floats, rng: np.random.Generator | None, scattering: Scattering
) -> tuple[Floats, Floats]:
    """b where the field ends, and the momentum left there. A positive muon bends to negative phi: b < 0."""
    left = pt - _loss(CALORIMETERS, pt.size, rng, scattering)
    behind = np.maximum(left, np.float32(MIN_PT))
    inner = np.float32(LOSS_RADIUS**2) / pt
    outer = np.float32(FIELD_RADIUS**2 - LOSS_RADIUS**2) / behind
    return np.float32(-0.15 * FIELD) * charge * (inner + outer), left


def _loss(plane: Plane, muons: int, rng: np.random.Generator | None, scattering: Scattering) -> Floats:
    """Energy lost in a plane at perpendicular incidence, its mean being that of the plane."""
    if rng is None:
        return np.full(muons, plane.loss, np.float32)
    fluctuation = rng.standard_exponential(muons, np.float32)
    fluctuation *= np.float32(plane.loss * scattering.loss_spread)
    fluctuation += np.float32(plane.loss * (1.0 - scattering.loss_spread))
    return fluctuation


def _deflection(
    plane: Plane, momentum: Floats, path: Floats, rng: np.random.Generator | None, scattering: Scattering
) -> Floats:
    """Turn of psi by multiple scattering (Highland; Particle Data Group, eq. 34.16).

    The angle in space is inversely proportional to p; psi turns by 1 / sin(theta) more: inversely to the transverse
    momentum.
    """
    if rng is None:
        return np.zeros(momentum.size, np.float32)
    thickness = np.float32(plane.thickness) * path
    width = np.float32(0.0136) * np.sqrt(thickness) * (1 + np.float32(0.038) * np.log(thickness)) / momentum
    width *= rng.standard_normal(momentum.size, np.float32)
    hard = np.flatnonzero(rng.random(momentum.size, np.float32) < scattering.tail_share)
    width[hard] *= rng.uniform(*scattering.tail_factors, hard.size).astype(np.float32)
    return width


def _sine(b: Floats, radius: Floats | np.float32) -> Floats:
    return np.clip(b / radius, np.float32(-0.99), np.float32(0.99))


def _turn(psi: Floats, b: Floats, radius: Floats | np.float32, angle: Floats) -> tuple[Floats, Floats]:
    sine = _sine(b, radius)
    return psi + angle, b + radius * np.sqrt(1 - sine * sine) * angle
