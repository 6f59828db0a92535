"""The golden-pattern algorithm against its definition, read out one muon, pattern and layer at a time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.errors import SampleFileError
from models.omtf.candidates import Candidates
from models.omtf.generator import generate
from models.omtf.geometry import BENDING_LAYERS, LAYERS, NO_HIT, REFERENCE_LAYERS, Technology
from models.omtf.golden_patterns import (
    MIN_FIRED,
    N_MOMENTA,
    N_PATTERNS,
    PATTERN_PT,
    GoldenPatterns,
    Sorter,
    make_patterns,
    pattern_of,
)
from models.omtf.hits import choose_reference, relative_to_reference
from models.omtf.sample import MuonSample

PATTERNS = make_patterns([generate(150_000, seed) for seed in (1, 2)])
MUONS = generate(40_000, 3)


def by_definition(patterns: GoldenPatterns, sample: MuonSample, muon: int) -> tuple[int, int]:
    """Best pattern and layers fired of one muon; (-1, 0) without a candidate."""
    hits, second = sample.hits[muon].astype(int), sample.second_hits[muon].astype(int)
    references = [r for r, layer in enumerate(REFERENCE_LAYERS) if hits[layer] != NO_HIT]
    if not references:
        return -1, 0
    reference, origin = references[0], hits[REFERENCE_LAYERS[references[0]]]
    best, best_order, best_fired = -1, None, 0
    for pattern in range(N_PATTERNS):
        total = fired = 0
        for layer in range(len(LAYERS)):
            bending = layer in BENDING_LAYERS
            mean = int(patterns.means[pattern, reference, layer])
            distances = [h[layer] - (0 if bending else origin) - mean for h in (hits, second) if h[layer] != NO_HIT]
            table = patterns.tables[pattern, reference, layer]
            if not distances:
                total += int(table[0]) if patterns.sorter is Sorter.LIKELIHOOD else 0
                continue
            distance = min(distances, key=abs)
            distance = int(np.sign(distance)) * (abs(distance) >> (2 if bending else 0))
            value = int(table[distance + 64]) if abs(distance) <= 63 else 0
            if value > 0:
                total, fired = total + value, fired + 1
            elif patterns.sorter is Sorter.LIKELIHOOD and LAYERS[layer].technology is not Technology.RPC:
                total -= 32
        if fired < MIN_FIRED:
            continue
        order = (fired, total) if patterns.sorter is Sorter.LAYERS else (total,)
        if best_order is None or order > best_order:
            best, best_order, best_fired = pattern, order, fired
    return best, best_fired


@pytest.mark.parametrize("sorter", Sorter)
def test_the_table_look_up_is_the_algorithm(sorter: Sorter) -> None:
    patterns = replace(PATTERNS, sorter=sorter)
    busy = generate(400, 4)
    # Second hits, and stray ones far away, in many layers.
    rng = np.random.default_rng(1)
    stray = np.where(rng.random(busy.hits.shape) < 0.3, busy.hits + rng.integers(-300, 300, busy.hits.shape), NO_HIT)
    second = np.where((busy.hits != NO_HIT) & (stray < 2000), stray, NO_HIT).astype(np.int16)
    sample = MuonSample(busy.hits, second, busy.pt, busy.charge, busy.eta)
    found = patterns.find(sample)
    for muon in range(len(sample)):
        pattern, fired = by_definition(patterns, sample, muon)
        assert found.quality[muon] == fired
        if pattern >= 0:
            assert found.pattern_pt[muon] == PATTERN_PT[pattern % N_MOMENTA]
            assert found.pattern_charge[muon] == (1 if pattern < N_MOMENTA else -1)


def test_the_nearest_hit_to_the_winning_pattern_is_taken() -> None:
    clean = MUONS[(MUONS.pt > 20) & (MUONS.hits[:, 0] != NO_HIT) & (MUONS.hits[:, 7] != NO_HIT)][:500]
    wrong = clean.hits.copy()
    second = np.full_like(wrong, NO_HIT)
    second[:, 7] = wrong[:, 7]
    wrong[:, 7] += 60
    found = PATTERNS.find(MuonSample(wrong, second, clean.pt, clean.charge, clean.eta))
    taken = found.angles[:, 7] == clean.hits[:, 7] - clean.hits[:, 0]
    assert taken.mean() > 0.98


def test_angles_are_relative_to_the_reference_hit_of_highest_priority() -> None:
    hits = MUONS.hits[:2000]
    reference = choose_reference(hits)
    for muon in range(len(hits)):
        wanted = [r for r, layer in enumerate(REFERENCE_LAYERS) if hits[muon, layer] != NO_HIT]
        assert reference[muon] == (wanted[0] if wanted else -1)
    angles = relative_to_reference(hits, hits, reference)
    seen = np.flatnonzero(reference >= 0)
    assert (angles[seen, np.array(REFERENCE_LAYERS)[reference[seen]]] == 0).all()
    np.testing.assert_array_equal(angles[seen][:, list(BENDING_LAYERS)], hits[seen][:, list(BENDING_LAYERS)])
    assert (angles[reference < 0] == NO_HIT).all()


def test_patterns_bend_opposite_for_opposite_charges_and_less_for_more_momentum() -> None:
    positive, negative = PATTERNS.means[:N_MOMENTA], PATTERNS.means[N_MOMENTA:]
    # In layers that many muons cross.
    for layer in (1, 2, 3, 7, 8, 10, 11, 16):
        assert np.abs(positive[8:24, 0, layer] + negative[8:24, 0, layer]).max() <= 2
    bending = -positive[4:24, 0, 1].astype(int)
    assert (np.diff(bending) <= 1).all()
    assert bending[0] > 90
    assert 3 < bending[-1] < 12


def test_tables_are_log_likelihoods_in_six_bits() -> None:
    assert PATTERNS.tables.min() == 0
    assert PATTERNS.tables.max() <= 63
    pattern = int(pattern_of(np.float32([22.0]), np.int8([1]))[0])
    row = PATTERNS.tables[pattern, 0, 0]
    # The reference layer's own angle is 0, always: probability 1.
    assert row[64] == 63
    assert row[1:].sum() == 63
    width = PATTERNS.tables[pattern, 0, 8, 1:].astype(float)
    probability = 0.001 ** (1 - width / 63) * (width > 0)
    there = np.mean(MUONS.hits[(MUONS.pt > 21) & (MUONS.pt < 23) & (MUONS.hits[:, 0] != NO_HIT), 8] != NO_HIT)
    assert probability.sum() == pytest.approx(there, rel=0.25)


def test_the_answer_is_as_good_as_it_is_known_to_be() -> None:
    found = PATTERNS.find(MUONS)
    hard = MUONS.pt > 5
    assert (found.quality[hard] > 0).mean() > 0.995
    chosen = (found.quality > 0) & hard
    assert (found.pattern_charge != found.charge)[chosen].mean() < 0.01
    for low, high, wanted in ((6, 9, 0.176), (18, 26, 0.201)):
        inside = chosen & (MUONS.pt > low) & (MUONS.pt < high)
        ratio = MUONS.pt[inside] / found.pattern_pt[inside]
        below, above = np.percentile(ratio / np.median(ratio), [16, 84])
        # Measured with an independent simulation of the same detector.
        assert (above - below) / 2 == pytest.approx(wanted, rel=0.15)


def test_files_and_blocks(tmp_path: Path) -> None:
    pytest.importorskip("h5py", reason="needs the physics extra")
    PATTERNS.save(tmp_path / "patterns.npz")
    again = GoldenPatterns.load(tmp_path / "patterns.npz")
    whole = PATTERNS.find(MUONS)
    parts = Candidates.concatenate([again.find(MUONS[:7000]), again.find(MUONS[7000:])])
    parts.save(tmp_path / "candidates.h5")
    read = Candidates.load(tmp_path / "candidates.h5")
    for name in ("angles", "reference", "pattern_pt", "pattern_charge", "quality", "pt", "charge", "eta"):
        np.testing.assert_array_equal(getattr(read, name), getattr(whole, name))
    (tmp_path / "patterns.npz").write_bytes(b"PK")
    with pytest.raises(SampleFileError, match=r"patterns\.npz"):
        GoldenPatterns.load(tmp_path / "patterns.npz")
    assert len(PATTERNS.find(MUONS[:0])) == 0
