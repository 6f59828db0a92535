"""Products along chosen axes: EinsumDense (with weights) and Dot (of two values).

Both are put together from layers that every form has: axes moved, elements rearranged, one dense layer. What the
equation repeats is a zero in the dense layer's weights, and zeros cost nothing in firmware.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from firmware_flows.lowering.activations import apply
from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.dense import affine
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.merges import chain
from firmware_flows.lowering.quantizers import GRID_BITS, Weights, quantized_weights
from firmware_flows.program import CombineOperation

LARGEST_MATRIX = 1 << 20
"""Weights of one dense layer, zeros counted, beyond which an equation is refused."""


def moved(context: Context, name: str, source: Signal, order: Sequence[int]) -> Signal:
    """A Transpose layer; the source itself where no axis moves."""
    if list(order) == sorted(order):
        return source
    b, shape = context.builder, context.shape_of(source)
    b.begin_layer(name, "Transpose", [source.layer])
    value = b.rearrange([source.value], np.arange(prod(shape)).reshape(shape).transpose(tuple(order)))
    b.end_layer(value, attributes={"perm": list(order)})
    return Signal(value, name)


def reshaped(context: Context, name: str, source: Signal, shape: Sequence[int]) -> Signal:
    """A Reshape layer; the source itself where it has the shape."""
    if tuple(shape) == context.shape_of(source):
        return source
    b = context.builder
    b.begin_layer(name, "Reshape", [source.layer])
    value = b.reshape(source.value, shape)
    b.end_layer(value, attributes={"shape": list(shape)})
    return Signal(value, name)


# ---- EinsumDense


@dataclass(frozen=True)
class Equation:
    """Axes by letter, the events' left out: of the input, the kernel, the output."""

    given: str
    kernel: str
    result: str

    @classmethod
    def of(cls, node: Node, rank: int) -> Equation:
        """From the layer's equation; dots become letters. Raises LoweringError for what is no dense layer."""
        equation = str(node.operation.equation).replace(" ", "")
        operands, result = equation.split("->")
        given, kernel = operands.split(",")
        if "..." in given + result:
            free = [c for c in string.ascii_letters if c not in equation]
            dots = "".join(free[: rank + 1 - len(given.replace("...", ""))])
            given, result = given.replace("...", dots), result.replace("...", dots)
        if given[0] != result[0] or given[0] in kernel:
            raise refuse(node, "equation", equation, "the first axis must be the events', in and out", "Move the axes")
        found = cls(given[1:], kernel, result[1:])
        letters = set(found.given) | set(kernel)
        if any(len(set(t)) != len(t) for t in (given, kernel, result)) or not letters >= set(found.result):
            raise refuse(node, "equation", equation, "an axis occurs twice, or comes from nowhere", "Name axes once")
        return found


def einsum_dense(context: Context, node: Node) -> Signal:
    """EinsumDense: any equation, as one dense layer at every position that the weights do not depend on."""
    layer, source = node.operation, context.source(node)
    shape = context.shape_of(source)
    if getattr(layer, "lora_enabled", False):
        raise refuse(node, "lora", True, "low-rank updates are not converted", "Merge them into the kernel")
    e = Equation.of(node, len(shape))
    kernel = _weights(node, "kernel", layer.kernel)
    size = dict(zip(e.given, shape, strict=True)) | dict(zip(e.kernel, kernel.mantissas.shape, strict=True))
    bias, biased = _bias(node, e, size)
    # positions: axes that neither the weights nor the bias depend on
    positions = [c for c in e.given if c in e.result and c not in e.kernel and c not in biased]
    inner = [c for c in e.given if c not in positions]
    outer = [c for c in e.result if c not in positions]
    if prod(size[c] for c in inner) * prod(size[c] for c in outer) > LARGEST_MATRIX:
        raise refuse(node, "equation", layer.equation, "needs too large a matrix", "Make the layer smaller")
    matrix = _matrix(e, kernel, inner, outer, size)
    total = moved(context, f"{node.name}_turned", source, [e.given.index(c) for c in (*positions, *inner)])
    places = [size[c] for c in positions]
    total = reshaped(context, f"{node.name}_rows", total, (*places, prod(size[c] for c in inner)))
    order = [*positions, *outer]
    back = [order.index(c) for c in e.result]
    activation = layer.activation
    plain = activation is None or getattr(activation, "__name__", "") == "linear"
    last = node.name if plain else f"{node.name}_linear"
    to_shape, to_order = (len(outer) != 1), (back != sorted(back))
    dense = f"{last}_dense" if to_shape or to_order else last
    total = affine(context, dense, total, matrix, Weights(bias.mantissas.reshape(-1), bias.fractional))
    total = reshaped(context, f"{last}_shaped" if to_order else last, total, [size[c] for c in order])
    total = moved(context, last, total, back)
    return total if plain else apply(context, node, "activation", activation, total)


