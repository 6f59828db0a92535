"""Range analysis: every value lies in its interval, and the intervals are as narrow as the network allows.

That random values of random Programs lie in their intervals is also checked in test_emulator.py, at every example.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from random_programs import events, integers, near_types, programs, types

from firmware_flows.builder import Builder
from firmware_flows.emulator import emulate
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.program import Input, Program
from firmware_flows.ranges import Interval, analyse

CHECKS = list(HealthCheck)


@settings(max_examples=150, deadline=None, suppress_health_check=CHECKS)
@given(st.data())
def test_every_emulated_value_lies_in_its_interval(data: st.DataObject) -> None:
    program = data.draw(programs(all_outputs=True))
    arrays = data.draw(events(program, 20))
    values = emulate(program, arrays if len(arrays) > 1 else arrays[0], raw=True, threads=1)
    values = values if isinstance(values, tuple) else (values,)
    for output, value in zip(program.outputs, values, strict=True):
        interval, t = program.ranges[output.value], program.instructions[output.value].type
        assert (value >= interval.low).all(), program.to_text()
        assert (value <= interval.high).all(), program.to_text()
        assert t.minimum <= interval.lowest <= interval.highest <= t.maximum


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(programs())
def test_derived_types_are_the_narrowest(program: Program) -> None:
    for i, interval in zip(program.instructions, program.ranges, strict=True):
        if isinstance(i, Input) or i.name == "cast" or getattr(i, "accumulator", None) is not None:
            continue  # types that were asked for
        t = i.type
        assert t.signed == (interval.lowest < 0)
        if t.width > 1:
            narrower = FixedPoint(t.width - 1, t.integer - 1, t.signed)
            assert interval.lowest < narrower.minimum or interval.highest > narrower.maximum


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(st.data())
def test_both_ends_of_a_first_layer_are_reached(data: st.DataObject) -> None:
    t = data.draw(types(20)).with_modes(Rounding.RND, Overflow.SAT)
    weights, bias = data.draw(integers((4, 3))), data.draw(integers((3,)))
    b = Builder("first layer")
    x = b.input("x", (4,), t)
    y = b.affine(x, weights, 3, bias, t.fractional + 3)
    program = b.build({"y": y})
    lowest, highest = t.minimum * t.lsb, t.maximum * t.lsb
    for k in range(3):
        upward = np.where(weights[:, k] >= 0, highest, lowest)
        downward = np.where(weights[:, k] >= 0, lowest, highest)
        high, low = emulate(program, np.array([upward, downward]), raw=True)[:, k].tolist()
        assert (low, high) == (program.ranges[y].low[k], program.ranges[y].high[k])


def ends(program: Program, value: int) -> tuple[Any, Any]:
    interval = program.ranges[value]
    return interval.low.tolist(), interval.high.tolist()


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("overflow", list(Overflow))
@pytest.mark.parametrize("rounding", list(Rounding))
def test_the_interval_of_a_cast_is_exact_where_it_can_be(rounding: Rounding, overflow: Overflow, signed: bool) -> None:
    """Against all values, for every interval of a small source: sound always, and tight when nothing wraps."""
    source = FixedPoint(5, 4, True, "TRN", "SAT")
    for width, integer, low, high in product((2, 3), (2, 3), (-16, -7, -3, 0, 2), (-3, 0, 1, 6, 15)):
        if low > high:
            continue
        t = FixedPoint(width, integer, signed, rounding, overflow)
        b = Builder("cast")
        x = b.input("x", (1,), source)
        limited = b.combine("maximum", b.combine("minimum", x, b.constant([high], 1)), b.constant([low], 1))
        interval = b.interval(b.cast(limited, t))
        values = t.cast(np.arange(low, high + 1), 1)
        assert interval.lowest <= values.min()
        assert interval.highest >= values.max()
        if overflow in (Overflow.SAT, Overflow.SAT_SYM):
            assert (interval.lowest, interval.highest) == (values.min(), values.max())


def test_wrapping_within_one_period_keeps_the_interval() -> None:
    b = Builder("wrap")
    x = b.input("x", (1,), FixedPoint(3, 3, False, "TRN", "SAT"))  # 0 to 7
    shifted = b.combine("add", x, b.constant([16], 0))  # 16 to 23
    y = b.cast(shifted, FixedPoint(4, 4, False))
    assert (b.interval(y).lowest, b.interval(y).highest) == (0, 7)


@settings(max_examples=100, deadline=None, suppress_health_check=CHECKS)
@given(st.data())
def test_lossy_types_that_lose_nothing_keep_the_exact_interval(data: st.DataObject) -> None:
    """Wide enough types prove themselves harmless; whatever they are, an exact result is reported only if it is."""
    weights = data.draw(integers((3, 2)))
    b = Builder("lossy")
    x = b.input("x", (2, 3), FixedPoint(6, 3, True, "RND", "SAT"))
    exact = b.affine(x, weights, 2)
    bits = b.type_of(exact).width + 2
    wide = FixedPoint(bits + 3, bits + 3 - b.type_of(exact).fractional)
    same = b.affine(x, weights, 2, product=wide, accumulator=wide)
    some_type = data.draw(near_types(5, bits))
    lossy = b.affine(x, weights, 2, product=some_type, accumulator=some_type)
    total = b.reduce("sum", exact, 0)
    same_total = b.reduce("sum", exact, 0, accumulator=wide)
    program = b.build({"lossy": lossy})
    assert ends(program, same) == ends(program, exact)
    assert ends(program, same_total) == ends(program, total)
    assert some_type.minimum <= program.ranges[lossy].lowest


def test_ranges_beyond_int64_are_exact() -> None:
    b = Builder("wide")
    x = b.input("x", (4,), FixedPoint(62, 62, True, "TRN", "SAT"))
    low, high = -(2**61), 2**61 - 1
    total = b.reduce("sum", x, 0)
    product_ = b.combine("multiply", x, x)
    affine = b.affine(x, [[2**62], [2**62], [-(2**62)], [1]], 0, [2**62], 0)
    added = b.combine("add", b.constant([2**62], 0), b.constant([2**62], 0))
    subtracted = b.combine("subtract", b.constant([2**62], 0), b.constant([-(2**62)], 0))
    assert ends_of(b.interval(total)) == (4 * low, 4 * high)
    assert ends_of(b.interval(product_)) == (low * high, low * low)
    assert ends_of(b.interval(affine)) == (
        2**62 * (2 * low - high + 1) + low,
        2**62 * (2 * high - low + 1) + high,
    )
    assert ends_of(b.interval(added)) == (2**63, 2**63)
    assert ends_of(b.interval(subtracted)) == (2**63, 2**63)


def ends_of(interval: Interval) -> tuple[int, int]:
    return interval.lowest, interval.highest


def test_only_reachable_table_entries_count() -> None:
    b = Builder("table")
    x = b.input("x", (2,), FixedPoint(3, 3, True, "RND", "SAT"))
    positive = b.cast(b.combine("maximum", x, b.constant([0, 1], 0)), FixedPoint(3, 3))
    y = b.table(positive, [100, 100, 100, 100, 1, 2, 3, 9], 0)  # for -4 to 3
    assert b.interval(y).low.tolist() == [1, 2]
    assert b.interval(y).high.tolist() == [9, 9]


def test_intervals_are_per_element() -> None:
    b = Builder("elements")
    x = b.input("x", (2,), FixedPoint(4, 4, True, "RND", "SAT"))
    y = b.affine(x, [[1, 0], [0, 3]], 0)
    z = b.rearrange([y], [1, 0, -1], fill=5)
    program = b.build({"z": z})
    assert ends(program, z) == ([-24, -8, 5], [21, 7, 5])
    again = analyse(program.instructions)
    assert ends_of(again[z]) == (-24, 21)


def test_magnitudes() -> None:
    low: npt.NDArray[np.int64] = np.array([-5, 2])
    interval = Interval(low, np.array([3, 4]))
    assert interval.magnitude == 5
    assert interval.magnitudes().tolist() == [5, 4]
