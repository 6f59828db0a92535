"""What a lowering works with: the builder, and the Program's value of every Keras tensor so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.errors import LoweringError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.graph import Graph, Node
from firmware_flows.program import CombineOperation

TOO_WIDE = "an accumulator needs more than 63 bits"
FEWER = "Use fewer bits before it"


@dataclass(frozen=True)
class Signal:
    """A value of the Program and the name of the layer whose result it is."""

    value: int
    layer: str


@dataclass
class Context:
    """One conversion. Lowerings read `signal_of` their inputs and return the Signal of their result.

    `softmax`: what becomes of softmax layers, as `lower` was told.
    """

    graph: Graph
    builder: Builder
    signals: dict[int, Signal] = field(default_factory=dict)
    softmax: str = "logits"

    def sources(self, node: Node) -> list[Signal]:
        """The signals that a node takes, in order."""
        return [self.signals[t] for t in node.inputs]

    def source(self, node: Node) -> Signal:
        """The only signal that a node takes."""
        sources = self.sources(node)
        if len(sources) != 1:
            raise LoweringError(node.name, "inputs", len(sources), "one input expected", "Check the network")
        return sources[0]

    def type_of(self, signal: Signal) -> FixedPoint:
        """Type of a signal."""
        return self.builder.type_of(signal.value)

    def shape_of(self, signal: Signal) -> tuple[int, ...]:
        """Shape of a signal, without the event axis."""
        return self.builder.shape_of(signal.value)

    # ---- layers that several lowerings add

    def quantize(self, name: str, source: Signal, t: FixedPoint) -> Signal:
        """A layer that casts. Where the type already holds every value as it is, the source itself."""
        if self.holds(source, t):
            return source
        b = self.builder
        b.begin_layer(name, "Quantize", [source.layer])
        value = b.cast(source.value, t)
        b.end_layer(value)
        return Signal(value, name)

    def relu(self, name: str, source: Signal, t: FixedPoint | None) -> Signal:
        """max(x, 0), cast to `t`; exact where `t` is None. Where nothing would change, the source itself."""
        b = self.builder
        if b.interval(source.value).lowest >= 0 and (t is None or self.holds(source, t)):
            return source
        b.begin_layer(name, "Relu", [source.layer])
        if t is not None and not t.signed and t.overflow in ("SAT", "SAT_SYM"):
            value = b.cast(source.value, t)  # the unsigned type's lower end is the zero of the ReLU
        else:
            zero = b.constant(np.zeros((1,) * len(self.shape_of(source)), np.int64), 0)
            value = b.combine(CombineOperation.MAXIMUM, source.value, zero)
            value = b.cast(value, t) if t is not None else value
        b.end_layer(value)
        return Signal(value, name)

    def scaled(self, value: int, mantissa: int, fractional: int) -> int:
        """A value times a constant mantissa * 2**-fractional, exact."""
        ones = (1,) * len(self.builder.shape_of(value))
        constant = self.builder.constant(np.full(ones, mantissa, np.int64), fractional)
        return self.builder.combine(CombineOperation.MULTIPLY, value, constant)

    def holds(self, source: Signal, t: FixedPoint) -> bool:
        """Whether a cast to `t` provably changes no value of the source."""
        have = self.type_of(source)
        interval = self.builder.interval(source.value)
        if have.fractional > t.fractional:
            return False
        shift = t.fractional - have.fractional
        return t.lowest <= interval.lowest << shift and interval.highest << shift <= t.maximum


def refuse(node: Node, field_name: str, value: Any, reason: str, remedy: str) -> LoweringError:
    """The error for one node."""
    return LoweringError(node.name, field_name, value, reason, remedy)
