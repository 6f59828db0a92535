"""One file per Program (`.ffp`): a zip archive of `program.json` and the integer arrays, versioned and checked.

The archive's bytes depend only on the Program (fixed time stamps, fixed order), and hold no executable content.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.files import atomic_path
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import (
    INSTRUCTIONS,
    CombineOperation,
    Instruction,
    Layer,
    Order,
    Output,
    Program,
    ReduceOperation,
)

FORMAT = "firmware-flows program"
VERSION = 1
_ENUMS: dict[str, type[StrEnum]] = {"Combine": CombineOperation, "Reduce": ReduceOperation}


class ProgramFileError(FirmwareFlowsError):
    """A file that is no Program, is damaged, or was written by a newer version."""

    def __init__(self, path: str | Path, reason: str, remedy: str) -> None:
        self.path = Path(path)
        self.reason = reason
        super().__init__(f"{path}: {reason}. {remedy}")


def save_program(program: Program, path: str | Path) -> Path:
    """Write `program` to `path` through a temporary name beside it; returns the path. Raises ProgramFileError."""
    target = Path(path)
    content = to_bytes(program)
    try:
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise ProgramFileError(
            target, f"cannot be written ({error.strerror})", "Name a place that can be written"
        ) from None
    return target


def load_program(path: str | Path) -> Program:
    """Read a Program. Raises ProgramFileError, which names the file and what is wrong with it."""
    source = Path(path)
    try:
        content = source.read_bytes()
    except OSError as error:
        raise ProgramFileError(source, f"cannot be read ({error.strerror})", "Name an existing .ffp file") from None
    return from_bytes(content, source)


def to_bytes(program: Program) -> bytes:
    """The file's content."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    document = _document(program, arrays)
    text = json.dumps(document, indent=1, allow_nan=False).encode()
    parts = {f"arrays/{name}.npy": _npy(array) for name, array in arrays.items()}
    header = {"format": FORMAT, "version": VERSION, "sha256": _hash(text, parts)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {"header.json": json.dumps(header).encode(), "program.json": text, **parts}.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def from_bytes(content: bytes, path: str | Path = "program") -> Program:
    """A Program from a file's content; `path` is for messages. Raises ProgramFileError."""
    damaged = "Write it again with `firmware-flows convert`"
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        header = json.loads(parts.pop("header.json", b"null"))
        if not isinstance(header, dict) or header.get("format") != FORMAT:
            raise ProgramFileError(path, "is not a firmware-flows program", "Make one with `firmware-flows convert`")
        if header["version"] > VERSION:
            raise ProgramFileError(
                path,
                f"has format version {header['version']}; this installation reads up to {VERSION}",
                "Install a newer firmware-flows",
            )
        text = parts.pop("program.json")
        if header.get("sha256") != _hash(text, parts):
            raise ProgramFileError(path, "is damaged: its content does not match its checksum", damaged)
        arrays = {name.removeprefix("arrays/").removesuffix(".npy"): _array(data) for name, data in parts.items()}
        return _program(json.loads(text), arrays)
    except ProgramFileError:
        raise
    except zipfile.BadZipFile:
        raise ProgramFileError(path, "is not a firmware-flows program, or is truncated", damaged) from None
    except Exception as error:  # noqa: BLE001  damage shows as nearly any exception of zip, JSON and NumPy
        raise ProgramFileError(path, f"is damaged ({type(error).__name__}: {error})", damaged) from None


def digest(program: Program) -> str:
    """SHA-256 of instructions and outputs: two Programs of one digest compute the same bits."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    document = _document(program, arrays)
    computing = {"instructions": document["instructions"], "outputs": document["outputs"]}
    for instruction in computing["instructions"]:
        del instruction["layer"]
    parts = {name: _npy(array) for name, array in arrays.items() if not name.startswith("layer")}
    return _hash(json.dumps(computing, sort_keys=True).encode(), parts)


def _hash(text: bytes, parts: Mapping[str, bytes]) -> str:
    total = hashlib.sha256(text)
    for name in sorted(parts):
        total.update(name.encode())
        total.update(hashlib.sha256(parts[name]).digest())
    return total.hexdigest()


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.asarray(array, dtype="<i8", order="C"), allow_pickle=False)
    return stream.getvalue()


def _array(data: bytes) -> np.ndarray[Any, Any]:
    array = np.load(io.BytesIO(data), allow_pickle=False)
    if array.dtype != np.dtype("<i8"):
        raise ValueError(f"array of {array.dtype} instead of int64")
    array = array.astype(np.int64)  # in this machine's byte order
    array.setflags(write=False)
    return array


def _document(program: Program, arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    return {
        "name": program.name,
        "metadata": dict(program.metadata),
        "outputs": [[o.name, o.value] for o in program.outputs],
        "instructions": [_instruction_document(n, i, arrays) for n, i in enumerate(program.instructions)],
        "layers": [_layer_document(n, x, arrays) for n, x in enumerate(program.layers)],
    }


def _instruction_document(
    number: int, instruction: Instruction, arrays: dict[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    document: dict[str, Any] = {"kind": instruction.name}
    for item in fields(instruction):
        value = getattr(instruction, item.name)
        if isinstance(value, np.ndarray):
            key = f"{number}_{item.name}"
            arrays[key] = value
            value = {"array": key}
        elif isinstance(value, FixedPoint):
            value = _type_document(value)
        document[item.name] = value
    return document


def _type_document(t: FixedPoint) -> list[Any]:
    return [t.width, t.integer, t.signed, str(t.rounding), str(t.overflow)]


def _layer_document(number: int, layer: Layer, arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
    for name, array in layer.arrays.items():
        arrays[f"layer{number}_{name}"] = array
    return {
        "name": layer.name,
        "kind": layer.kind,
        "inputs": list(layer.inputs),
        "value": layer.value,
        "instructions": list(layer.instructions),
        "shape": list(layer.shape),
        "types": {name: _type_document(t) for name, t in layer.types.items()},
        "attributes": dict(layer.attributes),
        "arrays": list(layer.arrays),
        "remarks": list(layer.remarks),
        "exact_in_keras": layer.exact_in_keras,
    }


def _program(document: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Program:
    return Program(
        name=document["name"],
        metadata=document["metadata"],
        instructions=tuple(_instruction(d, arrays) for d in document["instructions"]),
        outputs=tuple(Output(str(name), int(value)) for name, value in document["outputs"]),
        layers=tuple(_layer(n, d, arrays) for n, d in enumerate(document["layers"])),
    )


def _type(document: list[Any]) -> FixedPoint:
    return FixedPoint(*document)


def _instruction(document: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Instruction:
    kind = INSTRUCTIONS[document["kind"]]
    values: dict[str, Any] = {}
    for item in fields(kind):
        value = document[item.name]
        if item.name in ("type", "product", "accumulator") and value is not None:
            value = _type(value)
        elif isinstance(value, dict):
            value = arrays[value["array"]]
        elif item.name in ("shape", "operands"):
            value = tuple(value)
        elif item.name == "operation":
            value = _ENUMS[kind.__name__](value)
        elif item.name == "order":
            value = Order(value)
        values[item.name] = value
    return kind(**values)


def _layer(number: int, d: dict[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]) -> Layer:
    return Layer(
        name=d["name"],
        kind=d["kind"],
        inputs=tuple(d["inputs"]),
        value=d["value"],
        instructions=tuple(d["instructions"]),
        shape=tuple(d["shape"]),
        types={name: _type(t) for name, t in d["types"].items()},
        attributes=d["attributes"],
        arrays={name: arrays[f"layer{number}_{name}"] for name in d["arrays"]},
        remarks=tuple(d["remarks"]),
        exact_in_keras=d["exact_in_keras"],
    )
