"""VHDL designs under GHDL: a bench of ours reads one line of bits a clock and writes one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import FirmwareFlowsError, MissingToolError
from firmware_flows.processes import TIMEOUT_SECONDS, run_tool
from firmware_flows.rtl.ports import Mantissas, Port

if TYPE_CHECKING:
    from firmware_flows.rtl.design import Design
    from firmware_flows.rtl.timing import Cycles

BENCH = "ff_bench"
LOG = "ghdl.log"
OPTIONS = ("--std=08",)
_ZERO = ord("0")

Progress = Callable[[int, int], None]


class UnknownValueError(FirmwareFlowsError):
    """An output that is neither 0 nor 1 ('U', 'X', ...) when an event's result is due."""


def find_ghdl() -> str:
    """Path of GHDL. Raises MissingToolError."""
    path = shutil.which("ghdl")
    if path is None:
        raise MissingToolError("GHDL", "to simulate VHDL", "install it (Debian, Ubuntu: apt install ghdl)")
    return path


def ghdl_version(program: str) -> str:
    """First line of `--version`."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    return done.stdout.splitlines()[0].strip() if done.stdout else "unknown"


def analyse(design: Design, progress: Progress | None = None, timeout: float = TIMEOUT_SECONDS) -> Path:
    """Analyse the design and the bench, unless that was done for just this content; returns GHDL's work directory.

    Raises MissingToolError, and ToolFailedError with GHDL's first error.
    """
    program, bench = find_ghdl(), bench_source(design)
    parent = design.simulation
    work = parent / f"ghdl-{design.content_hash([ghdl_version(program), bench, *OPTIONS])}"
    done = work / "analysed"
    if done.exists():
        return work
    if progress:
        progress(0, 1)
    # where it stays: GHDL's library holds the paths of the sources
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    log = parent / LOG
    (work / f"{BENCH}.vhd").write_text(bench)
    files = [*(design.directory / s for s in design.sources), work / f"{BENCH}.vhd"]
    run_tool("ghdl", [program, "-a", *OPTIONS, f"--workdir={work}", *files], log, timeout=timeout, directory=work)
    done.touch()
    for old in parent.glob("ghdl-*"):
        if old != work:
            shutil.rmtree(old, ignore_errors=True)
    if progress:
        progress(1, 1)
    return work


def bench_source(design: Design) -> str:
    """VHDL that reads the inputs of every clock cycle from inputs.txt and writes the outputs to outputs.txt."""
    ports = [*design.inputs, *design.outputs]
    signals = "\n".join(f"    signal s_{p.name} : std_logic_vector({p.width - 1} downto 0);" for p in ports)
    variables = "\n".join(f"        variable v_{p.name} : std_logic_vector({p.width - 1} downto 0);" for p in ports)
    mapped = ", ".join(f"{p.name} => s_{p.name}" for p in ports)
    take = "\n".join(
        f"            read(taken, v_{p.name});\n            s_{p.name} <= v_{p.name};" for p in design.inputs
    )
    give = "\n".join(
        f"            v_{p.name} := s_{p.name};\n            write(given, v_{p.name});" for p in design.outputs
    )
    return f"""\
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;

entity {BENCH} is
end entity;

architecture simulation of {BENCH} is
    signal clock_of_bench : std_logic := '1';
{signals}
begin
    design_under_test : entity work.{design.top} port map ({design.clock} => clock_of_bench, {mapped});

    process
        file inputs : text open read_mode is "inputs.txt";
        file outputs : text open write_mode is "outputs.txt";
        variable taken, given : line;
{variables}
    begin
        while not endfile(inputs) loop
            readline(inputs, taken);
{take}
            clock_of_bench <= '0';
            wait for 1 ns;
{give}
            writeline(outputs, given);
            clock_of_bench <= '1';
            wait for 1 ns;
        end loop;
        wait;
    end process;
end architecture;
"""


def run(design: Design, inputs: Sequence[Mantissas], latency: int, progress: Progress | None) -> list[Mantissas]:
    """Outputs (events, size) for events (events, size), one a clock. Raises UnknownValueError."""
    events = inputs[0].shape[0]
    if not events:
        return [np.zeros((0, p.size), np.int64) for p in design.outputs]
    if progress:
        progress(0, events)
    padded = [np.concatenate([x, np.repeat(x[-1:], latency, axis=0)]) for x in inputs]
    bits = [b[latency:] for b in _cycles(design, padded)]
    for port, values in zip(design.outputs, bits, strict=True):
        bad = np.argwhere((values != _ZERO) & (values != _ZERO + 1))
        if bad.size:
            raise UnknownValueError(
                f"output {port.source!r} is {chr(values[tuple(bad[0])])!r} in event {int(bad[0][0])}: "
                "the VHDL gives no value there"
            )
    if progress:
        progress(events, events)
    return [_mantissas(port, values) for port, values in zip(design.outputs, bits, strict=True)]


def from_power_up(design: Design) -> Cycles:
    """Outputs in every clock cycle; bits that are not known yet are random."""

    def cycles(inputs: Sequence[Mantissas], seed: int) -> list[Mantissas]:
        rng, result = np.random.default_rng(seed), []
        for port, values in zip(design.outputs, _cycles(design, inputs), strict=True):
            known = (values == _ZERO) | (values == _ZERO + 1)
            guessed = _ZERO + rng.integers(0, 2, values.shape, dtype=np.uint8)
            result.append(_mantissas(port, np.where(known, values, guessed)))
        return result

    return cycles


def _cycles(design: Design, inputs: Sequence[Mantissas]) -> list[npt.NDArray[np.uint8]]:
    """Characters of the outputs in every clock cycle, (cycles, bits of the port), the highest bit first."""
    work = analyse(design)
    with tempfile.TemporaryDirectory(prefix=".run-", dir=work.parent) as name:
        directory = Path(name)
        columns: list[npt.NDArray[np.uint8]] = []
        for port, values in zip(design.inputs, inputs, strict=True):
            columns += [_bits(port, values), np.full((len(values), 1), ord(" "), np.uint8)]
        columns[-1][:] = ord("\n")
        (directory / "inputs.txt").write_bytes(np.concatenate(columns, axis=1).tobytes())
        command = [find_ghdl(), "--elab-run", *OPTIONS, f"--workdir={work}", BENCH, "--ieee-asserts=disable"]
        run_tool("ghdl", command, work.parent / LOG, directory=directory, append=True)
        written = np.frombuffer((directory / "outputs.txt").read_bytes(), np.uint8)
    widths = [port.width for port in design.outputs]
    lines = written.reshape(-1, sum(widths) + 1)[:, :-1]
    return np.split(lines, np.cumsum(widths)[:-1], axis=1)


def _bits(port: Port, values: Mantissas) -> npt.NDArray[np.uint8]:
    words = np.ascontiguousarray(port.pack(values.reshape(-1, *port.shape)), "<u4")
    bits = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little", count=port.width)
    return np.asarray(bits[:, ::-1] + np.uint8(_ZERO), np.uint8)


def _mantissas(port: Port, characters: npt.NDArray[np.uint8]) -> Mantissas:
    bits = np.zeros((len(characters), 32 * port.words), np.uint8)
    bits[:, : port.width] = characters[:, ::-1] - np.uint8(_ZERO)
    words = np.packbits(bits, axis=1, bitorder="little").view("<u4")
    return port.unpack(words).reshape(len(characters), port.size)
