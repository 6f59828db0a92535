"""One time step of a recurrent cell, as Keras and QKeras define it, in layers that exist already.

Nothing is rounded but where the cell's own quantizers and activations round: the gates' sums, the carry of an LSTM and
the mixture of a GRU are exact, and `state_quantizer` acts where QKeras lets it act, on the states that enter a step and
not on the ones that leave it. A state of None stands for the zeros before the first step, whose products are left out.

Order of the gates in the kernels: LSTM i f c o, GRU z r h (Keras 3, layers/rnn/lstm.py and gru.py; QKeras,
qrecurrent.py, which quantizes on top).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.dense import affine
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.normalization import scale_and_offset
from firmware_flows.lowering.quantizers import Weights, describe, quantized_weights
from firmware_flows.program import CombineOperation

State = tuple[Signal | None, ...]
"""What a step hands to the next: the output, and for an LSTM the carry; None before the first step."""

WEIGHT_BITS = 53
"""Widest weights that hls4ml can be given exactly."""

WIDEST = 63
"""Most bits of a value, which the emulator holds in an int64."""

PLUS, MINUS = Weights(np.array(1, np.int64), 0), Weights(np.array(-1, np.int64), 0)


@dataclass(frozen=True)
class Cell:
    """A cell's integers, one entry a gate; `recurrent_bias` is None where there is no second bias."""

    node: Node
    operation: Any
    kernels: tuple[Weights, ...]
    recurrent: tuple[Weights, ...]
    bias: tuple[Weights, ...]
    recurrent_bias: tuple[Weights, ...] | None

    def gate(self, context: Context, name: str, source: Signal, number: int, rows: str, field: str = "") -> Signal:
        """One gate's sum over a source, and its activation where `field` names one.

        `rows` says what the source holds: "x", "h", or "xh" for both, one behind the other.
        """
        weights = {
            "x": lambda: self.kernels[number],
            "h": lambda: self.recurrent[number],
            "xh": lambda: self._stacked(number),
        }[rows]()
        bias = self.recurrent_bias if rows == "h" else self.bias
        assert bias is not None
        if not field:
            return affine(context, name, source, weights, bias[number])
        linear = affine(context, f"{name}_linear", source, weights, bias[number])
        result = self.activated(context, name, linear, field)
        if result == linear:  # the activation changes none of its values: there is one layer only
            context.builder.take_back(linear.layer)
            result = affine(context, name, source, weights, bias[number])
        return result

    def activated(self, context: Context, name: str, source: Signal, field: str) -> Signal:
        """The cell's `activation` or `recurrent_activation` of a value."""
        activation = getattr(self.operation, field)
        self.check_width(name, context.type_of(source).width)
        return source if activation is None else apply(context, self._at(name), field, activation, source)

    def quantized(self, context: Context, name: str, state: Signal | None) -> Signal | None:
        """A state as it enters a step."""
        quantizer = getattr(self.operation, "state_quantizer_internal", None)
        if state is None or quantizer is None:
            return state
        self.check_width(name, context.type_of(state).width)
        return apply(context, self._at(name), "state_quantizer", quantizer, state)

    def check_width(self, name: str, width: int) -> None:
        """Refuse values that the emulator's integers do not hold: unrounded states grow with every step."""
        if width <= WIDEST:
            return
        if getattr(self.operation, "state_quantizer_internal", None) is None:
            raise refuse(
                self.node,
                "state_quantizer",
                None,
                f"nothing rounds the states, and {name!r} needs {width} bits",
                "Use the layer of QKeras with a state_quantizer such as quantized_bits(8,1,alpha=1)",
            )
        raise refuse(self.node, "bits", width, f"is too wide for {name!r}", f"Use fewer bits: {WIDEST} are the most")

    def _at(self, name: str) -> Node:
        return replace(self.node, name=name)

    def _stacked(self, number: int) -> Weights:
        above, below = self.kernels[number], self.recurrent[number]
        fractional = max(above.fractional, below.fractional)
        if max(w.type.width + fractional - w.fractional for w in (above, below)) > WEIGHT_BITS:
            raise refuse(
                self.node,
                "recurrent_quantizer",
                f"fractional bits {below.fractional} and {above.fractional}",
                f"kernel and recurrent kernel on one grid need more than {WEIGHT_BITS} bits",
                "Give both quantizers similar scales",
            )
        rows = [w.mantissas << (fractional - w.fractional) for w in (above, below)]
        return Weights(np.concatenate(rows), fractional)


