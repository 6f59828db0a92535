"""The manifest of a bundle: what it is, what it was made from, and the SHA-256 of every file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from firmware_flows.errors import InputError
from firmware_flows.files import hash_file
from firmware_flows.handoff.documents import read_document

FORMAT = 1
KIND = "firmware-flows bundle"
MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"

BUILT = (
    *(".git/*", "*.log", "*.jou", "logs/*", "*.Xil/*", "*build_*/*", "hls/*_prj/*"),
    *("*.o", "*.so", "rtl/sim", "cmssw/host"),
)
"""Patterns, of bash and of fnmatch, of what the bundle's own scripts leave in it; no test bench reads them."""


class BundleError(InputError):
    """A directory that is no bundle, or whose manifest cannot be read."""


def files_below(directory: Path) -> list[str]:
    """Names of all files, sorted, relative to `directory`."""
    return sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())


def unlisted(directory: Path, names: Iterable[str]) -> list[str]:
    """Files below `directory` that are not among `names`, nor left by a build."""
    present = set(files_below(directory)) - {*names, MANIFEST, SUMS}
    return sorted(name for name in present if not any(fnmatchcase(name, pattern) for pattern in BUILT))


def write_manifest(directory: Path, facts: dict[str, Any]) -> None:
    """manifest.json with the hash of every other file, then SHA256SUMS, as sha256sum reads it, with the manifest's."""
    hashes = {name: hash_file(directory / name) for name in files_below(directory)}
    document = {"format": FORMAT, "kind": KIND, **facts, "files": hashes}
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    (directory / MANIFEST).write_text(text, encoding="utf-8")
    sums = {**hashes, MANIFEST: hash_file(directory / MANIFEST)}
    (directory / SUMS).write_text("".join(f"{h}  {n}\n" for n, h in sorted(sums.items())), encoding="utf-8")


class _Program(BaseModel, strict=True):
    sha256: str


class _Forms(BaseModel, strict=True):
    hls: dict[str, Any] | None
    rtl: dict[str, Any] | None


class _Document(BaseModel, strict=True):
    kind: Literal["firmware-flows bundle"]
    format: int
    name: str
    program: _Program
    forms: _Forms
    vectors: dict[str, Any]
    recipe: dict[str, Any] | None
    files: dict[str, str]


def read_manifest(directory: Path) -> dict[str, Any]:
    """Raises BundleError."""
    path = directory / MANIFEST
    try:
        document = read_document(path, _Document)
    except FileNotFoundError:
        raise BundleError(f"{directory} is no bundle: it has no {MANIFEST}") from None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path} is damaged ({error}): get the bundle again") from None
    if document["format"] > FORMAT:
        raise BundleError(f"{directory} was written by a newer version: upgrade firmware-flows")
    return document
