"""The run directory: its lock, its manifest, and which stages' outputs are still what they were when made."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.files import hash_file, write_json

MANIFEST = "manifest.json"
MANIFEST_VERSION = 1
_LOCK = ".lock"
_REMNANT = re.compile(
    r"\.(manifest|dataset|quantized|float|program|hls|rtl|outputs|verification|report)-.*|program\.ffp.*\.part"
)
"""Temporary names that a killed process leaves behind."""


class WorkspaceError(FirmwareFlowsError):
    """A run directory that cannot be used: in use, not one, or its manifest damaged."""


@dataclass(frozen=True)
class StageRecord:
    """What the manifest knows of a finished stage.

    key: hash of everything that decides the outcome; outputs: file below the run directory -> SHA-256 of its content;
    results: JSON values for later stages and the report; provenance: versions, seeds, git revision at that time.
    """

    key: str
    outputs: Mapping[str, str]
    results: Mapping[str, Any]
    seconds: float
    finished: str
    provenance: Mapping[str, Any] = field(default_factory=dict)


class Workspace:
    """A run directory. Hold its `lock` while stages run."""

    def __init__(self, directory: str | Path) -> None:
        """Name the directory; nothing is made or read yet."""
        self.directory = Path(directory)
        self._stages: dict[str, StageRecord] | None = None

    def path(self, name: str) -> Path:
        """A file or folder below the run directory."""
        return self.directory / name

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Make the directory if need be and keep every other run out of it.

        The operating system releases the lock when the process ends, however it ends. Raises WorkspaceError when
        another run holds it, or when the directory holds something that is no run.
        """
        self._check_directory()
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path(_LOCK), os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise WorkspaceError(f"run directory {self.directory} cannot be written: {error.strerror}") from error
        try:
            if not _take(handle):
                holder = os.read(handle, 200).decode(errors="replace").strip() or "another process"
                raise WorkspaceError(
                    f"run directory {self.directory} is in use by {holder}; wait, or choose another with --run-dir"
                )
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
            if not self.path(MANIFEST).exists():
                self._write({})
            self._stages = None
            self._sweep()
            yield
        finally:
            os.close(handle)

    def record(self, stage: str) -> StageRecord | None:
        """What is known of a stage, whether or not it is current."""
        return self._read().get(stage)

    def is_current(self, stage: str, key: str) -> bool:
        """Whether the stage was finished with this key and every output still has the content it had then."""
        record = self.record(stage)
        return record is not None and record.key == key and not self.damaged(stage)

    def damaged(self, stage: str) -> list[str]:
        """Outputs of a finished stage that are missing or have another content now."""
        record = self.record(stage)
        if record is None:
            return []
        return [name for name, digest in record.outputs.items() if _hash_or_none(self.path(name)) != digest]

    def finish(
        self,
        stage: str,
        *,
        key: str,
        outputs: list[str],
        results: Mapping[str, Any],
        seconds: float,
        provenance: Mapping[str, Any],
    ) -> StageRecord:
        """Write a finished stage into the manifest; a folder among the outputs stands for the files in it."""
        digests = {str(p.relative_to(self.directory)): hash_file(p) for p in self._files(outputs)}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        record = StageRecord(key, digests, results, round(seconds, 3), now, provenance)
        self._write({**self._read(), stage: record})
        return record

    def forget(self, stages: list[str]) -> None:
        """Take stages out of the manifest, so that they are done again."""
        self._write({name: record for name, record in self._read().items() if name not in stages})

    def _sweep(self) -> None:
        """Remove what killed runs left half-written; only this run can be writing now."""
        for path in self.directory.iterdir():
            if _REMNANT.fullmatch(path.name):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)

    def _files(self, outputs: list[str]) -> Iterator[Path]:
        for name in outputs:
            path = self.path(name)
            if path.is_dir():
                yield from sorted(p for p in path.rglob("*") if p.is_file())
            else:
                yield path

    def _check_directory(self) -> None:
        if self.directory.exists() and not self.directory.is_dir():
            raise WorkspaceError(f"{self.directory} is a file; choose another run directory with --run-dir")
        if self.directory.is_dir() and not self.path(MANIFEST).exists():
            foreign = [p.name for p in self.directory.iterdir() if p.name != _LOCK]
            if foreign:
                raise WorkspaceError(
                    f"{self.directory} is not empty and holds no {MANIFEST}, so it is not a run directory; "
                    "choose another with --run-dir"
                )

    def _read(self) -> dict[str, StageRecord]:
        if self._stages is None:
            self._stages = _read_manifest(self.path(MANIFEST))
        return self._stages

    def _write(self, stages: dict[str, StageRecord]) -> None:
        write_json(
            self.path(MANIFEST),
            {"version": MANIFEST_VERSION, "stages": {name: asdict(record) for name, record in stages.items()}},
        )
        self._stages = stages


def _read_manifest(path: Path) -> dict[str, StageRecord]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content["version"]
        if version != MANIFEST_VERSION:
            raise WorkspaceError(
                f"{path} has version {version}; this firmware-flows reads {MANIFEST_VERSION}: choose another --run-dir"
            )
        return {name: StageRecord(**record) for name, record in content["stages"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WorkspaceError(f"{path} is damaged ({error}); delete it to do all stages again") from error


def _hash_or_none(path: Path) -> str | None:
    try:
        return hash_file(path)
    except OSError:
        return None


def _take(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
