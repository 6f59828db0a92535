"""Target files: YAML with `devices`, `boards` and `budgets`, each checked key by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.targets.model import Board, Budget, Catalogue, Device
from firmware_flows.targets.units import bram18_from, lut_from
from firmware_flows.yaml_file import KeyPath, YamlFile, read_yaml

TECHNOLOGIES = ("7series", "ultrascale", "ultrascale+", "versal", "stratix10", "agilex", "ecp5")


class TargetFileError(FirmwareFlowsError):
    """A target file with a mistake: file, line, key, value, what was wanted."""

    def __init__(self, document: YamlFile, keys: KeyPath, value: object, wanted: str) -> None:
        self.keys = keys
        self.value = value
        line = document.line(keys)
        where = f"{document.path}, line {line}" if line is not None else str(document.path)
        super().__init__(f"{where}: {'.'.join(map(str, keys))} = {value!r}: {wanted}")


@dataclass(frozen=True)
class _Key:
    """One key: how its value is checked, what is wanted, whether it may be absent."""

    check: Callable[[Any], bool]
    wanted: str
    required: bool = True


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


_TEXT = _Key(_text, "wanted text")
_OPTIONAL_TEXT = _Key(_text, "wanted text", required=False)
_COUNT = _Key(lambda v: _whole(v, 0), "wanted a whole number of 0 or more")
_OPTIONAL_COUNT = _Key(lambda v: _whole(v, 1), "wanted a whole number of 1 or more", required=False)
_SOURCE = _Key(_text, "wanted where the numbers come from: a data sheet or a report")

_DEVICE = {
    "vendor": _TEXT,
    "technology": _Key(lambda v: v in TECHNOLOGIES, f"wanted one of {', '.join(TECHNOLOGIES)}"),
    "lut": _OPTIONAL_COUNT,
    "alm": _OPTIONAL_COUNT,
    "ff": _COUNT,
    "dsp": _COUNT,
    "bram18": _Key(lambda v: _whole(v, 0), "wanted a whole number of 0 or more", required=False),
    "bram36": _Key(lambda v: _whole(v, 0), "wanted a whole number of 0 or more", required=False),
    "m20k": _Key(lambda v: _whole(v, 0), "wanted a whole number of 0 or more", required=False),
    "uram": _COUNT,
    "regions": _OPTIONAL_COUNT,
    "parts": _Key(
        lambda v: isinstance(v, list) and all(_text(x) for x in v), "wanted a list of part-number beginnings", False
    ),
    "source": _SOURCE,
}
_BOARD = {
    "device": _TEXT,
    "part": _OPTIONAL_TEXT,
    "devices": _OPTIONAL_COUNT,
    "clocks_mhz": _Key(lambda v: isinstance(v, list) and all(_positive(x) for x in v), "wanted a list of MHz", False),
    "experiment": _OPTIONAL_TEXT,
    "description": _TEXT,
    "source": _SOURCE,
}
_BUDGET = {
    "board": _TEXT,
    "clock_mhz": _Key(_positive, "wanted a positive number of MHz"),
    "latency_ns": _Key(_positive, "wanted a positive number of nanoseconds"),
    "interval_ns": _Key(_positive, "wanted a positive number of nanoseconds", required=False),
    "share": _Key(lambda v: _positive(v) and v <= 1, "wanted a share of one region, above 0 and at most 1", False),
    "description": _TEXT,
    "source": _SOURCE,
}
_SECTIONS = {"devices": _DEVICE, "boards": _BOARD, "budgets": _BUDGET}


def read_targets(path: Path, known: Catalogue | None = None) -> Catalogue:
    """The targets of one file, added to those known. Raises TargetFileError (or YamlError) for the first mistake."""
    return add_targets(read_yaml(path), known)


def add_targets(document: YamlFile, known: Catalogue | None = None) -> Catalogue:
    """The targets of a file that has been read, added to those known."""
    if not isinstance(document.value, dict) or not document.value:
        raise TargetFileError(document, (), document.value, f"wanted a mapping with {', '.join(_SECTIONS)}")
    result = Catalogue(
        dict(known.devices) if known else {}, dict(known.boards) if known else {}, dict(known.budgets) if known else {}
    )
    for section, entries in document.value.items():
        if section not in _SECTIONS:
            raise TargetFileError(document, (section,), entries, f"unknown key; {nearest(section, _SECTIONS)}")
        if not isinstance(entries, dict):
            raise TargetFileError(document, (section,), entries, "wanted a mapping from names to their values")
        for name, values in entries.items():
            _check(document, section, str(name), values)
    for name, values in document.value.get("devices", {}).items():
        result.devices[str(name).lower()] = _device(document, str(name), values)
    for name, values in document.value.get("boards", {}).items():
        if values["device"].lower() not in result.devices:
            wanted = f"unknown device; {nearest(values['device'], result.devices)}"
            raise TargetFileError(document, ("boards", name, "device"), values["device"], wanted)
        clocks = tuple(float(c) for c in values.get("clocks_mhz", ()))
        result.boards[str(name).lower()] = Board(**{**values, "name": str(name), "clocks_mhz": clocks})
    for name, values in document.value.get("budgets", {}).items():
        if values["board"].lower() not in result.boards:
            wanted = f"unknown board; {nearest(values['board'], result.boards)}"
            raise TargetFileError(document, ("budgets", name, "board"), values["board"], wanted)
        result.budgets[str(name).lower()] = Budget(name=str(name), **values)
    return result


def _check(document: YamlFile, section: str, name: str, values: object) -> None:
    schema = _SECTIONS[section]
    place: KeyPath = (section, name)
    if not isinstance(values, dict):
        raise TargetFileError(document, place, values, f"wanted the keys {', '.join(schema)}")
    for key, value in values.items():
        if key not in schema:
            raise TargetFileError(document, (*place, key), value, f"unknown key; {nearest(str(key), schema)}")
        if not schema[key].check(value):
            raise TargetFileError(document, (*place, key), value, schema[key].wanted)
    for key, rule in schema.items():
        if rule.required and key not in values:
            raise TargetFileError(document, (*place, key), None, f"this key is required and missing; {rule.wanted}")


def _device(document: YamlFile, name: str, values: Mapping[str, Any]) -> Device:
    logic, memory = (_one_of(document, name, values, units) for units in (("lut", "alm"), ("bram18", "bram36", "m20k")))
    return Device(
        name=name,
        vendor=values["vendor"],
        technology=values["technology"],
        lut=int(lut_from(values[logic], logic)),
        ff=values["ff"],
        dsp=values["dsp"],
        bram18=int(bram18_from(values[memory], memory)),
        uram=values["uram"],
        regions=values.get("regions", 1),
        source=values["source"],
        parts=tuple(p.lower() for p in values.get("parts", ())),
        given=tuple((unit, values[unit]) for unit in (logic, memory) if unit not in ("lut", "bram18")),
    )


def _one_of(document: YamlFile, name: str, values: Mapping[str, Any], units: tuple[str, ...]) -> str:
    found = [unit for unit in units if unit in values]
    if len(found) != 1:
        wanted = f"wanted exactly one of {', '.join(units)}"
        raise TargetFileError(document, ("devices", name), found, wanted)
    return found[0]
