"""The plain meaning of every instruction, on integer arrays: the reference for the fast plan, and its fallback.

Arrays have the event axis first. int64 in, int64 out, where 62 bits hold every step (`firmware_flows.integer_bounds`);
with arrays of Python integers (dtype object) the same code has no limit.
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
    Input,
    Instruction,
    Order,
    Program,
    Rearrange,
    Reduce,
    ReduceOperation,
    Table,
)
from firmware_flows.ranges import Interval, is_lossless

ELEMENTWISE: dict[CombineOperation, Callable[..., Any]] = {
    CombineOperation.ADD: np.add,
    CombineOperation.SUBTRACT: np.subtract,
    CombineOperation.MULTIPLY: np.multiply,
    CombineOperation.MAXIMUM: np.maximum,
    CombineOperation.MINIMUM: np.minimum,
}
REDUCTIONS: dict[ReduceOperation, Callable[..., Any]] = {
    ReduceOperation.SUM: np.add.reduce,
    ReduceOperation.MAXIMUM: np.maximum.reduce,
    ReduceOperation.MINIMUM: np.minimum.reduce,
}

Execute = Callable[[Sequence[Integers]], Integers]
"""From the sources' mantissas (events, ...) to the value's; a Constant has one event, which broadcasts."""


def interpret(program: Program, inputs: Sequence[Integers]) -> Iterator[Integers]:
    """The values of all instructions in turn; `inputs` are mantissas (events, ...), one array an input."""
    values: list[Integers] = []
    waiting = iter(inputs)
    dtype = inputs[0].dtype
    for instruction in program.instructions:
        if isinstance(instruction, Input):
            value = next(waiting)
        else:
            sources = instruction.sources
            execute = executor(
                instruction, [program.instructions[s] for s in sources], [program.ranges[s] for s in sources]
            )
            value = execute([values[s] for s in sources])
        values.append(np.asarray(value).astype(dtype, copy=False))
        yield values[-1]


def executor(instruction: Instruction, sources: Sequence[Instruction], ranges: Sequence[Interval]) -> Execute:
    """The function that computes one instruction (other than an Input) from its sources' mantissas."""
    exact = is_lossless(instruction, sources, ranges)
    function = _EXECUTE[type(instruction)]

    def execute(values: Sequence[Integers]) -> Integers:
        return function(instruction, sources, values, exact)

    return execute


def event_aligned(values: Sequence[Any], rank: int) -> list[Any]:
    """Values whose shapes broadcast without the event axis, so that they broadcast with it."""
    return [v.reshape(v.shape[0], *(1,) * (rank + 1 - v.ndim), *v.shape[1:]) for v in values]


def event_count(values: Sequence[Any]) -> int:
    """Events of arrays of which some are constant, that is have one event."""
    return int(np.broadcast_shapes(*(v.shape[:1] for v in values))[0])


def _constant(i: Constant, sources: Any, values: Any, exact: bool) -> Integers:
    return i.mantissas[np.newaxis]


def _cast(i: Cast, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    x = values[0]
    return np.asarray(i.type.cast(x, sources[0].type.fractional)).astype(x.dtype, copy=False)


def _affine(i: Affine, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    x, fractional = values[0], sources[0].type.fractional + i.weight_fractional
    weights, bias = i.weights.astype(x.dtype), i.bias.astype(x.dtype)
    if exact:
        return (np.matmul(x, weights) << (i.type.fractional - fractional)) + bias
    assert i.product is not None
    assert i.accumulator is not None
    accumulator = np.broadcast_to(bias, (*x.shape[:-1], bias.size))
    for k in range(weights.shape[0]):
        product = i.product.cast(x[..., k, np.newaxis] * weights[k], fractional)
        accumulator = _accumulated(i.accumulator, accumulator, product, i.product.fractional)
    return accumulator


def _accumulated(accumulator: FixedPoint, total: Integers, term: Integers, fractional: int) -> Integers:
    """The sum, exact and then cast: as `accumulator += term` does."""
    finest = max(accumulator.fractional, fractional)
    exact = (total << (finest - accumulator.fractional)) + (term << (finest - fractional))
    return accumulator.cast(exact, finest).astype(total.dtype, copy=False)


def _rearrange(i: Rearrange, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    events = event_count(values)
    parts = []
    for v, s in zip(values, sources, strict=True):
        size = int(np.prod(s.shape, dtype=np.int64))
        aligned = (v << (i.type.fractional - s.type.fractional)).reshape(v.shape[0], size)
        parts.append(np.broadcast_to(aligned, (events, size)))
    fill = np.full((events, 1), i.fill, dtype=parts[0].dtype)
    return np.concatenate([*parts, fill], axis=1)[:, i.indices]  # index -1 is the fill, put last


def _combine(i: Combine, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    fractions = [s.type.fractional for s in sources]
    left, right = event_aligned(values, len(i.shape))
    if i.operation is CombineOperation.MULTIPLY:
        result: Integers = (left * right) << (i.type.fractional - sum(fractions))
        return result
    left, right = left << (i.type.fractional - fractions[0]), right << (i.type.fractional - fractions[1])
    combined: Integers = ELEMENTWISE[i.operation](left, right)
    return combined


def _reduce(i: Reduce, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    x, fractional, axis = values[0], sources[0].type.fractional, i.axis + 1
    if exact:
        result: Integers = REDUCTIONS[i.operation](x << (i.type.fractional - fractional), axis=axis)
        return result
    accumulator = i.accumulator
    assert accumulator is not None
    terms = list(np.moveaxis(x, axis, 0))
    if i.operation is ReduceOperation.SUM and i.order is Order.SEQUENTIAL:
        total = np.zeros_like(terms[0])
        for term in terms:
            total = _accumulated(accumulator, total, term, fractional)
        return total
    terms = [accumulator.cast(term, fractional).astype(x.dtype, copy=False) for term in terms]
    if i.operation is not ReduceOperation.SUM:
        limited: Integers = REDUCTIONS[i.operation](np.stack(terms), axis=0)
        return limited
    while len(terms) > 1:  # neighbours first, an odd one out goes up a level as it is
        odd = terms[len(terms) // 2 * 2 :]
        pairs = zip(terms[::2], terms[1::2], strict=False)
        terms = [_accumulated(accumulator, a, b, accumulator.fractional) for a, b in pairs] + odd
    return terms[0]


def _table(i: Table, sources: Sequence[Instruction], values: Sequence[Integers], exact: bool) -> Integers:
    index = (values[0] - sources[0].type.minimum).astype(np.int64)
    if i.entries.shape[0] == 1:
        return i.entries[0][index]
    return i.entries[np.arange(i.entries.shape[0]), index]


def _argmax(i: Argmax, sources: Any, values: Sequence[Integers], exact: bool) -> Integers:
    return np.asarray(values[0].argmax(axis=-1)).astype(np.int64)


_EXECUTE: dict[type[Instruction], Callable[[Any, Any, Any, bool], Integers]] = {
    Constant: _constant,
    Cast: _cast,
    Affine: _affine,
    Rearrange: _rearrange,
    Combine: _combine,
    Reduce: _reduce,
    Table: _table,
    Argmax: _argmax,
}
