"""The golden-pattern algorithm: what the track finder uses now, and the network is measured against.

A pattern is a transverse momentum and a charge. For each reference layer and layer it holds the mean angle to the
reference hit, and a table of log-likelihoods of the distance to it. An event's patterns are scored by the sum over
layers, i.e. as if layers were independent, and the best one is the answer. The conventions, 6-bit tables of 128 bins,
one in a thousand as the smallest probability, are those of CMSSW's `L1Trigger/L1TMuonOverlap`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.files import atomic_path
from models.errors import SampleFileError

from .candidates import Candidates
from .geometry import BENDING_LAYERS, LAYERS, N_LAYERS, N_REFERENCES, NO_HIT, Technology
from .hits import choose_reference, relative_to_reference
from .sample import MuonSample

PATTERN_PT = (
    *(4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.5, 10.0, 12.0, 14.0, 16.0, 18.5, 21.0, 23.0),
    *(26.0, 28.0, 30.0, 32.0, 36.0, 40.0, 48.0, 54.0, 60.0, 70.0, 82.0, 96.0, 114.0, 200.0),
)
"""GeV. A pattern stands for momenta from its own to the next one's; the first begins at the lowest that arrives."""

N_MOMENTA = len(PATTERN_PT)
N_PATTERNS = 2 * N_MOMENTA
"""First those of positive muons."""

HALF_WIDTH = 64
"""A distance d in [-63, 63] has the bin d + 64; bin 0 is for layers without a hit."""

FULL_SCALE = 63
"""Of the 6-bit log-likelihood: probability 1."""

MIN_PROBABILITY = 1e-3
"""Has log-likelihood 0."""

BENDING_SHIFT = 2
"""Distances of bending angles are divided by 2**2 to fit into the table."""

MIN_FIRED = 3
"""Layers in agreement with a pattern that make a candidate."""

_MIN_MUONS = 20
_OUTSIDE_PENALTY = -32
_REACH = 512
"""Angles to the reference beyond this are outside the table of any pattern."""

_FIRED_UNIT = 4096
"""Sum and number of layers fired share an integer: the sum is less than half of this, of either sign."""

_BLOCK = 16384


class Sorter(StrEnum):
    """Which pattern is best: the one of most layers and then of largest sum (Run 2), or of largest sum (Run 3)."""

    LAYERS = "layers"
    LIKELIHOOD = "likelihood"


