"""A design on disk: the RTL of a Program, and how to run it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from firmware_flows.events import Events, events_of, finite_float32
from firmware_flows.files import write_json
from firmware_flows.program import Program
from firmware_flows.rtl.errors import DesignError
from firmware_flows.rtl.ports import Mantissas, Port, Words
from firmware_flows.serialization import load_program

FORMAT = 1
"""Version of design.json."""

DESIGN_FILE = "design.json"
PROGRAM_FILE = "program.ffp"
SIMULATION = "simulation"
"""Folder of the design for compiled simulations and the logs of their tools."""

Language = Literal["verilog", "vhdl"]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False, kw_only=True)
class Design:
    """Written RTL.

    directory holds everything; sources are its HDL files in the order of compilation, relative to it; top is the name
    of the top module, whose ports are the clock, `inputs` and `outputs`. The figures are those of the generator:
    pipeline_depth in clock edges from input to output (0: no register), cost in alkaid's units (about one LUT6; with
    adders of three numbers where the target's family has them), register_bits, and longest_path, the delay of the
    slowest stage in alkaid's units.
    """

    directory: Path
    program: Program = field(repr=False)
    language: Language
    top: str
    sources: tuple[Path, ...] = field(repr=False)
    inputs: tuple[Port, ...] = field(repr=False)
    outputs: tuple[Port, ...] = field(repr=False)
    target: str
    clock_mhz: float
    clock: str = "clk"
    pipeline_depth: int
    cost: float
    register_bits: int
    longest_path: float
    versions: dict[str, str] = field(default_factory=dict, repr=False)

    # ---- on disk

    @classmethod
    def load(cls, directory: str | Path) -> Design:
        """Open a design written before. Raises DesignError."""
        path = Path(directory).resolve()
        try:
            document = json.loads((path / DESIGN_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DesignError(f"{path} is not an RTL design: it has no {DESIGN_FILE}") from None
        except (OSError, ValueError) as error:
            raise DesignError(f"{path / DESIGN_FILE} cannot be read: {error}") from None
        if document.get("format", 0) > FORMAT:
            raise DesignError(f"{path} was written by a newer version: upgrade firmware-flows")
        program = load_program(path / PROGRAM_FILE)
        try:
            if document["program"]["sha256"] != program.digest:
                raise DesignError(f"{path / PROGRAM_FILE} is not the Program that the RTL was written from")
            design = cls(
                directory=path,
                program=program,
                language=document["language"],
                top=document["top"],
                sources=tuple(Path(s) for s in document["sources"]),
                inputs=tuple(Port.from_json(p) for p in document["inputs"]),
                outputs=tuple(Port.from_json(p) for p in document["outputs"]),
                target=document["target"],
                clock_mhz=document["clock_mhz"],
                clock=document["clock"],
                versions=document["versions"],
                **document["generated"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DesignError(f"{path / DESIGN_FILE} is damaged: {error!r}") from None
        missing = [s for s in design.sources if not (path / s).is_file()]
        if missing:
            raise DesignError(f"{path / missing[0]} is missing: write the design again")
        return design

    def save(self) -> Path:
        """Write design.json and the Program into the directory; returns the file."""
        self.program.save(self.directory / PROGRAM_FILE)
        path = self.directory / DESIGN_FILE
        write_json(path, self.to_json())
        return path

    def to_json(self) -> dict[str, Any]:
        """What design.json holds."""
        return {
            "format": FORMAT,
            "program": {"name": self.program.name, "sha256": self.program.digest},
            "language": self.language,
            "top": self.top,
            "clock": self.clock,
            "target": self.target,
            "clock_mhz": self.clock_mhz,
            "sources": [s.as_posix() for s in self.sources],
            "inputs": [p.to_json() for p in self.inputs],
            "outputs": [p.to_json() for p in self.outputs],
            "generated": {
                "pipeline_depth": self.pipeline_depth,
                "cost": self.cost,
                "register_bits": self.register_bits,
                "longest_path": self.longest_path,
            },
            "versions": self.versions,
        }

    @property
    def simulation(self) -> Path:
        """Folder for compiled simulations and the logs of their tools."""
        return self.directory / SIMULATION

    def content_hash(self, others: Sequence[str]) -> str:
        """A name for the content of all HDL files and of `others`."""
        digest = hashlib.sha256()
        for text in others:
            digest.update(text.encode() + b"\0")
        for source in self.sources:
            digest.update(source.as_posix().encode() + b"\0")
            digest.update(hashlib.sha256((self.directory / source).read_bytes()).digest())
        return digest.hexdigest()[:24]

    # ---- events as the ports carry them

    def mantissas(self, x: Events) -> tuple[Mantissas, ...]:
        """Events as the mantissas of every input port, int64 (events, *shape). Raises InputError."""
        arrays = events_of(self.program, x)
        return tuple(
            np.asarray(port.type.quantize(finite_float32(array, port.source, 0)), dtype=np.int64)
            for array, port in zip(arrays, self.inputs, strict=True)
        )

    def pack(self, mantissas: tuple[Mantissas, ...]) -> tuple[Words, ...]:
        """Mantissas of every input port as words (events, words of the port)."""
        return tuple(port.pack(values) for port, values in zip(self.inputs, mantissas, strict=True))

    def unpack(self, words: tuple[Words, ...]) -> tuple[Mantissas, ...]:
        """Words of every output port as mantissas (events, *shape)."""
        return tuple(port.unpack(values) for port, values in zip(self.outputs, words, strict=True))

    # ---- running

    def compile(self, progress: Progress | None = None) -> Path:
        """Compile the RTL with Verilator, unless that was done; returns the library.

        Raises MissingToolError where there is no Verilator or C++ compiler.
        """
        from firmware_flows.rtl.simulation import compile_design

        return compile_design(self, progress)

    def simulate(self, x: Events, raw: bool = False, progress: Progress | None = None) -> Any:
        """The RTL on events (events, ...): exact float64 values, or int64 mantissas if `raw`.

        A tuple when the network has several outputs. Raises InputError.
        """
        results = self.simulate_mantissas(self.mantissas(x), progress)
        outputs: tuple[npt.NDArray[Any], ...] = results
        if not raw:
            outputs = tuple(port.type.to_float(r) for port, r in zip(self.outputs, results, strict=True))
        return outputs[0] if len(outputs) == 1 else outputs

    def simulate_mantissas(
        self, mantissas: tuple[Mantissas, ...], progress: Progress | None = None
    ) -> tuple[Mantissas, ...]:
        """The RTL on mantissas of the input ports, one event a clock: mantissas of the output ports."""
        from firmware_flows.rtl.simulation import simulate

        return simulate(self, mantissas, progress)

    @property
    def latency_cycles(self) -> int:
        """Clock edges from an input to its output, measured in simulation (not what the generator says)."""
        return self._measured[0]

    @property
    def initiation_interval(self) -> int:
        """Clock cycles between events, measured in simulation."""
        return self._measured[1]

    @property
    def _measured(self) -> tuple[int, int]:
        cached: tuple[int, int] | None = self.__dict__.get("_latency")
        if cached is None:
            from firmware_flows.rtl.simulation import measure

            cached = measure(self)
            object.__setattr__(self, "_latency", cached)
        return cached
