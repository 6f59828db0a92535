"""A Program as text that a person reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import (
    Affine,
    Cast,
    Combine,
    Constant,
    Input,
    Instruction,
    Layer,
    Program,
    Rearrange,
    Reduce,
    Table,
)


def to_text(program: Program, layers: bool = True) -> str:
    """Ports, instructions with types and proven ranges, and the layers that they belong to."""
    lines = [f"program {program.name!r}  sha256 {program.digest[:16]}"]
    for key, value in program.metadata.items():
        lines.append(f"  {key}: {value}")
    lines.append("instructions")
    layer = None
    for number, instruction in enumerate(program.instructions):
        if instruction.layer != layer:
            layer = instruction.layer
            lines.append(f"  # {layer}")
        interval = program.ranges[number]
        low, high = (value_text(v, instruction.type) for v in (interval.lowest, interval.highest))
        shape = "x".join(map(str, instruction.shape)) or "scalar"
        lines.append(f"  %{number:<3} = {_describe(instruction):<52} {shape:>8}  {instruction.type}  [{low}, {high}]")
    lines.append("outputs")
    lines += [f"  {o.name} = %{o.value}  {program.instructions[o.value].type}" for o in program.outputs]
    if layers and program.layers:
        lines.append("layers")
        lines += [line for x in program.layers for line in _layer_lines(x)]
    return "\n".join(lines) + "\n"


def value_text(mantissa: int, t: FixedPoint) -> str:
    """A mantissa as an exact decimal number."""
    if t.fractional <= 0:
        return str(mantissa << -t.fractional)
    scaled = abs(mantissa) * 5**t.fractional  # m / 2^f = m * 5^f / 10^f
    digits = str(scaled).rjust(t.fractional + 1, "0")
    text = f"{digits[: -t.fractional]}.{digits[-t.fractional :]}".rstrip("0").rstrip(".")
    return f"-{text}" if mantissa < 0 else text


def _describe(i: Instruction) -> str:
    describe = _DESCRIPTIONS.get(type(i))
    text = describe(i) if describe else ""
    operands = ", ".join(f"%{s}" for s in i.sources)
    return " ".join(part for part in (i.name, operands, text) if part)


def _affine(i: Affine) -> str:
    lossy = f", product {i.product}, accumulator {i.accumulator}" if i.accumulator else ""
    size = "x".join(map(str, i.weights.shape))
    return f"{size}, {np.count_nonzero(i.weights)} nonzero, weights * 2^-{i.weight_fractional}{lossy}"


def _rearrange(i: Rearrange) -> str:
    if len(i.operands) == 1 and np.array_equal(i.indices.reshape(-1), np.arange(i.indices.size)):
        return "in order"
    return f"{i.indices.size} elements, fill {i.fill}"


_DESCRIPTIONS: dict[type[Instruction], Callable[[Any], str]] = {
    Input: lambda i: i.port,
    Constant: lambda i: f"{i.mantissas.size} numbers",
    Cast: lambda i: f"{i.type.rounding} {i.type.overflow}",
    Affine: _affine,
    Rearrange: _rearrange,
    Combine: lambda i: str(i.operation),
    Reduce: lambda i: (
        f"{i.operation} over axis {i.axis}" + (f" in {i.accumulator}, {i.order}" if i.accumulator else "")
    ),
    Table: lambda i: f"{i.entries.shape[0]} x {i.entries.shape[1]} entries",
}


def _layer_lines(layer: Layer) -> list[str]:
    types = ", ".join(f"{name} {t}" for name, t in layer.types.items())
    source = f" of {', '.join(layer.inputs)}" if layer.inputs else ""
    return [f"  {layer.name}: {layer.kind}{source}; {types}", *(f"    remark: {r}" for r in layer.remarks)]