Step = Callable[[Context, Cell, str, Signal, State], State]


def simple_step(context: Context, cell: Cell, name: str, x: Signal, state: State) -> State:
    """h = activation(x K + b + q(h) R)."""
    h = cell.quantized(context, f"{name}_state", state[0])
    rows, source = _with_state(context, name, x, h)
    plain = getattr(cell.operation.activation, "__name__", "") == "linear" or cell.operation.activation is None
    return (cell.gate(context, name, source, 0, rows, "" if plain else "activation"),)


def lstm_step(context: Context, cell: Cell, name: str, x: Signal, state: State) -> State:
    """c = f q(c) + i g and h = o activation(c)."""
    h = cell.quantized(context, f"{name}_state", state[0])
    carry = cell.quantized(context, f"{name}_carried", state[1])
    rows, source = _with_state(context, name, x, h)
    i = cell.gate(context, f"{name}_i", source, 0, rows, "recurrent_activation")
    g = cell.gate(context, f"{name}_g", source, 2, rows, "activation")
    o = cell.gate(context, f"{name}_o", source, 3, rows, "recurrent_activation")
    if carry is None:
        c = _merged(context, f"{name}_carry", "multiply", i, g)
    else:
        f = cell.gate(context, f"{name}_f", source, 1, rows, "recurrent_activation")
        new = _merged(context, f"{name}_new", "multiply", i, g)
        kept = _merged(context, f"{name}_kept", "multiply", f, carry)
        c = _merged(context, f"{name}_carry", "add", kept, new)
    active = cell.activated(context, f"{name}_active", c, "activation")
    return (_merged(context, name, "multiply", o, active), c)


def gru_step(context: Context, cell: Cell, name: str, x: Signal, state: State) -> State:
    """h = z q(h) + (1 - z) g, with the reset gate before or after the recurrent kernel."""
    h = cell.quantized(context, f"{name}_state", state[0])
    make = _reset_after if cell.operation.reset_after else _reset_before
    z, linear = make(context, cell, name, x, h)
    g = cell.activated(context, f"{name}_g", linear, "activation")
    rest = scale_and_offset(context, f"{name}_rest", z, MINUS, PLUS)
    if h is None:
        return (_merged(context, name, "multiply", rest, g),)
    new = _merged(context, f"{name}_new", "multiply", rest, g)
    kept = _merged(context, f"{name}_kept", "multiply", z, h)
    return (_merged(context, name, "add", kept, new),)


def _reset_before(context: Context, cell: Cell, name: str, x: Signal, h: Signal | None) -> tuple[Signal, Signal]:
    """g's sum is x K + b + (r h) R."""
    rows, source = _with_state(context, name, x, h)
    z = cell.gate(context, f"{name}_z", source, 0, rows, "recurrent_activation")
    if h is None:
        return z, cell.gate(context, f"{name}_g_linear", x, 2, "x")
    r = cell.gate(context, f"{name}_r", source, 1, rows, "recurrent_activation")
    reset = _merged(context, f"{name}_reset", "multiply", r, h)
    _, source = _with_state(context, f"{name}_g", x, reset)
    return z, cell.gate(context, f"{name}_g_linear", source, 2, "xh")


def _reset_after(context: Context, cell: Cell, name: str, x: Signal, h: Signal | None) -> tuple[Signal, Signal]:
    """g's sum is x K + b + r (h R + c). Sums over x and h apart, as Keras has them: its two biases could cancel."""
    z = _both(context, cell, f"{name}_z", x, h, 0)
    linear = cell.gate(context, f"{name}_g_x", x, 2, "x")
    second = cell.recurrent_bias
    assert second is not None
    if h is None and not second[2].mantissas.any():
        return z, linear  # nothing to reset
    r = _both(context, cell, f"{name}_r", x, h, 1)
    if h is None:
        reset = scale_and_offset(context, f"{name}_reset", r, second[2], None)
    else:
        recurrent = cell.gate(context, f"{name}_g_h", h, 2, "h")
        reset = _merged(context, f"{name}_reset", "multiply", r, recurrent)
    return z, _merged(context, f"{name}_g_linear", "add", linear, reset)


