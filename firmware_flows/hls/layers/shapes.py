"""Layers that only rearrange."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner


def _reshape(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    if p.stream and len(layer.shape) == 1 and layer.type.same_bits(source.type) and _only_read_by_dense(p, layer):
        # hls4ml's dense gathers the packs of a stream itself; every other layer would read beyond the pack
        return p.add(
            layer, "Reshape", (source,), layer.shape, {"result": source.type},
            attributes={"target_shape": [*layer.shape]},
        )  # fmt: skip
    return p.reshape(layer, source, layer.shape, t=layer.type)


def _transpose(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    if not layer.type.same_bits(source.type):  # as for a Reshape, the Program may have proven a narrower type
        source = p.activation(layer, source, "linear", {"result": layer.type}, suffix="_cast")
    perm = [int(axis) for axis in layer.attributes["perm"]]
    if len(perm) > 3 or (p.stream and len(perm) != 2):
        raise HlsConversionError(
            layer.name, "perm", perm, "hls4ml transposes two axes, or three in parallel form", _in_steps(p, perm)
        )
    return p.add(layer, "Transpose", (source,), layer.shape, {"result": source.type}, attributes={"perm": perm})


def _in_steps(p: Planner, perm: list[int]) -> str:
    """What gives the same order in steps that hls4ml has."""
    first = perm[0]
    if perm == [*range(first, len(perm)), *range(first)]:  # axes that stay in order are as good as one
        return "Reshape to two axes before it, with Permute((2, 1)), and Reshape behind it"
    steps = "several Permutes of two or three axes each, with Reshape between them"
    return f'use io="parallel"{f" and {steps}" if len(perm) > 3 else ""}' if p.stream else f"use {steps}"


def _only_read_by_dense(p: Planner, layer: Layer) -> bool:
    if any(output.name == layer.name for output in p.outputs.values()):
        return False
    readers = [x for x in p.layers if layer.name in x.inputs]
    return len(readers) == 1 and readers[0].kind == "Dense"


def _concatenate(p: Planner, layer: Layer) -> Node:
    rank, axis = len(layer.shape), int(layer.attributes["axis"]) % len(layer.shape)
    sources = [p.source(layer, number) for number in range(len(layer.inputs))]
    if rank > 3:  # hls4ml joins at most three axes: those before and those behind the joined one become one each
        sources = [_three_axes(p, layer, node, axis, number) for number, node in enumerate(sources)]
        joined = _joined(p, layer, sources, min(axis, 1), "_joined")
        return p.reshape(layer, joined, layer.shape)
    return _joined(p, layer, sources, axis)


def _three_axes(p: Planner, layer: Layer, node: Node, axis: int, number: int) -> Node:
    before, behind = prod(node.shape[:axis]), prod(node.shape[axis + 1 :])
    shape = (node.shape[0], behind) if axis == 0 else (before, node.shape[axis], behind)
    shape = (before, node.shape[axis]) if axis == len(node.shape) - 1 else shape
    return p.reshape(layer, node, shape, f"_in{number}")


def _joined(p: Planner, layer: Layer, sources: list[Node], axis: int, suffix: str = "") -> Node:
    node, rank = sources[0], len(sources[0].shape)
    for number in range(1, len(sources)):
        other = sources[number]
        shape = list(node.shape)
        shape[axis] += other.shape[axis]
        last = number == len(sources) - 1
        node = p.add(
            layer, "Concatenate", (node, other), tuple(shape), {"result": layer.type},
            suffix=suffix if last else f"_join{number}", attributes={"axis": axis + 1, "op": f"concatenate{rank}d"},
        )  # fmt: skip
    if len(sources) == 1:
        return p.activation(layer, node, "linear", {"result": layer.type}, suffix=suffix)
    return node


HANDLERS = {"Reshape": _reshape, "Transpose": _transpose, "Concatenate": _concatenate}
