"""What can go wrong on the data side of the calorimeter."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.errors import InputError


class SettingError(InputError):
    """A constant of the simulation or of a baseline that has no meaning; `field` names it."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field = field
        self.value = value
        self.reason = reason
        super().__init__(f"{field} = {value!r}: {reason}")


class SampleFileError(InputError):
    """A file that cannot be read as a sample of cells; `path` names it, `remedy` says what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}. {remedy}")
