"""Keras as a witness: its float32 outputs, and the events for which they are proven to be exact.

Keras adds in float32. That is exact for an event when every partial sum, in any order, is an integer of at most 24
bits in units of the finest bit; and when what enters a quantizer is below 2**24 of those units, since its
straight-through form x + (q - x) cancels beyond. Both are checked on the proven ranges first, and only where those
do not settle it on the event's own values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import Integers
from firmware_flows.interpreter import interpret
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
    names = {layer.name for layer in model.layers}
    linear = {f"{n}_linear": n for n in names}
    chosen, tensors, undressed = [], [], []
    for layer in program.layers:
        if layer.name not in comparable or layer.kind == "Input":
            continue
        if layer.name in names:
            chosen.append(layer)
            tensors.append(model.get_layer(layer.name).output)
        elif layer.name in linear and _is_output(program, layer):
            # a softmax inside this layer is dropped from firmware: compare what goes into it
            chosen.append(layer)
            tensors.append(model.get_layer(linear[layer.name]).output)
            undressed.append(model.get_layer(linear[layer.name]))
    outputs = {o.value for o in program.outputs}
    return KerasWitness(
        program=program,
        model=model,
        layers=tuple(chosen),
        outputs_comparable=outputs <= {layer.value for layer in chosen},
        predict=_predictor(program, model, tensors, undressed),
        doubtful=_doubtful(program, comparable),
    )


def _predictor(
    program: Program, model: Any, tensors: list[Any], undressed: list[Any]
) -> Callable[[Sequence[npt.NDArray[np.float32]]], list[npt.NDArray[np.float32]]]:
    import keras

    layers = _input_layers(program)
    part = keras.Model(model.inputs, tensors)

    def predict(x: Sequence[npt.NDArray[np.float32]]) -> list[npt.NDArray[np.float32]]:
        given = [
            a
            if layer.attributes.get("from_quantizer")
            else port.type.to_float(port.type.quantize(a)).astype(np.float32)
            for port, layer, a in zip(program.inputs, layers, x, strict=True)
        ]
        activations = [layer.activation for layer in undressed]
        for layer in undressed:
            layer.activation = keras.activations.linear
        try:
            answer = part(given, training=False)
        finally:
            for layer, activation in zip(undressed, activations, strict=True):
                layer.activation = activation
        answers = answer if isinstance(answer, list | tuple) else [answer]
        return [np.asarray(a) for a in answers]

    return predict


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
