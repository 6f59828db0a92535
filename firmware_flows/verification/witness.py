"""Keras as a witness: its float32 outputs, and the events for which they are proven to be exact.

Keras adds in float32. That is exact for an event when every partial sum, in any order, is an integer of at most 24
bits in units of the finest bit; and when what enters a quantizer is below 2**24 of those units, since its
straight-through form x + (q - x) cancels beyond. Both are checked on the proven ranges first, and only where those
do not settle it on the event's own values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint, Integers
from firmware_flows.interpreter import interpret
from firmware_flows.lowering.graph import Graph, Node, behind, read
from firmware_flows.program import (
    Affine,
    Cast,
    Combine,
    CombineOperation,
    Instruction,
    Layer,
    Program,
    Reduce,
    ReduceOperation,
)

FLOAT32_LIMIT = 1 << 24


@dataclass
class KerasWitness:
    """Keras' values of the layers that it defines as the Program does."""

    program: Program
    model: Any
    layers: tuple[Layer, ...]
    outputs_comparable: bool
    predict: Callable[[Sequence[npt.NDArray[np.float32]]], list[npt.NDArray[np.float32]]]
    doubtful: tuple[int, ...]

    def valid(self, x: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.bool_]:
        """Which events Keras answers exactly, proven; shape (events,)."""
        valid = np.ones(x[0].shape[0], dtype=bool)
        for port, layer, real in zip(self.program.inputs, _input_layers(self.program), x, strict=True):
            if layer.attributes.get("from_quantizer"):
                limit = np.ldexp(1.0, 24 - max(port.type.fractional, -100))
                valid &= (np.abs(real.reshape(len(real), -1)) < limit).all(axis=1)
            else:  # Keras is given the rounded event: a limit of more than 24 bits is none in float32
                m = port.type.quantize(real).reshape(len(real), -1)
                valid &= (np.abs(m) // np.maximum(m & -m, 1) < FLOAT32_LIMIT).all(axis=1)
        if self.doubtful:
            mantissas = [p.type.quantize(a) for p, a in zip(self.program.inputs, x, strict=True)]
            magnitudes = [np.abs(v) for v in interpret(self.program, mantissas)]
            for number in self.doubtful:
                bound = _bound(self.program, self.program.instructions[number], magnitudes)
                valid &= (bound.reshape(len(bound), -1) <= FLOAT32_LIMIT).all(axis=1)
        return valid


def keras_witness(program: Program, model: Any) -> KerasWitness:
    """Prepare Keras for comparison; the model is left as it was."""
    comparable = _comparable(program)
    graph = read(model)
    _check_ports(program, graph)
    nodes = {node.name: node for node in graph.nodes}
    linear = {f"{n}_linear": node for n, node in nodes.items()}
    chosen: list[Layer] = []
    tensors: list[int] = []
    undressed: set[int] = set()
    for layer in program.layers:
        if layer.name not in comparable or (layer.kind == "Input" and not _is_output(program, layer)):
            continue
        if layer.name in nodes:
            chosen.append(layer)
            tensors.append(nodes[layer.name].output)
        elif layer.name in linear and _is_output(program, layer):
            # this layer's activation is not in firmware: it changes nothing, or it is a softmax that was dropped, and
            # then what goes into it is compared
            node = linear[layer.name]
            chosen.append(layer)
            tensors.append(node.output)
            if getattr(getattr(node.operation, "activation", None), "__name__", "") == "softmax":
                undressed.add(node.output)
    outputs = {o.value for o in program.outputs}
    return KerasWitness(
        program=program,
        model=model,
        layers=tuple(chosen),
        outputs_comparable=outputs <= {layer.value for layer in chosen},
        predict=_predictor(program, graph, tensors, undressed),
        doubtful=_doubtful(program, comparable),
    )


def _check_ports(program: Program, graph: Graph) -> None:
    """Raises InputError for a network that cannot be the one that the Program was made of."""
    wanted = {port.port: tuple(port.shape) for port in program.inputs}
    found = {node.name: node.shape for node in graph.inputs}
    if wanted != found:
        raise InputError(
            f"the Keras model {graph.name!r} has inputs {found}, the Program {program.name!r} {wanted}: give the "
            "network that it was lowered from"
        )


def _predictor(
    program: Program, graph: Graph, tensors: list[int], undressed: set[int]
) -> Callable[[Sequence[npt.NDArray[np.float32]]], list[npt.NDArray[np.float32]]]:
    """Calls the layers one by one, as the Program's graph has them: also those of models within the model."""
    layers = _input_layers(program)
    ports = {node.name: node.output for node in graph.inputs}
    nodes = behind(graph.nodes, tensors)

    def predict(x: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        values: dict[int, Any] = {}
        for port, layer, a in zip(program.inputs, layers, x, strict=True):
            rounded = layer.attributes.get("from_quantizer")
            real = a if rounded else _nearest_float32(port.type, a)
            values[ports[port.port]] = np.asarray(real)
        for node in nodes:
            values[node.output] = _called(node, values, undressed=node.output in undressed)
        return [np.asarray(values[t]) for t in tensors]

    return predict


def _nearest_float32(t: FixedPoint, events: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The events in the type that they enter in; where float32 does not hold that, `KerasWitness.valid` says so."""
    return np.ldexp(t.quantize(events).astype(np.float64), -t.fractional).astype(np.float32)


def _called(node: Node, values: Mapping[int, Any], *, undressed: bool) -> Any:
    """What Keras gives for one call; with `undressed`, before the layer's activation."""
    import keras

    operation, given = node.operation, {}
    for tensor, number in zip(node.record.input_tensors, node.inputs, strict=True):
        given[id(tensor)] = keras.ops.convert_to_tensor(values[number])
    arguments, options = node.record.arguments.fill_in(given)
    if "training" in inspect.signature(operation.call).parameters:
        options = {**options, "training": False}
    activation = getattr(operation, "activation", None)
    if undressed:
        operation.activation = keras.activations.linear
    try:
        return operation(*arguments, **options)
    finally:
        if undressed:
            operation.activation = activation


def _input_layers(program: Program) -> list[Layer]:
    by_value = {layer.value: layer for layer in program.layers if layer.kind == "Input"}
    return [by_value[n] for n, i in enumerate(program.instructions) if i in program.inputs]


def _comparable(program: Program) -> set[str]:
    """Layers that Keras defines alike, and that depend on no layer that it defines otherwise."""
    result: set[str] = set()
    for layer in program.layers:
        own = layer.exact_in_keras or layer.kind == "Input"
        if own and all(name in result for name in layer.inputs):
            result.add(layer.name)
    return result


def _is_output(program: Program, layer: Layer) -> bool:
    return any(o.value == layer.value for o in program.outputs)


def _doubtful(program: Program, comparable: set[str]) -> tuple[int, ...]:
    """Instructions whose proven ranges alone do not show that float32 is exact."""
    magnitudes = [r.magnitudes()[np.newaxis] for r in program.ranges]
    return tuple(
        number
        for number, instruction in enumerate(program.instructions)
        if instruction.layer in comparable and _bound(program, instruction, magnitudes).max() > FLOAT32_LIMIT
    )


def _bound(program: Program, i: Instruction, magnitudes: Sequence[Integers]) -> npt.NDArray[np.float64]:
    """Largest integer that float32 must hold on the way to this value, for given magnitudes of all values.

    In float64, which is exact up to 2**53 and so on the safe side of a limit of 2**24.
    """

    def aligned(source: int, fractional: int) -> npt.NDArray[np.float64]:
        shift = max(0, fractional - program.instructions[source].type.fractional)
        return np.multiply(magnitudes[source], 2.0**shift, dtype=np.float64)

    match i:
        case Affine():
            products = program.instructions[i.source].type.fractional + i.weight_fractional
            sums = np.matmul(magnitudes[i.source].astype(np.float64), np.abs(i.weights).astype(np.float64))
            return sums * 2.0 ** max(0, i.type.fractional - products) + np.abs(i.bias)
        case Cast():
            return aligned(i.source, i.type.fractional)
        case Reduce() if i.operation is ReduceOperation.SUM:
            return np.asarray(aligned(i.source, i.type.fractional).sum(axis=i.axis + 1))
        case Combine() if i.operation in (CombineOperation.ADD, CombineOperation.SUBTRACT):
            left, right = aligned(i.left, i.type.fractional), aligned(i.right, i.type.fractional)
            return _outer(left, right, np.add, len(i.shape))
        case Combine() if i.operation is CombineOperation.MULTIPLY:
            return _outer(aligned(i.left, -1000), aligned(i.right, -1000), np.multiply, len(i.shape))
        case _:
            return np.zeros(1)


def _outer(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], operation: Callable[..., Any], rank: int
) -> npt.NDArray[np.float64]:
    a, b = (v.reshape(v.shape[0], *(1,) * (rank + 1 - v.ndim), *v.shape[1:]) for v in (left, right))
    return np.asarray(operation(a, b))
