"""A Program as alkaid logic: one handler an instruction, no knowledge of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from heapq import heapify, heappop, heappush
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    CombineOperation,
    Constant,
    Input,
    Instruction,
    Order,
    Program,
    Rearrange,
    Reduce,
    ReduceOperation,
    Table,
)
from firmware_flows.ranges import Interval, affine_magnitudes, is_lossless
from firmware_flows.rtl import wires as w
from firmware_flows.rtl.alkaid_library import reproducible, session
from firmware_flows.rtl.casts import cast
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.matrices import Effort, Solver
from firmware_flows.rtl.wires import LIMB, Wire

LARGEST_BITS = 50
"""alkaid keeps intervals as float64: two bits are left for roundings and partial sums."""

TABLE_BITS = 16
"""Widest table: 65,536 entries."""

Wires = npt.NDArray[Any]
"""Array of wires in the shape of a value."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Logic:
    """The traced Program: alkaid's combinational logic from all input elements to the output elements that vary.

    outputs: for every element of every output port, flattened and one port after the other, the number of the
    logic's output, or the value where it is constant.
    """

    combinational: Any = field(repr=False)
    outputs: tuple[int | Fraction, ...] = field(repr=False)

    @property
    def cost(self) -> float:
        """In alkaid's units: about one LUT6."""
        return float(self.combinational.cost)

    @property
    def delay(self) -> float:
        """Of the longest path, in alkaid's units."""
        return float(self.combinational.latency[1])


@dataclass(frozen=True, eq=False)
class Context:
    """What a handler knows beside its instruction: the sources' instructions and intervals, and the solver."""

    sources: Sequence[Instruction]
    intervals: Sequence[Interval]
    solver: Solver = field(default_factory=Solver)


def trace(program: Program, effort: Effort | None = None, progress: Progress | None = None) -> Logic:
    """The logic of a Program. Raises RtlError for an instruction that alkaid cannot carry exactly."""
    with reproducible():
        return _trace(program, Solver(effort or Effort()), progress)


def _trace(program: Program, solver: Solver, progress: Progress | None) -> Logic:
    values: list[Wires] = []
    inputs: list[Any] = []
    needed = needed_instructions(program)
    for number, instruction in enumerate(program.instructions):
        if number not in needed and not isinstance(instruction, Input):
            values.append(np.empty(0, dtype=object))
            continue
        context = Context(
            [program.instructions[s] for s in instruction.sources],
            [program.ranges[s] for s in instruction.sources],
            solver,
        )
        check_width(instruction, program.ranges[number], context)
        sources = [values[s] for s in instruction.sources]
        value = HANDLERS[type(instruction)](instruction, sources, context)
        if not isinstance(instruction, Input) and any(w.significant_bits(x) > LIMB for x in value.flat):
            value = HANDLERS[type(instruction)](instruction, [_each(w.rebased, s) for s in sources], context)
        values.append(_trimmed(value, program.ranges[number], instruction.type.fractional))
        if isinstance(instruction, Input):
            inputs.extend(value.flat)
        if progress:
            progress(number + 1, len(program.instructions) + 1)
    wanted = [wire for output in program.outputs for wire in values[output.value].flat]
    logic = _finish(inputs, wanted, session().plain)
    if progress:
        progress(len(program.instructions) + 1, len(program.instructions) + 1)
    return logic


def _finish(inputs: list[Any], wanted: list[Wire], plain: bool) -> Logic:
    from alkaid.trace import trace as gather
    from alkaid.trace.passes import optimize

    varying = [wire for wire in wanted if not isinstance(wire, Fraction)]
    if not varying:
        raise RtlError("", "", "every output is constant, whatever the input", "Check the network and its input type")
    raw = gather(inputs, varying, optimize=False)
    try:
        # Tracing again finds more to share, but computes alkaid's coefficients anew, through float32
        combinational = optimize(raw, keep_dead_inputs=True, retrace=plain)
    except RuntimeError:  # alkaid gives up after three rounds
        combinational = optimize(raw, keep_dead_inputs=True, retrace=False)
    numbers = iter(range(len(varying)))
    outputs = tuple(wire if isinstance(wire, Fraction) else next(numbers) for wire in wanted)
    return Logic(combinational, outputs)


