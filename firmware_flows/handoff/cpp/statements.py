"""One C++ statement an instruction: what it reads and writes in the workspace, and the constants that it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from firmware_flows.carriers import BITS, FLOAT32, FLOAT64, bits_of
from firmware_flows.fixed_point import FixedPoint, Integers
from firmware_flows.handoff.cpp.numbers import INT64, CastExpression, integer_type, literal
from firmware_flows.integer_bounds import largest_number
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

_OPERATORS = {
    CombineOperation.ADD: "{a} + {b}",
    CombineOperation.SUBTRACT: "{a} - {b}",
    CombineOperation.MULTIPLY: "{a} * {b}",
    CombineOperation.MAXIMUM: "{a} > {b} ? {a} : {b}",
    CombineOperation.MINIMUM: "{a} < {b} ? {a} : {b}",
}


@dataclass
class Statements:
    """Walks a Program. Value k lies in the array `v{k}` of type `types[k]`; statements run once a block."""

    program: Program
    types: list[str] = field(default_factory=list)
    constants: list[str] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    each_block: list[str] = field(default_factory=list)
    carried: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, instruction in enumerate(self.program.instructions):
            self.types.append(integer_type(self._interval(number).magnitude))
            text = _STATEMENTS[type(instruction)](self, number, instruction)
            if text:
                (self.once if isinstance(instruction, Constant) else self.each_block).append(text)

    def size(self, number: int) -> int:
        """Elements of a value."""
        return prod(self.program.instructions[number].shape)

    def array(self, c_type: str, name: str, values: Iterable[Any], show: Callable[[Any], str] = literal) -> str:
        """A constant array; its name."""
        listed = [show(v) for v in values]
        text = ",".join(listed) or "0"
        self.constants.append(f"static constexpr {c_type} {name}[{max(1, len(listed))}] = {{{text}}};")
        return name

    def indices(self, name: str, values: Integers) -> str:
        """Positions as a constant array, or nullptr where they are 0, 1, 2 ..."""
        flat = values.reshape(-1)
        if np.array_equal(flat, np.arange(flat.size)):
            return "nullptr"
        return self.array("std::uint32_t", name, flat.tolist(), str)

    def _interval(self, number: int) -> Interval:
        return self.program.ranges[number]

    def _sources(self, i: Instruction) -> tuple[list[Instruction], list[Interval]]:
        return [self.program.instructions[s] for s in i.sources], [self._interval(s) for s in i.sources]

    def _largest(self, i: Instruction) -> int:
        return largest_number(i, *self._sources(i))

    # ---- one method a kind of instruction

    def nothing(self, number: int, i: Input) -> str:
        return ""

    def constant(self, number: int, i: Constant) -> str:
        name = self.array(self.types[number], f"constant_{number}", i.mantissas.reshape(-1).tolist())
        return (
            f"for (std::size_t k = 0; k < sizeof(v{number}) / sizeof(*v{number}); ++k) "
            f"v{number}[k] = {name}[k / block];"
        )

    def cast(self, number: int, i: Cast) -> str:
        sources, intervals = self._sources(i)
        function = CastExpression(i.type, intervals[0], sources[0].type.fractional).function()
        return f"each(v{i.source}, v{number}, {self.size(number)}, {function});"

    def affine(self, number: int, i: Affine) -> str:
        sources, intervals = self._sources(i)
        n_in, n_out = i.weights.shape
        sizes = f"{self.size(number) // n_out}, {n_in}, {n_out}"
        if not is_lossless(i, sources, intervals):
            return self._affine_cast(number, i, sizes)
        shift = i.type.fractional - sources[0].type.fractional - i.weight_fractional
        weights = i.weights.T.astype(object) << shift
        largest = max(
            int(affine_magnitudes(i, sources[0], intervals[0]).max()),
            int(np.abs(weights).max(initial=0)), intervals[0].magnitude,
        )  # fmt: skip
        carrier, show = _carrier(largest)
        self.carried[carrier] = max(self.carried.get(carrier, 1), n_in)
        filled = weights != 0
        rows = np.concatenate([[0], np.cumsum(filled.sum(axis=1))])
        row = self.array("std::uint32_t", f"row_{number}", rows.tolist(), str)
        column = self.array("std::uint32_t", f"column_{number}", np.nonzero(filled)[1].tolist(), str)
        weight = self.array(carrier, f"weight_{number}", weights[filled].tolist(), show)
        bias = self.array(carrier, f"bias_{number}", i.bias.tolist(), show)
        carried = carried_name(carrier)
        return f"affine(v{i.source}, v{number}, {carried}, {sizes}, {row}, {column}, {weight}, {bias});"

    def _affine_cast(self, number: int, i: Affine, sizes: str) -> str:
        assert i.product is not None
        assert i.accumulator is not None
        sources, intervals = self._sources(i)
        computed = integer_type(self._largest(i))
        fractional = sources[0].type.fractional + i.weight_fractional
        largest = intervals[0].magnitude * int(np.abs(i.weights).max(initial=0))
        product = CastExpression(i.product, _symmetric(largest), fractional)
        add = self._accumulate(i.accumulator, i.product, computed)
        weight = self.array(computed, f"weight_{number}", i.weights.reshape(-1).tolist())
        bias = self.array(computed, f"bias_{number}", i.bias.tolist())
        function = (
            f"[]({computed} sum, {computed} v) {{ const auto product = {product.function(computed)}; "
            f"const auto add = {add}; return add(sum, {computed}(product(v))); }}"
        )
        return f"affine_cast(v{i.source}, v{number}, {sizes}, {weight}, {bias}, {function});"

    def _accumulate(self, accumulator: FixedPoint, term: FixedPoint, computed: str) -> str:
        """A lambda of a sum and a term: their sum on the finer grid, cast to the accumulator."""
        finest = max(accumulator.fractional, term.fractional)
        shifts = finest - accumulator.fractional, finest - term.fractional
        largest = (_ends(accumulator) << shifts[0]) + (_ends(term) << shifts[1])
        cast = CastExpression(accumulator, _symmetric(largest), finest)
        wide = integer_type(largest)
        total = f"{wide}(sum) * ({wide}(1) << {shifts[0]}) + {wide}(term) * ({wide}(1) << {shifts[1]})"
        return (
            f"[]({computed} sum, {computed} term) {{ const auto cast = {cast.function(wide)}; "
            f"return {computed}(cast({total})); }}"
        )

    def rearrange(self, number: int, i: Rearrange) -> str:
        sources, _ = self._sources(i)
        flat, start, lines = i.indices.reshape(-1), 0, []
        for k, (operand, source) in enumerate(zip(i.operands, sources, strict=True)):
            size = self.size(operand)
            to = np.flatnonzero((flat >= start) & (flat < start + size))
            if to.size:
                origin = self.indices(f"from_{number}_{k}", flat[to] - start)
                target = "nullptr" if to.size == flat.size else self.indices(f"to_{number}_{k}", to)
                factor = literal(1 << (i.type.fractional - source.type.fractional))
                t = self.types[number]
                lines.append(f"pick(v{operand}, v{number}, {origin}, {target}, {to.size}, {t}({factor}));")
            start += size
        empty = np.flatnonzero(flat < 0)
        if empty.size:
            to_name = self.array("std::uint32_t", f"empty_{number}", empty.tolist(), str)
            lines.append(f"fill(v{number}, {to_name}, {empty.size}, {self.types[number]}({literal(i.fill)}));")
        return "\n    ".join(lines)

    def combine(self, number: int, i: Combine) -> str:
        sources, _ = self._sources(i)
        names = []
        for side, operand in (("left", i.left), ("right", i.right)):
            shape = self.program.instructions[operand].shape
            own = np.arange(prod(shape)).reshape(shape)
            names.append(self.indices(f"{side}_{number}", np.broadcast_to(own, i.shape)))
        t = integer_type(self._largest(i))
        fractions = [s.type.fractional for s in sources]
        if i.operation is CombineOperation.MULTIPLY:
            factors = [i.type.fractional - sum(fractions), 0]
        else:
            factors = [i.type.fractional - f for f in fractions]
        a, b = (f"{t}({v})" if f == 0 else f"({t}({v}) * ({t}(1) << {f}))" for v, f in zip("ab", factors, strict=True))
        function = f"[](auto a, auto b) {{ return {_OPERATORS[i.operation].format(a=a, b=b)}; }}"
        return f"combine(v{i.left}, v{i.right}, v{number}, {names[0]}, {names[1]}, {self.size(number)}, {function});"

    def reduce(self, number: int, i: Reduce) -> str:
        sources, intervals = self._sources(i)
        source = sources[0]
        along = source.shape[i.axis]
        sizes = f"{prod(source.shape[: i.axis])}, {along}, {prod(source.shape[i.axis + 1 :])}"
        shift = i.type.fractional - source.type.fractional
        t = integer_type(self._largest(i))
        operation = {
            ReduceOperation.SUM: f"return {t}(a + b);",
            ReduceOperation.MAXIMUM: "return a > b ? a : b;",
            ReduceOperation.MINIMUM: "return a < b ? a : b;",
        }[i.operation]
        name = "reduce"
        first = f"[]({t} v) {{ return {t}(v * ({t}(1) << {max(0, shift)})); }}"
        function = f"[first]({t} a, {t} v) {{ const {t} b = first(v); {operation} }}"
        if not is_lossless(i, sources, intervals):
            accumulator = i.accumulator
            assert accumulator is not None
            magnitude = intervals[0].magnitude
            cast = CastExpression(accumulator, _symmetric(magnitude), source.type.fractional)
            t = integer_type(self._largest(i), _ends(accumulator), magnitude)
            if i.operation is not ReduceOperation.SUM:
                first = f"[]({t} v) {{ return {t}({cast.function(t)}(v)); }}"
                function = f"[first]({t} a, {t} v) {{ const {t} b = first(v); {operation} }}"
            elif i.order is Order.SEQUENTIAL:
                width = max(1, magnitude.bit_length()) + 1
                term = FixedPoint(width, width - source.type.fractional)
                add = self._accumulate(accumulator, term, t)
                first = f"[]({t} v) {{ const auto add = {add}; return add({t}(0), v); }}"
                function = add
            else:
                name = "reduce_tree"
                first = f"[]({t} v) {{ return {t}({cast.function(t)}(v)); }}"
                function = self._accumulate(accumulator, accumulator, t)
        return f"{{ const auto first = {first}; {name}<{t}>(v{i.source}, v{number}, {sizes}, first, {function}); }}"

    def table(self, number: int, i: Table) -> str:
        channels, length = i.entries.shape
        entries = self.array(self.types[number], f"table_{number}", i.entries.reshape(-1).tolist())
        minimum = self.program.instructions[i.source].type.minimum
        return (
            f"table(v{i.source}, v{number}, {self.size(number)}, {channels}, {length}, {literal(minimum)}, {entries});"
        )

    def argmax(self, number: int, i: Argmax) -> str:
        length = self.program.instructions[i.source].shape[-1]
        return f"argmax(v{i.source}, v{number}, {self.size(number)}, {length});"


def _carrier(largest: int) -> tuple[str, Callable[[Any], str]]:
    """The fastest C++ type that holds every partial sum, and how its constants are written."""
    bits = bits_of(largest)
    if bits <= BITS[FLOAT32]:
        return "float", lambda v: f"{int(v)}.f"
    if bits <= BITS[FLOAT64]:
        return "double", lambda v: f"{int(v)}."
    return integer_type(largest) if bits > BITS[FLOAT64] + 9 else INT64, literal


def carried_name(carrier: str) -> str:
    return "carried_" + carrier.replace("std::", "").replace("_t", "")


def _ends(t: FixedPoint) -> int:
    return max(-t.minimum, t.maximum)


def _symmetric(magnitude: int) -> Interval:
    return Interval(np.array(-magnitude, dtype=object), np.array(magnitude, dtype=object))


_STATEMENTS: dict[type[Instruction], Callable[[Statements, int, Any], str]] = {
    Input: Statements.nothing,
    Constant: Statements.constant,
    Cast: Statements.cast,
    Affine: Statements.affine,
    Rearrange: Statements.rearrange,
    Combine: Statements.combine,
    Reduce: Statements.reduce,
    Table: Statements.table,
    Argmax: Statements.argmax,
}
