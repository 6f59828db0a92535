"""Hypothesis strategies: Programs over all nine instructions, and events at the awkward places of their inputs."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.integer_bounds import largest_number
from firmware_flows.program import Input, Program, ProgramError

LARGEST = 2**62
SHAPES: list[tuple[int, ...]] = [(3,), (4,), (2, 3), (3, 2), (2, 1, 2), (1,), ()]


@st.composite
def types(draw: st.DrawFn, widest: int = 60) -> FixedPoint:
    """Types of all modes; narrow, about as wide as float32 and float64 hold, integer bits outside the width."""
    width = draw(
        st.one_of(st.integers(1, 10), st.integers(1, 28), st.integers(1, widest)).filter(lambda w: w <= widest)
    )
    integer = draw(st.integers(-4, width + 4))
    modes = draw(st.sampled_from(list(Rounding))), draw(st.sampled_from(list(Overflow)))
    return FixedPoint(width, integer, draw(st.booleans()), *modes)


@st.composite
def near_types(draw: st.DrawFn, fractional: int, bits: int) -> FixedPoint:
    """Types that lose some of the upper or lower bits of numbers of `bits` bits."""
    width = max(1, min(60, bits + draw(st.integers(-6, 2))))
    modes = draw(st.sampled_from(list(Rounding))), draw(st.sampled_from(list(Overflow)))
    return FixedPoint(width, width - fractional + draw(st.integers(-3, 6)), draw(st.booleans()), *modes)


@st.composite
def programs(draw: st.DrawFn, all_outputs: bool = False) -> Program:
    """A Program of one or two inputs and up to seven more instructions, whose values all fit 63 bits."""
    b = Builder("random")
    for k in range(draw(st.integers(1, 2))):
        b.begin_layer(f"in{k}", "Input")
        b.end_layer(b.input(f"in{k}", draw(st.sampled_from(SHAPES)), draw(types())))
    for k in range(draw(st.integers(1, 7))):
        b.begin_layer(f"layer{k}", "Any")
        first = len(b.instructions)
        value = draw(steps(b))
        if not carried(b, first):  # one bit too many for every carrier: not this one
            del b.instructions[first:], b.intervals[first:]
            value = first - 1
        b.end_layer(value)
    last = len(b.instructions) - 1
    chosen = list(range(last + 1)) if all_outputs else sorted({last, draw(st.integers(0, last))})
    return b.build({f"out{v}": v for v in chosen})


def carried(b: Builder, first: int) -> bool:
    for number in range(first, len(b.instructions)):
        i = b.instructions[number]
        sources, intervals = [b.instructions[s] for s in i.sources], [b.intervals[s] for s in i.sources]
        largest = 0 if isinstance(i, Input) else largest_number(i, sources, intervals)
        if max(b.intervals[number].magnitude, largest) > LARGEST:
            return False
    return True


@st.composite
def steps(draw: st.DrawFn, b: Builder) -> int:
    source = draw(st.integers(0, len(b.instructions) - 1))
    if draw(st.booleans()):
        source = len(b.instructions) - 1  # chains are longer so
    kinds = ["cast", "cast", "near", "near", "constant", "combine", "rearrange", "table"]
    if b.shape_of(source):
        kinds += ["affine", "affine", "affine", "reduce", "reduce", "argmax"]
    kind = draw(st.sampled_from(kinds))
    return int(draw(STEPS[kind](b, source)))


@st.composite
def cast(draw: st.DrawFn, b: Builder, source: int) -> int:
    return b.cast(source, draw(types()))


@st.composite
def near(draw: st.DrawFn, b: Builder, source: int) -> int:
    t = b.type_of(source)
    return b.cast(source, draw(near_types(t.fractional, t.width)))


@st.composite
def constant(draw: st.DrawFn, b: Builder, source: int) -> int:
    value = b.constant(draw(integers(draw(st.sampled_from(SHAPES)))), draw(st.integers(-2, 8)))
    return draw(combine(b, source, value))


@st.composite
def integers(draw: st.DrawFn, shape: tuple[int, ...]) -> npt.NDArray[np.int64]:
    limit = 2 ** draw(st.sampled_from([1, 3, 6, 6, 12, 25]))
    size = int(np.prod(shape, dtype=int))
    numbers = draw(st.lists(st.integers(-limit, limit), min_size=size, max_size=size))
    return np.array(numbers, dtype=np.int64).reshape(shape)


@st.composite
def combine(draw: st.DrawFn, b: Builder, source: int, other: int | None = None) -> int:
    operation = draw(st.sampled_from(["add", "subtract", "multiply", "maximum", "minimum"]))
    if other is None:
        other = draw(st.integers(0, len(b.instructions) - 1))
    try:
        np.broadcast_shapes(b.shape_of(source), b.shape_of(other))
    except ValueError:
        other = source
    pair = (source, other) if draw(st.booleans()) else (other, source)
    return b.combine(operation, *pair)


@st.composite
def affine(draw: st.DrawFn, b: Builder, source: int) -> int:
    t, n_in, n_out = b.type_of(source), b.shape_of(source)[-1], draw(st.integers(1, 4))
    weights, bias = draw(integers((n_in, n_out))), draw(st.none() | integers((n_out,)))
    weight_fractional, bias_fractional = draw(st.integers(-1, 7)), draw(st.integers(-1, 9))
    product = accumulator = None
    if draw(st.booleans()):
        fractional = t.fractional + weight_fractional
        bits = min(58, t.width + int(np.abs(weights).max()).bit_length())
        product, accumulator = draw(near_types(fractional, bits)), draw(near_types(fractional, bits + 2))
    try:
        value = b.affine(source, weights, weight_fractional, bias, bias_fractional, product, accumulator)
    except ProgramError:  # the bias has too many bits in the sum's units
        value = b.affine(source, weights, weight_fractional, None, 0, product, accumulator)
    if draw(st.booleans()):  # the pair that the fast path joins
        t = b.type_of(value)
        value = b.cast(value, draw(near_types(t.fractional, t.width)))
    return value


@st.composite
def rearrange(draw: st.DrawFn, b: Builder, source: int) -> int:
    sources = [source]
    if draw(st.booleans()):
        sources.append(draw(st.integers(0, len(b.instructions) - 1)))
    size = sum(int(np.prod(b.shape_of(s), dtype=int)) for s in sources)
    if draw(st.booleans()):
        return b.rearrange(sources, np.arange(size))
    shape = draw(st.sampled_from(SHAPES))
    count = int(np.prod(shape, dtype=int))
    indices = draw(st.lists(st.integers(-1, size - 1), min_size=count, max_size=count))
    return b.rearrange(sources, np.reshape(indices, shape), draw(st.integers(-9, 9)))


@st.composite
def reduce(draw: st.DrawFn, b: Builder, source: int) -> int:
    t, shape = b.type_of(source), b.shape_of(source)
    accumulator = draw(st.none() | near_types(t.fractional, t.width))
    return b.reduce(
        draw(st.sampled_from(["sum", "sum", "maximum", "minimum"])),
        source,
        draw(st.integers(0, len(shape) - 1)),
        accumulator,
        draw(st.sampled_from(["sequential", "tree"])),
    )


@st.composite
def table(draw: st.DrawFn, b: Builder, source: int) -> int:
    if b.type_of(source).width > 5:
        source = b.cast(source, FixedPoint(draw(st.integers(1, 5)), draw(st.integers(-1, 4)), draw(st.booleans())))
    shape = b.shape_of(source)
    rows = shape[-1] if shape and draw(st.booleans()) else 1
    entries = draw(integers((rows, 2 ** b.type_of(source).width)))
    return b.table(source, entries, draw(st.integers(-2, 6)))


def argmax(b: Builder, source: int) -> st.SearchStrategy[int]:
    return st.builds(b.argmax, st.just(source))


STEPS: dict[str, Any] = {
    "cast": cast,
    "near": near,
    "constant": constant,
    "combine": combine,
    "affine": affine,
    "rearrange": rearrange,
    "reduce": reduce,
    "table": table,
    "argmax": argmax,
}


@st.composite
def events(draw: st.DrawFn, program: Program, count: int) -> list[npt.NDArray[np.float32]]:
    """float32 events (count, ...) an input: about the ends of its type, on and beside rounding ties, huge and tiny."""
    arrays = []
    for port in program.inputs:
        t = port.type
        lsb = 2.0**-t.fractional
        mantissa = st.one_of(
            st.integers(-9, 9),
            st.integers(t.minimum, t.maximum),
            st.sampled_from([t.minimum - 1, t.minimum, t.minimum + 1, t.maximum - 1, t.maximum, t.maximum + 1]),
        )
        quarter = st.sampled_from([0.0, 0.25, 0.5, 0.75])
        awkward = [0.0, -0.0, 1e38, -1e38, 3.4e38, 1e-45, -1e-45, 0.49999997 * lsb, -0.49999997 * lsb, 1e-3]
        number = st.one_of(
            st.builds(lambda m, q, lsb=lsb: float((m + q) * lsb), mantissa, quarter), st.sampled_from(awkward)
        )
        size = count * int(np.prod(port.shape, dtype=int))
        numbers = draw(st.lists(number, min_size=size, max_size=size))
        arrays.append(np.array(numbers, dtype=np.float64).astype(np.float32).reshape(count, *port.shape))
    return arrays
