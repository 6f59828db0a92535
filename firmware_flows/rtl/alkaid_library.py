"""alkaid, imported in one place, and the two things about it that are global: its random numbers and its recursion."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from firmware_flows.environment import require, version

HARDWARE = (1, 1, -1)
"""Adder and carry size for which alkaid counts cost and delay, and no cut-off. Its optimiser assumes these."""

RECURSION = 200_000
"""alkaid gathers its variables recursively: as deep as the longest chain of additions and selections."""

_lock = threading.RLock()


@dataclass
class Session:
    """One tracing. `plain` as long as every number was narrow enough for alkaid's bookkeeping in float32."""

    plain: bool = True


_session = Session()


def session() -> Session:
    """The tracing under way in this process."""
    return _session


def alkaid_version() -> str:
    """Version of alkaid. Raises MissingToolError where it is not installed."""
    require("rtl")
    return version("alkaid") or ""


@contextmanager
def reproducible() -> Iterator[Session]:
    """One tracing at a time, with alkaid's identifiers drawn from a fixed seed and room for its recursion."""
    global _session
    require("rtl")
    from alkaid.trace import fixed_variable

    limit = sys.getrecursionlimit()
    with _lock:
        fixed_variable.rd.seed(0)
        _session = Session()
        sys.setrecursionlimit(max(limit, RECURSION))
        try:
            yield _session
        finally:
            sys.setrecursionlimit(limit)


def hardware() -> Any:
    """alkaid's configuration of the hardware."""
    from alkaid.trace import HWConfig

    return HWConfig(*HARDWARE)
