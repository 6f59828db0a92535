"""From a clock to the logic that fits between two registers.

alkaid counts a path in units in which an addition takes 1.09 + 0.025 a bit, a selection 0.5 and a LUT6 about 0.1 to
0.7: close to nanoseconds, wires included, on an UltraScale+ of speed grade 2. Other families are slower; the factors
below are stated with where they come from. They decide how many registers are placed, never what is computed, and a
design that misses its clock is given more by a smaller `nanoseconds_per_unit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

OVERHEAD_NS = 0.35
"""Clock to output of one register, set-up of the next, and clock uncertainty."""


@dataclass(frozen=True)
class DelayModel:
    """Nanoseconds of one of alkaid's units of delay, and whether an adder of three numbers takes one row of LUTs."""

    family: str
    nanoseconds_per_unit: float
    three_input_adders: bool

    def budget(self, clock_mhz: float) -> float:
        """Units of delay between two registers at this clock."""
        period = 1e3 / clock_mhz
        return max(period - OVERHEAD_NS, 0.25 * period) / self.nanoseconds_per_unit


ULTRASCALE_PLUS = DelayModel("AMD UltraScale+", 1.0, True)

_FAMILIES: tuple[tuple[tuple[str, ...], DelayModel], ...] = (
    (("xcvu", "xcku", "xczu", "xcau", "xcu"), ULTRASCALE_PLUS),
    # ratio of the LUT and carry delays in AMD's data sheets DS181/DS182 (speed grade 1) to DS923
    (("xc7", "xa7", "xq7"), DelayModel("AMD 7 series", 1.9, True)),
    (("xcvc", "xcvm", "xcvp", "xcve"), DelayModel("AMD Versal", 0.9, True)),
    # LUT4, and no adder of three numbers. Measured with nextpnr on a dense 9-16-8-1 network: 2.15 and 2.40 ns a unit at
    # stages of 7.0 and 3.6 units (65 and 113 MHz)
    (("lfe5", "ecp5"), DelayModel("Lattice ECP5", 2.5, False)),
    (("lifcl", "lfd2nx", "lfcpnx"), DelayModel("Lattice Nexus", 2.4, False)),
    (("1s", "agf", "agi", "10a", "ep"), DelayModel("Altera", 1.2, True)),
)


def delay_model(target: str, nanoseconds_per_unit: float | None = None) -> DelayModel:
    """The model of a part number, unknown ones as UltraScale+; `nanoseconds_per_unit` overrides its speed."""
    model = _model(target)
    return model if nanoseconds_per_unit is None else replace(model, nanoseconds_per_unit=nanoseconds_per_unit)


def _model(target: str) -> DelayModel:
    part = target.lower()
    for prefixes, model in _FAMILIES:
        if part.startswith(prefixes):
            if model is ULTRASCALE_PLUS and part.startswith(("xcvu", "xcku")) and not _is_plus(part):
                return DelayModel("AMD UltraScale", 1.4, True)
            return model
    return ULTRASCALE_PLUS


def _is_plus(part: str) -> bool:
    """UltraScale+ numbers end in p: xcvu13p, xcku15p."""
    number = part[4:].split("-")[0]
    return "p" in number
