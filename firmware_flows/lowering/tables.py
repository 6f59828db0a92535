"""Functions by lookup tables, as hls4ml's C++ defines them.

hls4ml's tables have 1024 entries over a fixed range; an input is cut toward zero to the grid of the entries, and beyond
the range the first and the last entry hold. The entries are computed in float32 and cast to the table's type. Here the
address is a Cast of its own, and the entries are written into the project as numbers, so that nothing depends on the
mathematics library of whoever compiles it.

Source: hls4ml 1.3.0, templates/vivado/nnet_utils/nnet_activation.h (init_*_table and the functions behind them).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.carriers import BITS, INT64, bits_of
from firmware_flows.errors import LoweringError
from firmware_flows.fixed_point import FixedPoint, Integers, Overflow, Rounding
from firmware_flows.lowering.context import FEWER, TOO_WIDE, Context, Signal
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import LATER, Weights, applied, grid_weights, trimmed
from firmware_flows.program import CombineOperation

ADDRESS_BITS = 10
"""1024 entries: hls4ml's default, and the most that the vendors' tools take for a table of one clock."""

HLS4ML_TABLE = FixedPoint(18, 8)
"""hls4ml's default type of a table: truncates."""

WIDEST_ENTRIES = 32
"""Most bits of the values of a quantizer that becomes a table."""


@dataclass(frozen=True)
class Function:
    """A function of float32 numbers in the steps of the C++; `reach`: the table covers [-reach, reach)."""

    formula: Callable[[float], float]
    real: Callable[[float], float]
    reach: int = 8
    type: FixedPoint = HLS4ML_TABLE

    @property
    def address(self) -> FixedPoint:
        """The type that an input is cast to, whose mantissas number the entries."""
        return FixedPoint(ADDRESS_BITS, self.reach.bit_length(), True, Rounding.TRN_ZERO, Overflow.SAT)


def _single(value: float) -> float:
    """Rounded to float32."""
    return float(np.float32(value))


def _exp(x: float) -> float:
    return _single(math.exp(x))


SELU_SCALE, SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

FUNCTIONS: dict[str, Function] = {
    "sigmoid": Function(lambda x: _single(1.0 / _single(1.0 + _exp(-x))), lambda x: 1.0 / (1.0 + math.exp(-x))),
    "tanh": Function(lambda x: _single(math.tanh(x)), math.tanh, reach=4),
    "softplus": Function(
        lambda x: _single(math.log(_exp(x) + 1.0)), lambda x: max(x, 0) + math.log1p(math.exp(-abs(x)))
    ),
    "softsign": Function(lambda x: _single(x / (abs(x) + 1.0)), lambda x: x / (1.0 + abs(x))),
    # hls4ml has no layer for it; this is the table of exponentials in its 'legacy' softmax, in a type that holds it
    "exponential": Function(_exp, math.exp, type=FixedPoint(22, 12, signed=False)),
}

BELOW_ZERO: dict[str, tuple[Callable[[float], float], Weights]] = {
    "elu": (lambda x: _single(_exp(x) - 1.0), Weights(np.array(1, np.int64), 0)),
    # the factor above zero is a constant of 16 bits in the C++, which truncates
    "selu": (
        lambda x: _single(SELU_SCALE * (SELU_ALPHA * (_exp(x) - 1.0))),
        Weights(np.array(math.floor(SELU_SCALE * 2**15), np.int64), 15),
    ),
}
"""Functions with a table over [-8, 0] only, and the factor of what is above zero."""

BELOW_ADDRESS = FixedPoint(ADDRESS_BITS, 3, False, Rounding.TRN, Overflow.SAT)

REMARK = (
    "{name} is hls4ml's table: {count} entries over {range}, of type {type}; an input is cut toward zero to the grid "
    "of the entries. Up to {difference:.2g} from the real function for inputs that can occur, so Keras is no reference"
)


def table(context: Context, layer: str, name: str, source: Signal, t: FixedPoint | None = None) -> Signal:
    """A function of `FUNCTIONS`; the entries are of type `t`, or of hls4ml's default type."""
    function, b = FUNCTIONS[name], context.builder
    t = t or function.type
    address, have = function.address, context.type_of(source)
    values = np.array([function.formula(k * address.lsb) for k in range(address.minimum, address.maximum + 1)])
    entries = t.quantize(values)
    remark = REMARK.format(
        name=name, count=1 << ADDRESS_BITS, range=f"[-{function.reach}, {function.reach})", type=t,
        difference=_difference(context, source, function.real, lambda m, f: t.to_float(
            entries[address.cast(m, f) - address.minimum])),
    )  # fmt: skip
    if have.width <= ADDRESS_BITS:  # every input has an entry of its own
        entries = entries[address.cast(_mantissas(have), have.fractional) - address.minimum]
    else:
        source = _cast(context, f"{layer}_address", source, address)
    b.begin_layer(layer, "Table", [source.layer])
    value = b.table(source.value, entries[np.newaxis], t.fractional)
    _end(context, value, entries, t.fractional, {"function": name}, [remark])
    return Signal(value, layer)