def _weights(node: Node, field: str, values: Any) -> Weights:
    weights = quantized_weights(node.name, field, values, getattr(node.operation, f"{field}_quantizer_internal", None))
    if weights.mantissas.dtype == object:
        raise refuse(node, field, f"{weights.type.width} bits", "weights are too wide", f"Use at most {GRID_BITS} bits")
    return weights


def _bias(node: Node, e: Equation, size: dict[str, int]) -> tuple[Weights, str]:
    """The bias for every output axis that it or the weights depend on, and the axes that it depends on."""
    if node.operation.bias is None:
        axes = [size[c] for c in e.result if c in e.kernel]
        return Weights(np.zeros(axes, np.int64), 0), ""
    bias = _weights(node, "bias", node.operation.bias)
    mantissas = bias.mantissas.reshape((1,) * (len(e.result) - bias.mantissas.ndim) + bias.mantissas.shape)
    biased = "".join(c for c, n in zip(e.result, mantissas.shape, strict=True) if n > 1)
    kept = [c for c in e.result if c in e.kernel or c in biased]
    index = tuple(slice(None) if c in kept else 0 for c in e.result)
    return Weights(np.broadcast_to(mantissas[index], [size[c] for c in kept]), bias.fractional), biased


def _matrix(e: Equation, kernel: Weights, inner: list[str], outer: list[str], size: dict[str, int]) -> Weights:
    """Weights (n_in, n_out) for all inner axes in and all outer axes out; zero where a shared axis differs."""
    free = iter(c for c in string.ascii_letters if c not in e.given + e.kernel + e.result)
    renamed = {c: next(free) for c in outer if c in inner}
    operands: list[Any] = [kernel.mantissas]
    terms = [e.kernel]
    for c, other in renamed.items():
        operands.append(np.eye(size[c], dtype=np.int64))
        terms.append(c + other)
    for c in inner:
        if not any(c in t for t in terms):  # summed over, whatever the weights
            operands.append(np.ones(size[c], np.int64))
            terms.append(c)
    result = "".join(inner) + "".join(renamed.get(c, c) for c in outer)
    full = np.einsum(f"{','.join(terms)}->{result}", *operands)
    return Weights(full.reshape(prod(size[c] for c in inner), -1), kernel.fractional)


# ---- Dot


def dot(context: Context, node: Node) -> Signal:
    """Dot: products of two values along one axis of each, summed by a dense layer of ones."""
    layer, (left, right) = node.operation, context.sources(node)
    if layer.normalize:
        raise refuse(node, "normalize", True, "a division by a root has no exact form", "normalize=False")
    axes = layer.axes if isinstance(layer.axes, list | tuple) else (layer.axes, layer.axes)
    left, free = _last(context, f"{node.name}_left", left, int(axes[0]))
    right, other = _last(context, f"{node.name}_right", right, int(axes[1]))
    n = context.shape_of(left)[-1]
    if free and other:  # every row of the one with every row of the other
        left = reshaped(context, f"{node.name}_left_rows", left, (prod(free), 1, n))
        right = reshaped(context, f"{node.name}_right_rows", right, (1, prod(other), n))
    products = chain(context, f"{node.name}_products", CombineOperation.MULTIPLY, [left, right])
    shape = (*free, *other) or (1,)
    name = node.name if (*context.shape_of(products)[:-1], 1) == shape else f"{node.name}_sum"
    ones, zero = Weights(np.ones((n, 1), np.int64), 0), Weights(np.zeros(1, np.int64), 0)
    return reshaped(context, node.name, affine(context, name, products, ones, zero), shape)


def _last(context: Context, name: str, source: Signal, axis: int) -> tuple[Signal, tuple[int, ...]]:
    """The value with this axis (Keras', which counts the events') last, and the sizes of the other axes."""
    shape = context.shape_of(source)
    position = axis - 1 if axis > 0 else axis + len(shape)
    order = [k for k in range(len(shape)) if k != position] + [position]
    return moved(context, name, source, order), tuple(shape[k] for k in order[:-1])


LOWERINGS = {"EinsumDense": einsum_dense, "Dot": dot}
