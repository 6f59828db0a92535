"""A Program prepared for speed: each value in the smallest carrier that the ranges prove exact.

A carrier is the machine type that holds mantissas: float32 (integers to 2**24), float64 (to 2**53), int64. Floating
point is used for its speed (BLAS, vector units), never for its range: every sum, product and scaled value that can
occur is bounded beforehand by the proven ranges, so no operation rounds unless the Program says so. A value may be
held times a power of two (`scale`: number held = value * 2**scale), which floating point does without loss; an
Affine that feeds one Cast is held in units of that Cast's least significant bit, which saves a pass over the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.fixed_point import FixedPoint, Integers, Overflow, Rounding
from firmware_flows.interpreter import EXECUTE
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    CombineOperation,
    Constant,
    Input,
    Instruction,
    Program,
    Rearrange,
    Reduce,
    ReduceOperation,
)
from firmware_flows.ranges import Interval, affine_is_lossless, affine_magnitudes, reduce_is_lossless

Array = npt.NDArray[Any]
Step = Callable[[list[Any]], Array]

FLOAT32_BITS = 24
FLOAT64_BITS = 53
INT64_BITS = 63


class CarrierError(FirmwareFlowsError):
    """A value that needs more bits than the widest carrier has."""

    def __init__(self, layer: str, bits: int) -> None:
        self.layer = layer
        self.bits = bits
        super().__init__(
            f"layer {layer!r} needs {bits} bits, more than the 63 that emulation can carry: "
            "use fewer bits for its weights or inputs"
        )


@dataclass(frozen=True)
class Held:
    """How a value is held: machine type, and the power of two that it is multiplied with."""

    dtype: np.dtype[Any]
    scale: int


class Plan:
    """The steps for one block of events. Safe to run from several threads at once."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._held: list[Held] = []
        self._steps: list[Step] = []
        self._last_use = _last_uses(program)
        for number, instruction in enumerate(program.instructions):
            held, step = self._compile(number, instruction)
            self._held.append(held)
            self._steps.append(step)

    def run(self, inputs: Sequence[Array]) -> list[Integers]:
        """Mantissas of the outputs (events, ...) as int64, for float32 inputs (events, ...)."""
        values: list[Any] = [None] * len(self._steps)
        for port, x in zip(self.program.inputs, inputs, strict=True):
            values[self.program.instructions.index(port)] = x
        for number, step in enumerate(self._steps):
            values[number] = step(values)
            for source in self._last_use[number]:
                values[source] = None
        return [values[o.value] for o in self.program.outputs]

    def to_mantissas(self, output: int, held: Array) -> Integers:
        """What `run` gave for an output, as int64 mantissas."""
        value = self.program.outputs[output].value
        shift = self.program.instructions[value].type.fractional - self._held[value].scale
        return _scaled(held, shift).astype(np.int64)

    def to_real(self, output: int, held: Array) -> npt.NDArray[np.float64]:
        """What `run` gave for an output, as real numbers in float64."""
        scale = self._held[self.program.outputs[output].value].scale
        return np.multiply(held, 2.0**-scale, dtype=np.float64)

    # ---- one compile method a kind of instruction

    def _compile(self, number: int, i: Instruction) -> tuple[Held, Step]:
        match i:
            case Input():
                return self._input(number, i)
            case Constant():
                mantissas = i.mantissas[np.newaxis]
                return Held(np.dtype(np.int64), i.type.fractional), lambda values: mantissas
            case Cast() if self._held[i.source].dtype.kind == "f":
                return self._cast(i)
            case Affine() if affine_is_lossless(i, self._instruction(i.source), self._range(i.source)):
                return self._affine(number, i)
            case Rearrange():
                return self._rearrange(i)
            case Combine():
                return self._combine(i)
            case Reduce() if reduce_is_lossless(i, self._instruction(i.source), self._range(i.source)):
                return self._reduce(i)
            case Argmax():
                source = i.source
                return Held(np.dtype(np.int64), 0), lambda values: values[source].argmax(axis=-1)
            case _:
                return self._integers(i)

    def _integers(self, i: Instruction) -> tuple[Held, Step]:
        """The plain meaning, in int64."""
        sources = [self._instruction(s) for s in i.sources]
        ranges = [self._range(s) for s in i.sources]
        bits = max(_bits(self._range_of(i).magnitude), _int64_bits(i, sources, ranges))
        if bits > INT64_BITS:
            raise CarrierError(i.layer, bits)
        load = [self._loader(s, Held(np.dtype(np.int64), self._instruction(s).type.fractional)) for s in i.sources]
        execute = EXECUTE[type(i)]
        held = Held(np.dtype(np.int64), i.type.fractional)
        return held, lambda values: execute(i, sources, [f(values) for f in load], ranges)

    def _input(self, number: int, i: Input) -> tuple[Held, Step]:
        t = i.type
        # float32 numbers times 2**f stay exact while they neither overflow nor become denormal
        simple = t.overflow in (Overflow.SAT, Overflow.SAT_SYM) and 0 <= t.fractional <= 60
        dtype = np.dtype(np.float32 if simple and t.width <= FLOAT32_BITS else np.float64)
        if t.width > INT64_BITS:
            raise CarrierError(i.layer, t.width)
        if t.width > FLOAT64_BITS or abs(t.fractional) > 500:
            held = Held(np.dtype(np.int64), t.fractional)
            return held, lambda values: t.quantize(values[number])
        factor = dtype.type(2.0**t.fractional)

        def step(values: list[Any]) -> Array:
            x = np.multiply(values[number], factor, dtype=dtype)
            return _limit(_round(x, t.rounding), t)

        return Held(dtype, t.fractional), step

    def _cast(self, i: Cast) -> tuple[Held, Step]:
        t, source, held = i.type, i.source, self._held[i.source]
        interval, fractional = self._range(source), self._instruction(source).type.fractional
        dropped = max(0, fractional - t.fractional)
        unlimited = FixedPoint(1024, 1024 - t.fractional, True, t.rounding)
        low, high = map(int, unlimited.cast([interval.lowest, interval.highest], fractional))
        fits = low >= t.lowest and high <= t.maximum
        # beyond the carrier's integers only magnitudes that are limited at once can be held
        largest = max(abs(low), abs(high)) if t.overflow is not Overflow.WRAP else max(abs(low), abs(high), t.maximum)
        if largest.bit_length() > 960:
            return self._integers(i)
        room = _mantissa_bits(held.dtype)
        add_half = t.rounding is Rounding.RND and dropped > 0 and _bits(interval.magnitude + (1 << dropped)) <= room
        factor = held.dtype.type(2.0 ** (t.fractional - held.scale))
        owned = self._owned(source, i)
        rounding = t.rounding if dropped else None
        if t.width > room and not fits:
            return self._integers(i)

        def step(values: list[Any]) -> Array:
            x = values[source]
            if factor != 1:
                x = np.multiply(x, factor)
            elif not owned:
                x = x.copy()
            if add_half:
                x += 0.5
                np.floor(x, out=x)
            elif rounding is not None:
                x = _round(x, rounding)
            return x if fits else _limit(x, t, low, high)

        return Held(held.dtype, t.fractional), step

    def _affine(self, number: int, i: Affine) -> tuple[Held, Step]:
        source = self._instruction(i.source)
        products = source.type.fractional + i.weight_fractional
        finest = max(products, i.type.fractional)
        magnitudes = affine_magnitudes(
            Affine(
                **{
                    **{k: getattr(i, k) for k in ("shape", "type", "layer", "source", "weight_fractional")},
                    "weights": i.weights.astype(object) << (finest - products),
                    "bias": i.bias.astype(object) << (finest - i.type.fractional),
                }
            ),
            self._range(i.source),
        )
        bits = _bits(int(magnitudes.max()))
        dtype = _carrier(i.layer, bits)
        if dtype.kind != "f" or _bits(int(np.abs(i.weights).max(initial=0))) > _mantissa_bits(dtype):
            return self._integers(i)
        # in units of the least significant bit of the cast that follows, when nothing else reads this value
        reader = self._only_reader(number)
        scale = reader.type.fractional if isinstance(reader, Cast) else i.type.fractional
        load = self._loader(i.source, Held(dtype, self._held[i.source].scale))
        held_scale = self._held[i.source].scale
        weights = np.ldexp(i.weights.astype(dtype), scale - i.weight_fractional - held_scale)
        bias = np.ldexp(i.bias.astype(dtype), scale - i.type.fractional) if i.bias.any() else None
        n_in, n_out = weights.shape

        def step(values: list[Any]) -> Array:
            x = load(values)
            y = np.matmul(x.reshape(-1, n_in), weights)
            if bias is not None:
                y += bias
            return y.reshape(*x.shape[:-1], n_out)

        return Held(dtype, scale), step

    def _rearrange(self, i: Rearrange) -> tuple[Held, Step]:
        held = self._common(i, i.sources, self._range_of(i).magnitude)
        load = [self._loader(s, held) for s in i.operands]
        indices, shape = i.indices.reshape(-1), i.shape
        sizes = [int(np.prod(self._instruction(s).shape, dtype=np.int64)) for s in i.operands]
        fill = held.dtype.type(0) if i.fill == 0 else np.ldexp(held.dtype.type(i.fill), held.scale - i.type.fractional)
        if np.array_equal(indices, np.arange(sum(sizes))):
            selection, filled = None, None
        else:
            selection = np.where(indices < 0, 0, indices)
            filled = indices < 0 if (indices < 0).any() else None

        def step(values: list[Any]) -> Array:
            parts = [f(values) for f in load]
            events = max(p.shape[0] for p in parts)
            flat = [np.broadcast_to(p.reshape(p.shape[0], -1), (events, n)) for p, n in zip(parts, sizes, strict=True)]
            joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
            if selection is not None:
                joined = joined.take(selection, axis=1)
                if filled is not None:
                    joined[:, filled] = fill
            return joined.reshape(events, *shape)

        return held, step

    def _combine(self, i: Combine) -> tuple[Held, Step]:
        a, b = self._range(i.left), self._range(i.right)
        fa, fb = (self._instruction(s).type.fractional for s in i.sources)
        if i.operation is CombineOperation.MULTIPLY:
            largest = (a.magnitude * b.magnitude) << (i.type.fractional - fa - fb)
        else:
            largest = (a.magnitude << (i.type.fractional - fa)) + (b.magnitude << (i.type.fractional - fb))
        held = self._common(i, i.sources, largest)
        if held.dtype.kind != "f":
            return self._integers(i)
        rank = len(i.shape)
        if i.operation is CombineOperation.MULTIPLY:
            sources = [Held(held.dtype, self._held[s].scale) for s in i.sources]
            held = Held(held.dtype, sum(s.scale for s in sources))
        else:
            sources = [held, held]
        load = [self._loader(s, h) for s, h in zip(i.sources, sources, strict=True)]
        operation = _UFUNCS[i.operation]

        def step(values: list[Any]) -> Array:
            left, right = (v.reshape(v.shape[0], *(1,) * (rank + 1 - v.ndim), *v.shape[1:])
                           for v in (f(values) for f in load))  # fmt: skip
            result: Array = operation(left, right)
            return result

        return held, step

    def _reduce(self, i: Reduce) -> tuple[Held, Step]:
        magnitudes = self._range(i.source).magnitudes().astype(object)
        shift = i.type.fractional - self._instruction(i.source).type.fractional
        largest = int(np.max(magnitudes.sum(axis=i.axis) if i.operation is ReduceOperation.SUM else magnitudes))
        held = self._common(i, i.sources, largest << shift)
        if held.dtype.kind != "f":
            return self._integers(i)
        load, axis = self._loader(i.source, held), i.axis + 1
        reduction = {
            ReduceOperation.SUM: np.add.reduce,
            ReduceOperation.MAXIMUM: np.maximum.reduce,
            ReduceOperation.MINIMUM: np.minimum.reduce,
        }[i.operation]
        return held, lambda values: reduction(load(values), axis=axis)

    # ---- what the compile methods share

    def _instruction(self, number: int) -> Instruction:
        return self.program.instructions[number]

    def _range(self, number: int) -> Interval:
        return self.program.ranges[number]

    def _range_of(self, i: Instruction) -> Interval:
        return self.program.ranges[self.program.instructions.index(i)]

    def _common(self, i: Instruction, sources: Sequence[int], largest: int) -> Held:
        """The smallest carrier that holds `largest` (a mantissa of the result) and is no smaller than the sources'."""
        dtypes = [_carrier(i.layer, _bits(largest))]
        dtypes += [self._held[s].dtype for s in sources if not isinstance(self._instruction(s), Constant)]
        order = [np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)]
        return Held(max(dtypes, key=order.index), i.type.fractional)

    def _loader(self, number: int, wanted: Held) -> Step:
        """A step that gives value `number` in another carrier or scale."""
        held = self._held[number]
        if isinstance(self._instruction(number), Constant):
            constant = _converted(self._instruction(number).mantissas[np.newaxis], held, wanted)
            return lambda values: constant
        if held == wanted:
            return lambda values: values[number]
        return lambda values: _converted(values[number], held, wanted)

    def _only_reader(self, number: int) -> Instruction | None:
        readers = [i for i in self.program.instructions if number in i.sources]
        if len(readers) != 1 or any(o.value == number for o in self.program.outputs):
            return None
        return readers[0]

    def _owned(self, source: int, reader: Instruction) -> bool:
        """Whether `reader` may overwrite the source's array: nobody else reads it, and it is no view."""
        computed = isinstance(self._instruction(source), Affine | Reduce | Combine)
        return computed and self._only_reader(source) is reader


