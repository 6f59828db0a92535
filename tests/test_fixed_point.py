"""FixedPoint against definitions written here with fractions: rounding and overflow modes of AMD UG1399."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings

from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding, all_modes

HALF = Fraction(1, 2)


def toward(value: Fraction, tie: int) -> int:
    """The nearest integer; a tie goes to `tie`."""
    below = floor(value)
    distance = value - below
    if distance == HALF:
        return tie
    return below if distance < HALF else below + 1


def rounded(value: Fraction, mode: Rounding) -> int:
    down, up = floor(value), -floor(-value)
    inward, outward = (down, up) if value >= 0 else (up, down)
    even = down if down % 2 == 0 else up
    return {
        Rounding.TRN: down,
        Rounding.TRN_ZERO: inward,
        Rounding.RND: toward(value, up),
        Rounding.RND_ZERO: toward(value, inward),
        Rounding.RND_INF: toward(value, outward),
        Rounding.RND_MIN_INF: toward(value, down),
        Rounding.RND_CONV: toward(value, even),
    }[mode]


def limited(number: int, width: int, signed: bool, mode: Overflow) -> int:
    lowest, highest = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if signed else (0, 2**width - 1)
    if mode is Overflow.WRAP:
        return (number - lowest) % 2**width + lowest
    if mode is Overflow.SAT_SYM and width > 1:
        lowest = -highest if signed else 0
    if lowest <= number <= highest:
        return number
    if mode is Overflow.SAT_ZERO:
        return 0
    return lowest if number < lowest else highest


def expected(value: Fraction, t: FixedPoint) -> int:
    return limited(rounded(value * Fraction(2) ** t.fractional, t.rounding), t.width, t.signed, t.overflow)


def types(widest: int, farthest: int) -> st.SearchStrategy[FixedPoint]:
    """Types whose binary point lies up to `farthest` bits outside their digits."""
    return st.integers(1, widest).flatmap(
        lambda width: st.builds(
            FixedPoint,
            st.just(width),
            st.integers(-farthest, width + farthest),
            st.booleans(),
            st.sampled_from(Rounding),
            st.sampled_from(Overflow),
        )
    )


def near(marks: list[int]) -> st.SearchStrategy[int]:
    return st.builds(lambda mark, offset: mark + offset, st.sampled_from(marks), st.integers(-3, 3))


@st.composite
def casts(draw: st.DrawFn, widest: int, most: int) -> tuple[FixedPoint, list[int], int]:
    """A target type, mantissas of at most `most` magnitude (many at ties and range ends), their fractional bits."""
    t = draw(types(widest, 20))
    fractional = t.fractional + draw(st.integers(-70, 70))
    step = Fraction(2) ** (fractional - t.fractional)
    ends = [t.minimum, t.maximum, 2 * t.minimum, 3 * t.maximum, 0, 1, -1]
    marks = [int(end * step + part * step) for end in ends for part in (0, HALF)]
    numbers = st.one_of(near(marks), st.integers(-most, most), st.integers(-300, 300))
    values = draw(st.lists(numbers.filter(lambda number: abs(number) <= most), min_size=1, max_size=8))
    return t, values, fractional


def check_cast(t: FixedPoint, values: npt.NDArray[Any], fractional: int) -> None:
    result = t.cast(values, fractional)
    assert result.shape == values.shape
    assert result.dtype == (np.int64 if t.width - t.signed < 64 else object)
    unit = Fraction(2) ** -fractional
    assert [int(v) for v in result.flat] == [expected(int(v) * unit, t) for v in values.flat]
    assert all(t.lowest <= int(v) <= t.maximum for v in result.flat)


@settings(deadline=None)
@given(casts(widest=64, most=2**63 - 1))
@example((FixedPoint(62, 62, True, Rounding.RND_INF), [2**62, -(2**62), 2**62 + 1], 1))
@example((FixedPoint(8, 8, True, Rounding.RND), [-(2**63), 2**63 - 1], 62))
@example((FixedPoint(8, 8, True, Rounding.RND), [-(2**63), 2**63 - 1], 63))
@example((FixedPoint(8, 8, False, Rounding.RND), [-(2**63), 2**63 - 1], 64))
@example((FixedPoint(8, 8, True, Rounding.TRN), [2**61, -(2**61), -1], -1))
def test_cast_of_int64(case: tuple[FixedPoint, list[int], int]) -> None:
    t, values, fractional = case
    check_cast(t, np.array(values, dtype=np.int64), fractional)


@settings(deadline=None)
@given(casts(widest=100, most=2**130))
def test_cast_of_python_integers(case: tuple[FixedPoint, list[int], int]) -> None:
    t, values, fractional = case
    check_cast(t, np.array(values, dtype=object), fractional)


@settings(deadline=None)
@given(casts(widest=40, most=2**31 - 1), st.sampled_from([np.int8, np.int16, np.int32, np.uint8, np.uint64, np.bool_]))
def test_cast_of_narrow_arrays(case: tuple[FixedPoint, list[int], int], dtype: Any) -> None:
    t, values, fractional = case
    check_cast(t, np.array(values).astype(dtype), fractional)


@pytest.mark.parametrize(("rounding", "overflow"), list(all_modes()))
def test_every_value_of_small_types(rounding: Rounding, overflow: Overflow) -> None:
    values = np.arange(-64, 64)
    for width in (1, 2, 3, 5):
        for signed in (True, False):
            for shift in range(-width - 1, 9):
                check_cast(FixedPoint(width, width, signed, rounding, overflow), values, shift)


@pytest.mark.parametrize("values", [np.zeros((0, 3), dtype=np.int64), np.array([[1, -2], [3, 4]]), np.array(5)])
@pytest.mark.parametrize("dtype", [np.int64, object])
def test_cast_keeps_the_shape(values: npt.NDArray[Any], dtype: Any) -> None:
    for t in (FixedPoint(4, 4), FixedPoint(80, 40)):
        check_cast(t, values.astype(dtype), 1)


def test_cast_of_lists_and_integers() -> None:
    t = FixedPoint(8, 8, overflow=Overflow.SAT)
    assert t.cast([2**70, -1, 2**63], 0).tolist() == [127, -1, 127]
    assert t.cast([], 0).tolist() == []
    assert t.cast(-1000, 2).tolist() == -128
    assert t.cast(np.array([-3])[::-1], 1).tolist() == [-2]
    with pytest.raises(TypeError, match="mantissas are integers, not float64"):
        t.cast([0.5], 0)
    with pytest.raises(TypeError, match="mantissas are integers"):
        t.cast(np.array([1.0]), 0)


def floats(width: int) -> st.SearchStrategy[float]:
    return st.floats(width=width, allow_nan=False, allow_infinity=False)


@st.composite
def reals(draw: st.DrawFn) -> tuple[FixedPoint, npt.NDArray[Any]]:
    """A type, and floats of one kind: any at all, on and beside the type's values, ties and range ends."""
    t = draw(types(80, 30))
    kind, width = draw(st.sampled_from([(np.float16, 16), (np.float32, 32), (np.float64, 64)]))
    info = np.finfo(kind)
    marks = near([0, 4 * t.minimum, 4 * t.maximum, 8 * t.maximum, 12 * t.minimum])
    quarters = st.builds(lambda quarter: float(Fraction(quarter) * Fraction(2) ** (-t.fractional - 2)), marks)
    beside = st.builds(
        lambda v, way: float(np.nextafter(kind(v), kind(way * np.inf))), quarters, st.sampled_from([-1, 1])
    )
    valid = st.one_of(quarters, beside).filter(lambda v: abs(v) <= float(info.max))
    values = draw(st.lists(st.one_of(valid, floats(width)), min_size=1, max_size=8))
    return t, np.array(values).astype(kind)


