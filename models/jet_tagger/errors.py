"""What can go wrong on the data side of the jet tagger."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.errors import FirmwareFlowsError, InputError, nearest


class SampleError(InputError):
    """Arrays that do not form a jet sample; `part` names the array at fault."""

    def __init__(self, part: str, problem: str) -> None:
        self.part = part
        self.problem = problem
        super().__init__(f"{part}: {problem}")


class SampleFileError(InputError):
    """A file that cannot be read as a jet sample; `path` names it, `remedy` says what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        self.path = path
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{path}: {problem}. {remedy}")


class UnknownClassError(InputError):
    """A class name that is not one of the five jet classes."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known
        super().__init__(f"unknown jet class {name!r}; {nearest(name, known)}")


class GeneratorError(FirmwareFlowsError):
    """The event generator refused a setting or died; `remedy` says what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{problem}. {remedy}")
