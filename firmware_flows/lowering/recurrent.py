"""Recurrent layers, unrolled: SimpleRNN, LSTM and GRU of Keras and QKeras, alone or in both directions.

Every time step is written out in layers that exist already (`recurrent_cells`), so that a Program, its emulation and
its HLS need nothing that they do not have. hls4ml's own recurrent C++ is not used, because no choice of types makes it
compute what a QKeras cell does: it keeps output and carry of an LSTM in one type, that of the result, rounds gates and
their activations to the accumulator's type, knows only relu, sigmoid and tanh as activations, and has the reset gate of
a GRU behind the recurrent kernel whatever the layer says (hls4ml 1.3.0, nnet_recurrent.h, nnet_recr_activations.h).

Names: step 3 of layer `lstm` is `lstm_t3` and its parts `lstm_t3_i`, ..., counted in the order of computation; the
last step, or the sequence of all, is `lstm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from firmware_flows.errors import LoweringError
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node, kind_of
from firmware_flows.lowering.recurrent_cells import KINDS, Kind, State, check_widths, names, read_cell
from firmware_flows.lowering.time_steps import put_together, take_apart
from firmware_flows.program import CombineOperation


def recurrent(context: Context, node: Node) -> Signal:
    """A recurrent layer in one direction."""
    steps = take_apart(context, node.name, _sequence(context, node))
    return unrolled(context, node, node.operation, steps)


def bidirectional(context: Context, node: Node) -> Signal:
    """Bidirectional: a layer forward in time, one backward, their outputs merged."""
    layer = node.operation
    steps = take_apart(context, node.name, _sequence(context, node))
    sides = [
        unrolled(context, replace(node, name=f"{node.name}_{side}"), part, steps, flipped=side == "backward")
        for side, part in (("forward", layer.forward_layer), ("backward", layer.backward_layer))
    ]
    return _merge(context, node, *sides)


def unrolled(context: Context, node: Node, layer: Any, steps: Sequence[Signal], *, flipped: bool = False) -> Signal:
    """The layer over these steps in order of time; `flipped` turns a sequence of outputs round."""
    _check_layer(node, layer)
    kind = _kind(node, layer.cell)
    outputs: list[Signal] = []
    try:
        cell = read_cell(node, layer.cell, kind)
        state: State = (None,) * kind.states
        for number, x in enumerate(reversed(steps) if layer.go_backwards else steps):
            last = not layer.return_sequences and number == len(steps) - 1
            first = len(context.builder.instructions)
            state = kind.step(context, cell, node.name if last else f"{node.name}_t{number}", x, state)
            assert state[0] is not None
            outputs.append(state[0])
            check_widths(context, cell, first)
    except LoweringError as error:  # one of a step's parts: the user knows the layer
        raise LoweringError(node.name, error.field, error.value, error.reason, error.remedy) from None
    if not layer.return_sequences:
        return outputs[-1]
    return put_together(context, node.name, outputs[::-1] if flipped else outputs)


def _sequence(context: Context, node: Node) -> Signal:
    if masked(node):
        raise refuse(node, "mask", "given", "every time step counts in firmware", "Use no masking layer before it")
    arguments = node.record.arguments
    second = arguments.args[1] if len(arguments.args) > 1 else arguments.kwargs.get("initial_state")
    if len(node.inputs) != 1 or second is not None:
        raise refuse(node, "initial_state", "given", "states begin with zeros in firmware", "Leave initial_state out")
    return context.source(node)


def masked(node: Node) -> bool:
    """Whether time steps are marked to be left out."""
    if node.record.arguments.kwargs.get("mask") is not None:
        return True
    return any(getattr(t, "_keras_mask", None) is not None for t in node.record.input_tensors)


def _check_layer(node: Node, layer: Any) -> None:
    if layer.stateful:
        raise refuse(node, "stateful", True, "states of one event in the next are not converted", "Use stateful=False")


def _kind(node: Node, cell: Any) -> Kind:
    name = kind_of(cell).removeprefix("Q")
    if name not in KINDS:
        raise refuse(
            node,
            "cell",
            type(cell).__name__,
            "this cell is not converted",
            "Use QSimpleRNN, QLSTM or QGRU, one layer after the other where there are several",
        )
    return KINDS[name]


def _merge(context: Context, node: Node, forward: Signal, backward: Signal) -> Signal:
    b, mode = context.builder, node.operation.merge_mode
    if mode == "concat":
        axis = len(context.shape_of(forward)) - 1
        b.begin_layer(node.name, "Concatenate", [forward.layer, backward.layer])
        value = b.concatenate([forward.value, backward.value], axis)
        b.end_layer(value, attributes={"axis": axis})
        return Signal(value, node.name)
    b.begin_layer(node.name, "Merge", [forward.layer, backward.layer])
    value = b.combine(_MERGES[mode], forward.value, backward.value)
    value = context.scaled(value, 1, 1) if mode == "ave" else value
    b.end_layer(value, attributes={"operation": "average" if mode == "ave" else str(_MERGES[mode])})
    return Signal(value, node.name)


_MERGES = {"sum": CombineOperation.ADD, "ave": CombineOperation.ADD, "mul": CombineOperation.MULTIPLY}

LOWERINGS = {
    **dict.fromkeys([*names(list(KINDS)), "RNN"], recurrent),
    "Bidirectional": bidirectional,
    "QBidirectional": bidirectional,
}
