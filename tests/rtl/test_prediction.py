"""What a Program will cost is said before minutes are spent, within the stated accuracy."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rtl_programs import Net

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.rtl import predict, write_design
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.prediction import signed_digits, solving_seconds
from firmware_flows.rtl.tracing import trace

RELU = FixedPoint(8, 3, False, "RND", "SAT")


def dense(sizes: list[int], bits: int, density: float = 1.0) -> Program:
    rng = np.random.default_rng(len(sizes))
    net = Net("dense")
    value = net.input("x", (sizes[0],), FixedPoint(8, 3, True, "RND", "SAT"))
    for n_in, n_out in pairwise(sizes):
        weights = rng.integers(-(2 ** (bits - 1)) + 1, 2 ** (bits - 1), (n_in, n_out))
        value = net.affine(value, weights * (rng.random((n_in, n_out)) < density), bits)
        value = net.cast(value, RELU)
    return net.build(value)


def test_signed_digits() -> None:
    # 7 = 8 - 1, 11 = 8 + 4 - 1, 85 = 64 + 16 + 4 + 1
    assert signed_digits(np.array([[0, 1, -7, 11, 85]])) == 0 + 1 + 2 + 3 + 4
    assert signed_digits(np.array([[2**62 + 1]])) == 2


@pytest.mark.parametrize(
    ("sizes", "bits", "density"), [([16, 32, 5], 6, 1.0), ([20, 24, 24], 8, 0.5), ([9, 16, 8, 1], 12, 1.0)]
)
def test_cost_is_as_predicted(sizes: list[int], bits: int, density: float) -> None:
    program = dense(sizes, bits, density)
    assert predict(program).cost == pytest.approx(trace(program).cost, rel=0.25)


def test_a_network_too_large_to_unroll_is_refused_at_once(tmp_path: Path) -> None:
    program = dense([128] * 11, 8)
    start = time.perf_counter()
    with pytest.raises(RtlError, match="unrolled, 'dense' is predicted to need") as caught:
        write_design(program, tmp_path / "design")
    assert time.perf_counter() - start < 5
    assert "reuse factor" in caught.value.remedy
    assert not list(tmp_path.iterdir())


def test_the_limits_are_parameters(tmp_path: Path) -> None:
    program = dense([16, 16], 6)
    with pytest.raises(RtlError, match="the limit is cost = 100"):
        write_design(program, tmp_path / "design", max_cost=100)
    with pytest.raises(RtlError, match="the limit is seconds = 0"):
        write_design(program, tmp_path / "design", max_seconds=1e-6)


def test_blocks_make_a_large_matrix_quick() -> None:
    weights = np.full((128, 128), 85)
    assert solving_seconds(weights, 20.0) < 0.6 * solving_seconds(weights)
