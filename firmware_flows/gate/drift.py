"""A Program against a lock: did anything change that nobody said should?"""

from __future__ import annotations

from collections.abc import Mapping

from firmware_flows.checks import Check, check
from firmware_flows.handoff.lock import Lock, differences, lock_of
from firmware_flows.program import Program


def drift(program: Program, locked: Lock, group: str = "drift") -> list[Check]:
    """Three checks of a Program against a lock: the Program itself, the golden vectors, the answers to them."""
    vectors = locked["vectors"]
    now = lock_of(program, vectors["random_events"], vectors["seed"])
    changes = differences(locked, now)
    same = locked["program"] == now["program"] and not changes
    text = f"Program {now['program'][:16]} is the locked one" if same else (
        f"Program {now['program'][:16]} is not the locked {locked['program'][:16]}: " + "; ".join(changes)
    )  # fmt: skip
    return [
        check(group, "Program", same, text),
        _vectors(group, "golden vectors", locked["vectors"]["inputs"], now["vectors"]["inputs"]),
        _vectors(group, "golden outputs", locked["vectors"]["outputs"], now["vectors"]["outputs"]),
    ]


def _vectors(group: str, what: str, was: Mapping[str, str], now: Mapping[str, str]) -> Check:
    changed = [name for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    if not changed:
        return check(group, what, True, f"{what} are the locked ones")
    return check(group, what, False, f"{what} of {', '.join(map(repr, changed))} are not the locked ones")