def _both(context: Context, cell: Cell, name: str, x: Signal, h: Signal | None, number: int) -> Signal:
    total = cell.gate(context, f"{name}_x", x, number, "x")
    second = cell.recurrent_bias
    assert second is not None
    if h is not None:
        recurrent = cell.gate(context, f"{name}_h", h, number, "h")
        total = _merged(context, f"{name}_linear", "add", total, recurrent)
    elif second[number].mantissas.any():
        total = scale_and_offset(context, f"{name}_linear", total, PLUS, second[number])
    return cell.activated(context, name, total, "recurrent_activation")


def _with_state(context: Context, name: str, x: Signal, h: Signal | None) -> tuple[str, Signal]:
    """The step's input and state, one behind the other; the input alone before the first step."""
    if h is None:
        return "x", x
    b = context.builder
    b.begin_layer(f"{name}_inputs", "Concatenate", [x.layer, h.layer])
    value = b.concatenate([x.value, h.value], 0)
    b.end_layer(value, attributes={"axis": 0})
    return "xh", Signal(value, f"{name}_inputs")


def _merged(context: Context, name: str, operation: str, left: Signal, right: Signal) -> Signal:
    b = context.builder
    b.begin_layer(name, "Merge", [left.layer, right.layer])
    value = b.combine(CombineOperation(operation), left.value, right.value)
    b.end_layer(value, attributes={"operation": operation})
    return Signal(value, name)


@dataclass(frozen=True)
class Kind:
    """What a class of cells is: its step, how many gates its kernels hold, how many states it keeps."""

    step: Step
    gates: int
    states: int


KINDS = {"SimpleRNNCell": Kind(simple_step, 1, 1), "LSTMCell": Kind(lstm_step, 4, 2), "GRUCell": Kind(gru_step, 3, 1)}
"""By the name of the Keras class; QKeras' bear a Q in front."""


def read_cell(node: Node, operation: Any, kind: Kind) -> Cell:
    """The integers of a Keras cell. Raises LoweringError."""
    _check(node, operation)
    kernel = _weights(node, operation, "kernel", operation.kernel)
    recurrent = _weights(node, operation, "recurrent", operation.recurrent_kernel)
    width = kernel.mantissas.shape[1]
    bias = second = Weights(np.zeros(width, np.int64), 0)
    two = bool(getattr(operation, "reset_after", False))
    if operation.use_bias:
        bias = _weights(node, operation, "bias", operation.bias)
        if two:
            bias, second = (Weights(row, bias.fractional) for row in bias.mantissas)
    gates = kind.gates
    return Cell(
        node,
        operation,
        _per_gate(kernel, gates),
        _per_gate(recurrent, gates),
        _per_gate(bias, gates),
        _per_gate(second, gates) if two else None,
    )


def _weights(node: Node, operation: Any, field: str, values: Any) -> Weights:
    weights = quantized_weights(node.name, field, values, getattr(operation, f"{field}_quantizer_internal", None))
    if weights.mantissas.dtype == object:
        raise refuse(node, field, f"{weights.type.width} bits", "weights are too wide", "Use at most 16 bits")
    return weights


def _per_gate(weights: Weights, gates: int) -> tuple[Weights, ...]:
    return tuple(Weights(part, weights.fractional) for part in np.split(weights.mantissas, gates, axis=-1))


def _check(node: Node, operation: Any) -> None:
    """Refuse what would make steps inexact or unlike one another."""
    for field in ("activation", "recurrent_activation"):
        if getattr(getattr(operation, field, None), "__name__", "") == "softmax":
            raise refuse(node, field, "softmax", "is not converted inside a recurrent cell", "Use a quantized_tanh")
    quantizer = getattr(operation, "state_quantizer_internal", None)
    if quantizer is not None and np.any(np.asarray(quantizer(np.zeros((1, 1), np.float32)))):
        raise refuse(
            node,
            "state_quantizer",
            describe(quantizer),
            "makes another number of the zeros that the states begin with",
            "Use quantized_bits, which keeps zero",
        )


def check_widths(context: Context, cell: Cell, first: int) -> None:
    """`Cell.check_width` of all instructions from number `first` on."""
    for instruction in context.builder.instructions[first:]:
        cell.check_width(instruction.layer, instruction.type.width)


def names(kinds: Sequence[str]) -> list[str]:
    """Class names of the layers whose cells have these names, with QKeras' forms."""
    return [prefix + kind.removesuffix("Cell") for kind in kinds for prefix in ("", "Q")]
