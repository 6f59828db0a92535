"""Making a Program step by step: shapes are derived and checked, result types are the narrowest proven ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
from firmware_flows.program_check import check_instruction
from firmware_flows.ranges import Interval, interval_of

ANY = FixedPoint(1024, 512)
"""Stands for a type not yet known while the interval of an instruction is computed."""


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
            raise ProgramError(f"two layers are named {name!r}")
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
        result = self.instructions[value]
        self.layers.append(
            Layer(
                name=self._open["name"],
                kind=self._open["kind"],
                inputs=self._open["inputs"],
                value=value,
                instructions=tuple(range(self._open["first"], len(self.instructions))),
                shape=result.shape,
                types={**(types or {}), "result": result.type},
                attributes=dict(attributes or {}),
                arrays=dict(arrays or {}),
                remarks=tuple(remarks),
                exact_in_keras=exact_in_keras,
            )
        )
        self._open = None

    def build(self, outputs: Mapping[str, int], metadata: Mapping[str, Any] | None = None) -> Program:
        """The finished Program with these output ports. Raises ProgramError."""
        if self._open is not None:
            raise ProgramError(f"layer {self._open['name']!r} is not ended")
        return Program(
            name=self.name,
            instructions=tuple(self.instructions),
            outputs=tuple(Output(name, value) for name, value in outputs.items()),
            layers=tuple(self.layers),
            metadata=dict(metadata or {}),
        )

    # ---- values

    def type_of(self, value: int) -> FixedPoint:
        """Type of a value."""
        return self.instructions[value].type

    def shape_of(self, value: int) -> tuple[int, ...]:
        """Shape of a value, without the event axis."""
        return self.instructions[value].shape

    def interval(self, value: int) -> Interval:
        """Proven interval of a value."""
        return self.intervals[value]

    # ---- instructions

    def input(self, port: str, shape: Sequence[int], type: FixedPoint) -> int:  # noqa: A002
        """Real numbers that enter, rounded once by `type`."""
        return self._add(Input(shape=tuple(shape), type=type, layer=self._layer, port=port))

    def constant(self, mantissas: npt.ArrayLike, fractional: int) -> int:
        """Mantissas known now, in the narrowest type."""
        array = np.asarray(mantissas, dtype=np.int64)
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
        w = np.asarray(weights, dtype=np.int64)
        if w.ndim != 2 or not self.shape_of(source) or w.shape[0] != self.shape_of(source)[-1]:
            raise ProgramError(f"weights {w.shape} do not fit value %{source} of shape {self.shape_of(source)}")
        b = np.zeros(w.shape[1], np.int64) if bias is None else np.asarray(bias, dtype=np.int64)
        fractional = self.type_of(source).fractional + weight_fractional
        if bias is not None and b.any():
            fractional = max(fractional, bias_fractional)
        if accumulator is not None:
            fractional = accumulator.fractional
            b = accumulator.cast(b, bias_fractional)
        else:
            b = _scaled(b, fractional - bias_fractional) if b.any() else b
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
        array = np.asarray(indices, dtype=np.int64)
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
        kind = CombineOperation(operation)
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
                operation=ReduceOperation(operation),
                source=source,
                axis=axis,
                accumulator=accumulator,
                order=Order(order),
            ),
            accumulator.fractional if accumulator else self.type_of(source).fractional,
        )

    def table(self, source: int, entries: npt.ArrayLike, fractional: int) -> int:
        """Lookup of every element: entries (rows, 2**width of the source), mantissas with `fractional` bits."""
        array = np.asarray(entries, dtype=np.int64)
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
        self.intervals.append(self._interval(instruction))
        self.instructions.append(instruction)
        return number

    def _add_exact(self, instruction: Instruction, fractional: int) -> int:
        """Add with the narrowest type of `fractional` bits that the interval allows; a given type is kept."""
        if instruction.type is ANY:
            probe = replace(instruction, type=FixedPoint(1024, 1024 - fractional))
            interval = self._interval(probe)
            instruction = replace(instruction, type=FixedPoint.holding(interval.lowest, interval.highest, fractional))
        return self._add(instruction)

    def _interval(self, instruction: Instruction) -> Interval:
        sources = instruction.sources
        return interval_of(instruction, [self.instructions[s] for s in sources], [self.intervals[s] for s in sources])


def _scaled(values: IntegerArray, shift: int) -> IntegerArray:
    """values * 2**shift where that is an integer of 63 bits. Raises ProgramError otherwise."""
    scaled = FixedPoint(63, 63).cast(values.astype(object), -shift)
    back = FixedPoint(63, 63).cast(scaled.astype(object), shift)
    if shift > 0 and (back != values).any():
        raise ProgramError(f"a bias times 2^{shift} does not fit 63 bits")
    return scaled
