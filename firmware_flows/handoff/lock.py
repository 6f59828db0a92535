"""The lock file: what a network computes, as hashes that a person commits, so that nothing changes unnoticed.

It holds the SHA-256 of the Program, of every layer's weights, its types in words, and the SHA-256 of the golden vectors
and of the answers to them (of the hexadecimal files as a bundle holds them, without events of the data set). A recipe's
lock also keeps the metrics, not to hold anything against them (floors do that), but to say what a renewal changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field

from firmware_flows.errors import InputError, nearest
from firmware_flows.files import write_json
from firmware_flows.handoff.documents import read_document
from firmware_flows.handoff.golden import golden_vectors, hex_lines
from firmware_flows.program import Layer, Program

FORMAT = 1
RANDOM_EVENTS = 1000
SEED = 1

Lock = dict[str, Any]


class LockError(InputError):
    """A lock file that cannot be read."""


def lock_of(program: Program, random_events: int = RANDOM_EVENTS, seed: int = SEED) -> Lock:
    """What the lock file of this Program holds, as JSON values."""
    golden = golden_vectors(program, None, random_events, seed)
    inputs, outputs = golden.ports
    return {
        "format": FORMAT,
        "network": program.name,
        "program": program.digest,
        "layers": {layer.name: _layer(layer) for layer in program.layers},
        "ports": {p.source: f"{p.direction} {list(p.shape)} {p.type}" for p in (*inputs, *outputs)},
        "vectors": {
            "random_events": random_events,
            "seed": seed,
            "events": golden.events,
            "inputs": {p.source: _hash(hex_lines(p, m)) for p, m in zip(inputs, golden.mantissas, strict=True)},
            "outputs": {p.source: _hash(hex_lines(p, m)) for p, m in zip(outputs, golden.outputs, strict=True)},
        },
    }


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "kind": layer.kind,
        "types": {name: str(t) for name, t in sorted(layer.types.items())},
        "arrays": {name: _array_hash(a) for name, a in sorted(layer.arrays.items())},
    }


def _array_hash(array: Any) -> str:
    values = np.ascontiguousarray(array, dtype="<i8")
    return hashlib.sha256(repr(values.shape).encode() + values.tobytes()).hexdigest()


def _hash(lines: list[str]) -> str:
    return hashlib.sha256("".join(f"{line}\n" for line in lines).encode("ascii")).hexdigest()


class _Layer(BaseModel, strict=True):
    kind: str
    types: dict[str, str]
    arrays: dict[str, str]


class _Vectors(BaseModel, strict=True):
    random_events: Annotated[int, Field(ge=0, le=1_000_000)]
    seed: Annotated[int, Field(ge=0)]
    inputs: dict[str, str]
    outputs: dict[str, str]


class _Document(BaseModel, strict=True):
    format: int
    program: str
    layers: dict[str, _Layer]
    ports: dict[str, str]
    vectors: _Vectors
    metrics: dict[str, float] = {}


def read_lock(path: Path) -> Lock:
    """Raises LockError."""
    try:
        document = read_document(path, _Document)
        if document["format"] > FORMAT:
            raise LockError(f"{path} was written by a newer version: upgrade firmware-flows")
    except OSError as error:
        raise LockError(f"{path} cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise LockError(
            f"{path} is no lock file ({error}): take it from version control, or renew it with "
            "`firmware-flows check RECIPE --update`"
        ) from None
    return document


def write_lock(path: Path, lock: Lock) -> None:
    """Atomically."""
    write_json(path, lock)


def differences(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What changed, a phrase each: layers, types, weights, ports; empty for equal Programs."""
    found = [*_layers(was["layers"], now["layers"]), *_ports(was["ports"], now["ports"])]
    if was["program"] != now["program"] and not found:
        found.append("the instructions changed, though no layer's types or weights did")
    return found


def _layers(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in (n for n in was if n not in now):
        near = f" ({nearest(name, now)})" if now else ""
        yield f"layer {name!r} is gone{near}"
    for name, layer in now.items():
        if name not in was:
            yield f"layer {name!r} is new"
            continue
        old = was[name]
        if old["kind"] != layer["kind"]:
            yield f"layer {name!r} was {old['kind']}, is {layer['kind']}"
        for key in sorted({*old["types"], *layer["types"]}):
            before, after = old["types"].get(key, "absent"), layer["types"].get(key, "absent")
            if before != after:
                yield f"layer {name!r}: type of {key} was {before}, is {after}"
        for key in sorted({*old["arrays"], *layer["arrays"]}):
            if old["arrays"].get(key) != layer["arrays"].get(key):
                yield f"layer {name!r}: {key} changed"


def _ports(was: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            yield f"port {name!r} was {was.get(name, 'absent')}, is {now.get(name, 'absent')}"


def drifted(locked: Lock, now: Lock) -> list[str]:
    """What renewing the lock changes, a phrase each."""
    found = differences(locked, now)
    for key, what in (("inputs", "golden vectors"), ("outputs", "golden outputs")):
        was, is_now = locked["vectors"][key], now["vectors"][key]
        found += [f"{what} of {n!r} changed" for n in sorted({*was, *is_now}) if was.get(n) != is_now.get(n)]
    before, after = (_metrics(lock) for lock in (locked, now))
    found += [
        f"{name} was {before.get(name, 'not locked')}, is {after.get(name, 'not measured')}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return found


def _metrics(lock: Lock) -> dict[str, str]:
    return {name: f"{value:.6g}" for name, value in lock.get("metrics", {}).items()}
