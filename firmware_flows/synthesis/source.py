"""What is synthesised: HDL files, the top module and its ports."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from firmware_flows.synthesis.errors import SynthesisSettingsError

if TYPE_CHECKING:
    from firmware_flows.rtl import Design


@dataclass(frozen=True)
class Source:
    """HDL to synthesise. `files` in the order of compilation, relative to `directory`.

    inputs, outputs: (name, bits) of every port of `top` but the clock. clock_mhz: what is wanted.
    """

    directory: Path
    files: tuple[Path, ...]
    top: str
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]
    clock_mhz: float
    clock: str = "clk"
    target: str = ""
    language: Literal["verilog", "vhdl"] = "verilog"

    @classmethod
    def of(cls, design: Design) -> Source:
        """The HDL of a design."""
        return cls(
            directory=design.directory,
            files=design.sources,
            top=design.top,
            inputs=tuple((p.name, p.width) for p in design.inputs),
            outputs=tuple((p.name, p.width) for p in design.outputs),
            clock_mhz=design.clock_mhz,
            clock=design.clock,
            target=design.target,
            language=design.language,
        )

    def paths_from(self, directory: Path) -> tuple[str, ...]:
        """The files as seen from a working directory, by relative paths."""
        return tuple(os.path.relpath(self.directory / file, directory) for file in self.files)

    def require_verilog(self, tool: str) -> None:
        """Raise SynthesisSettingsError for VHDL, which open tools do not read without a plug-in."""
        if self.language != "verilog":
            raise SynthesisSettingsError(
                "language", self.language, f"{tool} reads Verilog: write the design in Verilog"
            )
