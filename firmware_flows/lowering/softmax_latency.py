"""hls4ml's 'latency' softmax: a table of exp(x), their sum, a table of 1 / sum, and a product.

Nothing is subtracted from the inputs, so one table of inverses spans all sums between n exp(lowest) and n exp(highest),
in equal steps. It is fine for inputs of a few units of spread and meaningless beyond, where it is refused.

Source: hls4ml 1.3.0, templates/vivado/nnet_utils/nnet_activation.h (softmax_latency, init_exp_table,
init_invert_table).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint, Integers, Overflow, Rounding
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.program import CombineOperation, ReduceOperation

ADDRESS_BITS = 12
"""Both tables have at most 4096 entries."""

EXPONENTIAL_BITS = 10
"""Bits of the smallest exponential that occurs."""

INVERSE_BITS = 12
"""Bits of the smallest inverse that occurs."""

PROBABILITY = FixedPoint(16, 0, False, Rounding.RND, Overflow.SAT)

LARGEST_ERROR = 1 / 32
"""Worst error of a probability, found on trial, above which this softmax is refused."""

WIDEST = 16.0
"""Spread of the inputs beyond which no trial is needed."""

TRIALS = 16384
"""Inputs of each of three kinds that the error is measured on."""

FLOAT32_DOUBT = 2.0**-24 * 0.02
"""How far, relatively, the C++ library's expf may lie from the exact value more than its rounding does."""

REMARK = (
    "softmax is hls4ml's 'latency' one: exp(x) and 1 / sum by tables of {exponentials} and {inverses} entries, "
    "probabilities of type {type}, up to {error:.2g} from the real ones for inputs from {low:g} to {high:g} (largest "
    "found in {trials:,} trials), so Keras is no reference"
)


@dataclass(frozen=True)
class Tables:
    """Types and entries; `exponentials` by mantissa of `address` from its minimum on, `inverses` by that of `total`."""

    address: FixedPoint
    exponential: FixedPoint
    exponentials: Integers
    accum: FixedPoint
    total: FixedPoint
    inverse: FixedPoint
    inverses: Integers

    def probabilities(self, x: npt.NDArray[np.int64], fractional: int) -> npt.NDArray[np.float64]:
        """What the hardware gives for inputs (events, n), mantissas of that many fractional bits."""
        exponentials = self.exponentials[self.address.cast(x, fractional) - self.address.minimum]
        sums = self.total.cast(exponentials.sum(axis=1, keepdims=True), self.exponential.fractional)
        products = exponentials * self.inverses[sums]
        return PROBABILITY.to_float(PROBABILITY.cast(products, self.exponential.fractional + self.inverse.fractional))


def latency(context: Context, node: Node, source: Signal) -> Signal:
    """hls4ml's softmax_latency with types that neither wrap nor read where a table has no meaning."""
    b, shape, have = context.builder, context.shape_of(source), context.type_of(source)
    interval, n = b.interval(source.value), shape[-1]
    low, high = interval.lowest * have.lsb, interval.highest * have.lsb
    tables = _tables(have, interval.lowest, interval.highest, n) if high - low <= WIDEST else None
    error = 1.0 if tables is None else _error(tables, have, interval.lowest, interval.highest, n)
    if tables is None or error > LARGEST_ERROR:
        raise refuse(
            node,
            "inputs",
            f"{low:g} to {high:g}",
            f"the 'latency' softmax has one table of 1 / sum for all of exp({low:g}) to exp({high:g}): probabilities "
            f"would be wrong by up to {error:.2g}",
            "Keep its inputs within about 5 units (a QActivation before it), or use softmax='stable'",
        )
    b.begin_layer(node.name, "Softmax", [source.layer])
    address = source.value if tables.address is have else b.cast(source.value, tables.address)
    exponential = b.table(address, tables.exponentials[np.newaxis], tables.exponential.fractional)
    total = b.cast(b.reduce(ReduceOperation.SUM, exponential, len(shape) - 1), tables.total)
    inverse = b.table(total, tables.inverses[np.newaxis], tables.inverse.fractional)
    expanded = b.reshape(inverse, (*b.shape_of(inverse), 1))
    value = b.cast(b.combine(CombineOperation.MULTIPLY, exponential, expanded), PROBABILITY)
    remark = REMARK.format(
        exponentials=len(tables.exponentials), inverses=len(tables.inverses), type=PROBABILITY, error=error, low=low,
        high=high, trials=3 * TRIALS,
    )  # fmt: skip
    b.end_layer(
        value,
        types={
            "input": tables.address,
            "exp_table": tables.exponential,
            "accum": tables.accum,
            "inv_inp": tables.total,
            "inv_table": tables.inverse,
        },
        attributes={"strategy": "latency"},
        arrays={"exponentials": tables.exponentials, "inverses": tables.inverses},
        remarks=[remark],
        exact_in_keras=False,
    )
    return Signal(value, node.name)


