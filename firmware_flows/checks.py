"""Checks and what they came to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One check: the group it belongs to, its name, what it came to, and one line that says so with numbers."""

    group: str
    name: str
    status: Status
    message: str

    def __str__(self) -> str:
        return f"{self.group}: {self.message}"


def check(group: str, name: str, holds: bool, message: str) -> Check:
    """A check that passed or failed."""
    return Check(group, name, "passed" if holds else "failed", message)


def skipped(group: str, name: str, message: str) -> Check:
    """A check that could not be made, and why."""
    return Check(group, name, "skipped", message)


@dataclass(frozen=True)
class Gate:
    """All checks of one subject."""

    subject: str
    checks: tuple[Check, ...]

    @classmethod
    def of(cls, subject: str, checks: Iterable[Check]) -> Gate:
        """From any iterable."""
        return cls(subject, tuple(checks))

    @property
    def passed(self) -> bool:
        """Whether nothing failed; what was skipped did not."""
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """Those that failed."""
        return tuple(c for c in self.checks if c.status == "failed")

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return {"subject": self.subject, "passed": self.passed, "checks": [asdict(c) for c in self.checks]}