def needed_instructions(program: Program) -> set[int]:
    """Numbers of the instructions that some output depends on."""
    needed = {output.value for output in program.outputs}
    for number in reversed(range(len(program.instructions))):
        if number in needed:
            needed.update(program.instructions[number].sources)
    return needed


def check_width(i: Instruction, interval: Interval, context: Context) -> None:
    """Raises RtlError where some number on the way to this value needs more bits than alkaid's float64 hold."""
    fractions = [i.type.fractional, *(s.type.fractional for s in context.sources)]
    finest = max(fractions)
    largest = max(
        [interval.magnitude << (finest - i.type.fractional)]
        + [v.magnitude << (finest - s.type.fractional) for s, v in zip(context.sources, context.intervals, strict=True)]
    )
    if isinstance(i, Affine):
        sums = affine_magnitudes(i, context.sources[0], context.intervals[0])
        largest = max(largest, int(sums.max()) << (finest - i.type.fractional))
        if i.product is not None and i.accumulator is not None:
            finest_sum = max(i.product.fractional, i.accumulator.fractional, i.type.fractional)
            largest = max(largest, i.accumulator.maximum << (finest_sum - i.accumulator.fractional))
            largest = max(largest, i.product.maximum << (finest_sum - i.product.fractional))
    if isinstance(i, Reduce) and i.accumulator is not None:
        finest_sum = max(i.accumulator.fractional, context.sources[0].type.fractional)
        largest = max(largest, i.accumulator.maximum << (finest_sum - i.accumulator.fractional))
    if isinstance(i, Combine) and i.operation is CombineOperation.MULTIPLY:
        largest = max(largest, context.intervals[0].magnitude * context.intervals[1].magnitude)
    if largest.bit_length() > LARGEST_BITS:
        raise RtlError(
            i.layer, i.name, f"a number of {largest.bit_length()} bits, and alkaid carries {LARGEST_BITS}",
            "Quantize the layers before it to fewer bits, or use the HLS project",
        )  # fmt: skip


def _each(function: Callable[[Wire], Wire], values: Wires) -> Wires:
    result = np.empty(values.shape, dtype=object)
    result.reshape(-1)[:] = [function(x) for x in values.flat]
    return result


def _array(wires: Sequence[Wire], shape: tuple[int, ...]) -> Wires:
    result = np.empty(len(wires), dtype=object)
    result[:] = wires
    return result.reshape(shape)


def _trimmed(values: Wires, interval: Interval, fractional: int) -> Wires:
    """Values without the bits that the Program's ranges prove superfluous; constant where they prove that."""
    lows, highs = np.broadcast_to(interval.low, values.shape), np.broadcast_to(interval.high, values.shape)
    result = []
    for wire, low, high in zip(values.flat, lows.flat, highs.flat, strict=True):
        if int(low) == int(high):
            result.append(int(low) * w.power(-fractional))
            continue
        t = FixedPoint.holding(int(low), int(high), fractional)
        result.append(w.wrapped(wire, t.signed, t.integer - t.signed, fractional))
    return _array(result, values.shape)


# ---- handlers: (instruction, sources' wires, context) -> wires


def _input(i: Input, sources: Sequence[Wires], context: Context) -> Wires:
    unit = w.power(-i.type.fractional)
    size = int(np.prod(i.shape, dtype=np.int64))
    return _array([w.new(i.type.minimum * unit, i.type.maximum * unit, unit) for _ in range(size)], i.shape)


def _constant(i: Constant, sources: Sequence[Wires], context: Context) -> Wires:
    unit = w.power(-i.type.fractional)
    return _array([int(m) * unit for m in i.mantissas.flat], i.shape)


def _cast(i: Cast, sources: Sequence[Wires], context: Context) -> Wires:
    return _each(lambda x: cast(x, i.type), sources[0])


