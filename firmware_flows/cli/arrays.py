"""Reading events from NumPy files and writing results to them."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.errors import InputError
from firmware_flows.files import atomic_path


def read_events(path: Path, ports: Sequence[str]) -> Any:
    """Events from `.npy`, or from `.npz` with one array a port (by name; a single array serves a single port)."""
    try:
        with path.open("rb") as stream:
            # np.load would leave a broken archive open.
            if stream.read(2) == b"PK":
                stream.seek(0)
                with np.lib.npyio.NpzFile(stream, allow_pickle=False) as archive:
                    return _of_ports(path, {name: archive[name] for name in archive.files}, ports)
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a NumPy file of numbers (.npy or .npz): {error}") from error
    return loaded


def _of_ports(path: Path, arrays: dict[str, Any], ports: Sequence[str]) -> Any:
    if len(ports) == 1 and len(arrays) == 1:
        return next(iter(arrays.values()))
    missing = [port for port in ports if port not in arrays]
    if missing:
        raise InputError(f"{path} holds {', '.join(arrays) or 'nothing'}; wanted arrays named {', '.join(ports)}")
    return {port: arrays[port] for port in ports} if len(ports) > 1 else arrays[ports[0]]


def check_results_path(path: Path, events: Path, names: Sequence[str]) -> None:
    """That results can be written there, before they are computed. Raises InputError, also for the events' own file."""
    wanted = ".npz" if len(names) > 1 else ".npy"
    if path.suffix != wanted:
        raise InputError(f"--output {path} must end in {wanted}: the network has {len(names)} output(s)")
    if path.resolve() == events.resolve():
        raise InputError(f"--output {path} is the file that the events are read from: choose another")


def write_results(path: Path, results: Any, names: Sequence[str]) -> None:
    """One array to `.npy`; several to `.npz` by name. Atomically."""
    several = isinstance(results, tuple)
    with atomic_path(path) as temporary:
        if several:
            np.savez(temporary, allow_pickle=False, **dict(zip(names, results, strict=True)))
        else:
            np.save(temporary, results, allow_pickle=False)
