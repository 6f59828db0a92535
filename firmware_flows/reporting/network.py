"""Facts about a Program: its layers, weights, types, proven ranges and ports."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Layer, Program

_WEIGHTS = ("weight", "bias")


def network_facts(program: Program) -> dict[str, Any]:
    """The layers in order, and the totals over them; JSON values."""
    layers = [_layer_facts(program, layer) for layer in program.layers]
    return {
        "name": program.name,
        "digest": program.digest,
        "instructions": len(program.instructions),
        "parameters": sum(layer["parameters"] for layer in layers),
        "nonzero_parameters": sum(layer["nonzero_parameters"] for layer in layers),
        "layers": layers,
    }


def port_facts(program: Program, classes: Sequence[str] = ()) -> dict[str, Any]:
    """Input and output ports with shapes, types and proven ranges; `classes` name the elements of a single output."""
    inputs = [{"name": port.port, "shape": list(port.shape), **_type_facts(port.type)} for port in program.inputs]
    outputs = []
    for output in program.outputs:
        instruction = program.instructions[output.value]
        facts = {
            "name": output.name,
            "shape": list(instruction.shape),
            **_type_facts(instruction.type),
            "proven": _interval(program, output.value, instruction.type),
        }
        if classes and instruction.shape[-1:] == (len(classes),):
            facts["elements"] = list(classes)
        outputs.append(facts)
    return {"inputs": inputs, "outputs": outputs}


def _layer_facts(program: Program, layer: Layer) -> dict[str, Any]:
    weights = [layer.arrays[name] for name in _WEIGHTS if name in layer.arrays]
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "shape": list(layer.shape),
        "parameters": sum(int(a.size) for a in weights),
        "nonzero_parameters": sum(int(np.count_nonzero(a)) for a in weights),
        "types": {name: str(t) for name, t in layer.types.items()},
        "bits": {name: {"width": t.width, "integer": t.integer} for name, t in layer.types.items()},
        "proven": _interval(program, layer.value, layer.type),
        "remarks": list(layer.remarks),
        "exact_in_keras": layer.exact_in_keras,
    }


def _type_facts(t: FixedPoint) -> dict[str, Any]:
    return {
        "type": str(t),
        "width": t.width,
        "integer": t.integer,
        "lsb": t.lsb,
        "minimum": math.ldexp(t.minimum, -t.fractional),
        "maximum": math.ldexp(t.maximum, -t.fractional),
    }


def _interval(program: Program, value: int, t: FixedPoint) -> dict[str, Any]:
    """Proven smallest and largest value: as integers, as real numbers, and the bits that they need."""
    interval = program.ranges[value]
    low, high = int(interval.lowest), int(interval.highest)
    needed = max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + (1 if low < 0 else 0)
    return {
        "mantissas": [low, high],
        "values": [math.ldexp(low, -t.fractional), math.ldexp(high, -t.fractional)],
        "bits_needed": max(needed, 1),
    }
