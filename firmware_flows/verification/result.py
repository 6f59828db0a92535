"""What a verification found, as data that a report and a script can read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program_text import value_text


@dataclass(frozen=True)
class FormResult:
    """One form of the network compared with the Program.

    `compared` events had a valid answer of both; `skipped` are those for which this form is no valid witness
    (`reason` says why); `differing` of the compared ones differ in at least one bit of an output.
    """

    name: str
    compared: int
    differing: int
    skipped: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Divergence:
    """The first value in which two forms differ, in the order of the layers."""

    form: str
    group: str
    event: int
    layer: str
    element: tuple[int, ...]
    expected: int
    found: float
    expected_type: FixedPoint
    found_type: str
    inputs: tuple[float, ...]

    def describe(self) -> str:
        """Two lines for a person: where, and both numbers in decimal and binary."""
        t = self.expected_type
        scaled = self.found * 2.0**t.fractional
        on_grid = scaled == int(scaled) and abs(scaled) < 2**62
        found = f"mantissa {int(scaled)} ({t.binary(int(scaled))})" if on_grid else f"{self.found!r}, off the grid"
        where = f"[{', '.join(map(str, self.element))}]"
        return (
            f"first difference: layer {self.layer!r}{where}, event {self.event} of {self.group!r}\n"
            f"  Program {t}: {value_text(self.expected, t)} = mantissa {self.expected} ({t.binary(self.expected)})\n"
            f"  {self.form} {self.found_type}: {self.found!r} = {found}"
        )


@dataclass(frozen=True)
class Coverage:
    """How far the events went inside the Program, for one sum or cast of a layer."""

    layer: str
    instruction: str
    proven: tuple[str, str]
    reached: tuple[str, str]
    ends_reached: tuple[bool, bool]
    ties: int = 0
    below: int = 0
    above: int = 0


@dataclass(frozen=True)
class Verification:
    """The outcome: `passed` when every compared form has 0 differing events and something was compared."""

    passed: bool
    program: str
    digest: str
    seed: int
    groups: Mapping[str, int]
    forms: tuple[FormResult, ...]
    divergences: tuple[Divergence, ...]
    coverage: tuple[Coverage, ...]
    remarks: tuple[str, ...] = ()

    @property
    def divergence(self) -> Divergence | None:
        """The first difference of the first form that differs."""
        return self.divergences[0] if self.divergences else None

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        document = asdict(self)
        for d, original in zip(document["divergences"], self.divergences, strict=True):
            d["expected_type"] = str(original.expected_type)
            d["description"] = original.describe()
        document["groups"] = dict(self.groups)
        return document

    def summary(self) -> str:
        """A few lines for a person."""
        lines = [f"{'passed' if self.passed else 'FAILED'}: {self.program!r}, sha256 {self.digest[:16]}"]
        lines.append("events: " + ", ".join(f"{n:,} {name}" for name, n in self.groups.items()))
        for form in self.forms:
            skipped = f", {form.skipped:,} not compared ({form.reason})" if form.skipped else ""
            lines.append(f"{form.name}: {form.differing:,} of {form.compared:,} events differ{skipped}")
        lines += [d.describe() for d in self.divergences]
        lines += list(self.remarks)
        return "\n".join(lines)
