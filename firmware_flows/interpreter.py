"""The plain meaning of every instruction, on integer arrays: the reference for the fast plan, and its fallback.

Arrays have the event axis first. int64 in, int64 out, where 62 bits hold every step; with arrays of Python integers
(dtype object) the same code has no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Integers
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    CombineOperation,
    Constant,
    Instruction,
    Order,
    Program,
    Rearrange,
    Reduce,
    ReduceOperation,
    Table,
)
from firmware_flows.ranges import Interval, affine_is_lossless, reduce_is_lossless

_ELEMENTWISE: dict[CombineOperation, Callable[[Any, Any], Any]] = {
    CombineOperation.ADD: np.add,
    CombineOperation.SUBTRACT: np.subtract,
    CombineOperation.MULTIPLY: np.multiply,
    CombineOperation.MAXIMUM: np.maximum,
    CombineOperation.MINIMUM: np.minimum,
}
_REDUCTIONS: dict[ReduceOperation, Callable[..., Any]] = {
    ReduceOperation.SUM: np.add.reduce,
    ReduceOperation.MAXIMUM: np.maximum.reduce,
    ReduceOperation.MINIMUM: np.minimum.reduce,
}


def interpret(program: Program, inputs: Sequence[Integers]) -> Iterator[Integers]:
    """The values of all instructions in turn; `inputs` are mantissas (events, ...), one array an input."""
    values: list[Integers] = []
    waiting = iter(inputs)
    for instruction in program.instructions:
        if instruction.sources or isinstance(instruction, Constant):
            sources = instruction.sources
            value = execute(
                instruction,
                [program.instructions[s] for s in sources],
                [values[s] for s in sources],
                [program.ranges[s] for s in sources],
            )
        else:
            value = next(waiting)
        values.append(value)
        yield value


def execute(
    instruction: Instruction, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Sequence[Interval]
) -> Integers:
    """Mantissas of one instruction's value (events, ...); a Constant has one event, which broadcasts."""
    result: Integers = EXECUTE[type(instruction)](instruction, sources, values, ranges)
    return result


def _constant(i: Constant, sources: Any, values: Any, ranges: Any) -> Integers:
    return i.mantissas[np.newaxis]


def _cast(i: Cast, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Any) -> Integers:
    return i.type.cast(values[0], sources[0].type.fractional)


def _affine(
    i: Affine, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Sequence[Interval]
) -> Integers:
    x, fractional = values[0], sources[0].type.fractional + i.weight_fractional
    if affine_is_lossless(i, sources[0], ranges[0]):
        weights = i.weights.astype(x.dtype)
        return (np.matmul(x, weights) << (i.type.fractional - fractional)) + i.bias
    assert i.product is not None
    assert i.accumulator is not None
    accumulator = np.broadcast_to(i.bias, (*x.shape[:-1], i.bias.size)).astype(x.dtype)
    for k in range(i.weights.shape[0]):
        product = i.product.cast(x[..., k, np.newaxis] * i.weights[k], fractional)
        accumulator = _accumulated(i.accumulator, accumulator, product, i.product.fractional)
    return accumulator


def _accumulated(accumulator: FixedPoint, total: Integers, term: Integers, fractional: int) -> Integers:
    """The sum, exact and then cast: as `accumulator += term` does."""
    finest = max(accumulator.fractional, fractional)
    exact = (total << (finest - accumulator.fractional)) + (term << (finest - fractional))
    return accumulator.cast(exact, finest)


def _rearrange(i: Rearrange, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Any) -> Integers:
    events = max(v.shape[0] for v in values)
    parts = [
        np.broadcast_to((v << (i.type.fractional - s.type.fractional)).reshape(v.shape[0], -1), (events, _size(s)))
        for v, s in zip(values, sources, strict=True)
    ]
    fill = np.full((events, 1), i.fill, dtype=parts[0].dtype)
    return np.concatenate([*parts, fill], axis=1)[:, i.indices]


def _size(instruction: Instruction) -> int:
    """Elements of a value, without the event axis."""
    return int(np.prod(instruction.shape, dtype=np.int64))


def _combine(i: Combine, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Any) -> Integers:
    fractions = [s.type.fractional for s in sources]
    left, right = _event_aligned(values, len(i.shape))
    if i.operation is CombineOperation.MULTIPLY:
        result: Integers = (left * right) << (i.type.fractional - sum(fractions))
        return result
    left, right = left << (i.type.fractional - fractions[0]), right << (i.type.fractional - fractions[1])
    combined: Integers = _ELEMENTWISE[i.operation](left, right)
    return combined


def _event_aligned(values: Sequence[Integers], rank: int) -> list[Integers]:
    """Values whose shapes broadcast without the event axis, so that they broadcast with it."""
    return [v.reshape(v.shape[0], *(1,) * (rank + 1 - v.ndim), *v.shape[1:]) for v in values]


def _reduce(
    i: Reduce, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Sequence[Interval]
) -> Integers:
    x, fractional = values[0], sources[0].type.fractional
    if reduce_is_lossless(i, sources[0], ranges[0]):
        result: Integers = _REDUCTIONS[i.operation](x << (i.type.fractional - fractional), axis=i.axis + 1)
        return result
    assert i.accumulator is not None
    if i.operation is not ReduceOperation.SUM:
        limited: Integers = _REDUCTIONS[i.operation](i.accumulator.cast(x, fractional), axis=i.axis + 1)
        return limited
    terms = [i.accumulator.cast(t, fractional) for t in np.moveaxis(x, i.axis + 1, 0)]
    if i.order is Order.SEQUENTIAL:
        total = np.zeros_like(terms[0])
        for term in np.moveaxis(x, i.axis + 1, 0):
            total = _accumulated(i.accumulator, total, term, fractional)
        return total
    while len(terms) > 1:  # neighbours first, an odd one out goes up a level as it is
        pairs = [
            _accumulated(i.accumulator, a, b, i.accumulator.fractional)
            for a, b in zip(terms[::2], terms[1::2], strict=False)
        ]
        terms = pairs + (terms[-1:] if len(terms) % 2 else [])
    return terms[0]


def _table(i: Table, sources: Sequence[Instruction], values: Sequence[Integers], ranges: Any) -> Integers:
    index = (values[0] - sources[0].type.minimum).astype(np.int64)
    if i.entries.shape[0] == 1:
        return i.entries[0][index]
    return i.entries[np.arange(i.entries.shape[0]), index]


def _argmax(i: Argmax, sources: Any, values: Sequence[Integers], ranges: Any) -> Integers:
    return np.asarray(values[0].argmax(axis=-1)).astype(np.int64)


EXECUTE: dict[type[Instruction], Callable[..., Integers]] = {
    Constant: _constant,
    Cast: _cast,
    Affine: _affine,
    Rearrange: _rearrange,
    Combine: _combine,
    Reduce: _reduce,
    Table: _table,
    Argmax: _argmax,
}