_UFUNCS: dict[CombineOperation, Callable[[Any, Any], Any]] = {
    CombineOperation.ADD: np.add,
    CombineOperation.SUBTRACT: np.subtract,
    CombineOperation.MULTIPLY: np.multiply,
    CombineOperation.MAXIMUM: np.maximum,
    CombineOperation.MINIMUM: np.minimum,
}


def _bits(magnitude: int) -> int:
    """Bits of the largest magnitude that must be held; 2**n itself needs only n in floating point."""
    return max(0, magnitude - 1).bit_length()


def _mantissa_bits(dtype: np.dtype[Any]) -> int:
    return FLOAT32_BITS if dtype == np.float32 else FLOAT64_BITS


def _carrier(layer: str, bits: int) -> np.dtype[Any]:
    if bits <= FLOAT32_BITS:
        return np.dtype(np.float32)
    if bits <= FLOAT64_BITS:
        return np.dtype(np.float64)
    if bits <= INT64_BITS - 1:
        return np.dtype(np.int64)
    raise CarrierError(layer, bits + 1)


def _int64_bits(i: Instruction, sources: Sequence[Instruction], ranges: Sequence[Interval]) -> int:
    """Bits of the largest intermediate number when `i` runs in int64, the sign included."""
    largest = max([r.magnitude for r in ranges] + [0])
    match i:
        case Affine() if i.accumulator is not None and i.product is not None:
            products = sources[0].type.fractional + i.weight_fractional
            finest = max(i.product.fractional, i.accumulator.fractional)
            return 2 + max(
                _bits(largest) + _bits(int(np.abs(i.weights).max())) + max(0, i.product.fractional - products),
                i.product.width + finest - i.product.fractional,
                i.accumulator.width + finest - i.accumulator.fractional,
            )
        case Affine():
            shift = i.type.fractional - sources[0].type.fractional - i.weight_fractional
            sums = np.matmul(ranges[0].magnitudes().astype(object), np.abs(i.weights).astype(object))
            return 1 + _bits(int((np.asarray(sums) << shift).max()) + int(np.abs(i.bias).max(initial=0)))
        case Cast():
            # the cast falls back to Python integers by itself where 62 bits do not do
            return 1 + _bits(largest)
        case _:
            return 1 + _bits(max(largest << max(0, i.type.fractional - s.type.fractional) for s in sources))


