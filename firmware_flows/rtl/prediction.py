"""Cost of a Program's logic and time to trace it, from its weights and widths alone, before anything is traced.

Exponents fitted to 62 dense layers (9x16 to 64x64, 3 to 12 bits of weights, 7 to 12 bits of inputs, all or 30 % of the
weights non-zero, drawn evenly), each traced alone with alkaid 0.8.2 on one core:

    digits   non-zero signed digits (canonical form) of all weights
    cost     ~ digits^0.92 * (bits of inputs + bits of weights / 2 + log2(inputs) / 2)
               residuals of the fit: 8 % (standard deviation), 23 % at most
    solving  = 3.5e-8 s * digits^2        a factor 1.8 (standard deviation), 2.7 at most
    the rest ~ digits^0.98                a factor 1.2, 1.7 at most

and scaled to eleven reference networks (jet taggers, OMTF, calorimeter; trained and untrained, 3,000 to 207,000 LUT),
for which predicted / real is then 0.97 to 1.04 for the cost and 0.7 to 1.3 for the seconds.
`benchmarks/rtl_prediction.py` measures it again. Other instructions are counted by the gates a bit that they take.
Seconds are of the machine of the fit, and good to a factor of three. The cost is that of adders of two numbers: where
the target adds three in one row of LUTs, `Design.cost` is about a fifth lower.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
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
    Instruction,
    Program,
    Reduce,
    ReduceOperation,
    Table,
)
from firmware_flows.ranges import Interval, is_lossless
from firmware_flows.rtl.errors import RtlError

MOST_COST = 1_000_000.0
"""Default limit: more LUTs than one die of the largest devices has."""

MOST_SECONDS = 600.0
"""Default limit of the predicted time."""

ADDERS = 0.85
SOLVING = 3.5e-8
REST = 1.8e-4


@dataclass(frozen=True)
class Part:
    """What one instruction is predicted to take."""

    layer: str
    instruction: str
    cost: float
    seconds: float


@dataclass(frozen=True)
class Prediction:
    """cost: in alkaid's units, about one LUT6. seconds: to trace, on one core. parts: by instruction, in order."""

    parts: tuple[Part, ...]

    @property
    def cost(self) -> float:
        return sum(p.cost for p in self.parts)

    @property
    def seconds(self) -> float:
        return sum(p.seconds for p in self.parts)

    @property
    def largest(self) -> Part:
        """The instruction that costs most."""
        return max(self.parts, key=lambda p: p.cost)


def signed_digits(weights: npt.NDArray[Any]) -> int:
    """Non-zero digits of all weights in canonical signed-digit form."""
    magnitudes = np.abs(weights.astype(np.int64)).reshape(-1)
    if magnitudes.size and int(magnitudes.max()) < 1 << 61:
        return int(np.bitwise_count(magnitudes ^ (3 * magnitudes)).sum())
    return sum((m ^ (3 * m)).bit_count() for m in magnitudes.tolist())


def solving_seconds(weights: npt.NDArray[Any], block: float = float("inf")) -> float:
    """Seconds to find the adder trees of a matrix; in blocks of columns of at most `block` seconds each."""
    whole = SOLVING * signed_digits(weights) ** 2
    # k blocks of digits/k take whole/k in all, whole/k^2 each
    blocks = min(max(1, weights.shape[1]), max(1.0, (whole / block) ** 0.5))
    return float(whole / blocks)


def predict(program: Program, block_seconds: float = float("inf")) -> Prediction:
    """Cost and time of every instruction that an output needs. block_seconds: see `Effort.seconds`."""
    from firmware_flows.rtl.tracing import needed_instructions

    parts = []
    for number in sorted(needed_instructions(program)):
        i = program.instructions[number]
        rule = _RULES.get(type(i))
        if rule is None:
            continue
        sources = [program.instructions[s] for s in i.sources]
        intervals = [program.ranges[s] for s in i.sources]
        cost, seconds = rule(i, sources, intervals, program.ranges[number], block_seconds)
        parts.append(Part(i.layer, i.name, cost, seconds))
    return Prediction(tuple(parts))


