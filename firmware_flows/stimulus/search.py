"""Inputs that drive values inside the Program to their proven ends, and casts to the edges of their range.

A value in a deeper layer cannot be set directly. The search ascends: it follows the Program's own derivative (casts
taken as the identity where they do not limit) from the best of a pool of random events, moves inputs to the end that
the derivative's sign asks for, all or a random share of them, and keeps what helps. For the first layer the first step
reaches the proven end exactly; for deeper ones the proven interval is wider than what any event reaches.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import Integers, Overflow
from firmware_flows.interpreter import interpret
from firmware_flows.program import (
    Affine,
    Cast,
    Combine,
    CombineOperation,
    Instruction,
    Program,
    Rearrange,
    Reduce,
    ReduceOperation,
)

Gradient = npt.NDArray[np.float64]

MAX_TARGETS = 2048
"""Elements driven at most: beyond that a sample, evenly spread, is taken of every value."""

MIN_TARGETS = 256
AFFORDABLE_MACS = 10**8
"""Multiplications of one step over all targets, above which a larger network gets fewer targets."""

POOL = 2048
STEPS = (1.0, 1.0, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, *(0.2,) * 8, *(0.1,) * 8, *(0.05,) * 8)
"""Shares of the inputs that move at each step."""


@dataclass(frozen=True)
class Targets:
    """One row an element: which value, and which of its elements (flat index)."""

    values: npt.NDArray[np.int64]
    elements: npt.NDArray[np.int64]


def drive_values(program: Program, rng: np.random.Generator) -> tuple[Targets, list[Integers], list[Integers]]:
    """For every element of every sum in the Program an event that makes it small, and one that makes it large.

    Returns the targets and the events for the low and for the high ends: mantissas (targets, ...), an array a port.
    """
    targets = _targets(program)
    return targets, _drive(program, targets, -1.0, rng), _drive(program, targets, 1.0, rng)


def meet_cast_edges(
    program: Program, targets: Targets, low: Sequence[Integers], high: Sequence[Integers]
) -> list[Integers]:
    """Events on both sides of both edges of every Cast's range, found between low and high events.

    First all inputs move together from the low event to the high one, by bisection; then, where each differs by at
    most one LSB, they switch over one after the other, so that the pair of events found differs in one input only.
    """
    rows, edges = _edges(program, targets)
    if not rows.size:
        return [p[:0] for p in low]
    part = Targets(targets.values[rows], targets.elements[rows])
    below, above = [p[rows] for p in low], [p[rows] for p in high]
    for _ in range(max(p.type.width for p in program.inputs) + 1):
        middle = [b + (a - b) // 2 for b, a in zip(below, above, strict=True)]
        under = _picked(list(interpret(program, middle)), part) < edges
        for b, a, m in zip(below, above, middle, strict=True):
            b[under], a[~under] = m[under], m[~under]
    few, many = np.zeros(len(rows), np.int64), np.full(len(rows), _input_size(program))
    for _ in range(_input_size(program).bit_length() + 1):
        switched = (few + many) // 2
        under = _picked(list(interpret(program, _switched(below, above, switched))), part) < edges
        few, many = np.where(under, switched, few), np.where(under, many, switched)
    pair = zip(_switched(below, above, few), _switched(below, above, many), strict=True)
    return [np.concatenate(p) for p in pair]


def _edges(program: Program, targets: Targets) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows of the targets that a Cast reads, and for each the edge of the Cast's range, in mantissas of its source."""
    rows: list[npt.NDArray[np.int64]] = []
    edges: list[npt.NDArray[np.float64]] = []
    for instruction in program.instructions:
        if not isinstance(instruction, Cast):
            continue
        t, fractional = instruction.type, program.instructions[instruction.source].type.fractional
        row = np.flatnonzero(targets.values == _sum_behind(program, instruction.source))
        for edge in {t.lowest - 0.5, t.minimum - 0.5, t.maximum + 0.5}:
            rows.append(row)
            edges.append(np.full(len(row), edge * 2.0 ** (fractional - t.fractional)))
    if not rows:
        return np.zeros(0, np.int64), np.zeros(0)
    return np.concatenate(rows), np.concatenate(edges)


def _input_size(program: Program) -> int:
    return sum(int(np.prod(p.shape, dtype=np.int64)) for p in program.inputs)


def _switched(below: Sequence[Integers], above: Sequence[Integers], count: npt.NDArray[np.int64]) -> list[Integers]:
    """Events with the first `count` inputs of each row taken from `above`, the others from `below`."""
    result, offset = [], 0
    for b, a in zip(below, above, strict=True):
        size = int(np.prod(b.shape[1:], dtype=np.int64))
        chosen = (offset + np.arange(size))[np.newaxis] < count[:, np.newaxis]
        result.append(np.where(chosen.reshape(b.shape), a, b))
        offset += size
    return result


