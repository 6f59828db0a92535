"""How far inside the Program the events reached: ends of sums, ties and limits of casts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from firmware_flows.fixed_point import Integers
from firmware_flows.program import Affine, Cast, Combine, Program, Reduce
from firmware_flows.program_text import value_text
from firmware_flows.verification.result import Coverage


@dataclass
class CoverageCounter:
    """Fed with the values of blocks of events; `result` says what they reached."""

    program: Program
    low: dict[int, Integers] = field(default_factory=dict)
    high: dict[int, Integers] = field(default_factory=dict)
    counts: dict[int, list[int]] = field(default_factory=dict)

    def add(self, values: Sequence[Integers]) -> None:
        """Values of all instructions for a block of events."""
        for number, instruction in enumerate(self.program.instructions):
            if isinstance(instruction, Affine | Combine | Reduce):
                low, high = values[number].min(axis=0), values[number].max(axis=0)
                self.low[number] = np.minimum(self.low.get(number, low), low)
                self.high[number] = np.maximum(self.high.get(number, high), high)
            elif isinstance(instruction, Cast):
                self._add_cast(number, instruction, values[instruction.source])

    def _add_cast(self, number: int, cast: Cast, x: Integers) -> None:
        t, fractional = cast.type, self.program.instructions[cast.source].type.fractional
        dropped = fractional - t.fractional
        real = x * 2.0**-dropped
        ties = int((np.bitwise_and(x, (1 << dropped) - 1) == 1 << (dropped - 1)).sum()) if 0 < dropped < 62 else 0
        counts = self.counts.setdefault(number, [0, 0, 0])
        counts[0] += ties
        counts[1] += int((real < t.lowest).sum())
        counts[2] += int((real > t.maximum).sum())

    def result(self) -> tuple[Coverage, ...]:
        """One entry a sum or cast that at least one block reached."""
        found = []
        for number, instruction in enumerate(self.program.instructions):
            t, proven = instruction.type, self.program.ranges[number]
            ends = (value_text(proven.lowest, t), value_text(proven.highest, t))
            if number in self.low:
                low, high = self.low[number], self.high[number]
                found.append(
                    Coverage(
                        layer=instruction.layer,
                        instruction=instruction.name,
                        proven=ends,
                        reached=(value_text(int(low.min()), t), value_text(int(high.max()), t)),
                        ends_reached=(int(low.min()) == proven.lowest, int(high.max()) == proven.highest),
                    )
                )
            elif number in self.counts:
                ties, below, above = self.counts[number]
                found.append(
                    Coverage(
                        layer=instruction.layer,
                        instruction=instruction.name,
                        proven=ends,
                        reached=("", ""),
                        ends_reached=(below > 0, above > 0),
                        ties=ties,
                        below=below,
                        above=above,
                    )
                )
        return tuple(found)
