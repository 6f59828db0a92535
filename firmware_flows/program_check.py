"""Whether a Program is well formed: order, shapes, sizes, names, and types that hold what the ranges prove."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from firmware_flows.fixed_point import INT64_BITS
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    Constant,
    Input,
    Instruction,
    Program,
    ProgramError,
    Rearrange,
    Reduce,
    Shape,
    Table,
)
from firmware_flows.ranges import Interval, interval_of

LARGEST = 1 << INT64_BITS
"""Largest magnitude of a constant: sums and negatives of two still fit an int64."""

WIDEST = 512
"""Bits of the widest value, and of the finest or coarsest grid: far beyond hardware, well within a float64's range."""


def check(program: Program) -> None:
    """Raises ProgramError at the first thing that is wrong."""
    if not program.instructions:
        raise ProgramError(f"program {program.name!r} has no instructions")
    intervals: list[Interval] = []
    for number, instruction in enumerate(program.instructions):
        check_instruction(number, instruction, program.instructions)
        interval = interval_of(instruction, [program.instructions[s] for s in instruction.sources],
                               [intervals[s] for s in instruction.sources])  # fmt: skip
        check_interval(number, instruction, interval)
        intervals.append(interval)
    object.__setattr__(program, "_ranges", tuple(intervals))
    ports = [i.port for i in program.inputs]
    if not ports or len(set(ports)) != len(ports):
        raise ProgramError(f"program {program.name!r}: input ports must exist and have different names, not {ports}")
    if not program.outputs:
        raise ProgramError(f"program {program.name!r} has no outputs")
    for output in program.outputs:
        _check_number(f"output {output.name!r}", output.value, program)
    ports = [o.name for o in program.outputs]
    if len(set(ports)) != len(ports):
        raise ProgramError(f"program {program.name!r}: output ports must have different names, not {ports}")
    json_values(f"metadata of {program.name!r}", program.metadata)
    names = [layer.name for layer in program.layers]
    if len(set(names)) != len(names):
        raise ProgramError(f"program {program.name!r}: layer names must differ: {sorted(names)}")
    for position, layer in enumerate(program.layers):
        _check_number(f"layer {layer.name!r}", layer.value, program)
        value = program.instructions[layer.value]
        if "result" not in layer.types or not layer.type.same_bits(value.type) or layer.shape != value.shape:
            raise ProgramError(f"layer {layer.name!r}: result {layer.types.get('result')} {layer.shape} differs from "
                               f"its value %{layer.value}: {value.type} {value.shape}")  # fmt: skip
        json_values(f"attributes of layer {layer.name!r}", layer.attributes)
        for source in layer.inputs:
            if source not in names[:position]:
                raise ProgramError(f"layer {layer.name!r} reads {source!r}, which is no earlier layer")


def check_instruction(number: int, instruction: Instruction, instructions: Sequence[Instruction]) -> None:
    """Order and shape of one instruction. Raises ProgramError."""
    for source in instruction.sources:
        if not 0 <= source < number:
            raise _error(number, instruction, f"reads value %{source}, which is not computed before it")
    sources = [instructions[s] for s in instruction.sources]
    if any(isinstance(d, bool) or not isinstance(d, int) or d < 1 for d in instruction.shape):
        raise _error(number, instruction, f"shape {instruction.shape} must have positive integer sizes")
    wanted = _SHAPES[type(instruction)](number, instruction, sources)
    if wanted != instruction.shape:
        raise _error(number, instruction, f"shape {instruction.shape} should be {wanted}")


def _error(number: int, instruction: Instruction, what: str) -> ProgramError:
    return ProgramError(f"instruction %{number} ({instruction.name}, layer {instruction.layer!r}): {what}")


def _check_number(what: str, value: int, program: Program) -> None:
    if not 0 <= value < len(program.instructions):
        raise ProgramError(f"{what} names value %{value}, but there are {len(program.instructions)}")