def check_quantize(t: FixedPoint, values: npt.NDArray[Any]) -> None:
    result = t.quantize(values)
    assert result.shape == values.shape
    assert [int(v) for v in result.flat] == [expected(Fraction(float(v)), t) for v in values.flat]


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@settings(deadline=None)
@given(reals())
def test_quantize(case: tuple[FixedPoint, npt.NDArray[Any]]) -> None:
    check_quantize(*case)


@pytest.mark.parametrize(("rounding", "overflow"), list(all_modes()))
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_quantize_special_numbers(rounding: Rounding, overflow: Overflow, kind: Any) -> None:
    info = np.finfo(kind)
    tiny = [info.smallest_subnormal, info.tiny, np.nextafter(kind(0.5), kind(1)), np.nextafter(kind(0.5), kind(0))]
    huge = [info.max, kind(2.0**60), kind(2.0**59), np.nextafter(kind(2.0**60), kind(0)), kind(2.0**64 + 2.0**50)]
    values = np.array([0.0, 0.5, 1.5, 2.5, *tiny, *huge], dtype=kind)
    for width, integer in [
        (8, 8),
        (8, -20),
        (8, 60),
        (60, 30),
        (64, 64),
        (90, 80),
        (3, 900),
        (3, -900),
        (9, 2000),
        (9, -2000),
    ]:
        for signed in (True, False):
            check_quantize(FixedPoint(width, integer, signed, rounding, overflow), np.stack([values, -values]))


def test_quantize_takes_integers_exactly_and_refuses_the_rest() -> None:
    t = FixedPoint(64, 64)
    assert t.quantize(np.array([2**60 + 1])).tolist() == [2**60 + 1]
    assert t.quantize([1, True]).tolist() == [1, 1]
    assert t.quantize(0.75).shape == ()
    assert t.quantize(np.zeros((0, 2), dtype=np.float32)).shape == (0, 2)
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ValueError, match="NaN or infinity"):
            t.quantize([0.0, bad])
    for values in (np.array([1], dtype=np.longdouble), [1j], ["1"], [Fraction(1, 3)], [2**70]):
        with pytest.raises(TypeError, match="expected float16, float32, float64 or integers"):
            t.quantize(values)


