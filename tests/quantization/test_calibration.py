"""Integer bits from data."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantization.calibration import Calibration, integer_bits, quantized

BITS = st.integers(2, 16)
VALUES = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=20)


def round_half_even(value: Fraction) -> int:
    return round(value)


@given(VALUES, BITS, st.integers(-6, 12), st.booleans())
def test_quantized_follows_the_definition(values: list[float], bits: int, integer: int, signed: bool) -> None:
    step = Fraction(2) ** (integer + signed - bits)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    expected = [min(max(round_half_even(Fraction(v) / step), low), high) * step for v in values]
    assert [Fraction(v) for v in quantized(values, bits, integer, signed=signed)] == expected


@given(VALUES, BITS, st.booleans())
def test_the_range_that_clips_nothing_is_the_smallest_such(values: list[float], bits: int, signed: bool) -> None:
    kept = np.array(values) if signed else np.maximum(values, 0.0)
    integer = integer_bits(values, bits, signed=signed, method=Calibration.MAX)
    if not kept.any():
        assert integer == 0
        return

    def worst(i: int) -> float:
        return float(np.abs(quantized(kept, bits, i, signed=signed) - kept).max())

    assert worst(integer) <= 2.0 ** (integer + signed - bits - 1)
    assert worst(integer - 1) > 2.0 ** (integer - 1 + signed - bits - 1)


@given(VALUES, BITS)
def test_least_squares_is_never_worse_than_clipping_nothing(values: list[float], bits: int) -> None:
    array = np.array(values)

    def error(method: Calibration) -> float:
        return float(np.square(quantized(array, bits, integer_bits(array, bits, method=method)) - array).sum())

    assert error(Calibration.LEAST_SQUARES) <= error(Calibration.MAX)


def test_percentile_ignores_the_rare_outlier() -> None:
    values = np.concatenate([np.full(99_999, 0.9), [1000.0]])
    assert integer_bits(values, 8, method="percentile") == 0
    assert integer_bits(values, 8, method="max") == 10


@pytest.mark.parametrize(
    ("values", "bits", "integer"),
    [([0.0], 8, 0), ([0.5], 8, -1 + 1), ([0.4], 8, -1), ([-1.0], 8, 0), ([1.0], 8, 1), ([-8.0, 3.0], 6, 3)],
)
def test_examples(values: list[float], bits: int, integer: int) -> None:
    assert integer_bits(values, bits, method="max") == integer


@pytest.mark.parametrize(("values", "bits"), [([], 8), ([np.nan], 8), ([np.inf, 1.0], 8), ([1.0], 1)])
def test_refuses(values: list[float], bits: int) -> None:
    with pytest.raises(ValueError, match=r"values|bits"):
        integer_bits(values, bits)
