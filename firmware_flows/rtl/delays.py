"""From a clock to the logic that fits between two registers.

alkaid counts a path in units of its own, in which an addition takes 1.09 + 0.025 a bit, a selection 0.5 and a LUT6
about 0.1 to 0.7. How many nanoseconds a unit is, wires included, depends on the device. The factors here decide how
many registers are placed, never what is computed. One alone is measured:

    Lattice ECP5        measured with nextpnr 0.11 on a dense 9-16-8-1 network, placed and routed for speed grade 6:
                        2.15 ns and 2.40 ns a unit, with stages of 7.0 and of 3.6 units (65 and 113 MHz)

The others are guesses, since the project has no place and route for those devices, and no document was at hand that
publishes such a number: UltraScale+ 1.0, because the units are about those of its LUTs and carry chains in speed grade
2; all others from how much slower or faster that technology is commonly found to be. What to do where a design misses
its clock: write it again with a larger `nanoseconds_per_unit`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_flows.targets import technology_of

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


_ALTERA = DelayModel("Altera", 1.2, True)

_MODELS = {
    "7series": DelayModel("AMD 7 series", 1.9, True),
    "ultrascale": DelayModel("AMD UltraScale", 1.4, True),
    "ultrascale+": DelayModel("AMD UltraScale+", 1.0, True),
    "versal": DelayModel("AMD Versal", 0.9, True),
    "stratix10": _ALTERA,
    "agilex": _ALTERA,
    "altera": _ALTERA,
    # Lattice's LUTs have four inputs, and no adder of three numbers takes one row of them
    "ecp5": DelayModel("Lattice ECP5", 2.5, False),
    "nexus": DelayModel("Lattice Nexus", 2.4, False),
}


def delay_model(target: str, nanoseconds_per_unit: float | None = None) -> DelayModel:
    """The model of a part number, unknown ones as UltraScale+; `nanoseconds_per_unit` overrides its speed."""
    model = _MODELS[technology_of(target) or "ultrascale+"]
    return model if nanoseconds_per_unit is None else replace(model, nanoseconds_per_unit=nanoseconds_per_unit)
