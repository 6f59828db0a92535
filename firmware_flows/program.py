"""The exact integer Program: what a network computes, in nine kinds of instruction.

A Program is a list of instructions in single-assignment form. Instruction number i defines value number i: an
array of fixed-point numbers of one shape (without the event axis) and one type, held as integers (mantissas).
Programs are made with `firmware_flows.builder.Builder`, which derives shapes and proven types.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.fixed_point import FixedPoint

if TYPE_CHECKING:
    from firmware_flows.ranges import Interval

Shape = tuple[int, ...]
IntegerArray = npt.NDArray[np.int64]


class ProgramError(FirmwareFlowsError):
    """A Program that is not well formed: the message names the instruction and what is wrong with it."""


class CombineOperation(StrEnum):
    """Elementwise operations on two values."""

    ADD = "add"
    SUBTRACT = "subtract"
    MULTIPLY = "multiply"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"


class ReduceOperation(StrEnum):
    """Operations along one axis."""

    SUM = "sum"
    MAXIMUM = "maximum"
    MINIMUM = "minimum"


class Order(StrEnum):
    """Order in which a Reduce that loses bits adds up."""

    SEQUENTIAL = "sequential"
    TREE = "tree"


@dataclass(frozen=True, eq=False, kw_only=True)
class Instruction:
    """Base: the shape of the value without the event axis, its type, the layer that it belongs to."""

    shape: Shape
    type: FixedPoint
    layer: str

    @property
    def sources(self) -> tuple[int, ...]:
        """Numbers of the values that this one is computed from."""
        return ()

    @property
    def name(self) -> str:
        """The kind of instruction, in lower case."""
        return type(self).__name__.lower()


@dataclass(frozen=True, eq=False, kw_only=True)
class Input(Instruction):
    """Real numbers (float32), rounded and limited once by the type."""

    port: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Constant(Instruction):
    """Mantissas known at compile time, of this value's shape."""

    mantissas: IntegerArray


@dataclass(frozen=True, eq=False, kw_only=True)
class Cast(Instruction):
    """The source's values in this type: rounded, then limited."""

    source: int

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Affine(Instruction):
    """Last axis of the source times an integer matrix (n_in, n_out), plus a bias (n_out,).

    Weights have `weight_fractional` fractional bits; the bias has those of this value's type. Exact unless
    `product` and `accumulator` are given: then the accumulator starts from the bias and every product is cast to
    `product`, added, and the sum cast to `accumulator`, term by term in the order of the source (as hls4ml's
    dense does).
    """

    source: int
    weights: IntegerArray
    weight_fractional: int
    bias: IntegerArray
    product: FixedPoint | None = None
    accumulator: FixedPoint | None = None

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rearrange(Instruction):
    """Element k of the result is element indices[k] of the concatenated, flattened sources; -1 gives `fill`."""

    operands: tuple[int, ...]
    indices: IntegerArray
    fill: int = 0

    @property
    def sources(self) -> tuple[int, ...]:
        return self.operands


@dataclass(frozen=True, eq=False, kw_only=True)
class Combine(Instruction):
    """Two values, elementwise, with NumPy's broadcasting of shapes. Exact."""

    operation: CombineOperation
    left: int
    right: int

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.left, self.right)


@dataclass(frozen=True, eq=False, kw_only=True)
class Reduce(Instruction):
    """Sum, maximum or minimum along one axis (event axis not counted). Exact unless `accumulator` is given.

    With an accumulator type: maximum and minimum compare values cast to it. A sequential sum starts from zero, adds
    each value and casts the sum; a tree casts each value first, then adds neighbours and casts, level by level, an odd
    one out going up as it is.
    """

    operation: ReduceOperation
    source: int
    axis: int
    accumulator: FixedPoint | None = None
    order: Order = Order.SEQUENTIAL

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Table(Instruction):
    """Unary function by lookup: entries[channel, mantissa - minimum of the source's type].

    One row for all elements, or one row per index of the last axis.
    """

    source: int
    entries: IntegerArray

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Argmax(Instruction):
    """Index of the largest along the last axis; the first on ties."""

    source: int

    @property
    def sources(self) -> tuple[int, ...]:
        return (self.source,)


INSTRUCTIONS: dict[str, type[Instruction]] = {
    c.__name__.lower(): c for c in (Input, Constant, Cast, Affine, Rearrange, Combine, Reduce, Table, Argmax)
}


@dataclass(frozen=True)
class Output:
    """A port of the firmware: its name and the value that it carries."""

    name: str
    value: int


@dataclass(frozen=True, eq=False)
class Layer:
    """A layer as the user knows it, and as `hls` writes it: baked weights, types, its instructions.

    `value` is the instruction whose value is the layer's result; `exact_in_keras` is False where the layer's
    definition is the hardware's and Keras computes something else (a remark says what).
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    value: int
    instructions: tuple[int, ...]
    shape: Shape
    types: Mapping[str, FixedPoint]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, IntegerArray] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    exact_in_keras: bool = True

    @property
    def type(self) -> FixedPoint:
        """Type of the layer's result."""
        return self.types["result"]


@dataclass(frozen=True, eq=False)
class Program:
    """Instructions, output ports, and the layers that they came from.

    `metadata` holds what the network's author wants to keep with it (class names, units), as JSON values.
    """

    name: str
    instructions: tuple[Instruction, ...]
    outputs: tuple[Output, ...]
    layers: tuple[Layer, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        from firmware_flows.program_check import check

        check(self)

    def __getstate__(self) -> dict[str, Any]:
        """Copies and other processes get the Program without what is derived from it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The input instructions, in order."""
        return tuple(i for i in self.instructions if isinstance(i, Input))

    @property
    def ranges(self) -> tuple[Interval, ...]:
        """The proven interval of every value; computed once."""
        cached: tuple[Interval, ...] | None = self.__dict__.get("_ranges")
        if cached is None:
            from firmware_flows.ranges import analyse

            cached = analyse(self.instructions)
            object.__setattr__(self, "_ranges", cached)
        return cached

    def layer(self, name: str) -> Layer:
        """The layer of that name. Raises ProgramError with the nearest name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise ProgramError(f"no layer {name!r} in {self.name!r}, {nearest(name, [x.name for x in self.layers])}")

    def save(self, path: str | Path) -> Path:
        """Write to one file (`.ffp`), atomically; returns its path."""
        from firmware_flows.serialization import save_program

        return save_program(self, path)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides the bits, in hexadecimal."""
        from firmware_flows.serialization import digest

        return digest(self)

    def to_text(self, layers: bool = True) -> str:
        """The readable form that `firmware-flows show` prints."""
        from firmware_flows.program_text import to_text

        return to_text(self, layers)
