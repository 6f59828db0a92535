"""What can go wrong between a Program and hls4ml's C++, each with the data to act on it."""

from __future__ import annotations

from firmware_flows.errors import FirmwareFlowsError


class HlsError(FirmwareFlowsError):
    """Base of the errors of this package."""


class HlsSettingsError(HlsError):
    """A setting of `write_project` that is not valid."""

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{field} = {value!r} is not valid, {remedy}")


class HlsConversionError(HlsError):
    """A layer that hls4ml cannot express exactly in this form: which layer, which field, what to do."""

    def __init__(self, layer: str, field: str, value: object, reason: str, remedy: str) -> None:
        self.layer = layer
        self.field = field
        self.value = value
        self.reason = reason
        self.remedy = remedy
        super().__init__(f"layer {layer!r}, {field} = {value}: {reason}. {remedy}")


class HlsTypeError(HlsError):
    """hls4ml holds or has written something else than the Program says. Never the user's fault."""

    exit_code = 1

    def __init__(self, layer: str, field: str, wanted: object, found: object, where: str) -> None:
        self.layer = layer
        self.field = field
        self.wanted = wanted
        self.found = found
        self.where = where
        super().__init__(
            f"{where}: layer {layer!r}, {field}: the Program says {wanted}, hls4ml says {found}; "
            "the project was not written"
        )


class CompileError(HlsError):
    """The C++ compiler refused the project."""

    exit_code = 1

    def __init__(self, file: str, line: int, message: str, log: str) -> None:
        self.file = file
        self.line = line
        self.message = message
        self.log = log
        place = f"{file}:{line}" if file else "no file named"
        super().__init__(f"the C++ of the project does not compile: {place}: {message}")


class ProjectError(HlsError):
    """A project directory that cannot be used: missing or damaged files, or not compiled."""
