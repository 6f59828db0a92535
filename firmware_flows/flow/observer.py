"""Who is told what a flow is doing."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told about stages and their progress; the command line shows it."""

    def stage_started(self, name: str, reason: str) -> None:
        """A stage begins; `reason` says why it is not skipped."""

    def stage_skipped(self, name: str, summary: str) -> None:
        """A stage's result is current."""

    def stage_finished(self, name: str, seconds: float, summary: str) -> None:
        """A stage ended well; `summary` is one line."""

    def progress(self, step: str, done: int, total: int, note: str = "") -> None:
        """`done` of `total` parts of a step of the current stage."""


class Silent:
    """An observer that does nothing."""

    def stage_started(self, name: str, reason: str) -> None:
        pass

    def stage_skipped(self, name: str, summary: str) -> None:
        pass

    def stage_finished(self, name: str, seconds: float, summary: str) -> None:
        pass

    def progress(self, step: str, done: int, total: int, note: str = "") -> None:
        pass