def _affine(i: Affine, sources: Sequence[Wires], context: Context) -> Wires:
    unit = w.power(-i.type.fractional)
    bias = [int(b) * unit for b in i.bias]
    n_in, n_out = i.weights.shape
    lossless = is_lossless(i, context.sources, context.intervals)
    rows: list[Wire] = []
    for row in sources[0].reshape(-1, n_in):
        if lossless:
            sums = context.solver.products(list(row), i.weights, i.weight_fractional)
            rows.extend(w.added(s, b) for s, b in zip(sums, bias, strict=True))
        else:
            rows.extend(_lossy_sum(i, list(row), j, bias[j]) for j in range(n_out))
    return _array(rows, i.shape)


def _lossy_sum(i: Affine, row: list[Wire], column: int, bias: Fraction) -> Wire:
    assert i.product is not None
    assert i.accumulator is not None
    unit = w.power(-i.weight_fractional)
    total: Wire = bias
    for k, wire in enumerate(row):
        product = cast(w.times_constant(wire, int(i.weights[k, column]) * unit), i.product)
        total = _accumulated(total, product, i.accumulator)
    return total


def _accumulated(total: Wire, term: Wire, accumulator: FixedPoint) -> Wire:
    # each sum stands for itself: long chains would grow alkaid's coefficients
    return cast(w.rebased(w.added(total, term)), accumulator)


def _rearrange(i: Rearrange, sources: Sequence[Wires], context: Context) -> Wires:
    fill = i.fill * w.power(-i.type.fractional)
    flat = [*(wire for s in sources for wire in s.flat), fill]
    return _array([flat[k] for k in i.indices.reshape(-1)], i.shape)


_COMBINATIONS: dict[CombineOperation, Callable[[Wire, Wire], Wire]] = {
    CombineOperation.ADD: w.added,
    CombineOperation.SUBTRACT: w.subtracted,
    CombineOperation.MULTIPLY: w.multiplied,
    CombineOperation.MAXIMUM: w.maximum,
    CombineOperation.MINIMUM: w.minimum,
}


def _combine(i: Combine, sources: Sequence[Wires], context: Context) -> Wires:
    left, right = np.broadcast_arrays(*sources)
    operation = _COMBINATIONS[i.operation]
    return _array([operation(a, b) for a, b in zip(left.flat, right.flat, strict=True)], i.shape)


def _reduce(i: Reduce, sources: Sequence[Wires], context: Context) -> Wires:
    rows = np.moveaxis(sources[0], i.axis, -1).reshape(-1, sources[0].shape[i.axis])
    if is_lossless(i, context.sources, context.intervals):
        results = [_REDUCTIONS[i.operation](list(row)) for row in rows]
    else:
        results = [_lossy_reduction(i, list(row)) for row in rows]
    return _array(results, i.shape)


def _sum(terms: list[Wire]) -> Wire:
    """Constants at once, then always the two that are ready first."""
    constant = sum((t for t in terms if isinstance(t, Fraction)), w.ZERO)
    heap = [(w.latency(t), number, t) for number, t in enumerate(terms) if not isinstance(t, Fraction)]
    heapify(heap)
    number = len(terms)
    while len(heap) > 1:
        total = w.added(heappop(heap)[2], heappop(heap)[2])
        if isinstance(total, Fraction):  # they have cancelled
            constant += total
            continue
        heappush(heap, (w.latency(total), number, total))
        number += 1
    return w.added(heap[0][2], constant) if heap else constant