def json_values(what: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a file gives them back (a tuple becomes a list). Raises ProgramError."""
    try:
        return dict(json.loads(json.dumps(dict(values), allow_nan=False)))
    except (TypeError, ValueError) as error:
        raise ProgramError(f"{what} must be JSON values: {error}") from None


def check_interval(number: int, instruction: Instruction, interval: Interval) -> None:
    """Whether the type holds what the instruction provably gives. Raises ProgramError."""
    t, low, high = instruction.type, interval.lowest, interval.highest
    if abs(t.fractional) > WIDEST:
        raise _error(number, instruction, f"{t.fractional} fractional bits; {WIDEST} are the most")
    if interval.magnitude.bit_length() > WIDEST:
        raise _error(number, instruction, f"needs {interval.magnitude.bit_length()} bits; {WIDEST} are the most")
    if low < t.minimum or high > t.maximum:
        raise _error(number, instruction, f"values from {low} to {high} do not fit {t} "
                                          f"({t.minimum} to {t.maximum})")  # fmt: skip


def _input(number: int, i: Input, sources: list[Instruction]) -> Shape:
    return i.shape


def _constant(number: int, i: Constant, sources: list[Instruction]) -> Shape:
    _integers(number, i, "mantissas", i.mantissas)
    return tuple(i.mantissas.shape)


def _cast(number: int, i: Cast, sources: list[Instruction]) -> Shape:
    return sources[0].shape


def _affine(number: int, i: Affine, sources: list[Instruction]) -> Shape:
    source = sources[0]
    _integers(number, i, "weights", i.weights)
    _integers(number, i, "bias", i.bias)
    if not source.shape or i.weights.ndim != 2 or i.weights.shape[0] != source.shape[-1]:
        raise _error(number, i, f"weights {i.weights.shape} do not fit a source of shape {source.shape}")
    if i.bias.shape != i.weights.shape[1:]:
        raise _error(number, i, f"bias {i.bias.shape} does not fit weights {i.weights.shape}")
    if (i.product is None) != (i.accumulator is None):
        raise _error(number, i, "product and accumulator type go together")
    if i.accumulator is not None:
        if not i.type.same_bits(i.accumulator):
            raise _error(number, i, f"type {i.type} should be that of its accumulator {i.accumulator}")
        if int(i.bias.min()) < i.accumulator.minimum or int(i.bias.max()) > i.accumulator.maximum:
            raise _error(number, i, f"bias does not fit its accumulator {i.accumulator}")
    elif i.type.fractional < source.type.fractional + i.weight_fractional:
        raise _error(number, i, f"{i.type} has fewer fractional bits than its products "
                                f"({source.type.fractional} + {i.weight_fractional})")  # fmt: skip
    return (*source.shape[:-1], int(i.weights.shape[1]))


def _rearrange(number: int, i: Rearrange, sources: list[Instruction]) -> Shape:
    _integers(number, i, "indices", i.indices)
    if not sources:
        raise _error(number, i, "needs at least one source")
    size = sum(int(np.prod(s.shape, dtype=np.int64)) for s in sources)
    if i.indices.size and (i.indices.min() < -1 or i.indices.max() >= size):
        raise _error(number, i, f"indices must lie from -1 to {size - 1}")
    if abs(i.fill) > LARGEST:
        raise _error(number, i, f"fill {i.fill} must lie within -2^{INT64_BITS} and 2^{INT64_BITS}")
    if i.type.fractional < max(s.type.fractional for s in sources):
        raise _error(number, i, f"{i.type} has fewer fractional bits than one of its sources")
    return tuple(i.indices.shape)


def _combine(number: int, i: Combine, sources: list[Instruction]) -> Shape:
    left, right = sources
    fractions = (left.type.fractional, right.type.fractional)
    needed = sum(fractions) if i.operation == "multiply" else max(fractions)
    if i.type.fractional < needed:
        raise _error(number, i, f"{i.type} has fewer fractional bits than an exact {i.operation} ({needed})")
    try:
        return tuple(np.broadcast_shapes(left.shape, right.shape))
    except ValueError:
        raise _error(number, i, f"shapes {left.shape} and {right.shape} do not broadcast") from None


def _reduce(number: int, i: Reduce, sources: list[Instruction]) -> Shape:
    shape = sources[0].shape
    if not 0 <= i.axis < len(shape):
        raise _error(number, i, f"axis {i.axis} is not an axis of {shape}")
    if i.accumulator is not None and not i.type.same_bits(i.accumulator):
        raise _error(number, i, f"type {i.type} should be that of its accumulator {i.accumulator}")
    if i.accumulator is None and i.type.fractional < sources[0].type.fractional:
        raise _error(number, i, f"{i.type} has fewer fractional bits than its source")
    return shape[: i.axis] + shape[i.axis + 1 :]


def _table(number: int, i: Table, sources: list[Instruction]) -> Shape:
    source = sources[0]
    _integers(number, i, "entries", i.entries)
    rows = (1, source.shape[-1]) if source.shape else (1,)
    if i.entries.ndim != 2 or i.entries.shape[0] not in rows or i.entries.shape[1] != 1 << source.type.width:
        raise _error(number, i, f"entries {i.entries.shape} should be (1 or {rows[-1]}, 2^{source.type.width})")
    return source.shape


def _argmax(number: int, i: Argmax, sources: list[Instruction]) -> Shape:
    if not sources[0].shape:
        raise _error(number, i, "needs a source with an axis")
    return sources[0].shape[:-1]


def _integers(number: int, instruction: Instruction, what: str, array: Any) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != np.int64:
        raise _error(number, instruction, f"{what} must be an int64 array, not {getattr(array, 'dtype', type(array))}")
    if array.size and (int(array.min()) < -LARGEST or int(array.max()) > LARGEST):
        raise _error(number, instruction, f"{what} must lie within -2^{INT64_BITS} and 2^{INT64_BITS}")


_SHAPES: dict[type[Instruction], Callable[[int, Any, list[Instruction]], Shape]] = {
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
