"""What can go wrong between a Program and its RTL, each with the data to act on it."""

from __future__ import annotations

from firmware_flows.errors import CheckFailedError, FirmwareFlowsError


class RtlError(FirmwareFlowsError):
    """An instruction that cannot become RTL exactly, or a Program too large to unroll.

    `layer` and `instruction` say where ("" where the whole Program is meant).
    """

    def __init__(self, layer: str, instruction: str, reason: str, remedy: str) -> None:
        self.layer = layer
        self.instruction = instruction
        self.reason = reason
        self.remedy = remedy
        place = f"layer {layer!r}, {instruction}: " if layer else ""
        super().__init__(f"{place}{reason}. {remedy}")


class RtlSettingsError(FirmwareFlowsError):
    """A setting of `write_design` that is not valid."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{field} = {value!r} is not valid: {remedy}")


class DesignError(FirmwareFlowsError):
    """A design directory that cannot be used: missing or damaged files."""


class RtlCheckError(CheckFailedError):
    """The logic made from a Program computes something else. Never the user's fault; nothing was written."""

    def __init__(self, port: str, event: int, element: int, wanted: int, found: int) -> None:
        self.port = port
        self.event = event
        self.element = element
        self.wanted = wanted
        self.found = found
        super().__init__(
            f"output {port!r}, element {element} of event {event}: the Program gives {wanted}, the traced logic "
            f"{found}; nothing was written. Please report this"
        )
