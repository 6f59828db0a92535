"""What can go wrong with the data of any reference model."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.errors import InputError


class SampleError(InputError):
    """Arrays that do not form a sample; `part` names the array at fault."""

    def __init__(self, part: str, problem: str) -> None:
        self.part = part
        self.problem = problem
        super().__init__(f"{part}: {problem}")


class SampleFileError(InputError):
    """A file that cannot be read as a sample; `path` names it, `remedy` says what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}. {remedy}")
