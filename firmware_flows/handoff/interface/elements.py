"""The elements of a port with their names, units and scales, as the Program's metadata state them.

Metadata of a Program with one input: `features` (names of all elements, or of the last axis), `units`, `scale` and
`offset` (one for all, or as many as features; `std` and `mean`, as a standardisation has them, mean the same); of one
output: `classes` (names), `target_unit`. With several ports: `ports`, which maps a port's name to the same keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from firmware_flows.errors import InputError
from firmware_flows.handoff.interface.model import Direction, Element
from firmware_flows.program import Program, Shape


def elements_of(
    program: Program, port: str, direction: Direction, shape: Shape, places: Sequence[tuple[int, int]]
) -> tuple[Element, ...]:
    """One entry an element; `places`: its (high, low) bits. Raises InputError for metadata of a wrong length."""
    facts = _facts(program, port, direction)
    names = _spread(facts.get("features"), shape, port, "features")
    units = _spread(facts.get("units"), shape, port, "units")
    scales = _spread(facts.get("scale", facts.get("std")), shape, port, "scale")
    offsets = _spread(facts.get("offset", facts.get("mean")), shape, port, "offset")
    last = shape[-1] if shape else 1
    result = []
    for index, (high, low) in enumerate(places):
        where = np.unravel_index(index, shape) if shape else ()
        place = "".join(f"[{k}]" for k in where)
        name = f"{port}{place}" if names is None else str(names[index])
        if names is not None and prod(shape) > last and len(facts["features"]) == last:
            name += "".join(f"[{k}]" for k in where[:-1])  # the same features of every object
        result.append(
            Element(
                index, name, high, low,
                "" if units is None else str(units[index]),
                None if scales is None else float(scales[index]),
                None if offsets is None else float(offsets[index]),
            )
        )  # fmt: skip
    return tuple(result)


def _facts(program: Program, port: str, direction: Direction) -> Mapping[str, Any]:
    metadata = program.metadata
    named: Mapping[str, Any] = metadata.get("ports", {})
    if port in named:
        return named[port]
    if direction == "input" and len(program.inputs) == 1:
        return {k: metadata[k] for k in ("features", "units", "scale", "offset", "std", "mean") if k in metadata}
    if direction == "output" and len(program.outputs) == 1:
        shape = program.instructions[program.outputs[0].value].shape
        facts = {}
        if metadata.get("classes") and shape[-1:] == (len(metadata["classes"]),):
            facts["features"] = metadata["classes"]
        elif metadata.get("target") and prod(shape) == 1:
            facts["features"] = [metadata["target"]]
        return {**facts, "units": metadata["target_unit"]} if metadata.get("target_unit") else facts
    return {}


def _spread(given: Any, shape: Shape, port: str, key: str) -> list[Any] | None:
    """One entry an element: from one for all, one each, or one for each index of the last axis."""
    if given is None or (isinstance(given, Sequence) and not given):
        return None
    size = prod(shape)
    if isinstance(given, str) or not isinstance(given, Sequence):
        return [given] * size
    if len(given) == size:
        return list(given)
    if shape and len(given) == shape[-1]:
        return list(given) * (size // len(given))
    raise InputError(
        f"metadata {key!r} of port {port!r} has {len(given)} entries, but an event has the shape {tuple(shape)}: "
        f"give {size}, or {shape[-1] if shape else 1}"
    )
