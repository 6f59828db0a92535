"""The 16 high-level features of a jet: groomed mass, energy correlations, multiplicity.

Definitions, with z_i = pT_i / sum(pT) and theta_ij the distance in (eta, phi):

- grooming: modified mass-drop tagger (Dasgupta, Fregoso, Marzani, Salam, arXiv:1307.0007) with z_cut = 0.1, which
  is soft drop (arXiv:1402.2657) with beta = 0, on the Cambridge/Aachen tree, following the harder branch;
- e2(b), e3(b): energy correlation functions (arXiv:1305.0007), C1 = e2, C2 = e3 / e2^2, D2(a, b) = e3(a) / e2(b)^(3a/b)
  (arXiv:1409.6298), of which D2(b) is the case a = b;
- 1e3(b), 2e3(b): generalised functions that weight a triple by its smallest angle and by the product of its two
  smallest, M2 = 1e3 / e2, N2 = 2e3 / e2^2 (arXiv:1609.07483);
- zlogz = sum z ln z and the multiplicity are of the ungroomed jet, all else of the groomed one.

A ratio whose e2 vanishes (a single groomed constituent) is 0. Constituents are massless, as a trigger sees them.

Importing this module compiles nothing but needs numba: import it where it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
import numpy.typing as npt

from .sample import HIGH_LEVEL_FEATURES

Z_CUT = 0.1
"""Momentum share below which mMDT drops a branch; the value of the public data set."""

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """numba.njit with its cache on disk, keeping the type that mypy sees."""
    kernel: _Function = numba.njit(cache=True)(function)
    return kernel


_NO_CHILD = -1
_HUGE = 1e300


def high_level_features(pt: Floats, eta: Floats, phi: Floats, offsets: Integers) -> Floats:
    """Features of J jets, float64 (J, 16) in the order of `HIGH_LEVEL_FEATURES`.

    The constituents of all jets lie one jet after the other in `pt` [GeV], `eta`, `phi` [rad], float64 (M,); jet j
    has those from `offsets[j]` to `offsets[j + 1]`, int64 (J + 1,), at least one each.
    """
    result = np.empty((len(offsets) - 1, len(HIGH_LEVEL_FEATURES)))
    _features_of_jets(pt, eta, phi, offsets, result)
    return result


def groomed_constituents(pt: Floats, eta: Floats, phi: Floats, z_cut: float = Z_CUT) -> npt.NDArray[np.bool_]:
    """Which constituents of one jet mMDT keeps, bool (n,)."""
    momenta = _four_momenta(pt, eta, phi)
    left, right = cambridge_aachen(momenta)
    keep: npt.NDArray[np.bool_] = _mmdt(momenta, left, right, len(pt), z_cut)
    return keep


def energy_correlations(z: Floats, eta: Floats, phi: Floats) -> Floats:
    """e2 and the three 3-point functions of one jet, float64 (4, 3).

    Rows e2, 1e3, 2e3, 3e3 (= e3); columns the angular exponents b = 0, 1, 2. The 3-point row at b = 0 is left 0: no
    feature needs it.
    """
    correlations: Floats = _energy_correlations(z, eta, phi)
    return correlations


@_compiled
def _delta_phi(first: float, second: float) -> float:
    distance = abs(first - second)
    return distance if distance <= math.pi else 2.0 * math.pi - distance


@_compiled
def _rapidity(px: float, py: float, pz: float, energy: float) -> float:
    # From transverse mass and E + |pz|, because E - |pz| cancels for a fast forward particle.
    mass2 = max(energy * energy - px * px - py * py - pz * pz, 0.0)
    value = math.log((energy + abs(pz)) / math.sqrt(px * px + py * py + mass2))
    return value if pz >= 0 else -value


@_compiled
def _four_momenta(pt: Floats, eta: Floats, phi: Floats) -> Floats:
    """Massless (2n - 1, 4) px, py, pz, E in the first n rows; the others are room for the tree's nodes."""
    count = pt.size
    momenta = np.zeros((2 * count - 1, 4))
    for i in range(count):
        momenta[i, 0] = pt[i] * math.cos(phi[i])
        momenta[i, 1] = pt[i] * math.sin(phi[i])
        momenta[i, 2] = pt[i] * math.sinh(eta[i])
        momenta[i, 3] = pt[i] * math.cosh(eta[i])
    return momenta


