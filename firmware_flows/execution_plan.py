"""A Program prepared for speed: each value in the smallest carrier that the ranges prove exact.

Every sum, product and scaled number that can occur is bounded beforehand by the proven ranges, so no floating-point
operation rounds unless the Program says so. A value may be held times a power of two: an Affine that feeds one Cast
is held in units of that Cast's least significant bit, which saves a pass over the data. What floating point cannot do
exactly is left to the plain interpreter in int64.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import numpy as np

from firmware_flows.block_memory import Block, MemoryPlan
from firmware_flows.carriers import (
    BITS,
    FLOAT32,
    FLOAT64,
    INT64,
    Array,
    CarrierError,
    Held,
    bits_of,
    carrier_for,
    converted,
    in_range,
    scaled,
)
from firmware_flows.fixed_point import Integers, Overflow, Rounding
from firmware_flows.float_rounding import limiter, round_halves_up, rounder
from firmware_flows.integer_bounds import largest_number, reduce_magnitude
from firmware_flows.interpreter import ELEMENTWISE, REDUCTIONS, event_aligned, event_count, executor
from firmware_flows.program import (
    Affine,
    Argmax,
    Cast,
    Combine,
    CombineOperation,
    Input,
    Instruction,
    Program,
    Rearrange,
    Reduce,
)
from firmware_flows.ranges import Interval, affine_magnitudes, is_lossless, rounded_ends
from firmware_flows.window_groups import group_windows, run_length

__all__ = ["CarrierError", "Plan"]

Step = Callable[[Block], Array]

BLOCK_BYTES = 1 << 21
"""The widest value of a block: about a core's second cache, and long enough that Python's share is small."""

TILE = 8192
"""A bias is repeated up to this many numbers: rows of a few dozen numbers are slow to add one by one."""


class Plan:
    """The steps for one block of events, and the memory they need. Safe to use from several threads at once.

    values: numbers of the values that are wanted (those of the outputs unless given). Raises CarrierError for a
    Program with a value that no carrier holds.
    """

    def __init__(self, program: Program, values: Sequence[int] | None = None) -> None:
        self._instructions = program.instructions
        self._ranges = program.ranges
        self.values = tuple(values if values is not None else (o.value for o in program.outputs))
        self._ports = {number: k for k, number in enumerate(_inputs(program))}
        self._readers = _readers(program)
        self._held: list[Held] = []
        self._steps: list[Step] = []
        self._constants: dict[int, Integers] = {}
        self._memory = MemoryPlan()
        for number, instruction in enumerate(program.instructions):
            magnitude = program.ranges[number].magnitude
            if bits_of(magnitude) > BITS[INT64]:
                raise CarrierError(instruction.layer, 1 + bits_of(magnitude))
            held, step = self._compile(number, instruction)
            self._held.append(held)
            self._steps.append(step)
            for value in {number, *instruction.sources}:
                if value not in self.values and max(self._readers[value], default=number) == number:
                    self._memory.release(value)
        self.block_events = self._block_events()

    @property
    def carriers(self) -> tuple[str, ...]:
        """The machine type of every value, for those who wonder about speed."""
        return tuple(held.dtype.name for held in self._held)

    def block(self, capacity: int) -> Block:
        """Memory for blocks of up to `capacity` events; each thread needs its own."""
        return Block(self._memory, len(self._steps), capacity)

    def run(self, block: Block, inputs: list[Array]) -> None:
        """Compute all values for float32 inputs (events, ...); read the wanted ones before the next run."""
        block.begin(inputs)
        for number, step in enumerate(self._steps):
            block.values[number] = step(block)

    def write_mantissas(self, block: Block, value: int, out: Integers) -> None:
        """Mantissas of a wanted value into an int64 array (events, ...)."""
        held = self._held[value]
        np.copyto(out, scaled(block.values[value], self._fractional(value) - held.scale), casting="unsafe")

    def write_real(self, block: Block, value: int, out: Array) -> None:
        """The numbers of a wanted value into a float64 array (events, ...). Raises CarrierError beyond 53 bits."""
        self.check_real(value)
        np.add(block.values[value], 0.0, out=out, dtype=FLOAT64)  # a negative zero becomes zero
        scale = self._held[value].scale
        if scale:
            np.multiply(out, 2.0**-scale, out=out)

    def check_real(self, value: int) -> None:
        """Raises CarrierError unless float64 holds every number that the value can be."""
        i, bits = self._instructions[value], bits_of(self._ranges[value].magnitude)
        if bits > BITS[FLOAT64] or not in_range(FLOAT64, i.type.fractional, self._held[value].scale):
            raise CarrierError(i.layer, max(bits, abs(i.type.fractional)), BITS[FLOAT64])

    # ---- one compile method a kind of instruction

    def _compile(self, number: int, i: Instruction) -> tuple[Held, Step]:
        if isinstance(i, Input):
            return self._input(number, i)
        if all(s in self._constants for s in i.sources):
            return self._constant(number, i)
        if is_lossless(i, self._sources(i), self._intervals(i)):
            match i:
                case Cast():
                    return self._cast(number, i)
                case Affine():
                    return self._affine(number, i)
                case Rearrange():
                    return self._rearrange(number, i)
                case Combine():
                    return self._combine(number, i)
                case Reduce():
                    return self._reduce(number, i)
                case Argmax():
                    source = i.source
                    return Held(INT64, 0), lambda block: np.asarray(block.values[source].argmax(axis=-1))
        return self._integers(i)

    def _constant(self, number: int, i: Instruction) -> tuple[Held, Step]:
        """What does not depend on the events is computed now: one event, which broadcasts."""
        self._check_int64(i)
        value = executor(i, self._sources(i), self._intervals(i))([self._constants[s] for s in i.sources])
        self._constants[number] = value
        return Held(INT64, i.type.fractional), lambda block: value

    def _integers(self, i: Instruction) -> tuple[Held, Step]:
        """The plain meaning, in int64."""
        self._check_int64(i)
        load = [self._loader(s, Held(INT64, self._fractional(s))) for s in i.sources]
        execute = executor(i, self._sources(i), self._intervals(i))
        return Held(INT64, i.type.fractional), lambda block: execute([f(block) for f in load])

    def _input(self, number: int, i: Input) -> tuple[Held, Step]:
        t, port = i.type, self._ports[number]
        saturates = t.overflow in (Overflow.SAT, Overflow.SAT_SYM)
        # float32 events times 2**f stay exact where they do not become denormal; what becomes infinite saturates
        dtype = FLOAT32 if saturates and t.width <= BITS[FLOAT32] and 0 <= t.fractional <= 60 else FLOAT64
        if t.width > BITS[FLOAT64] or not in_range(FLOAT64, 2 * t.fractional):
            return Held(INT64, t.fractional), lambda block: t.quantize(block.inputs[port])
        self._memory.place(number, i.shape, dtype)
        halves_up = saturates and t.rounding is Rounding.RND and t.width <= BITS[dtype] - 2
        factor = dtype.type(2.0 ** (t.fractional + halves_up))
        rounding, limit = rounder(t.rounding), limiter(t, dtype)

        def step(block: Block) -> Array:
            x: Array = np.multiply(block.inputs[port], factor, out=block.out(number), dtype=dtype)
            return limit(round_halves_up(x) if halves_up else rounding(x, x), x)

        return Held(dtype, t.fractional), step

    def _cast(self, number: int, i: Cast) -> tuple[Held, Step]:
        t, source, held = i.type, i.source, self._held[i.source]
        fractional, interval = self._fractional(source), self._ranges[source]
        if held.dtype == INT64:
            return self._integers(i)
        rounded = rounded_ends(t, interval, fractional)
        fits = rounded.lowest >= t.lowest and rounded.highest <= t.maximum
        bits, dropped, shift = BITS[held.dtype], max(0, fractional - t.fractional), t.fractional - held.scale
        if (t.width > bits and not fits) or not in_range(held.dtype, dropped, shift, t.fractional - fractional):
            return self._integers(i)
        # numbers are mantissas / 2**dropped here: adding a half is exact where one more bit would be
        add_half = t.rounding is Rounding.RND and bits_of(interval.magnitude + (1 << dropped)) <= bits
        factor = held.dtype.type(2.0**shift)
        if fits and not dropped and not shift:
            self._memory.share(number, source)
            return Held(held.dtype, t.fractional), lambda block: block.values[source]
        in_place = self._may_overwrite(source, number)
        if in_place:
            self._memory.share(number, source)
        else:
            self._memory.place(number, i.shape, held.dtype)

        rounding = rounder(t.rounding)
        limit = None if fits else limiter(t, held.dtype)

        def step(block: Block) -> Array:
            x = block.values[source]
            out = x if in_place else block.out(number)
            if shift:
                x = np.multiply(x, factor, out)
            if dropped and add_half:
                x = np.floor(np.add(x, 0.5, out), out)
            elif dropped:
                x = rounding(x, out)
            return limit(x, out) if limit is not None else x

        return Held(held.dtype, t.fractional), step

    def _affine(self, number: int, i: Affine) -> tuple[Held, Step]:
        magnitude = int(affine_magnitudes(i, self._instructions[i.source], self._ranges[i.source]).max())
        dtype = carrier_for(i.layer, max(magnitude, int(np.abs(i.weights).max())))
        if dtype == INT64:
            return self._integers(i)
        # in units of the least significant bit of the cast that follows, when nothing else reads this value
        source_scale = self._held[i.source].scale
        reader = self._only_reader(number)
        scale = self._instructions[reader].type.fractional if reader is not None else i.type.fractional
        if reader is None or not isinstance(self._instructions[reader], Cast):
            scale = i.type.fractional
        exponents = (scale - i.weight_fractional - source_scale, scale - i.type.fractional)
        if not in_range(dtype, *exponents, source_scale - self._fractional(i.source)):
            return self._integers(i)
        load = self._loader(i.source, Held(dtype, source_scale))
        weights = np.ldexp(i.weights.astype(dtype), exponents[0])
        bias = np.ldexp(i.bias.astype(dtype), exponents[1])
        n_out = weights.shape[1]
        weights = self._grouped(i, weights)
        inputs, outputs = weights.shape
        positions = int(np.prod(i.shape[:-1], dtype=np.int64))
        repeated = max(1, TILE // (positions * n_out)) if bias.any() else 0
        tile = np.tile(bias, repeated * positions)
        vector = len(i.shape) == 1
        self._memory.place(number, i.shape, dtype)

        def step(block: Block) -> Array:
            x, y = load(block), block.out(number)
            if vector:
                np.matmul(x, weights, y)
            else:
                np.matmul(x.reshape(-1, inputs), weights, y.reshape(-1, outputs))
            if repeated:
                rest = y.shape[0] % repeated
                whole = (y[:-rest] if rest else y).reshape(-1, tile.size)
                np.add(whole, tile, whole)
                if rest:
                    last = y[-rest:].reshape(-1, n_out)
                    np.add(last, bias, last)
            return y

        return Held(dtype, scale), step

    def _grouped(self, i: Affine, weights: Array) -> Array:
        """The weights, for several windows at once where that is faster; the source then gathers these instead."""
        source = self._instructions[i.source]
        if not isinstance(source, Rearrange) or self._only_reader(i.source) is None:
            return weights
        if i.source not in self._memory.places:  # a view, or constant
            return weights
        size = sum(prod(s.shape) for s in self._sources(source))
        groups = group_windows(source.indices.reshape(-1, weights.shape[0]), size, weights.shape[1])
        if groups is None:
            return weights
        self._memory.reshape(i.source, groups.indices.shape)
        self._steps[i.source] = self._gather(i.source, source, self._held[i.source], groups.indices.reshape(-1))
        return groups.weights(weights)

    def _rearrange(self, number: int, i: Rearrange) -> tuple[Held, Step]:
        held = self._common(i, self._ranges[number].magnitude)
        indices, shape = i.indices.reshape(-1), i.shape
        if len(i.operands) == 1 and np.array_equal(indices, np.arange(prod(self._sources(i)[0].shape))):
            source, only = i.operands[0], self._loader(i.operands[0], held)
            if self._held[source] == held:
                self._memory.share(number, source)
            return held, lambda block: only(block).reshape(-1, *shape)
        self._memory.place(number, shape, held.dtype)
        return held, self._gather(number, i, held, indices)

    def _gather(self, number: int, i: Rearrange, held: Held, indices: Integers) -> Step:
        """Pick the elements with these (flat) indices, -1 for the fill, into the memory of value `number`."""
        load = [self._loader(s, held) for s in i.operands]
        sizes = [prod(s.shape) for s in self._sources(i)]
        size = sum(sizes)
        in_order = np.array_equal(indices, np.arange(size))
        run, any_empty = run_length(indices, size), bool((indices < 0).any())
        # what is empty is picked from a run of fill behind the sources: faster than to write it afterwards
        selection = np.where(indices < 0, size, indices)[::run] // run
        fill = converted(np.array(i.fill, INT64), Held(INT64, i.type.fractional), held)

        def step(block: Block) -> Array:
            parts = [f(block) for f in load]
            events, out = event_count(parts), block.out(number)
            flat = [np.broadcast_to(p.reshape(p.shape[0], n), (events, n)) for p, n in zip(parts, sizes, strict=True)]
            result = out.reshape(events, -1)
            if in_order:
                np.concatenate(flat, axis=1, out=result)
                return out
            if any_empty:
                flat.append(np.broadcast_to(fill, (events, run)))
            joined = flat[0] if len(flat) == 1 else np.concatenate(flat, axis=1)
            runs = result.reshape(events, -1, run)
            # modes other than clip copy `out` first
            np.take(joined.reshape(events, -1, run), selection, axis=1, out=runs, mode="clip")
            return out

        return step

    def _combine(self, number: int, i: Combine) -> tuple[Held, Step]:
        held = self._common(i, largest_number(i, self._sources(i), self._intervals(i)))
        if held.dtype == INT64:
            return self._integers(i)
        sources = [held, held]
        if i.operation is CombineOperation.MULTIPLY:
            sources = [Held(held.dtype, self._held[s].scale) for s in i.sources]
            held = Held(held.dtype, sum(s.scale for s in sources))
        load = [self._loader(s, h) for s, h in zip(i.sources, sources, strict=True)]
        operation, rank = ELEMENTWISE[i.operation], len(i.shape)
        self._memory.place(number, i.shape, held.dtype)
        bounds = self._one_bound(i, held)
        if bounds is not None:
            source, lowest, highest = bounds
            value = load[i.sources.index(source)]
            return held, lambda block: value(block).clip(lowest, highest, out=block.out(number))

        def step(block: Block) -> Array:
            left, right = event_aligned([f(block) for f in load], rank)
            result: Array = operation(left, right, out=block.out(number))
            return result

        return held, step

    def _reduce(self, number: int, i: Reduce) -> tuple[Held, Step]:
        held = self._common(i, reduce_magnitude(i, self._instructions[i.source], self._ranges[i.source]))
        if held.dtype == INT64:
            return self._integers(i)
        load, axis, reduction = self._loader(i.source, held), i.axis + 1, REDUCTIONS[i.operation]
        self._memory.place(number, i.shape, held.dtype)

        def step(block: Block) -> Array:
            result: Array = reduction(load(block), axis=axis, out=block.out(number))
            return result

        return held, step

    def _one_bound(self, i: Combine, held: Held) -> tuple[int, float, float] | None:
        """For the maximum or minimum of a value and one number: the value, and the ends that it is limited to.

        Several times faster so, since NumPy's maximum of an array and a number uses no vector instructions.
        """
        if i.operation not in (CombineOperation.MAXIMUM, CombineOperation.MINIMUM):
            return None
        for source, other in (i.sources, i.sources[::-1]):
            number = self._constants.get(other)
            if number is not None and number.size == 1 and self._instructions[source].shape == i.shape:
                end = held.dtype.type(converted(number, self._held[other], held).item())
                infinity = held.dtype.type(np.inf)
                if i.operation is CombineOperation.MAXIMUM:
                    return source, end, infinity
                return source, -infinity, end
        return None

    # ---- what the compile methods share

    def _fractional(self, number: int) -> int:
        return self._instructions[number].type.fractional

    def _sources(self, i: Instruction) -> list[Instruction]:
        return [self._instructions[s] for s in i.sources]

    def _intervals(self, i: Instruction) -> list[Interval]:
        return [self._ranges[s] for s in i.sources]

    def _check_int64(self, i: Instruction) -> None:
        bits = bits_of(largest_number(i, self._sources(i), self._intervals(i)))
        if bits > BITS[INT64]:
            raise CarrierError(i.layer, 1 + bits)

    def _common(self, i: Instruction, largest: int) -> Held:
        """The smallest carrier that holds `largest` (a mantissa of the result) and is no smaller than the sources'."""
        dtypes = [carrier_for(i.layer, largest)]
        dtypes += [self._held[s].dtype for s in i.sources if s not in self._constants]
        return Held(max(dtypes, key=list(BITS).index), i.type.fractional)

    def _loader(self, number: int, wanted: Held) -> Step:
        """A step that gives value `number` in another carrier or scale."""
        held = self._held[number]
        if number in self._constants:
            constant = converted(self._constants[number], held, wanted)
            return lambda block: constant
        if held == wanted:
            return lambda block: block.values[number]
        return lambda block: converted(block.values[number], held, wanted)

    def _only_reader(self, number: int) -> int | None:
        readers = self._readers[number]
        return readers[0] if len(readers) == 1 and number not in self.values else None

    def _may_overwrite(self, source: int, reader: int) -> bool:
        """Whether `reader` may write over the source: nobody else reads it, and it is no view of another value."""
        computed = isinstance(self._instructions[source], Input | Affine | Reduce | Combine)
        return computed and source in self._memory.places and self._only_reader(source) == reader

    def _block_events(self) -> int:
        sizes = [4 * prod(i.shape) for n, i in enumerate(self._instructions) if n not in self._memory.places]
        return max(16, BLOCK_BYTES // max(self._memory.sizes + sizes))


def _inputs(program: Program) -> list[int]:
    return [n for n, i in enumerate(program.instructions) if isinstance(i, Input)]


def _readers(program: Program) -> list[list[int]]:
    """For each value, the instructions that read it."""
    readers: list[list[int]] = [[] for _ in program.instructions]
    for number, instruction in enumerate(program.instructions):
        for source in set(instruction.sources):
            readers[source].append(number)
    return readers
