"""Digits of constants, and what HLS tools build for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_flows.estimation.constants import csd_digits, from_summary, from_weights, random_matrix, side_by_side


def naf_digits(value: int) -> int:
    """Non-adjacent form, digit by digit (Reitwiesner's algorithm): an independent count."""
    count, value = 0, abs(value)
    while value:
        if value & 1:
            value -= 2 - (value & 3)
            count += 1
        value >>= 1
    return count


@given(st.integers(-(2**60), 2**60))
def test_digits_are_those_of_the_non_adjacent_form(value: int) -> None:
    assert csd_digits([value])[0] == naf_digits(value)


def test_counts_of_a_small_matrix() -> None:
    # Row one: 11 twice (one multiplier, 4 bits), -11 (5 bits), 3 (an adder). Row two: 7, 44 (6 bits), 0, 4 (a shift).
    found = from_weights(np.array([[11, 11, -11, 3], [7, 44, 0, 4]]))
    assert found.nonzero == 7
    assert found.zeros == 1
    assert found.power_of_two == 1
    assert found.csd_digits == 3 + 3 + 3 + 2 + 2 + 3 + 1
    assert found.multiplications == {4: 1.0, 5: 1.0, 6: 1.0}
    assert found.multipliers() == 3
    assert found.multipliers(5) == 2
    assert found.additions == 2


def test_an_empty_matrix_costs_nothing() -> None:
    found = from_weights(np.zeros((4, 3), np.int64))
    assert (found.nonzero, found.csd_digits, found.multipliers(), found.additions) == (0, 0, 0, 0)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(2, 10), st.integers(0, 1000))
def test_counts_agree_with_loops(inputs: int, outputs: int, bits: int, seed: int) -> None:
    weights = np.random.default_rng(seed).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (inputs, outputs))
    found = from_weights(weights)
    pairs = {(i, int(w)) for i in range(inputs) for w in weights[i]}
    assert found.multipliers() == sum(naf_digits(w) >= 3 for _, w in pairs)
    assert found.additions == sum(naf_digits(w) == 2 for _, w in pairs)
    assert found.csd_digits == sum(naf_digits(int(w)) for w in weights.ravel())


@pytest.mark.parametrize("bits", [4, 6, 8, 10, 12, 14])
def test_a_summary_gives_nearly_the_same_counts(bits: int) -> None:
    weights = np.random.default_rng(3).integers(-(2 ** (bits - 1)), 2 ** (bits - 1), (32, 64))
    exact, digits = from_weights(weights), csd_digits(weights)
    summary = from_summary(
        32, 64, exact.nonzero, exact.power_of_two, int(digits.sum()), len(np.unique(weights[weights != 0])), bits
    )
    assert summary.multipliers() == pytest.approx(exact.multipliers(), rel=0.15, abs=30)
    assert random_matrix(32, 64, bits).multipliers() == pytest.approx(exact.multipliers(), rel=0.15, abs=30)


def test_matrices_side_by_side_have_no_products_between_them() -> None:
    one = from_weights(np.array([[11], [3]]))
    both = side_by_side([one, one])
    assert (both.inputs, both.outputs, both.size, both.nonzero) == (4, 2, 4, 4)
    assert both.zeros == 0
    assert both.multipliers() == 2
