"""What can go wrong on the data side of the calorimeter."""

from __future__ import annotations

from firmware_flows.errors import InputError
from models.errors import SampleFileError

__all__ = ["SampleFileError", "SettingError"]


class SettingError(InputError):
    """A constant of the simulation or of a baseline that has no meaning; `field` names it."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        self.field = field
        self.value = value
        self.reason = reason
        super().__init__(f"{field} = {value!r}: {reason}")