def _tree(operation: Callable[[Any, Any], Any], terms: list[Any]) -> Any:
    """Neighbours first, an odd one out goes up a level as it is."""
    while len(terms) > 1:
        pairs = [operation(a, b) for a, b in zip(terms[::2], terms[1::2], strict=False)]
        terms = pairs + terms[len(terms) // 2 * 2 :]
    return terms[0]


_REDUCTIONS: dict[ReduceOperation, Callable[[list[Wire]], Wire]] = {
    ReduceOperation.SUM: _sum,
    ReduceOperation.MAXIMUM: lambda terms: _tree(w.maximum, terms),
    ReduceOperation.MINIMUM: lambda terms: _tree(w.minimum, terms),
}


def _lossy_reduction(i: Reduce, terms: list[Wire]) -> Wire:
    accumulator = i.accumulator
    assert accumulator is not None
    if i.operation is ReduceOperation.SUM and i.order is Order.SEQUENTIAL:
        total: Wire = w.ZERO
        for term in terms:
            total = _accumulated(total, term, accumulator)
        return total
    limited = [cast(term, accumulator) for term in terms]
    if i.operation is not ReduceOperation.SUM:
        return _REDUCTIONS[i.operation](limited)
    return _tree(lambda a, b: _accumulated(a, b, accumulator), limited)


def _table(i: Table, sources: Sequence[Wires], context: Context) -> Wires:
    source = context.sources[0]
    results = []
    for number, wire in enumerate(sources[0].flat):
        row = i.entries[number % i.entries.shape[0]]
        results.append(_looked_up(i, wire, row, source.type))
    return _array(results, i.shape)


def check_table(i: Table, bits: int) -> None:
    """Raises RtlError where a table's address has too many bits."""
    if bits > TABLE_BITS:
        raise RtlError(
            i.layer, i.name, f"a table of 2^{bits} entries; at most 2^{TABLE_BITS} are written as RTL",
            "Give its input fewer bits, or use the HLS project",
        )  # fmt: skip


def _looked_up(i: Table, wire: Wire, row: npt.NDArray[np.int64], source: FixedPoint) -> Wire:
    unit = w.power(-i.type.fractional)

    def index(value: Fraction) -> int:
        return int(value * w.power(source.fractional)) - source.minimum

    if isinstance(wire, Fraction):
        return int(row[index(wire)]) * unit
    first, last, stride = index(w.low(wire)), index(w.high(wire)), int(wire.step * 2.0**source.fractional)
    entries = row[first : last + 1 : stride]
    check_table(i, sum(wire.kif))
    total: Wire = w.ZERO
    shift, rest = 0, entries
    while True:
        last_piece = max(abs(int(rest.min())), abs(int(rest.max()))) < 1 << LIMB
        piece = rest if last_piece else rest & ((1 << LIMB) - 1)
        looked_up = _lookup(wire, piece, shift, i.type.fractional)
        total = w.added(total, looked_up if last_piece and shift == 0 else w.rebased(looked_up))
        if last_piece:
            return total
        rest, shift = rest >> LIMB, shift + LIMB


def _lookup(wire: Any, entries: npt.NDArray[np.int64], shift: int, fractional: int) -> Wire:
    if int(entries.min()) == int(entries.max()):
        return int(entries[0]) * w.power(shift - fractional)
    values = np.ldexp(entries.astype(np.float64), shift - fractional)
    return w.folded(wire.lookup(values))


def _argmax(i: Argmax, sources: Sequence[Wires], context: Context) -> Wires:
    rows = sources[0].reshape(-1, sources[0].shape[-1])
    return _array([_largest(list(row)) for row in rows], i.shape)


def _largest(row: list[Wire]) -> Wire:
    """Index of the largest; the left one of a pair wins a tie, so the first does."""

    def better(a: tuple[Wire, Wire], b: tuple[Wire, Wire]) -> tuple[Wire, Wire]:
        difference = w.subtracted(a[0], b[0])
        if w.low(difference) >= 0:
            return a
        if w.high(difference) < 0:
            return b
        return w.chosen(difference, b[0], a[0]), w.chosen(difference, b[1], a[1])

    winner = _tree(better, [(wire, Fraction(k)) for k, wire in enumerate(row)])
    return winner[1]


HANDLERS: dict[type[Instruction], Callable[[Any, Sequence[Wires], Context], Wires]] = {
    Input: _input,
    Constant: _constant,
    Cast: _cast,
    Affine: _affine,
    Rearrange: _rearrange,
    Combine: _combine,
    Reduce: _reduce,
    Table: _table,
    Argmax: _argmax,
}