def _targets(program: Program) -> Targets:
    """Elements of what adds up (Affine, sums, Combine), and of what a Cast reads."""
    numbers = [
        n
        for n, i in enumerate(program.instructions)
        if isinstance(i, Affine | Combine) or (isinstance(i, Reduce) and i.operation is ReduceOperation.SUM)
    ]
    macs = sum(
        i.weights.size * max(1, int(np.prod(i.shape[:-1]))) for i in program.instructions if isinstance(i, Affine)
    )
    most = int(min(MAX_TARGETS, max(MIN_TARGETS, AFFORDABLE_MACS // max(1, macs))))
    share = max(8, most // max(1, len(numbers)))
    values, elements = [], []
    for number in numbers:
        size = int(np.prod(program.instructions[number].shape, dtype=np.int64))
        taken = np.unique(np.linspace(0, size - 1, min(size, share)).round().astype(np.int64))
        values.append(np.full(len(taken), number))
        elements.append(taken)
    if not numbers:
        return Targets(np.zeros(0, np.int64), np.zeros(0, np.int64))
    return Targets(np.concatenate(values), np.concatenate(elements))


def _sum_behind(program: Program, value: int) -> int:
    """The value that a Cast reads, or the sum from which it is only rearranged in order."""
    i = program.instructions[value]
    if isinstance(i, Rearrange) and len(i.operands) == 1 and np.array_equal(i.indices.flat, np.arange(i.indices.size)):
        return _sum_behind(program, i.operands[0])
    return value


def _drive(program: Program, targets: Targets, sign: float, rng: np.random.Generator) -> list[Integers]:
    """The best event found for each target: from the best of a random pool, uphill in steps that keep what helps."""
    if not len(targets.values):
        return [_random_mantissas(p.type, (0, *p.shape), rng) for p in program.inputs]
    best, reached = _best_of_pool(program, targets, sign, rng)
    for step, share in enumerate(STEPS):
        gradients = _gradients(program, list(interpret(program, best)), targets, sign)
        moved = []
        for port, now, gradient in zip(program.inputs, best, gradients, strict=True):
            end = np.where(gradient > 0, port.type.maximum, port.type.lowest)
            if step % 2:  # not all the way
                end = now + (rng.random(now.shape) * (end - now)).astype(np.int64)
            taken = (gradient != 0) & (rng.random(now.shape) < share)
            moved.append(np.where(taken, end, now))
        score = sign * _picked(list(interpret(program, moved)), targets)
        better = score > reached
        reached = np.where(better, score, reached)
        for b, m in zip(best, moved, strict=True):
            b[better] = m[better]
    return best


def _best_of_pool(
    program: Program, targets: Targets, sign: float, rng: np.random.Generator
) -> tuple[list[Integers], npt.NDArray[np.float64]]:
    """For each target the best of POOL random events, half of them with every input at one of its ends."""
    pool = []
    for port in program.inputs:
        shape = (POOL // 2, *port.shape)
        ends = np.where(rng.random(shape) < 0.5, port.type.lowest, port.type.maximum)
        pool.append(np.concatenate([_random_mantissas(port.type, shape, rng), ends]))
    values = list(interpret(program, pool))
    chosen, reached = np.zeros(len(targets.values), np.int64), np.empty(len(targets.values))
    for number in np.unique(targets.values):
        rows = np.flatnonzero(targets.values == number)
        flat = sign * values[number].reshape(values[number].shape[0], -1)[:, targets.elements[rows]]
        chosen[rows] = flat.argmax(axis=0)
        reached[rows] = flat.max(axis=0)
    return [p[chosen] for p in pool], reached


def _random_mantissas(t: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Integers:
    return rng.integers(t.lowest, t.maximum, size=shape, endpoint=True, dtype=np.int64)


def _picked(values: Sequence[Integers], targets: Targets) -> npt.NDArray[np.float64]:
    """The target element of every row."""
    result = np.empty(len(targets.values))
    for number in np.unique(targets.values):
        rows = np.flatnonzero(targets.values == number)
        flat = values[number].reshape(values[number].shape[0], -1)
        result[rows] = flat[rows if flat.shape[0] > 1 else 0 * rows, targets.elements[rows]]
    return result


# ---- the derivative of a target element with respect to the inputs, a row a target


def _gradients(program: Program, values: Sequence[Integers], targets: Targets, sign: float) -> list[Gradient]:
    count = len(targets.values)
    gradients: list[Gradient | None] = [None] * len(program.instructions)

    def add(number: int, gradient: Gradient) -> None:
        shape = (count, *program.instructions[number].shape)
        while gradient.ndim > len(shape):
            gradient = gradient.sum(axis=1)
        for axis, size in enumerate(shape):
            if size == 1 and gradient.shape[axis] != 1:
                gradient = gradient.sum(axis=axis, keepdims=True)
        before = gradients[number]
        gradients[number] = gradient if before is None else before + gradient

    for number in range(len(program.instructions) - 1, -1, -1):
        rows = np.flatnonzero(targets.values == number)
        if rows.size:
            seed = np.zeros((count, int(np.prod(program.instructions[number].shape, dtype=np.int64))))
            seed[rows, targets.elements[rows]] = sign
            add(number, seed.reshape(count, *program.instructions[number].shape))
        gradient, instruction = gradients[number], program.instructions[number]
        if gradient is not None and type(instruction) in _BACKWARD:
            _BACKWARD[type(instruction)](instruction, gradient, values, program, add)
    return [
        g if (g := gradients[n]) is not None else np.zeros((count, *i.shape))
        for n, i in enumerate(program.instructions)
        if i in program.inputs
    ]


Add = Callable[[int, Gradient], None]


def _back_cast(i: Cast, g: Gradient, values: Sequence[Integers], program: Program, add: Add) -> None:
    source = program.instructions[i.source].type
    x = values[i.source] * 2.0 ** (i.type.fractional - source.fractional)
    if i.type.overflow is Overflow.WRAP:
        add(i.source, g)
    else:  # a faint slope beyond the range leads back into it
        add(i.source, np.where((x >= i.type.lowest) & (x <= i.type.maximum), g, 1e-3 * g))


def _back_affine(i: Affine, g: Gradient, values: Sequence[Integers], program: Program, add: Add) -> None:
    add(i.source, np.matmul(g, i.weights.T.astype(np.float64)) * 2.0**-i.weight_fractional)


def _back_rearrange(i: Rearrange, g: Gradient, values: Sequence[Integers], program: Program, add: Add) -> None:
    sizes = [int(np.prod(program.instructions[s].shape, dtype=np.int64)) for s in i.operands]
    flat = np.zeros((g.shape[0], sum(sizes) + 1))
    columns = flat.T  # -1 is the spare column
    np.add.at(columns, i.indices.reshape(-1), g.reshape(g.shape[0], -1).T)
    offset = 0
    for source, size in zip(i.operands, sizes, strict=True):
        add(source, flat[:, offset : offset + size].reshape(g.shape[0], *program.instructions[source].shape))
        offset += size


def _back_combine(i: Combine, g: Gradient, values: Sequence[Integers], program: Program, add: Add) -> None:
    def real(number: int) -> npt.NDArray[np.float64]:
        v = values[number] * 2.0 ** -program.instructions[number].type.fractional
        return v.reshape(v.shape[0], *(1,) * (g.ndim - v.ndim), *v.shape[1:])

    left, right = real(i.left), real(i.right)
    match i.operation:
        case CombineOperation.ADD:
            parts = (g, g)
        case CombineOperation.SUBTRACT:
            parts = (g, -g)
        case CombineOperation.MULTIPLY:
            parts = (g * right, g * left)
        case CombineOperation.MAXIMUM:
            parts = (np.where(left >= right, g, 1e-3 * g), np.where(left < right, g, 1e-3 * g))
        case CombineOperation.MINIMUM:
            parts = (np.where(left <= right, g, 1e-3 * g), np.where(left > right, g, 1e-3 * g))
    for source, part in zip((i.left, i.right), parts, strict=True):
        if program.instructions[source].sources or program.instructions[source] in program.inputs:
            add(source, part)


def _back_reduce(i: Reduce, g: Gradient, values: Sequence[Integers], program: Program, add: Add) -> None:
    x, axis = values[i.source], i.axis + 1
    spread = np.broadcast_to(np.expand_dims(g, axis), (g.shape[0], *x.shape[1:]))
    if i.operation is not ReduceOperation.SUM:
        extreme = x.max(axis=axis, keepdims=True) if i.operation is ReduceOperation.MAXIMUM else x.min(
            axis=axis, keepdims=True)  # fmt: skip
        spread = np.where(x == extreme, spread, 1e-3 * spread)
    add(i.source, spread)


_BACKWARD: dict[type[Instruction], Callable[..., None]] = {
    Cast: _back_cast,
    Affine: _back_affine,
    Rearrange: _back_rearrange,
    Combine: _back_combine,
    Reduce: _back_reduce,
}
