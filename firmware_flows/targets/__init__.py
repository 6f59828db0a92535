"""FPGA devices, boards of the experiments and the budgets of their triggers: what is there, and what is allowed.

Resources are in LUT, FF, DSP and blocks of 18 Kb everywhere (`units`); every number names its source.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.targets.families import technology_of
from firmware_flows.targets.model import RESOURCES, Board, Budget, Catalogue, Device, Target
from firmware_flows.targets.reading import TargetFileError, add_targets, read_targets
from firmware_flows.yaml_file import YamlFile

__all__ = [
    "RESOURCES",
    "Board",
    "Budget",
    "Catalogue",
    "Device",
    "Target",
    "TargetFileError",
    "UnknownTargetError",
    "catalogue",
    "device_of",
    "find_target",
    "technology_of",
    "why_no_part",
]

DATA = Path(__file__).parent / "data"


class UnknownTargetError(FirmwareFlowsError):
    """No device, board or budget of that name, and no part number that begins with a known device."""

    def __init__(self, name: str, valid: list[str]) -> None:
        self.name = name
        self.valid = tuple(valid)
        hint = nearest(name.lower(), valid)
        near = f"{hint} " if hint.startswith("did you mean") else ""
        super().__init__(
            f"target = {name!r} is no known device, board or budget: {near}`firmware-flows targets` lists them;"
            " a file of your own adds to them (docs/targets.md)"
        )


@lru_cache(maxsize=8)
def catalogue(*files: Path) -> Catalogue:
    """The targets that come with the package, then those of the user's files, which may replace them."""
    known = Catalogue()
    # Those of the package are checked by its tests: read without the line of every key, in a third of the time.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for name in ("devices", "boards", "budgets"):
        path = DATA / f"{name}.yaml"
        known = add_targets(YamlFile(path, yaml.load(path.read_text(encoding="utf-8"), loader), {}), known)
    for path in files:
        known = read_targets(path, known)
    return known


def device_of(part: str, *files: Path) -> Device:
    """The device of a part number: `xcvu13p`, `xcvu13p-flga2577-2-e`, `xc7vx690tffg1927-2`, `AGFB027R24C2E2V`.

    Raises UnknownTargetError with the nearest name.
    """
    known = catalogue(*files).devices
    text = part.strip().lower()
    begins = {name: device for device in known.values() for name in (device.name.lower(), *device.parts)}
    found = [n for n in begins if text.startswith(n) and not (n[-1].isdigit() and text[len(n) : len(n) + 1].isdigit())]
    if not found:
        raise UnknownTargetError(part, sorted(begins))
    return begins[max(found, key=len)]


def why_no_part(name: str) -> str | None:
    """Why a name cannot stand where tools want a part number, with what to give; None where it can.

    Projects and RTL name the part to the vendor's tools, which know neither boards nor budgets. Any other name may be a
    part that this package does not know.
    """
    known, text = catalogue(), name.strip().lower()
    board = known.boards.get(known.budgets[text].board.lower() if text in known.budgets else text)
    if board is None:
        return None
    kind = "budget" if text in known.budgets else "board"
    part = f"for example {board.part!r}" if board.part else f"one of the device {board.device!r}"
    return f"it is a {kind}, and tools want a part number: give {part}"


def find_target(name: str, *files: Path) -> Target:
    """A budget, a board, a device or a part number. Raises UnknownTargetError with the nearest name."""
    known, text = catalogue(*files), name.strip().lower()
    if text in known.budgets:
        budget = known.budgets[text]
        board = known.boards[budget.board.lower()]
        return Target(known.devices[board.device.lower()], board, budget, board.part)
    if text in known.boards:
        board = known.boards[text]
        return Target(known.devices[board.device.lower()], board, None, board.part)
    try:
        return Target(device_of(name, *files), part=name.strip())
    except UnknownTargetError:
        raise UnknownTargetError(name, sorted({*known.budgets, *known.boards, *known.devices})) from None
