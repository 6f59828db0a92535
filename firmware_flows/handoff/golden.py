"""Golden vectors: events that reach a network's corners, and the exact answers, in the forms that tools read.

inputs_PORT.hex, outputs_PORT.hex    packed words, an event a line, most significant digit first
tb_input_features.dat, tb_output_predictions.dat    decimals, an event a line, as hls4ml's test bench reads them
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.emulator import Events, emulate, events_of, finite_float32
from firmware_flows.errors import InputError
from firmware_flows.program import Program
from firmware_flows.rtl.ports import Port, ports_of
from firmware_flows.stimulus import Stimulus, adversarial_stimuli, random_stimulus

INPUTS_DAT, OUTPUTS_DAT = "tb_input_features.dat", "tb_output_predictions.dat"


@dataclass(frozen=True, eq=False)
class Golden:
    """Events and the Program's answers.

    inputs: float32 (events, *shape), one array a port; mantissas of inputs and outputs likewise, int64.
    groups: name and number of events, in their order.
    """

    program: Program
    inputs: Stimulus
    mantissas: tuple[npt.NDArray[np.int64], ...]
    outputs: tuple[npt.NDArray[np.int64], ...]
    groups: dict[str, int]

    @property
    def events(self) -> int:
        """How many."""
        return len(self.inputs[0])

    @property
    def ports(self) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
        """Input and output ports, whose words the hex files hold."""
        return ports_of(self.program)

    def values(self) -> tuple[npt.NDArray[np.float64], ...]:
        """Outputs as real numbers, exact."""
        return tuple(p.type.to_float(m) for p, m in zip(self.ports[1], self.outputs, strict=True))


def golden_vectors(program: Program, x: Events | None = None, random_events: int = 1000, seed: int = 1) -> Golden:
    """All adversarial events of the Program, `random_events` random ones, and the caller's own (`x`)."""
    groups: dict[str, Stimulus] = {}
    if x is not None:
        given = zip(events_of(program, x), program.inputs, strict=True)
        groups["data"] = [finite_float32(a, p.port, 0) for a, p in given]
    groups.update(adversarial_stimuli(program, seed))
    chunks = list(random_stimulus(program, random_events, seed))
    if chunks:
        groups["random"] = [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
    inputs = [np.concatenate(parts) for parts in zip(*groups.values(), strict=True)]
    if not len(inputs[0]):
        raise InputError(f"{program.name!r} has no golden vectors: ask for random_events, or give events")
    mantissas = tuple(
        np.asarray(p.type.quantize(a), dtype=np.int64) for p, a in zip(program.inputs, inputs, strict=True)
    )
    results: Any = emulate(program, tuple(inputs) if len(inputs) > 1 else inputs[0], raw=True)
    outputs = results if isinstance(results, tuple) else (results,)
    return Golden(program, inputs, mantissas, outputs, {name: len(part[0]) for name, part in groups.items()})


def write_hex(golden: Golden, directory: Path) -> list[Path]:
    """One file a port; returns them."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for ports, arrays, side in zip(
        golden.ports, (golden.mantissas, golden.outputs), ("inputs", "outputs"), strict=True
    ):
        for port, array in zip(ports, arrays, strict=True):
            path = directory / f"{side}_{port.name}.hex"
            path.write_text("".join(f"{line}\n" for line in hex_lines(port, array)), encoding="ascii")
            written.append(path)
    return written


def hex_lines(port: Port, mantissas: npt.NDArray[np.int64]) -> list[str]:
    """Every event's packed word in hexadecimal, as many digits as the port's width needs."""
    digits = -(-port.width // 4)
    words = port.pack(mantissas)[:, ::-1].astype(">u4")
    return [row.tobytes().hex()[-digits:] for row in words]


def read_hex(port: Port, text: str) -> npt.NDArray[np.int64]:
    """The opposite of `hex_lines`. Raises InputError, which names the line."""
    digits = 8 * port.words
    rows = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            if len(line) != -(-port.width // 4):
                raise ValueError
            rows.append(np.frombuffer(bytes.fromhex(line.rjust(digits, "0")), ">u4")[::-1])
        except ValueError:
            raise InputError(f"line {number} of {port.name!r}: {line[:40]!r} is no word of {port.width} bits") from None
    return port.unpack(np.array(rows, dtype=np.uint32).reshape(len(rows), port.words))


def write_tb_data(golden: Golden, directory: Path, read: Sequence[str] | None = None) -> list[Path]:
    """Both files of hls4ml's `tb_data`; decimals that name each number exactly. Returns them.

    read: names of the inputs that the HLS project has, in its order; by default the Program's.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    by_name = {port.port: x for port, x in zip(golden.program.inputs, golden.inputs, strict=True)}
    inputs = list(by_name.values()) if read is None else [by_name[name] for name in read]
    for name, arrays in ((INPUTS_DAT, inputs), (OUTPUTS_DAT, golden.values())):
        flat = np.concatenate([np.asarray(a, np.float64).reshape(golden.events, -1) for a in arrays], axis=1)
        path = directory / name
        path.write_text("".join(" ".join(map(repr, row)) + "\n" for row in flat.tolist()), encoding="ascii")
        written.append(path)
    return written
