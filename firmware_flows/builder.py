"""Making a Program step by step: shapes are derived and checked, result types are the narrowest proven ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import nearest
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
    IntegerArray,
    Layer,
    Order,
    Output,
    Program,
    ProgramError,
    Rearrange,
    Reduce,
    ReduceOperation,
    Table,
)
from firmware_flows.program_check import LARGEST, check_instruction, check_interval, json_values
from firmware_flows.ranges import Interval, interval_of

Member = TypeVar("Member", bound=StrEnum)

ANY = FixedPoint(1024, 512)
"""Stands for a type not yet known while the interval of an instruction is computed: wider than any that is."""


class LayerNameError(ProgramError):
    """A name that a layer has already."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"two layers are named {name!r}")


class Builder:
    """Collects instructions and layers; every method that adds an instruction returns the number of its value.

    >>> b = Builder("one neuron")
    >>> b.begin_layer("x", "Input")
    >>> x = b.input("x", (2,), FixedPoint.parse("ap_fixed<8,3,AP_RND,AP_SAT>"))
    >>> b.end_layer(x)
    >>> b.begin_layer("y", "Dense", inputs=("x",))
    >>> y = b.affine(x, [[1], [-3]], 1, bias=[5], bias_fractional=4)
    >>> b.end_layer(y)
    >>> str(b.build({"y": y}).instructions[y].type)
    'ap_fixed<11,5>'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.instructions: list[Instruction] = []
        self.intervals: list[Interval] = []
        self.layers: list[Layer] = []
        self._open: dict[str, Any] | None = None

    # ---- layers

    def begin_layer(self, name: str, kind: str, inputs: Sequence[str] = ()) -> None:
        """The instructions added from here on belong to this layer."""
        if self._open is not None:
            raise ProgramError(f"layer {self._open['name']!r} is not ended")
        if any(layer.name == name for layer in self.layers):
            raise LayerNameError(name)
        self._open = {"name": name, "kind": kind, "inputs": tuple(inputs), "first": len(self.instructions)}

    def end_layer(
        self,
        value: int,
        *,
        types: Mapping[str, FixedPoint] | None = None,
        attributes: Mapping[str, Any] | None = None,
        arrays: Mapping[str, IntegerArray] | None = None,
        remarks: Sequence[str] = (),
        exact_in_keras: bool = True,
    ) -> None:
        """Close the layer; `value` is its result, whose type is entered as types["result"]."""
        if self._open is None:
            raise ProgramError("no layer to end")
        result = self._value(value)
        self.layers.append(
            Layer(
                name=self._open["name"],
                kind=self._open["kind"],
                inputs=self._open["inputs"],
                value=value,
                instructions=tuple(range(self._open["first"], len(self.instructions))),
                shape=result.shape,
                types={**(types or {}), "result": result.type},
                attributes=json_values(f"attributes of layer {self._open['name']!r}", attributes or {}),
                arrays={
                    k: _int64(f"array {k!r} of layer {self._open['name']!r}", v) for k, v in (arrays or {}).items()
                },
                remarks=tuple(remarks),
                exact_in_keras=exact_in_keras,
            )
        )
        self._open = None

    def take_back(self, layer: str) -> None:
        """Remove the last layer and its instructions, which nothing has read yet. Raises ProgramError."""
        if self._open is not None or not self.layers or self.layers[-1].name != layer:
            raise ProgramError(f"layer {layer!r} is not the last one, so it cannot be taken back")
        first = min(self.layers[-1].instructions, default=len(self.instructions))
        del self.instructions[first:], self.intervals[first:], self.layers[-1]

    def build(self, outputs: Mapping[str, int], metadata: Mapping[str, Any] | None = None) -> Program:
        """The finished Program with these output ports. Raises ProgramError."""
        if self._open is not None:
            raise ProgramError(f"layer {self._open['name']!r} is not ended")
        return Program(
            name=self.name,
            instructions=tuple(self.instructions),
            outputs=tuple(Output(name, value) for name, value in outputs.items()),
            layers=tuple(self.layers),
            metadata=json_values(f"metadata of {self.name!r}", metadata or {}),
        )

    # ---- values

    def type_of(self, value: int) -> FixedPoint:
        """Type of a value."""
        return self._value(value).type

    def shape_of(self, value: int) -> tuple[int, ...]:
        """Shape of a value, without the event axis."""
        return self._value(value).shape

    def interval(self, value: int) -> Interval:
        """Proven interval of a value."""
        self._value(value)
        return self.intervals[value]

    # ---- instructions

    def input(self, port: str, shape: Sequence[int], type: FixedPoint) -> int:  # noqa: A002
        """Real numbers that enter, rounded once by `type`."""
        return self._add(Input(shape=tuple(shape), type=type, layer=self._layer, port=port))

    def constant(self, mantissas: npt.ArrayLike, fractional: int) -> int:
        """Mantissas known now, in the narrowest type."""
        array = _int64("constant", mantissas)
        if not array.size:
            raise ProgramError("a constant needs at least one element")
        t = FixedPoint.holding(int(array.min()), int(array.max()), fractional)
        return self._add(Constant(shape=array.shape, type=t, layer=self._layer, mantissas=array))

    def cast(self, source: int, type: FixedPoint) -> int:  # noqa: A002
        """Change of type."""
        return self._add(Cast(shape=self.shape_of(source), type=type, layer=self._layer, source=source))

    def affine(
        self,
        source: int,
        weights: npt.ArrayLike,
        weight_fractional: int,
        bias: npt.ArrayLike | None = None,
        bias_fractional: int = 0,
        product: FixedPoint | None = None,
        accumulator: FixedPoint | None = None,
    ) -> int:
        """Last axis times weights (n_in, n_out), plus bias (n_out,); exact, or with the given lossy types."""
        w = _int64("weights", weights)
        if w.ndim != 2 or not self.shape_of(source) or w.shape[0] != self.shape_of(source)[-1]:
            raise ProgramError(f"weights {w.shape} do not fit value %{source} of shape {self.shape_of(source)}")
        b = _int64("bias", np.zeros(w.shape[1], np.int64) if bias is None else bias)
        fractional = self.type_of(source).fractional + weight_fractional
        if bias is not None and b.any():
            fractional = max(fractional, bias_fractional)
        if accumulator is not None:
            fractional = accumulator.fractional
            b = _int64("bias in the accumulator's type", accumulator.cast(b, bias_fractional))
        elif b.any():
            shift = fractional - bias_fractional
            b = _int64(f"bias times 2^{shift}", b.astype(object) << shift)
        return self._add_exact(
            Affine(
                shape=(*self.shape_of(source)[:-1], w.shape[1]),
                type=accumulator or ANY,
                layer=self._layer,
                source=source,
                weights=w,
                weight_fractional=weight_fractional,
                bias=b,
                product=product,
                accumulator=accumulator,
            ),
            fractional,
        )

    def rearrange(self, sources: Sequence[int], indices: npt.ArrayLike, fill: int = 0) -> int:
        """Pick elements of the concatenated, flattened sources; -1 gives `fill` (a mantissa of the finest source)."""
        array = _int64("indices", indices)
        if not sources:
            raise ProgramError("a rearrangement needs at least one source")
        fractional = max(self.type_of(s).fractional for s in sources)
        return self._add_exact(
            Rearrange(
                shape=array.shape, type=ANY, layer=self._layer, operands=tuple(sources), indices=array, fill=fill
            ),
            fractional,
        )

    def reshape(self, source: int, shape: Sequence[int]) -> int:
        """The same elements in the same order."""
        size = int(np.prod(self.shape_of(source), dtype=np.int64))
        if int(np.prod(tuple(shape), dtype=np.int64)) != size:
            raise ProgramError(f"value %{source} of shape {self.shape_of(source)} cannot become {tuple(shape)}")
        return self.rearrange([source], np.arange(size).reshape(tuple(shape)))

    def concatenate(self, sources: Sequence[int], axis: int) -> int:
        """Join along an axis (event axis not counted)."""
        offset, parts = 0, []
        for source in sources:
            shape = self.shape_of(source)
            size = int(np.prod(shape, dtype=np.int64))
            parts.append(offset + np.arange(size).reshape(shape))
            offset += size
        try:
            indices = np.concatenate(parts, axis=axis)
        except ValueError as error:
            raise ProgramError(f"values {list(sources)} cannot be joined along axis {axis}: {error}") from None
        return self.rearrange(sources, indices)

    def combine(self, operation: CombineOperation | str, left: int, right: int) -> int:
        """Two values elementwise, exact."""
        kind = _member(CombineOperation, operation)
        fractions = (self.type_of(left).fractional, self.type_of(right).fractional)
        try:
            shape = tuple(np.broadcast_shapes(self.shape_of(left), self.shape_of(right)))
        except ValueError:
            raise ProgramError(f"shapes {self.shape_of(left)} and {self.shape_of(right)} do not broadcast") from None
        fractional = sum(fractions) if kind is CombineOperation.MULTIPLY else max(fractions)
        instruction = Combine(shape=shape, type=ANY, layer=self._layer, operation=kind, left=left, right=right)
        return self._add_exact(instruction, fractional)

    def reduce(
        self,
        operation: ReduceOperation | str,
        source: int,
        axis: int,
        accumulator: FixedPoint | None = None,
        order: Order | str = Order.SEQUENTIAL,
    ) -> int:
        """Sum, maximum or minimum along an axis."""
        shape = self.shape_of(source)
        if not 0 <= axis < len(shape):
            raise ProgramError(f"axis {axis} is not an axis of value %{source} of shape {shape}")
        return self._add_exact(
            Reduce(
                shape=shape[:axis] + shape[axis + 1 :],
                type=accumulator or ANY,
                layer=self._layer,
                operation=_member(ReduceOperation, operation),
                source=source,
                axis=axis,
                accumulator=accumulator,
                order=_member(Order, order),
            ),
            accumulator.fractional if accumulator else self.type_of(source).fractional,
        )

    def table(self, source: int, entries: npt.ArrayLike, fractional: int) -> int:
        """Lookup of every element: entries (rows, 2**width of the source), mantissas with `fractional` bits."""
        array = _int64("table entries", entries)
        instruction = Table(
            shape=self.shape_of(source), type=ANY, layer=self._layer, source=source, entries=np.atleast_2d(array)
        )
        return self._add_exact(instruction, fractional)

    def argmax(self, source: int) -> int:
        """Index of the largest along the last axis."""
        instruction = Argmax(shape=self.shape_of(source)[:-1], type=ANY, layer=self._layer, source=source)
        return self._add_exact(instruction, 0)

    # ---- inside

    @property
    def _layer(self) -> str:
        return self._open["name"] if self._open else ""

    def _add(self, instruction: Instruction) -> int:
        number = len(self.instructions)
        check_instruction(number, instruction, self.instructions)
        interval = self._interval(instruction)
        check_interval(number, instruction, interval)
        self.intervals.append(interval)
        self.instructions.append(instruction)
        return number

    def _add_exact(self, instruction: Instruction, fractional: int) -> int:
        """Add with the narrowest type of `fractional` bits that the interval allows; a given type is kept."""
        if instruction.type is ANY:
            try:
                probe = replace(instruction, type=FixedPoint(ANY.width, ANY.width - fractional))
                check_instruction(len(self.instructions), probe, self.instructions)
                interval = self._interval(probe)
                narrowest = FixedPoint.holding(interval.lowest, interval.highest, fractional)
            except ValueError as error:  # no such type
                raise ProgramError(f"{instruction.name} in layer {instruction.layer!r}: {error}") from None
            instruction = replace(instruction, type=narrowest)
        return self._add(instruction)

    def _value(self, number: int) -> Instruction:
        if not 0 <= number < len(self.instructions):
            raise ProgramError(f"there is no value %{number}: {len(self.instructions)} are defined so far")
        return self.instructions[number]

    def _interval(self, instruction: Instruction) -> Interval:
        sources = instruction.sources
        return interval_of(instruction, [self.instructions[s] for s in sources], [self.intervals[s] for s in sources])


def _int64(what: str, values: npt.ArrayLike) -> IntegerArray:
    """A copy that nobody can change. Raises ProgramError for what is no integer of 63 bits."""
    # a list of Python integers stays one: NumPy would make large ones float64
    array = np.asarray(values) if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
    others = [v for v in array.flat if not isinstance(v, int | np.integer)] if array.dtype == object else []
    if array.size and (others or array.dtype.kind not in "iubO"):
        raise ProgramError(f"{what}: mantissas are integers, not {type(others[0]).__name__ if others else array.dtype}")
    if array.size and not -LARGEST <= int(array.min()) <= int(array.max()) <= LARGEST:
        raise ProgramError(f"{what}: {int(array.min())} to {int(array.max())} does not fit 63 bits")
    result = np.array(array, dtype=np.int64, order="C")
    result.setflags(write=False)
    return result


def _member(kind: type[Member], value: str) -> Member:
    try:
        return kind(value)
    except ValueError:
        raise ProgramError(f"{value!r} is no {kind.__name__}: {nearest(str(value), list(kind))}") from None
