"""Device families: which one a part belongs to, what Yosys calls it, what its cells are counted as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from firmware_flows.errors import nearest
from firmware_flows.synthesis.errors import SynthesisSettingsError
from firmware_flows.targets import technology_of


@dataclass(frozen=True)
class AmdFamily:
    """A family of AMD devices. `name` is Yosys's; `technology` that of the parts that belong to it (see targets)."""

    name: str
    title: str
    technology: str

    def holds(self, part: str) -> bool:
        """Whether a part is of this family."""
        return technology_of(part) == self.technology


AMD = (
    AmdFamily("xc7", "AMD 7-series", "7series"),
    AmdFamily("xcup", "AMD UltraScale+", "ultrascale+"),
    AmdFamily("xcu", "AMD UltraScale", "ultrascale"),
)


@dataclass(frozen=True)
class CellGroup:
    """Cells that are counted together. `weight` is how many units one of them takes, by cell name."""

    name: str
    unit: str
    weight: Mapping[str, float]
    note: str = ""


def _ones(*names: str) -> dict[str, float]:
    return dict.fromkeys(names, 1.0)


LUTS = ("INV", *(f"LUT{n}" for n in range(1, 7)))
"""Cells that compute a function in a LUT; Yosys writes a LUT1 that inverts as INV."""

AMD_GROUPS = (
    CellGroup("LUT", "functions of up to 6 inputs", _ones(*LUTS), "before packing; inverters of their own count"),
    CellGroup("FF", "flip-flops", _ones(*(f"FD{x}{y}" for x in ("R", "S", "C", "P") for y in ("E", "E_1")))),
    CellGroup("CARRY", "carry chains of 4 bits (two make a CARRY8)", {"CARRY4": 1.0, "CARRY8": 2.0}),
    CellGroup("MUXF", "wide multiplexers (MUXF7, MUXF8, MUXF9)", _ones("MUXF7", "MUXF8", "MUXF9")),
    CellGroup(
        "SRL", "LUT sites as shift registers", {"SRL16": 0.5, "SRL16E": 0.5, "SRLC16E": 0.5, "SRLC32E": 1.0},
        "two SRL16 share a site",
    ),
    CellGroup(
        "LUTRAM", "LUT sites as memory",
        {
            "RAM32X1S": 1.0, "RAM32X1D": 2.0, "RAM64X1S": 1.0, "RAM64X1D": 2.0, "RAM128X1S": 2.0, "RAM128X1D": 4.0,
            "RAM256X1S": 4.0, "RAM256X1D": 8.0, "RAM512X1S": 8.0, "RAM32M": 4.0, "RAM64M": 4.0, "RAM32M16": 8.0,
            "RAM64M8": 8.0, "RAM64X8SW": 8.0, "RAM32X16DR8": 8.0, "RAM64X1D_1": 2.0,
        },
    ),
    CellGroup("DSP", "DSP blocks", _ones("DSP48E1", "DSP48E2", "DSP58")),
    CellGroup("BRAM18", "block RAMs of 18 Kbit (one of 36 Kbit counts as two)",
              {"RAMB18E1": 1.0, "RAMB18E2": 1.0, "RAMB36E1": 2.0, "RAMB36E2": 2.0}),
    CellGroup("URAM", "UltraRAM blocks of 288 Kbit", _ones("URAM288", "URAM288_BASE")),
)  # fmt: skip

_WIRING = ("$scopeinfo", "IBUF", "OBUF", "BUFG", "GND", "VCC")
"""Cells that are no resource of the fabric."""


def amd_family(name: str | None, part: str) -> AmdFamily:
    """The family named, or that of the part. Raises SynthesisSettingsError."""
    if name is not None:
        found = next((f for f in AMD if f.name == name.lower()), None)
        if found is None:
            raise SynthesisSettingsError("family", name, nearest(name, [f.name for f in AMD]))
        return found
    found = next((f for f in AMD if f.holds(part)), None)
    if found is None:
        raise SynthesisSettingsError(
            "target", part, f"no AMD family is known for it; name one with --family ({', '.join(f.name for f in AMD)})"
        )
    return found


def is_amd(part: str) -> bool:
    """Whether a part is of a family that Yosys synthesises for."""
    return any(f.holds(part) for f in AMD)


def count_cells(cells: Mapping[str, int], groups: tuple[CellGroup, ...]) -> dict[str, float]:
    """Units of each group, by its name."""
    return {g.name: sum(weight * cells.get(cell, 0) for cell, weight in g.weight.items()) for g in groups}


def unknown_cells(cells: Mapping[str, int], groups: tuple[CellGroup, ...]) -> dict[str, int]:
    """Cells that no group counts, so that nothing goes missing silently."""
    known = {cell for g in groups for cell in g.weight} | set(_WIRING)
    return {name: count for name, count in cells.items() if name not in known}