def require_affordable(program: Program, block_seconds: float, max_cost: float, max_seconds: float) -> Prediction:
    """The prediction. Raises RtlError where it exceeds a limit."""
    prediction = predict(program, block_seconds)
    for name, value, limit in (
        ("cost", prediction.cost, max_cost), ("seconds", prediction.seconds, max_seconds)
    ):  # fmt: skip
        if value > limit:
            largest = prediction.largest
            raise RtlError(
                "", "",
                f"unrolled, {program.name!r} is predicted to need {prediction.cost:,.0f} LUT and "
                f"{prediction.seconds:,.0f} s of tracing; the limit is {name} = {limit:,.0f}. Its largest part is "
                f"layer {largest.layer!r} ({largest.cost:,.0f} LUT)",
                "Prune the network, give its weights fewer bits, make it smaller, use the HLS project with a reuse "
                f"factor, or raise max_{name} of ff.rtl.write_design",
            )  # fmt: skip
    return prediction


# ---- by instruction: (instruction, sources, their intervals, own interval, block seconds) -> (cost, seconds)


def _bits(interval: Interval) -> float:
    """Mean width of the elements."""
    lows, highs = interval.low.reshape(-1), interval.high.reshape(-1)
    widths = [FixedPoint.holding(int(a), int(b), 0).width if a != b else 0 for a, b in zip(lows, highs, strict=True)]
    return float(np.mean(widths)) if widths else 0.0


def _affine(
    i: Affine, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    n_in, n_out = i.weights.shape
    positions = prod(i.shape) // n_out
    digits = signed_digits(i.weights)
    if digits == 0:
        return 0.0, 0.0
    bits = _bits(intervals[0])
    if not is_lossless(i, sources, intervals):
        assert i.accumulator is not None
        terms = int((i.weights != 0).sum())
        cost = positions * (digits * bits + 2.0 * terms * i.accumulator.width)
        return cost, positions * (digits + 6 * terms) * REST
    weight_bits = int(np.abs(i.weights).max()).bit_length() + 1
    cost = ADDERS * digits**0.92 * (bits + weight_bits / 2 + np.log2(max(n_in, 1)) / 2)
    return positions * float(cost), solving_seconds(i.weights, block) + positions * REST * digits**0.98


def _cast(
    i: Cast, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    size = prod(i.shape)
    return 0.5 * size * min(_bits(intervals[0]), i.type.width + 2.0), 6 * size * REST


def _combine(
    i: Combine, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    size, bits = prod(i.shape), [_bits(interval) for interval in intervals]
    if i.operation is CombineOperation.MULTIPLY and min(bits) > 0:
        return 0.75 * size * bits[0] * bits[1], 2 * size * REST
    if i.operation in (CombineOperation.MAXIMUM, CombineOperation.MINIMUM):
        return (1.5 if min(bits) > 0 else 0.6) * size * max(bits), 4 * size * REST
    return (1.0 if min(bits) > 0 else 0.3) * size * _bits(own), 4 * size * REST


def _reduce(
    i: Reduce, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    size, bits = prod(sources[0].shape), (_bits(intervals[0]) + _bits(own)) / 2
    each = 1.0 if i.operation is ReduceOperation.SUM else 1.5
    if not is_lossless(i, sources, intervals):
        each += 1.0
    return each * size * bits, 3 * each * size * REST


def _table(
    i: Table, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    size, bits = prod(i.shape), _bits(intervals[0])
    entries = 2.0**bits
    cost = size * _bits(own) * max(1.0, entries / 64) * (0.5 if bits > 12 else 1.0)
    return cost, size * (5 * REST + 1e-6 * entries)


def _argmax(
    i: Argmax, sources: Sequence[Instruction], intervals: Sequence[Interval], own: Interval, block: float
) -> tuple[float, float]:
    size = prod(sources[0].shape)
    return size * (1.5 * _bits(intervals[0]) + _bits(own)), 8 * size * REST


_RULES: dict[type[Instruction], Callable[[Any, Any, Any, Interval, float], tuple[float, float]]] = {
    Affine: _affine,
    Cast: _cast,
    Combine: _combine,
    Reduce: _reduce,
    Table: _table,
    Argmax: _argmax,
}
