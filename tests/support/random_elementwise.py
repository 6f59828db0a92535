"""Random Programs of elementwise layers: any function on any type, as the lowering makes them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint, Overflow, Rounding
from firmware_flows.lowering import rectifiers, steps, tables
from firmware_flows.lowering.context import Context, Signal
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import Weights
from firmware_flows.lowering.softmax import softmax
from firmware_flows.program import Program

ROUNDINGS = [Rounding.TRN, Rounding.RND, Rounding.RND_CONV]
OVERFLOWS = [Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM]


def random_elementwise(seed: int, layers: int = 16) -> Program:
    """A chain of casts to random types of 1 to 16 bits; on each of them up to three random layers, all outputs."""
    rng = np.random.default_rng(seed)
    b = Builder(f"random_{seed}")
    context: Any = Context(None, b)  # type: ignore[arg-type]
    b.begin_layer("x", "Input")
    value = b.input("x", (2, 3), FixedPoint(16, 5, True, Rounding.RND, Overflow.SAT))
    b.end_layer(value)
    source, outputs = Signal(value, "x"), {}
    names = [*MAKERS, *tables.FUNCTIONS, *tables.BELOW_ZERO]
    for number in range(layers):
        if number % 2 == 0:
            b.begin_layer(f"cast{number}", "Quantize", [source.layer])
            source = Signal(b.cast(source.value, _type(rng, b.type_of(source.value))), f"cast{number}")
            b.end_layer(source.value)
        name = str(rng.choice(names))
        layer = f"{name}{number}"
        if name in tables.FUNCTIONS:
            t = _type(rng, None) if rng.random() < 0.4 else None
            result = tables.table(context, layer, name, source, t)
        elif name in tables.BELOW_ZERO:
            alpha = Weights(np.array(int(rng.integers(1, 8))), 2) if name == "elu" else rectifiers.ONE
            result = tables.table_below_zero(context, layer, name, source, alpha)
        else:
            result = MAKERS[name](context, layer, source, rng)
        if result.layer not in outputs:
            outputs[result.layer] = result.value
    return b.build(outputs)


def _type(rng: np.random.Generator, before: FixedPoint | None) -> FixedPoint:
    width, integer = int(rng.integers(1, 17)), int(rng.integers(-2, 8))
    if before is not None and before.fractional - (width - integer) > before.width:
        integer = width - before.fractional  # a coarser grid than the whole source is refused
    signed = bool(rng.random() < 0.7)
    return FixedPoint(width, integer, signed, rng.choice(ROUNDINGS), rng.choice(OVERFLOWS))


def _weight(rng: np.random.Generator, *shape: int) -> Weights:
    return Weights(rng.integers(-20, 21, shape), int(rng.integers(0, 5)))


def _node(layer: str) -> Any:
    return SimpleNamespace(name=layer, operation=SimpleNamespace(axis=-1), output=0)


def _rectifier(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    maximum = float(rng.integers(1, 20)) / 4 if rng.random() < 0.5 else None
    threshold = float(rng.integers(0, 10)) / 8 if rng.random() < 0.5 else 0.0
    slope = 0.0 if threshold or rng.random() < 0.5 else float(rng.integers(1, 16)) / 16
    return rectifiers.rectifier(context, _node(layer), source, maximum, slope, threshold)


def _prelu(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    node = _node(layer)
    whole = context.shape_of(source)
    shape = whole if rng.random() < 0.5 else (*(1,) * (len(whole) - 1), whole[-1])
    node.operation.alpha = rng.integers(-16, 17, shape) / 16
    node.inputs = (0,)
    context.signals[0] = source
    return rectifiers.prelu(context, node)


def _hard_sigmoid(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    slope = rectifiers.SIXTH if rng.random() < 0.5 else Weights(np.array(1), 1)
    return rectifiers.hard_sigmoid(context, layer, source, slope)


def _hard_tanh(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    return rectifiers.hard_tanh(context, layer, source)


def _scale(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    return scale_and_offset(context, layer, source, _weight(rng, 3), _weight(rng, 3))


def _quantizer(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    q: Any = SimpleNamespace(alpha=float(rng.integers(1, 9)) / 4, use_01=bool(rng.random() < 0.5),
                             threshold=float(rng.integers(0, 12)) / 10)  # fmt: skip
    make = steps.binary if rng.random() < 0.5 else steps.ternary
    return make(context, _node(layer), "activation", q, source)


def _softmax(context: Any, layer: str, source: Signal, rng: np.random.Generator) -> Signal:
    context.softmax = str(rng.choice(["stable", "argmax"]))
    return softmax(context, _node(layer), "activation", "softmax", source)


MAKERS = {
    "rectifier": _rectifier,
    "prelu": _prelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_tanh": _hard_tanh,
    "scale": _scale,
    "quantizer": _quantizer,
    "softmax": _softmax,
}
