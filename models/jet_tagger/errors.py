"""What can go wrong on the data side of the jet tagger."""

from __future__ import annotations

from firmware_flows.errors import FirmwareFlowsError, InputError, nearest
from models.errors import SampleError, SampleFileError

__all__ = ["GeneratorError", "SampleError", "SampleFileError", "UnknownClassError"]


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