def _last_uses(program: Program) -> list[list[int]]:
    """For each step, the values that nobody reads afterwards: their memory is given back."""
    last = {s: n for n, i in enumerate(program.instructions) for s in i.sources}
    kept = {o.value for o in program.outputs}
    result: list[list[int]] = [[] for _ in program.instructions]
    for value, step in last.items():
        if value not in kept:
            result[step].append(value)
    return result


def _scaled(values: Array, shift: int) -> Array:
    if shift == 0:
        return values
    if values.dtype.kind == "i":
        return values << shift if shift > 0 else values >> -shift
    return np.multiply(values, values.dtype.type(2.0**shift))


def _converted(values: Array, held: Held, wanted: Held) -> Array:
    shift = wanted.scale - held.scale
    if wanted.dtype.kind == "i":  # scale first: a float may be held in fractions
        return _scaled(values, shift).astype(wanted.dtype)
    return _scaled(values.astype(wanted.dtype, copy=False), shift)


def _round(x: Array, rounding: Rounding) -> Array:
    """To integers, in place, exact for every float: the distance to the nearest integer is always representable."""
    match rounding:
        case Rounding.RND_CONV:
            return np.rint(x, out=x)
        case Rounding.TRN:
            return np.floor(x, out=x)
        case Rounding.TRN_ZERO:
            return np.trunc(x, out=x)
    nearest = np.rint(x)
    distance = np.subtract(x, nearest, out=x)
    up, down = distance == 0.5, distance == -0.5  # ties that went to the even neighbour
    match rounding:
        case Rounding.RND:
            nearest += up
        case Rounding.RND_MIN_INF:
            nearest -= down
        case Rounding.RND_INF:  # away from zero: the neighbour farther out
            nearest += up & (nearest >= 0)
            nearest -= down & (nearest <= 0)
        case Rounding.RND_ZERO:
            nearest += up & (nearest < 0)
            nearest -= down & (nearest > 0)
    return nearest


def _limit(x: Array, t: FixedPoint, low: int | None = None, high: int | None = None) -> Array:
    """Integers in floating point, limited to the type, in place; `low` and `high` are what is known of them."""
    lowest, maximum = x.dtype.type(t.lowest), x.dtype.type(t.maximum)
    match t.overflow:
        case Overflow.SAT | Overflow.SAT_SYM:
            if low is not None and low >= t.lowest:
                return np.minimum(x, maximum, out=x)
            if high is not None and high <= t.maximum:
                return np.maximum(x, lowest, out=x)
            return np.clip(x, lowest, maximum, out=x)
        case Overflow.SAT_ZERO:
            x[(x < lowest) | (x > maximum)] = 0
            return x
        case Overflow.WRAP:
            # both products are by powers of two, and the difference is below 2**width: all exact
            period = x.dtype.type(2.0**t.width)
            x -= np.floor(x * x.dtype.type(2.0**-t.width)) * period
            if t.signed:
                x[x > maximum] -= period
            return x
