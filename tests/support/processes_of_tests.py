"""Whether a process is gone."""

from __future__ import annotations

import time
from pathlib import Path


def ended(number: int, seconds: float = 10.0) -> bool:
    """Whether it ends within that time: a killed process takes a moment to go."""
    stat = Path(f"/proc/{number}/stat")
    until = time.monotonic() + seconds
    while _lives(stat):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def _lives(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
