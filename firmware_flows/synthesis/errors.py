"""What can go wrong while a tool synthesises, with the data to act on it."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.errors import FirmwareFlowsError


class SynthesisSettingsError(FirmwareFlowsError):
    """A setting of `synthesize` that is not valid, or that does not go with the design."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{field} = {value!r} is not valid: {remedy}")


class ReportError(FirmwareFlowsError):
    """A tool's report that does not say what was looked for."""

    def __init__(self, path: Path | None, wanted: str) -> None:
        self.path = path
        self.wanted = wanted
        super().__init__(f"{path or 'the report'} does not say {wanted}: is it a complete report of this kind?")