def test_quantize_leaves_its_argument_alone() -> None:
    values = np.array([1e-320, -1.0, 1e300])
    FixedPoint(8, 60).quantize(values)
    assert values.tolist() == [1e-320, -1.0, 1e300]


@settings(deadline=None)
@given(types(53, 40), st.data())
def test_to_float_is_exact_and_quantize_inverts_it(t: FixedPoint, data: st.DataObject) -> None:
    values = np.array(data.draw(st.lists(st.integers(t.lowest, t.maximum), max_size=8)), dtype=np.int64)
    real = t.to_float(values)
    assert real.dtype == np.float64
    assert [Fraction(float(v)) for v in real] == [int(v) * Fraction(2) ** -t.fractional for v in values]
    assert t.quantize(real).tolist() == values.tolist()
    assert t.cast(values, t.fractional).tolist() == values.tolist()


def test_to_float_refuses_what_float64_does_not_hold() -> None:
    t = FixedPoint(60, 30)
    assert t.to_float(np.array([2**53, -(2**53)])).tolist() == [2.0**23, -(2.0**23)]
    for value in (2**53 + 1, -(2**53) - 1):
        with pytest.raises(OverflowError, match="ask for mantissas"):
            t.to_float(np.array([value]))
    assert FixedPoint(100, 50).to_float(np.array([3], dtype=object)).tolist() == [3 * 2.0**-50]


@settings(deadline=None)
@given(st.integers(-(2**100), 2**100), st.integers(0, 2**100), st.integers(-40, 40))
def test_holding_is_the_narrowest(low: int, extent: int, fractional: int) -> None:
    high = low + extent
    t = FixedPoint.holding(low, high, fractional)
    assert t.fractional == fractional
    assert t.minimum <= low <= high <= t.maximum
    assert t.signed == (low < 0)
    if t.width > 1:
        narrower = FixedPoint(t.width - 1, t.integer - 1, t.signed)
        assert not narrower.minimum <= low <= high <= narrower.maximum


def test_holding_of_nothing() -> None:
    assert FixedPoint.holding(0, 0, 3) == FixedPoint(1, -2, signed=False)
    with pytest.raises(ValueError, match="empty range"):
        FixedPoint.holding(1, 0, 0)


@settings(deadline=None)
@given(types(40, 5), st.data())
def test_binary_shows_the_bits(t: FixedPoint, data: st.DataObject) -> None:
    mantissa = data.draw(st.integers(t.minimum, t.maximum))
    text = t.binary(mantissa)
    bits, _, power = text.removeprefix("0b").partition(" * 2^")
    whole, _, part = bits.partition(".")
    assert len(whole + part) == t.width
    number = int(whole + part, 2) - (2**t.width if mantissa < 0 else 0)
    assert number * Fraction(2) ** (int(power) if power else -len(part)) == mantissa * Fraction(2) ** -t.fractional


def test_binary_examples() -> None:
    assert FixedPoint(5, 3).binary(-11) == "0b101.01"
    assert FixedPoint(3, 3).binary(5) == "0b101"
    assert FixedPoint(3, 5).binary(5) == "0b101 * 2^2"
    assert FixedPoint(3, -1).binary(1) == "0b001 * 2^-4"


@settings(deadline=None)
@given(types(60, 20))
def test_range_and_ends(t: FixedPoint) -> None:
    unit = Fraction(2) ** -t.fractional
    assert Fraction(t.lsb) == unit
    assert t.range == (t.lowest * unit, t.maximum * unit)
    far = Fraction(2) ** 200
    if t.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        assert (expected(-far, t), expected(far, t)) == (t.lowest, t.maximum)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 0), "width"),
        ((-1, 0), "width"),
        ((True, 0), "width"),
        ((8.0, 0), "width"),
        ((8, 2.5), "integer bits"),
        ((8, 2, True, "NEAREST"), "NEAREST"),
        ((8, 2, True, "RND", "CLIP"), "CLIP"),
    ],
)
def test_impossible_types(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FixedPoint(*arguments)


def test_types_compare_by_value() -> None:
    t = FixedPoint(8, 3, 1, "RND_CONV", "SAT")  # type: ignore[arg-type]
    assert t == FixedPoint(8, 3, True, Rounding.RND_CONV, Overflow.SAT)
    assert len({t, FixedPoint(8, 3).with_modes("RND_CONV", "SAT")}) == 1
    assert t.same_bits(FixedPoint(8, 3))
    assert not t.same_bits(FixedPoint(8, 3, signed=False))