@dataclass(frozen=True, eq=False)
class GoldenPatterns:
    """means: int16 (56, 8, 18); tables: int16 (56, 8, 18, 128), both by pattern, reference number and layer."""

    means: npt.NDArray[np.int16]
    tables: npt.NDArray[np.int16]
    sorter: Sorter = Sorter.LIKELIHOOD

    def find(self, sample: MuonSample) -> Candidates:
        """The best pattern of every muon, and the hits that belong to it. A muon may have none: `quality` 0."""
        blocks = [self._find(sample[start : start + _BLOCK]) for start in range(0, max(len(sample), 1), _BLOCK)]
        return Candidates.concatenate(blocks)

    def save(self, path: Path) -> None:
        """Write one .npz, atomically."""
        with atomic_path(path) as temporary:
            np.savez_compressed(
                temporary, allow_pickle=False, means=self.means, tables=self.tables, sorter=np.array(self.sorter.value)
            )

    @classmethod
    def load(cls, path: Path) -> GoldenPatterns:
        """Read what `save` wrote; raises SampleFileError."""
        import zipfile

        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return cls(archive["means"], archive["tables"], Sorter(str(archive["sorter"])))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise SampleFileError(path, f"unreadable as patterns ({error})", "Delete it and make them again") from error

    @cached_property
    def _responses(self) -> npt.NDArray[np.int16]:
        """(8 * 18 * angles, 56): what every pattern gives for an angle to the reference, `_FIRED_UNIT` a layer fired.

        The rows of a layer are in the order of angles, from -512 to 512, then one for no hit. With the patterns
        together in memory a muon's hit is one look-up for all of them.
        """
        angles = np.arange(-_REACH, _REACH + 1)
        rows = np.zeros((N_REFERENCES, N_LAYERS, angles.size + 1, N_PATTERNS), np.int16)
        likelihood = self.sorter is Sorter.LIKELIHOOD
        for layer in range(N_LAYERS):
            shift = BENDING_SHIFT if layer in BENDING_LAYERS else 0
            # Resistive plates are noisy, so a stray hit in them counts nothing against a pattern.
            stray = _OUTSIDE_PENALTY if likelihood and LAYERS[layer].technology is not Technology.RPC else 0
            for reference in range(N_REFERENCES):
                distance = angles[:, None] - self.means[None, :, reference, layer].astype(np.int64)
                distance = np.sign(distance) * (np.abs(distance) >> shift)
                inside = np.abs(distance) < HALF_WIDTH
                bins = np.where(inside, distance + HALF_WIDTH, 0)
                value = self.tables[np.arange(N_PATTERNS), reference, layer, bins].astype(np.int64)
                fired = inside & (value > 0)
                rows[reference, layer, :-1] = np.where(fired, value + _FIRED_UNIT, stray)
                rows[reference, layer, -1] = self.tables[:, reference, layer, 0] if likelihood else 0
        return rows.reshape(-1, N_PATTERNS)

    def _find(self, sample: MuonSample) -> Candidates:
        reference = choose_reference(sample.hits)
        first = relative_to_reference(sample.hits, sample.hits, reference)
        second = relative_to_reference(sample.second_hits, sample.hits, reference)
        known = np.maximum(reference, 0).astype(np.intp)
        total = np.zeros((len(sample), N_PATTERNS), np.int32)
        for layer in range(N_LAYERS):
            rows = self._row(known, layer, first[:, layer])
            response = self._responses[rows]
            both = np.flatnonzero(second[:, layer] != NO_HIT)
            if both.size:
                nearer = self._second_is_nearer(known[both], layer, first[both, layer], second[both, layer])
                other = self._responses[self._row(known[both], layer, second[both, layer])]
                response[both] = np.where(nearer, other, response[both])
            total += response
        fired = (total + _FIRED_UNIT // 2) // _FIRED_UNIT
        likelihood = total - fired * _FIRED_UNIT
        order = total if self.sorter is Sorter.LAYERS else likelihood
        # A pattern that too few layers agree with is no candidate, however likely.
        order = np.where(fired >= MIN_FIRED, order, np.iinfo(np.int32).min)
        best = order.argmax(axis=1)
        muons = np.arange(len(sample))
        quality = np.where((reference >= 0) & (fired[muons, best] >= MIN_FIRED), fired[muons, best], 0)
        selected = first.copy()
        for layer in range(N_LAYERS):
            both = np.flatnonzero(second[:, layer] != NO_HIT)
            if both.size:
                mean = self.means[best[both], known[both], layer].astype(np.int32)
                nearer = np.abs(second[both, layer] - mean) < np.abs(first[both, layer] - mean)
                selected[both, layer] = np.where(nearer, second[both, layer], first[both, layer])
        return Candidates(
            angles=selected,
            reference=reference,
            pattern_pt=np.where(quality > 0, np.array(PATTERN_PT, np.float32)[best % N_MOMENTA], np.float32(0)),
            pattern_charge=np.where(best < N_MOMENTA, np.int8(1), np.int8(-1)),
            quality=quality.astype(np.int8),
            pt=sample.pt,
            charge=sample.charge,
            eta=sample.eta,
        )

    def _row(self, known: npt.NDArray[np.intp], layer: int, angles: npt.NDArray[np.int16]) -> npt.NDArray[np.intp]:
        wide = angles.astype(np.intp)
        # An angle beyond the table answers as the last one in it does: outside every pattern.
        inside = np.clip(wide, -_REACH, _REACH) + _REACH
        column = np.where(wide == NO_HIT, 2 * _REACH + 1, inside)
        result: npt.NDArray[np.intp] = (known * N_LAYERS + layer) * (2 * _REACH + 2) + column
        return result

    def _second_is_nearer(
        self,
        known: npt.NDArray[np.intp],
        layer: int,
        first: npt.NDArray[np.int16],
        second: npt.NDArray[np.int16],
    ) -> npt.NDArray[np.bool_]:
        """(muons, patterns): whether the second hit is the nearer one to the pattern's mean."""
        means = self.means[:, known, layer].T.astype(np.int32)
        result: npt.NDArray[np.bool_] = np.abs(second[:, None] - means) < np.abs(first[:, None] - means)
        return result


def pattern_of(pt: npt.NDArray[np.float32], charge: npt.NDArray[np.int8]) -> npt.NDArray[np.intp]:
    """Number of the pattern that a muon of this pT [GeV] and charge belongs to."""
    momentum = np.clip(np.searchsorted(PATTERN_PT, pt, side="right") - 1, 0, N_MOMENTA - 1)
    return np.asarray(np.where(charge > 0, momentum, momentum + N_MOMENTA), np.intp)


def make_patterns(
    samples: Iterator[MuonSample] | list[MuonSample], sorter: Sorter = Sorter.LIKELIHOOD
) -> GoldenPatterns:
    """Patterns from simulated muons; samples are taken one at a time, so there may be more than memory holds.

    The mean angle is that of the hits between the first and the last hundredth, so that stray hits do not move it.
    """
    counts = np.zeros((N_PATTERNS, N_REFERENCES), np.int64)
    histogram = np.zeros((N_PATTERNS * N_REFERENCES * N_LAYERS, 2 * _REACH + 1), np.int32)
    for sample in samples:
        _fill(sample, counts, histogram)
    shape = (N_PATTERNS, N_REFERENCES, N_LAYERS)
    means = np.zeros(shape, np.int16)
    tables = np.zeros((*shape, 2 * HALF_WIDTH), np.int16)
    angles = np.arange(-_REACH, _REACH + 1)
    for flat, row in enumerate(histogram):
        pattern, reference, layer = np.unravel_index(flat, shape)
        muons = int(counts[pattern, reference])
        hits = int(row.sum())
        if muons:
            tables[pattern, reference, layer, 0] = _log_likelihood(np.array([1.0 - hits / muons]))[0]
        if hits < max(_MIN_MUONS, 0.01 * muons):
            continue
        means[pattern, reference, layer] = mean = round(_trimmed_mean(angles, row))
        shift = BENDING_SHIFT if int(layer) in BENDING_LAYERS else 0
        tables[pattern, reference, layer, 1:] = _log_likelihood(_distances(angles - mean, row, shift) / muons)
    return GoldenPatterns(means, tables, sorter)


def _fill(sample: MuonSample, counts: npt.NDArray[np.int64], histogram: npt.NDArray[np.int32]) -> None:
    reference = choose_reference(sample.hits)
    angles = relative_to_reference(sample.hits, sample.hits, reference)
    positions = [layer for layer in range(N_LAYERS) if layer not in BENDING_LAYERS]
    good = (reference >= 0) & ((sample.hits[:, positions] != NO_HIT).sum(axis=1) >= MIN_FIRED)
    key = pattern_of(sample.pt[good], sample.charge[good]) * N_REFERENCES + reference[good]
    counts += np.bincount(key, minlength=counts.size).reshape(counts.shape)
    bins = histogram.shape[1]
    for layer in range(N_LAYERS):
        angle = angles[good, layer]
        there = np.abs(angle) <= _REACH
        cell = key[there] * bins + angle[there] + _REACH
        filled = np.bincount(cell, minlength=counts.size * bins).reshape(counts.size, bins)
        histogram.reshape(counts.size, N_LAYERS, bins)[:, layer] += filled.astype(np.int32)


def _trimmed_mean(angles: npt.NDArray[np.int64], row: npt.NDArray[np.int32]) -> float:
    below = np.cumsum(row) / row.sum()
    low = angles[np.searchsorted(below, 0.01)]
    high = angles[np.searchsorted(below, 0.99)]
    inside = (angles >= low) & (angles <= high)
    return float(np.average(angles[inside], weights=row[inside]))


def _distances(distance: npt.NDArray[np.int64], row: npt.NDArray[np.int32], shift: int) -> npt.NDArray[np.float64]:
    """Hits by distance -63 ... 63. Few of them are smoothed over neighbours, or single muons would be a pattern."""
    shifted = np.sign(distance) * (np.abs(distance) >> shift)
    inside = np.abs(shifted) < HALF_WIDTH
    weights = row[inside].astype(np.float64)
    found: npt.NDArray[Any] = np.bincount(
        shifted[inside] + HALF_WIDTH - 1, weights=weights, minlength=2 * HALF_WIDTH - 1
    )
    if found.sum() < 500:
        found = np.convolve(found, [0.25, 0.5, 0.25], "same")
    return np.asarray(found, np.float64)


def _log_likelihood(probability: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """6 bits: 0 for the smallest probability and all below, 63 for certainty."""
    floor = np.log(MIN_PROBABILITY)
    share = 1.0 - np.log(np.maximum(probability, MIN_PROBABILITY)) / floor
    return np.rint(share * FULL_SCALE).astype(np.int16)
