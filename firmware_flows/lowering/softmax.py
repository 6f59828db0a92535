"""Softmax: dropped at the end of a network, or kept as hls4ml's C++ computes it ('stable', 'latency', 'argmax')."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint, Integers, Overflow, Rounding
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.softmax_latency import PROBABILITY, latency
from firmware_flows.program import CombineOperation, ReduceOperation

CHOICES = ("logits", "stable", "latency", "argmax")

LOGITS_REMARK = (
    "softmax is dropped from firmware: the logits come out, and the class is the index of the largest (the first on "
    "ties). Softmax keeps the order of its inputs, so no decision changes"
)
STABLE_REMARK = (
    "softmax is hls4ml's 'stable' one: exp(x - max) and 1 / sum by tables of {exponentials} and {inverses} entries, "
    "probabilities of type {type}. Two inputs that differ by little may come out equal, so Keras is no reference"
)
ARGMAX_REMARK = "softmax is hls4ml's 'argmax': 1 for the largest input (the first on ties), 0 for all others"

ADDRESS_BITS = 10
"""Both tables have at most 1024 entries."""

REACH_BITS = 4
"""Differences from the largest input are limited below 16, where exp(-x) is zero in the table's type."""

SATURATING = (Rounding.RND, Overflow.SAT)
EXPONENTIAL = FixedPoint(11, 1, False, *SATURATING)
INVERSE = FixedPoint(18, 1, False, *SATURATING)


def softmax(context: Context, node: Node, field: str, activation: Any, source: Signal) -> Signal:
    """A softmax over the last axis."""
    axis, rank = getattr(node.operation, "axis", -1), len(context.shape_of(source))
    if axis not in (-1, rank):
        raise refuse(
            node, "axis", axis, "softmax is over the last axis in firmware", "Permute or Reshape before and after it"
        )
    if context.softmax == "stable":
        return _stable(context, node, source)
    if context.softmax == "latency":
        return latency(context, node, source)
    if context.softmax == "argmax":
        return _one_hot(context, node, source)
    if context.graph.readers(node.output):
        raise refuse(
            node,
            "activation",
            "softmax",
            "is followed by other layers, so it cannot be dropped",
            "Put softmax last, or keep it: lower(..., softmax='stable')",
        )
    if rank != 1:
        raise refuse(
            node,
            "shape",
            context.shape_of(source),
            "softmax of a vector only",
            "Flatten before it, or keep it: lower(..., softmax='stable')",
        )
    b = context.builder
    b.begin_layer(node.name, "Argmax", [source.layer])
    value = b.argmax(source.value)
    b.end_layer(value, remarks=[LOGITS_REMARK], exact_in_keras=False)
    return source


def _stable(context: Context, node: Node, source: Signal) -> Signal:
    """hls4ml's softmax_stable, with types that neither wrap nor read beyond a table."""
    b, shape, have = context.builder, context.shape_of(source), context.type_of(source)
    b.begin_layer(node.name, "Softmax", [source.layer])
    last = len(shape) - 1
    largest = _expanded(context, b.reduce(ReduceOperation.MAXIMUM, source.value, last))
    difference = b.combine(CombineOperation.SUBTRACT, largest, source.value)
    spread = b.interval(source.value)
    # the difference is never negative, which intervals of single values cannot know
    bits = (spread.highest - spread.lowest).bit_length() - have.fractional
    integer = min(max(bits, 1 - have.fractional), REACH_BITS)
    width = max(1, min(ADDRESS_BITS, integer + have.fractional))
    norm = FixedPoint(width, integer, False, Rounding.TRN, Overflow.SAT)
    address = b.cast(difference, norm)
    exponentials = EXPONENTIAL.quantize([_single(math.exp(-k * norm.lsb)) for k in range(1 << width)])
    exponential = b.table(address, exponentials[np.newaxis], EXPONENTIAL.fractional)
    total = b.reduce(ReduceOperation.SUM, exponential, last)
    n = shape[-1]
    accum = FixedPoint.holding(0, n << EXPONENTIAL.fractional, EXPONENTIAL.fractional)
    inverse_input = FixedPoint(
        min(ADDRESS_BITS, accum.width), accum.integer, False, Rounding.TRN, Overflow.SAT
    )  # the largest input contributes 1, so the address is never below that of 1
    inverses = INVERSE.quantize(
        [_single(1.0 / (k * inverse_input.lsb)) if k else 2.0 for k in range(1 << inverse_input.width)]
    )
    inverse = b.table(b.cast(total, inverse_input), inverses[np.newaxis], INVERSE.fractional)
    product = b.combine(CombineOperation.MULTIPLY, exponential, _expanded(context, inverse))
    value = b.cast(product, PROBABILITY)
    b.end_layer(
        value,
        types={
            "inp_norm": norm,
            "exp_table": EXPONENTIAL,
            "accum": accum,
            "inv_inp": inverse_input,
            "inv_table": INVERSE,
        },
        attributes={"strategy": "stable"},
        arrays={"exponentials": exponentials, "inverses": inverses},
        remarks=[STABLE_REMARK.format(exponentials=len(exponentials), inverses=len(inverses), type=PROBABILITY)],
        exact_in_keras=False,
    )
    return Signal(value, node.name)


def _one_hot(context: Context, node: Node, source: Signal) -> Signal:
    b, shape = context.builder, context.shape_of(source)
    b.begin_layer(node.name, "Softmax", [source.layer])
    index = b.argmax(source.value)
    count = int(np.prod(shape[:-1], dtype=np.int64))
    spread = b.rearrange([index], np.repeat(np.arange(count), shape[-1]).reshape(shape))
    t = b.type_of(spread)
    entries: Integers = np.arange(shape[-1])[:, np.newaxis] == np.arange(t.minimum, t.maximum + 1)
    value = b.table(spread, entries.astype(np.int64), 0)
    b.end_layer(value, attributes={"strategy": "argmax"}, remarks=[ARGMAX_REMARK], exact_in_keras=False)
    return Signal(value, node.name)


def _expanded(context: Context, value: int) -> int:
    return context.builder.reshape(value, (*context.builder.shape_of(value), 1))


def _single(value: float) -> float:
    return float(np.float32(value))