@_compiled
def _nearest(node: int, rapidity: Floats, phi: Floats, alive: Integers, count: int) -> tuple[float, int]:
    best = _HUGE
    neighbour = _NO_CHILD
    for slot in range(count):
        other = alive[slot]
        if other != node:
            dphi = _delta_phi(phi[node], phi[other])
            distance = (rapidity[node] - rapidity[other]) ** 2 + dphi * dphi
            if distance < best:
                best = distance
                neighbour = other
    return best, neighbour


@_compiled
def cambridge_aachen(momenta: Floats) -> tuple[Integers, Integers]:
    """The Cambridge/Aachen tree of n particles: children `left`, `right` of each of the 2n - 1 nodes, -1 for a leaf.

    `momenta` is (2n - 1, 4) px, py, pz, E with the particles first; the nodes' sums (E scheme) are filled in. The
    root is the last node. Quadratic in n by keeping each node's nearest neighbour.
    """
    nodes = momenta.shape[0]
    particles = (nodes + 1) // 2
    left = np.full(nodes, _NO_CHILD, np.int64)
    right = np.full(nodes, _NO_CHILD, np.int64)
    rapidity = np.empty(nodes)
    phi = np.empty(nodes)
    distance = np.full(nodes, _HUGE)
    neighbour = np.full(nodes, _NO_CHILD, np.int64)
    alive = np.arange(particles)
    for i in range(particles):
        rapidity[i] = _rapidity(momenta[i, 0], momenta[i, 1], momenta[i, 2], momenta[i, 3])
        phi[i] = math.atan2(momenta[i, 1], momenta[i, 0])
    for i in range(particles):
        distance[i], neighbour[i] = _nearest(i, rapidity, phi, alive, particles)

    count = particles
    for node in range(particles, nodes):
        first = alive[0]
        for slot in range(1, count):
            if distance[alive[slot]] < distance[first]:
                first = alive[slot]
        second = neighbour[first]
        left[node] = first
        right[node] = second
        for axis in range(4):
            momenta[node, axis] = momenta[first, axis] + momenta[second, axis]
        rapidity[node] = _rapidity(momenta[node, 0], momenta[node, 1], momenta[node, 2], momenta[node, 3])
        phi[node] = math.atan2(momenta[node, 1], momenta[node, 0])

        kept = 0
        for slot in range(count):
            if alive[slot] != first and alive[slot] != second:
                alive[kept] = alive[slot]
                kept += 1
        alive[kept] = node
        count = kept + 1

        distance[node], neighbour[node] = _nearest(node, rapidity, phi, alive, count)
        for slot in range(kept):
            other = alive[slot]
            if neighbour[other] == first or neighbour[other] == second:
                distance[other], neighbour[other] = _nearest(other, rapidity, phi, alive, count)
            else:
                dphi = _delta_phi(phi[node], phi[other])
                to_node = (rapidity[node] - rapidity[other]) ** 2 + dphi * dphi
                if to_node < distance[other]:
                    distance[other] = to_node
                    neighbour[other] = node
    return left, right


@_compiled
def _mmdt(momenta: Floats, left: Integers, right: Integers, particles: int, z_cut: float) -> npt.NDArray[np.bool_]:
    node = momenta.shape[0] - 1
    while left[node] != _NO_CHILD:
        one, other = left[node], right[node]
        pt_one = math.hypot(momenta[one, 0], momenta[one, 1])
        pt_other = math.hypot(momenta[other, 0], momenta[other, 1])
        if min(pt_one, pt_other) > z_cut * (pt_one + pt_other):
            break
        node = one if pt_one > pt_other else other

    keep = np.zeros(particles, np.bool_)
    stack = np.empty(momenta.shape[0], np.int64)
    stack[0] = node
    depth = 1
    while depth > 0:
        depth -= 1
        node = stack[depth]
        if left[node] == _NO_CHILD:
            keep[node] = True
        else:
            stack[depth] = left[node]
            stack[depth + 1] = right[node]
            depth += 2
    return keep


