"""The one family of errors a user of this package can meet."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FirmwareFlowsError(Exception):
    """Base of every error that is the user's to solve; `exit_code` is what the command line ends with.

    1 a check failed, 2 wrong usage or input, 3 a required tool is missing.
    """

    exit_code = 2


class CheckFailedError(FirmwareFlowsError):
    """A comparison, a budget or a metric floor did not hold."""

    exit_code = 1


class MissingToolError(FirmwareFlowsError):
    """A program or an optional package that this step needs is not installed."""

    exit_code = 3

    def __init__(self, tool: str, purpose: str, remedy: str) -> None:
        self.tool = tool
        self.purpose = purpose
        self.remedy = remedy
        super().__init__(f"{tool} is needed {purpose} and was not found: {remedy}")


class InputError(FirmwareFlowsError):
    """Events or files given by the user that cannot be used."""


class LoweringError(FirmwareFlowsError):
    """A network that cannot be converted exactly: which layer, which field, its value, what to do."""

    def __init__(self, layer: str, field: str, value: object, reason: str, remedy: str) -> None:
        self.layer = layer
        self.field = field
        self.value = value
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"layer {layer!r}, {field} = {value!r}: {reason}. {remedy}")


def nearest(name: str, valid: Iterable[str]) -> str:
    """' Did you mean ...?' for a misspelt name, or the list of valid names when none is near."""
    names = sorted(valid)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"valid names: {', '.join(names)}"
