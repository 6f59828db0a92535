"""The adversarial events do what they are made for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.stimulus import adversarial_stimuli, random_stimulus


def _layers(inputs: str = "ap_fixed<9,4,AP_RND,AP_SAT>", seed: int = 0) -> ff.Program:
    rng = np.random.default_rng(seed)
    b = Builder("net")
    b.begin_layer("x", "Input")
    value = b.input("x", (6,), FixedPoint.parse(inputs))
    b.end_layer(value)
    sizes = (6, 10, 8, 3)
    for k, (n, m) in enumerate(itertools.pairwise(sizes)):
        source = b.layers[-1].name
        b.begin_layer(f"d{k}_linear", "Dense", [source])
        value = b.affine(value, rng.integers(-31, 32, (n, m)), 5, rng.integers(-31, 32, m), 5)
        b.end_layer(value)
        b.begin_layer(f"d{k}", "Relu", [f"d{k}_linear"])
        value = b.cast(value, FixedPoint(6, 2, False, "RND_CONV", "SAT"))
        b.end_layer(value)
    return b.build({"y": value})


def test_first_layer_is_driven_exactly_to_its_proven_ends() -> None:
    program = _layers()
    [x] = adversarial_stimuli(program, seed=1)["accumulator ends"]
    value = program.layer("d0_linear").value
    reached = ff.emulator.trace_mantissas(program, x)["d0_linear"]
    np.testing.assert_array_equal(reached.min(axis=0), program.ranges[value].low)
    np.testing.assert_array_equal(reached.max(axis=0), program.ranges[value].high)


def test_deeper_layers_go_farther_than_random_events() -> None:
    program = _layers()
    [x] = adversarial_stimuli(program, seed=1)["accumulator ends"]
    driven = ff.trace(program, x)
    [r] = random_stimulus(program, 500, seed=1)
    random = ff.trace(program, r[0])
    for name in ("d1_linear", "d2_linear"):
        assert driven[name].max(axis=0).mean() > random[name].max(axis=0).mean()
        assert driven[name].min(axis=0).mean() < random[name].min(axis=0).mean()


def test_cast_edges_are_met_on_both_sides() -> None:
    """For every element of the first cast, events just below and just above the upper edge, one input LSB apart."""
    program = _layers()
    [x] = adversarial_stimuli(program, seed=1)["cast edges"]
    traced = ff.emulator.trace_mantissas(program, x)
    linear = program.layer("d0_linear")
    t = program.layer("d0").type
    edge = (t.maximum + 0.5) * 2.0 ** (linear.type.fractional - t.fractional)
    weights = np.abs(program.instructions[linear.value].weights)  # type: ignore[attr-defined]
    for j in range(10):
        values = traced["d0_linear"][:, j]
        if program.ranges[linear.value].high[j] < edge:
            continue
        above, below = values[values >= edge].min(), values[values < edge].max()
        assert above - below <= weights[:, j].max()


@pytest.mark.parametrize("inputs", ["ap_fixed<9,4,AP_RND,AP_SAT>", "ap_ufixed<5,-1,AP_TRN,AP_WRAP>", "ap_int<4>"])
def test_inputs_are_driven_to_within_and_beyond_their_ends(inputs: str) -> None:
    program = _layers(inputs)
    t = program.inputs[0].type
    [x] = adversarial_stimuli(program, seed=1)["input extremes"]
    mantissas = x.astype(np.float64) * 2.0**t.fractional
    for mark in (t.minimum - 1, t.minimum, t.minimum + 1, t.maximum - 1, t.maximum, t.maximum + 1):
        assert (mantissas == mark).any(axis=0).all(), mark


def test_rounding_ties_and_their_neighbours() -> None:
    program = _layers()
    [x] = adversarial_stimuli(program, seed=1)["rounding ties"]
    mantissas = x.astype(np.float64) * 2.0 ** program.inputs[0].type.fractional
    rest = mantissas - np.floor(mantissas)
    third = len(rest) // 3
    assert (rest[:third] == 0.5).all()
    assert (rest[third : 2 * third] > 0.5).all()
    assert (rest[2 * third :] < 0.5).all()
    assert set(np.unique(np.floor(mantissas[:third]) % 2)) == {0.0, 1.0}


def test_random_events_have_the_number_asked_for_and_reach_beyond_the_range() -> None:
    program = _layers()
    blocks = [b[0] for b in random_stimulus(program, 40_000, seed=2)]
    assert sum(len(b) for b in blocks) == 40_000
    low, high = (float(v) for v in program.inputs[0].type.range)
    x = np.concatenate(blocks)
    assert (x < low).any()
    assert (x > high).any()
    assert (x == 0).any()


def test_coverage_says_what_was_reached() -> None:
    program = _layers()
    v = ff.verify(program, random_events=1000)
    first = next(c for c in v.coverage if c.layer == "d0_linear")
    assert first.ends_reached == (True, True)
    assert first.proven == first.reached
    cast = next(c for c in v.coverage if c.layer == "d0")
    assert cast.ties > 0
    assert cast.above > 0


def test_of_large_inputs_some_are_driven_alone() -> None:
    """Each of 3072 alone, which a color image of 32 by 32 has, would take gigabytes."""
    b = Builder("image")
    b.begin_layer("x", "Input")
    value = b.input("x", (1024,), FixedPoint(8, 3))
    b.end_layer(value)
    [x] = adversarial_stimuli(b.build({"y": value}), seed=1)["input extremes"]
    assert len(x) < 8000
    alone = x[(x != 0).sum(axis=1) == 1]
    assert np.count_nonzero(alone.any(axis=0)) == 256