@_compiled
def _energy_correlations(z: Floats, eta: Floats, phi: Floats) -> Floats:
    count = z.size
    angle = np.zeros((count, count))
    result = np.zeros((4, 3))
    for i in range(count):
        for j in range(i + 1, count):
            dphi = _delta_phi(phi[i], phi[j])
            theta = math.sqrt((eta[i] - eta[j]) ** 2 + dphi * dphi)
            angle[i, j] = theta
            weight = z[i] * z[j]
            result[0, 0] += weight
            result[0, 1] += weight * theta
            result[0, 2] += weight * theta * theta
    for i in range(count):
        for j in range(i + 1, count):
            a = angle[i, j]
            one1, one2, two1, two2, three1, three2 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            for k in range(j + 1, count):
                b = angle[i, k]
                c = angle[j, k]
                weight = z[k]
                lower = min(a, b)
                upper = max(a, b)
                smallest = min(lower, c)
                middle = max(lower, min(upper, c))
                two = smallest * middle
                three = two * max(upper, c)
                one1 += weight * smallest
                one2 += weight * smallest * smallest
                two1 += weight * two
                two2 += weight * two * two
                three1 += weight * three
                three2 += weight * three * three
            weight = z[i] * z[j]
            result[1, 1] += weight * one1
            result[1, 2] += weight * one2
            result[2, 1] += weight * two1
            result[2, 2] += weight * two2
            result[3, 1] += weight * three1
            result[3, 2] += weight * three2
    return result


@_compiled
def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0.0 else 0.0


@_compiled
def _features_of_jets(pt: Floats, eta: Floats, phi: Floats, offsets: Integers, result: Floats) -> None:
    for jet in range(offsets.size - 1):
        start, stop = offsets[jet], offsets[jet + 1]
        _features_of_jet(pt[start:stop], eta[start:stop], phi[start:stop], result[jet])


@_compiled
def _features_of_jet(pt: Floats, eta: Floats, phi: Floats, row: Floats) -> None:
    z = pt / pt.sum()
    momenta = _four_momenta(pt, eta, phi)
    left, right = cambridge_aachen(momenta)
    keep = _mmdt(momenta, left, right, pt.size, Z_CUT)
    total = np.zeros(4)
    for i in range(pt.size):
        if keep[i]:
            for axis in range(4):
                total[axis] += momenta[i, axis]
    mass2 = total[3] ** 2 - total[0] ** 2 - total[1] ** 2 - total[2] ** 2
    groomed_pt = pt[keep]
    e = _energy_correlations(groomed_pt / groomed_pt.sum(), eta[keep], phi[keep])
    e2_1, e2_2 = e[0, 1], e[0, 2]

    row[0] = (z * np.log(z)).sum()
    row[1] = e[0, 0]
    row[2] = e2_1
    row[3] = e2_2
    row[4] = _ratio(e[3, 1], e2_1**2)
    row[5] = _ratio(e[3, 2], e2_2**2)
    row[6] = _ratio(e[3, 1], e2_1**3)
    row[7] = _ratio(e[3, 2], e2_2**3)
    # With a = b = 1 this is column 6 again; the public data set has both, and theirs agree to the last digit.
    row[8] = row[6]
    row[9] = _ratio(e[3, 1], e2_2**1.5)
    row[10] = _ratio(e[1, 1], e2_1)
    row[11] = _ratio(e[1, 2], e2_2)
    row[12] = _ratio(e[2, 1], e2_1**2)
    row[13] = _ratio(e[2, 2], e2_2**2)
    row[14] = math.sqrt(max(mass2, 0.0))
    row[15] = pt.size


def jets_of(constituents: npt.NDArray[Any]) -> tuple[Floats, Floats, Floats, Integers]:
    """Arguments of `high_level_features` from zero-padded (J, n, 3) pT, eta, phi with at least one real each."""
    real = constituents[:, :, 0] > 0
    offsets = np.concatenate([[0], np.cumsum(real.sum(axis=1))]).astype(np.int64)
    flat = constituents[real].astype(np.float64)
    return flat[:, 0].copy(), flat[:, 1].copy(), flat[:, 2].copy(), offsets
