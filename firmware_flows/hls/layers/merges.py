"""Elementwise operations on two values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

MERGES = ("add", "subtract", "multiply", "average", "maximum")


def _merge(p: Planner, layer: Layer) -> Node:
    operation = str(layer.attributes["operation"])
    if operation not in MERGES or len(layer.inputs) != 2:
        raise HlsConversionError(
            layer.name, "operation", operation, f"hls4ml merges two values by {', '.join(MERGES)}", "use one of these"
        )
    if operation == "average" and p.settings.backend in ("Catapult", "oneAPI"):
        raise HlsConversionError(
            layer.name, "operation", operation,
            f"hls4ml's C++ for {p.settings.backend} does not halve exactly (Catapult's factor has wrapped to 0)",
            "use add, or Vitis or Vivado",
        )  # fmt: skip
    left, right = p.source(layer), p.source(layer, 1)
    if left.shape != right.shape:
        _check_broadcast(p, layer, left, right)
    return p.add(layer, "Merge", (left, right), layer.shape, {"result": layer.type}, attributes={"op": operation})


def _check_broadcast(p: Planner, layer: Layer, left: Node, right: Node) -> None:
    shapes = f"{left.shape} and {right.shape}"
    if p.stream or p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "shapes", shapes, "hls4ml merges only equal shapes here",
            'use io="parallel" with Vitis or Vivado',
        )  # fmt: skip
    large, small = (left, right) if left.size >= right.size else (right, left)
    trimmed = small.shape
    while trimmed and trimmed[0] == 1:
        trimmed = trimmed[1:]
    if large.shape[len(large.shape) - len(trimmed) :] != trimmed or large.shape != layer.shape:
        raise HlsConversionError(
            layer.name, "shapes", shapes, "hls4ml's C++ repeats the smaller value along the leading axes only",
            "repeat the smaller value before merging",
        )  # fmt: skip


HANDLERS = {"Merge": _merge}