def _tables(have: FixedPoint, lowest: int, highest: int, n: int) -> Tables | None:
    """Tables for inputs between two mantissas; None where sums would fall on the first entry, which is 1 / 0."""
    address = have
    if have.width > ADDRESS_BITS:
        narrow = FixedPoint.holding(lowest, highest, have.fractional)
        width = min(ADDRESS_BITS, narrow.width)
        address = FixedPoint(width, narrow.integer, narrow.signed, Rounding.TRN, Overflow.SAT)
    first, last = (int(address.cast(np.array(m), have.fractional)) for m in (lowest, highest))
    smallest, largest = math.exp(first * address.lsb), math.exp(last * address.lsb)
    exponential = _sure_type(address, first, last, _type(smallest, largest, EXPONENTIAL_BITS))
    if exponential is None:
        return None
    mantissas = np.arange(address.minimum, address.maximum + 1)
    # only what occurs is computed: other entries may lie beyond every type, and saturate in the C++
    exponentials = exponential.quantize(np.exp(np.clip(mantissas, first, last) * address.lsb).astype(np.float32))
    reached = exponentials[first - address.minimum], exponentials[last - address.minimum]
    accum = FixedPoint.holding(0, n * int(reached[1]), exponential.fractional)
    total = FixedPoint(min(ADDRESS_BITS, accum.width), accum.integer, False, Rounding.TRN, Overflow.SAT)
    least, most = (int(total.cast(np.array(n * int(m)), exponential.fractional)) for m in reached)
    if not least:
        return None
    inverse = _type(1 / (most * total.lsb), 1 / (least * total.lsb), INVERSE_BITS)
    sums = np.maximum(np.arange(1 << total.width), least) * total.lsb
    inverses = inverse.quantize(np.float32(1.0) / sums.astype(np.float32))
    return Tables(address, exponential, exponentials, accum, total, inverse, inverses)


def _type(smallest: float, largest: float, bits: int) -> FixedPoint:
    """An unsigned type up to `largest` in which `smallest` has so many bits."""
    integer = math.frexp(largest)[1]
    return FixedPoint(integer - math.frexp(smallest)[1] + bits, integer, False, Rounding.RND, Overflow.SAT)


def _sure_type(address: FixedPoint, first: int, last: int, t: FixedPoint) -> FixedPoint | None:
    """The type, with bits taken away until no entry depends on the last bit of somebody's float32 expf."""
    exact = np.exp(np.arange(first, last + 1) * address.lsb)
    below, above = ((exact * (1 + d)).astype(np.float32) for d in (-FLOAT32_DOUBT, FLOAT32_DOUBT))
    for _ in range(EXPONENTIAL_BITS - 2):
        if np.array_equal(t.quantize(below), t.quantize(above)):
            return t
        t = FixedPoint(t.width - 1, t.integer, False, t.rounding, t.overflow)
    return None


def _error(tables: Tables, t: FixedPoint, lowest: int, highest: int, n: int) -> float:
    """The worst error of a probability on trial: inputs of two values, and random ones, some crowded at one end."""
    rng = np.random.default_rng(0)
    two = rng.integers(lowest, highest, (TRIALS, 2, 1), endpoint=True)
    two[: TRIALS // 4, 0], two[TRIALS // 4 : TRIALS // 2, 1] = lowest, highest
    two[:n, 0], two[:n, 1] = lowest, highest
    first: Any = np.arange(n) <= np.arange(TRIALS)[:, np.newaxis] % n
    spread = rng.integers(lowest, highest, (TRIALS, n), endpoint=True)
    end = np.where(rng.random((TRIALS, 1)) < 0.7, lowest, highest)
    x = np.concatenate([np.where(first, two[:, 0], two[:, 1]), spread, (spread + 15 * end) // 16])
    real = np.exp(x * t.lsb - (x * t.lsb).max(axis=1, keepdims=True))
    real /= real.sum(axis=1, keepdims=True)
    return float(np.abs(tables.probabilities(x, t.fractional) - real).max())
