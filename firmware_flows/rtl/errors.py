"""What can go wrong between a Program and its RTL, each with the data to act on it."""

from __future__ import annotations

from firmware_flows.errors import FirmwareFlowsError


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
