"""A test bench that any simulator runs: reads vectors from plain hexadecimal files, streams them, compares every bit.

One event a clock. It prints PASS; or what differs in the first event that does, and FAIL, and then ends the simulation
with an error ($fatal; severity failure), so that a script sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.emulator import emulate
from firmware_flows.program import Program
from firmware_flows.rtl.design import Language
from firmware_flows.rtl.ports import Mantissas, Port
from firmware_flows.stimulus import adversarial_stimuli, random_stimulus

DIRECTORY = "testbench"


@dataclass(frozen=True, eq=False)
class Vectors:
    """Mantissas of every input and output port, (events, *shape)."""

    inputs: tuple[Mantissas, ...]
    outputs: tuple[Mantissas, ...]

    @property
    def events(self) -> int:
        return int(self.inputs[0].shape[0])


def make_vectors(program: Program, events: int, seed: int) -> Vectors:
    """At most half adversarial events, evenly taken from those that verification uses, the rest random."""
    built = list(adversarial_stimuli(program, seed).values())
    joined = [np.concatenate([stimulus[k] for stimulus in built]) for k in range(len(program.inputs))]
    if len(joined[0]) > events // 2:
        chosen = np.unique(np.linspace(0, len(joined[0]) - 1, max(1, events // 2)).astype(int))
        joined = [j[chosen] for j in joined]
    missing = max(1, events - len(joined[0]))
    more = list(random_stimulus(program, missing, seed))
    joined = [np.concatenate([j, *(chunk[k] for chunk in more)]) for k, j in enumerate(joined)]
    inputs = tuple(np.asarray(p.type.quantize(x), dtype=np.int64) for p, x in zip(program.inputs, joined, strict=True))
    outputs: Any = emulate(program, joined[0] if len(joined) == 1 else joined, raw=True)
    return Vectors(inputs, outputs if isinstance(outputs, tuple) else (outputs,))


def hex_lines(ports: Sequence[Port], mantissas: Sequence[Mantissas]) -> str:
    """One event a line: the ports' words side by side, the first port in the lowest bits."""
    width = sum(port.width for port in ports)
    digits = -(-width // 4)
    rows: list[npt.NDArray[np.uint8]] = []
    for port, values in zip(ports, mantissas, strict=True):
        words = np.ascontiguousarray(port.pack(values), dtype="<u4").view(np.uint8)
        rows.append(np.unpackbits(words, axis=1, bitorder="little", count=port.width))
    packed = np.packbits(np.concatenate(rows, axis=1), axis=1, bitorder="little")
    lines = [row[::-1].tobytes().hex()[-digits:].rjust(digits, "0") for row in packed]
    return "\n".join(lines) + "\n"


def testbench_text(
    language: Language, top: str, ports: tuple[tuple[Port, ...], tuple[Port, ...]], depth: int, events: int,
    clock_mhz: float,
) -> str:  # fmt: skip
    """The test bench in SystemVerilog or VHDL-2008, module `<top>_testbench`."""
    write = _verilog if language == "verilog" else _vhdl
    return write(top, ports, depth, events, 1e3 / clock_mhz)


def _places(ports: Sequence[Port]) -> list[tuple[Port, int]]:
    """Every port with its lowest bit in the joined word."""
    places, position = [], 0
    for port in ports:
        places.append((port, position))
        position += port.width
    return places


_VERILOG = """// Streams {events} events through {top} and compares every bit. Run in the design's directory, or give
// +vectors=DIRECTORY. Ends with $fatal at a difference.
`timescale 1 ns / 1 ps

module {top}_testbench;
    localparam EVENTS = {events};
    localparam DEPTH = {depth};  // clock edges from an input to its output

    reg clk = 1'b0;
    reg [{in_high}:0] stimulus [0:EVENTS-1];
    reg [{out_high}:0] expected [0:EVENTS-1];
    reg [{in_high}:0] in_word;
    wire [{out_high}:0] out_word;
    string directory;
    integer cycle, differing, first;

    {top} device (
        .clk(clk),
{connections}
    );

    always #({half}) clk = ~clk;

    initial begin
        if (!$value$plusargs("vectors=%s", directory)) directory = "{directory}";
        $readmemh({{directory, "/inputs.hex"}}, stimulus);
        $readmemh({{directory, "/outputs.hex"}}, expected);
        if (^expected[EVENTS-1] === 1'bx || ^stimulus[EVENTS-1] === 1'bx) begin
            $display("FAIL: no vectors in %s", directory);
            $fatal(1);
        end
        differing = 0;
        first = -1;
        in_word = stimulus[0];
        for (cycle = 0; cycle < EVENTS + DEPTH; cycle = cycle + 1) begin
            @(negedge clk);
            if (cycle >= DEPTH && out_word !== expected[cycle - DEPTH]) begin
                differing = differing + 1;
                if (first < 0) begin
                    first = cycle - DEPTH;
{reports}                end
            end
            if (cycle < EVENTS) in_word = stimulus[cycle];
        end
        if (differing != 0) begin
            $display("FAIL: %0d of %0d events differ, the first is event %0d", differing, EVENTS, first);
            $fatal(1);
        end
        $display("PASS: %0d events, all bits equal", EVENTS);
        $finish;
    end
endmodule
"""


def _verilog(top: str, ports: tuple[tuple[Port, ...], tuple[Port, ...]], depth: int, events: int, period: float) -> str:
    inputs, outputs = _places(ports[0]), _places(ports[1])
    connections = [f"        .{p.name}(in_word[{at} +: {p.width}])" for p, at in inputs]
    connections += [f"        .{p.name}(out_word[{at} +: {p.width}])" for p, at in outputs]
    indent = " " * 20
    reports = "".join(
        f"{indent}if (out_word[{at} +: {p.width}] !== expected[first][{at} +: {p.width}])\n"
        f'{indent}    $display("event %0d, port {p.name}: wanted %h, got %h", first,\n'
        f"{indent}        expected[first][{at} +: {p.width}], out_word[{at} +: {p.width}]);\n"
        for p, at in outputs
    )
    return _VERILOG.format(
        top=top, events=events, depth=depth, half=f"{period / 2:.3f}", directory=DIRECTORY,
        in_high=sum(p.width for p in ports[0]) - 1, out_high=sum(p.width for p in ports[1]) - 1,
        connections=",\n".join(connections), reports=reports,
    )  # fmt: skip


_VHDL = """-- Streams {events} events through {top} and compares every bit. Run in the design's directory, or set the
-- generic `vectors`. Ends with severity failure at a difference. VHDL-2008.
library ieee;
use ieee.std_logic_1164.all;
use std.textio.all;
use std.env.all;

entity {top}_testbench is
    generic (vectors: string := "{directory}");
end entity {top}_testbench;

architecture test of {top}_testbench is
    constant events: natural := {events};
    constant depth: natural := {depth};  -- clock edges from an input to its output
    signal clk: std_logic := '0';
    signal running: boolean := true;
    signal in_word: std_logic_vector({in_high} downto 0) := (others => '0');
    signal out_word: std_logic_vector({out_high} downto 0);
begin
    device: entity work.{top}
        port map (
            clk => clk,
{connections}
        );

    clk <= not clk after {half} ns when running else '0';

    process
        file stimulus: text;
        file expected: text;
        variable row: line;
        variable given: std_logic_vector({in_padded} downto 0);
        variable wanted: std_logic_vector({out_padded} downto 0);
        variable differing: natural := 0;
        variable first: integer := -1;
    begin
        file_open(stimulus, vectors & "/inputs.hex", read_mode);
        file_open(expected, vectors & "/outputs.hex", read_mode);
        for cycle in 0 to events + depth - 1 loop
            wait until falling_edge(clk);
            if cycle >= depth then
                readline(expected, row);
                hread(row, wanted);
                if out_word /= wanted({out_high} downto 0) then
                    differing := differing + 1;
                    if first < 0 then
                        first := cycle - depth;
{reports}                    end if;
                end if;
            end if;
            if cycle < events then
                readline(stimulus, row);
                hread(row, given);
                in_word <= given({in_high} downto 0);
            end if;
        end loop;
        running <= false;
        if differing /= 0 then
            report "FAIL: " & integer'image(differing) & " of " & integer'image(events)
                & " events differ, the first is event " & integer'image(first) severity failure;
        end if;
        report "PASS: " & integer'image(events) & " events, all bits equal" severity note;
        finish;
    end process;
end architecture test;
"""


def _vhdl(top: str, ports: tuple[tuple[Port, ...], tuple[Port, ...]], depth: int, events: int, period: float) -> str:
    inputs, outputs = _places(ports[0]), _places(ports[1])
    connections = [f"            {p.name} => in_word({at + p.width - 1} downto {at})" for p, at in inputs]
    connections += [f"            {p.name} => out_word({at + p.width - 1} downto {at})" for p, at in outputs]
    indent = " " * 24
    reports = "".join(
        f"{indent}if out_word({at + p.width - 1} downto {at}) /= wanted({at + p.width - 1} downto {at}) then\n"
        f'{indent}    report "event " & integer\'image(first) & ", port {p.name}: wanted "\n'
        f'{indent}        & to_hstring(wanted({at + p.width - 1} downto {at})) & ", got "\n'
        f"{indent}        & to_hstring(out_word({at + p.width - 1} downto {at})) severity note;\n"
        f"{indent}end if;\n"
        for p, at in outputs
    )
    in_width, out_width = sum(p.width for p in ports[0]), sum(p.width for p in ports[1])
    return _VHDL.format(
        top=top, events=events, depth=depth, half=f"{period / 2:.3f}", directory=DIRECTORY,
        in_high=in_width - 1, out_high=out_width - 1, in_padded=-(-in_width // 4) * 4 - 1,
        out_padded=-(-out_width // 4) * 4 - 1, connections=",\n".join(connections), reports=reports,
    )  # fmt: skip
