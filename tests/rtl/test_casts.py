"""Every rounding with every overflow, composed of what alkaid has, equals the Program's cast."""

from __future__ import annotations

import numpy as np
import pytest
from rtl_programs import Net, all_mantissas, differing

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding, all_modes
from firmware_flows.rtl.errors import RtlError

SOURCES = [
    FixedPoint(7, 3),
    FixedPoint(6, 6, signed=False),
    FixedPoint(9, -1),
    FixedPoint(30, 8),
    FixedPoint(40, 20, False),
]


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_all_modes_on_all_values(source: FixedPoint) -> None:
    rng = np.random.default_rng(source.width)
    net = Net()
    x = net.input("x", (), source)
    outputs = []
    for rounding, overflow in all_modes():
        for _ in range(2):
            lost = int(rng.integers(-1, 5))
            width = int(rng.integers(1, 9)) if source.width < 20 else source.width - int(rng.integers(-2, 14))
            t = FixedPoint(width, width - source.fractional + lost, bool(rng.integers(2)), rounding, overflow)
            outputs.append(net.cast(x, t))
    assert len(outputs) == 56
    assert differing(net.build(*outputs), [all_mantissas(source)]) == 0


def test_a_relu_that_saturates_needs_no_subtraction() -> None:
    from firmware_flows.rtl.tracing import trace

    net = Net()
    x = net.input("x", (), FixedPoint(16, 8))
    t = FixedPoint(8, 4, False, Rounding.RND, Overflow.SAT)
    logic = trace(net.build(net.cast(x, t)))
    subtractions = [op for op in logic.combinational.ops if op.opcode in (0, 1, 11)]
    assert not subtractions
    assert differing(net.build(net.cast(x, t)), [all_mantissas(FixedPoint(16, 8))]) == 0


def test_rounding_away_every_bit_leaves_the_sign() -> None:
    net = Net()
    x = net.input("x", (), FixedPoint(5, 1))
    outputs = [net.cast(x, FixedPoint(4, 9, True, rounding, "WRAP")) for rounding in Rounding]
    assert differing(net.build(*outputs), [all_mantissas(FixedPoint(5, 1))]) == 0


def test_numbers_beyond_float64_are_refused() -> None:
    net = Net()
    x = net.input("x", (), FixedPoint(53, 20))
    with pytest.raises(RtlError, match=r"53 bits|52 bits") as caught:
        differing(net.build(net.cast(x, FixedPoint(20, 20))), [np.zeros(1, np.int64)])
    assert "HLS" in caught.value.remedy
