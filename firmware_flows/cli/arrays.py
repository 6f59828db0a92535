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
        loaded = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError(f"{path} does not exist") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a NumPy file of numbers (.npy or .npz): {error}") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded as archive:
        names = archive.files
        if len(ports) == 1 and len(names) == 1:
            return archive[names[0]]
        missing = [port for port in ports if port not in names]
        if missing:
            raise InputError(f"{path} holds {', '.join(names) or 'nothing'}; wanted arrays named {', '.join(ports)}")
        return {port: archive[port] for port in ports} if len(ports) > 1 else archive[ports[0]]


def write_results(path: Path, results: Any, names: Sequence[str]) -> None:
    """One array to `.npy`; several to `.npz` by name. Atomically."""
    several = isinstance(results, tuple)
    wanted = ".npz" if several else ".npy"
    if path.suffix != wanted:
        raise InputError(f"--output {path} must end in {wanted}: the network has {len(names)} output(s)")
    with atomic_path(path) as temporary:
        if several:
            np.savez(temporary, allow_pickle=False, **dict(zip(names, results, strict=True)))
        else:
            np.save(temporary, results, allow_pickle=False)