def table_below_zero(context: Context, layer: str, name: str, source: Signal, alpha: Weights) -> Signal:
    """elu and selu: a factor above zero, and alpha times a table of 1024 entries below."""
    formula, factor = BELOW_ZERO[name]
    have = context.type_of(source)
    values = HLS4ML_TABLE.quantize([formula(-k * BELOW_ADDRESS.lsb) for k in range(1 << ADDRESS_BITS)])
    below, fractional = values * int(alpha.mantissas), HLS4ML_TABLE.fractional + alpha.fractional
    finest = max(fractional, have.fractional + factor.fractional)

    def whole(mantissas: Integers, f: int) -> Integers:
        negative = below[BELOW_ADDRESS.cast(-mantissas, f)] << (finest - fractional)
        return np.where(
            mantissas < 0, negative, (mantissas * int(factor.mantissas)) << (finest - f - factor.fractional)
        )

    def real(x: float) -> float:
        scale = float(alpha.mantissas) * 2.0**-alpha.fractional
        if name == "selu":
            return SELU_SCALE * (x if x >= 0 else SELU_ALPHA * math.expm1(x))
        return x if x >= 0 else scale * math.expm1(x)

    remark = REMARK.format(
        name=name, count=1 << ADDRESS_BITS, range="[-8, 0]", type=HLS4ML_TABLE,
        difference=_difference(context, source, real, lambda m, f: whole(m, f) * 2.0**-finest),
    )  # fmt: skip
    b = context.builder
    if have.width <= ADDRESS_BITS:
        entries = whole(_mantissas(have), have.fractional)
        b.begin_layer(layer, "Table", [source.layer])
        value = b.table(source.value, entries[np.newaxis], finest)
        _end(context, value, entries, finest, {"function": name}, [remark])
        return Signal(value, layer)
    minus = Weights(np.array(-1, np.int64), 0)
    address = scale_and_offset(context, f"{layer}_address", source, minus, None, BELOW_ADDRESS, exact_in_keras=False)
    b.begin_layer(f"{layer}_below", "Table", [address.layer])
    value = b.table(address.value, below[np.newaxis], fractional)
    _end(context, value, below, fractional, {"function": name}, [remark])
    negative = Signal(value, f"{layer}_below")
    positive = context.relu(f"{layer}_positive", source, None)
    if name == "selu":
        positive = scale_and_offset(context, f"{layer}_above", positive, factor, None, exact_in_keras=False)
    b.begin_layer(layer, "Merge", [positive.layer, negative.layer])
    value = b.combine(CombineOperation.ADD, positive.value, negative.value)
    b.end_layer(value, attributes={"operation": "add"}, remarks=[remark], exact_in_keras=False)
    return Signal(value, layer)


def quantizer_table(context: Context, layer: str, field: str, quantizer: Any, source: Signal, text: str) -> Signal:
    """A quantizer of Keras on every value that its input can have: exact where these are few. Raises LoweringError."""
    have, b = context.type_of(source), context.builder
    if have.width > ADDRESS_BITS:
        raise LoweringError(
            layer, field, text, f"needs a table of its input's {have.width} bits, which is too large",
            f"Put a QActivation with quantized_bits of at most {ADDRESS_BITS} bits before it",
        )  # fmt: skip
    x = have.to_float(_mantissas(have)).astype(np.float32)
    values = applied(layer, field, quantizer, x, LATER)
    weights = grid_weights(values)
    if weights.mantissas.dtype == object or weights.type.width > WIDEST_ENTRIES:
        raise LoweringError(
            layer, field, text, f"its values need {weights.type.width} bits in fixed point",
            "Limit its exponents, or use quantized_bits",
        )  # fmt: skip
    entries = np.asarray(weights.mantissas)
    b.begin_layer(layer, "Table", [source.layer])
    value = b.table(source.value, entries[np.newaxis], weights.fractional)
    _end(context, value, entries, weights.fractional, {"function": text}, [], exact_in_keras=True)
    return Signal(value, layer)


def _end(
    context: Context,
    value: int,
    entries: Integers,
    fractional: int,
    attributes: dict[str, Any],
    remarks: list[str],
    exact_in_keras: bool = False,
) -> None:
    coarse = trimmed(entries, fractional)
    kept = entries >> (fractional - coarse.fractional)
    context.builder.end_layer(
        value,
        types={"table": FixedPoint.holding(int(kept.min()), int(kept.max()), coarse.fractional)},
        attributes=attributes,
        arrays={"entries": kept[np.newaxis]},
        remarks=remarks,
        exact_in_keras=exact_in_keras,
    )


def _cast(context: Context, layer: str, source: Signal, t: FixedPoint) -> Signal:
    context.builder.begin_layer(layer, "Quantize", [source.layer])
    value = context.builder.cast(source.value, t)
    context.builder.end_layer(value, exact_in_keras=False)
    return Signal(value, layer)


def _mantissas(t: FixedPoint) -> Integers:
    return np.arange(t.minimum, t.maximum + 1, dtype=np.int64)


def _difference(
    context: Context,
    source: Signal,
    real: Callable[[float], float],
    held: Callable[[Integers, int], npt.NDArray[np.float64]],
) -> float:
    """Largest |table - function| over inputs that can occur, of which at most some thousands are tried."""
    interval, f = context.builder.interval(source.value), context.type_of(source).fractional
    if bits_of(interval.magnitude) > BITS[INT64]:  # `lower` says so of every value, but none could be tried here
        raise LoweringError(source.layer, "bits", 1 + bits_of(interval.magnitude), TOO_WIDE, FEWER)
    mantissas = np.unique(np.linspace(interval.lowest, interval.highest, 4097).round().astype(np.int64))
    with np.errstate(over="ignore"):
        wanted = np.array([_bounded(real, float(np.ldexp(float(m), -f))) for m in mantissas])
    return float(np.abs(held(mantissas, f) - wanted).max())


def _bounded(real: Callable[[float], float], x: float) -> float:
    try:
        return real(x)
    except OverflowError:
        return math.inf
