"""The HDL files of a design: alkaid's logic and registers under our names, and the top module with the Program's ports.

Every module's name begins with that of the top module, so that several networks fit into one firmware.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from firmware_flows.rtl.alkaid_library import reproducible
from firmware_flows.rtl.design import Language
from firmware_flows.rtl.errors import RtlError
from firmware_flows.rtl.pipeline import Pipeline
from firmware_flows.rtl.ports import Port

SUFFIX: dict[Language, str] = {"verilog": ".v", "vhdl": ".vhd"}

PRIMITIVES = ("binop", "multiplier", "mux", "negative", "shift_adder", "ternary_adder")
"""alkaid's parametrised modules."""


@dataclass(frozen=True)
class Slice:
    """`width` bits of an output port from bit `at` on: from bit `source` of the core, repeated from there where
    `repeat`; or `constant` where source is -1."""

    at: int
    width: int
    source: int
    repeat: bool = False
    constant: int = 0


def hdl_files(
    pipeline: Pipeline,
    outputs: Sequence[int | Fraction],
    ports: tuple[tuple[Port, ...], tuple[Port, ...]],
    top: str,
    language: Language,
) -> dict[Path, str]:
    """Path relative to the design -> text, in the order of compilation."""
    machine = pipeline.machine
    ((inner_inputs,), (inner_outputs,)) = machine.inp_signals, machine.out_signals
    core = f"{top}_core"
    with reproducible():
        texts = _core_files(machine, core, language)
    suffix = SUFFIX[language]
    renamed = {_renamed(name, top): _renamed(text, top) for name, text in texts.items()}
    primitives = {_renamed(name, top) for name in PRIMITIVES}
    used = {word for name in renamed.keys() - primitives for word in _words(renamed[name]) if word in primitives}
    order = sorted(renamed, key=lambda name: (_rank(name, top), _natural(name)))
    files = {Path("src") / f"{name}{suffix}": renamed[name] for name in order if name not in primitives or name in used}
    picked = _input_slices(ports[0], inner_inputs.precisions)
    given = _output_slices(ports[1], outputs, inner_outputs.precisions)
    widths = (inner_inputs.width, inner_outputs.width)
    write = _verilog_top if language == "verilog" else _vhdl_top
    files[Path("src") / f"{top}{suffix}"] = write(top, core, ports, picked, given, widths)
    return files


def _core_files(machine: Any, core: str, language: Language) -> dict[str, str]:
    import alkaid.codegen.rtl as rtl

    source = Path(rtl.__file__).parent / language / "source"
    texts = {name: (source / f"{name}{SUFFIX[language]}").read_text() for name in PRIMITIVES}
    if language == "verilog":
        from alkaid.codegen.rtl.verilog.fsm import fsm_logic_gen
    else:
        from alkaid.codegen.rtl.vhdl.fsm import fsm_logic_gen
    return {**texts, **fsm_logic_gen(machine, core)}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def _rank(name: str, top: str) -> int:
    if name.removeprefix(f"{top}_") in PRIMITIVES:
        return 0
    return {f"{top}_core_tables": 1, f"{top}_core": 3}.get(name, 2)


def _natural(name: str) -> tuple[int, str]:
    digits = re.findall(r"\d+$", name)
    return (int(digits[0]) if digits else 0, name)


def _renamed(text: str, top: str) -> str:
    """alkaid's module names with the top module's in front."""
    text = re.sub(r"\blogic(\d+)\b", rf"{top}_stage\1", text)
    text = re.sub(r"\b_?inst_logic(\d+)\b", r"stage\1", text)
    text = re.sub(r"\btable_([0-9a-f]{8}_[0-9a-f_]{27})\b", rf"{top}_table_\1", text)
    return re.sub(rf"\b({'|'.join(PRIMITIVES)})\b", rf"{top}_\1", text)


# ---- where the core's bits come from and go to


def _input_slices(ports: Sequence[Port], precisions: Any) -> list[tuple[str, int, int]]:
    """(port, lowest bit, width) for the bits of the core's input, from its lowest on; neighbours joined."""
    picked: list[tuple[str, int, int]] = []
    elements = [(port, f) for port in ports for f in port.fields]
    for (port, f), precision in zip(elements, precisions, strict=True):
        width = int(precision.signed) + precision.integers + precision.fractional
        if width <= 0:  # nothing depends on it
            continue
        low = f.offset + f.fractional - precision.fractional
        if low < f.offset or low + width > f.offset + f.width:
            raise RtlError(port.source, "input", "alkaid has given it bits outside its type", "Report this")
        if picked and picked[-1][0] == port.name and picked[-1][1] + picked[-1][2] == low:
            picked[-1] = (port.name, picked[-1][1], picked[-1][2] + width)
        else:
            picked.append((port.name, low, width))
    return picked


def _output_slices(ports: Sequence[Port], outputs: Sequence[int | Fraction], precisions: Any) -> dict[str, list[Slice]]:
    """For every output port its slices, from the lowest bit on."""
    starts, position = [], 0
    for precision in precisions:
        starts.append(position)
        position += int(precision.signed) + precision.integers + precision.fractional
    given: dict[str, list[Slice]] = {}
    remaining = iter(outputs)
    for port in ports:
        slices = given.setdefault(port.name, [])
        for f in port.fields:
            output = next(remaining)
            if isinstance(output, Fraction):
                mantissa = int(output * Fraction(2) ** f.fractional) & ((1 << f.width) - 1)
                slices.append(Slice(f.offset, f.width, -1, constant=mantissa))
                continue
            precision, start = precisions[output], starts[output]
            width = int(precision.signed) + precision.integers + precision.fractional
            zeros = f.fractional - precision.fractional
            above = f.width - zeros - width
            if width <= 0 or zeros < 0 or above < 0 or (above == 0 and bool(precision.signed) and not f.signed):
                raise RtlError(port.source, "output", f"alkaid's {precision} does not fit {port.type}", "Report this")
            if zeros:
                slices.append(Slice(f.offset, zeros, -1))
            slices.append(Slice(f.offset + zeros, width, start))
            if above and precision.signed:
                slices.append(Slice(f.offset + zeros + width, above, start + width - 1, repeat=True))
            elif above:
                slices.append(Slice(f.offset + zeros + width, above, -1))
    return {name: _joined(slices) for name, slices in given.items()}


def _joined(slices: list[Slice]) -> list[Slice]:
    joined: list[Slice] = []
    for s in slices:
        last = joined[-1] if joined else None
        plain = last is not None and not (s.repeat or last.repeat or s.source < 0 or last.source < 0)
        if last is not None and plain and last.source + last.width == s.source:
            joined[-1] = Slice(last.at, last.width + s.width, last.source)
        else:
            joined.append(s)
    return joined


# ---- the top module

_Ports = tuple[tuple[Port, ...], tuple[Port, ...]]


def _describe(port: Port, comment: str) -> str:
    shape = "x".join(map(str, port.shape)) or "scalar"
    return f"{comment} {port.name}: {port.source!r}, {shape} of {port.type}, element 0 in the lowest bits"


def _verilog_top(
    top: str, core: str, ports: _Ports, picked: list[tuple[str, int, int]], given: dict[str, list[Slice]],
    widths: tuple[int, int],
) -> str:  # fmt: skip
    lines = [_describe(port, "//") for port in (*ports[0], *ports[1])]
    lines += ["`timescale 1 ns / 1 ps", "", f"module {top} (", "    input wire clk,"]
    lines += ["    // verilator lint_off UNUSEDSIGNAL"]
    lines += [f"    input wire [{p.width - 1}:0] {p.name}," for p in ports[0]]
    lines += ["    // verilator lint_on UNUSEDSIGNAL"]
    lines += [f"    output wire [{p.width - 1}:0] {p.name}," for p in ports[1]]
    lines[-1] = lines[-1].removesuffix(",")
    lines += [");", "", f"    wire [{widths[0] - 1}:0] core_input;", f"    wire [{widths[1] - 1}:0] core_output;", ""]
    position = 0
    for name, low, width in picked:
        lines.append(f"    assign core_input[{position + width - 1}:{position}] = {name}[{low + width - 1}:{low}];")
        position += width
    lines += ["", f"    {core} core (.clk(clk), .model_inp(core_input), .model_out(core_output));", ""]
    for name, slices in given.items():
        for s in slices:
            if s.source < 0:
                value = f"{s.width}'h{s.constant:x}"
            elif s.repeat:
                value = f"{{{s.width}{{core_output[{s.source}]}}}}"
            else:
                value = f"core_output[{s.source + s.width - 1}:{s.source}]"
            lines.append(f"    assign {name}[{s.at + s.width - 1}:{s.at}] = {value};")
    return "\n".join([*lines, "", "endmodule", ""])


def _vhdl_top(
    top: str, core: str, ports: _Ports, picked: list[tuple[str, int, int]], given: dict[str, list[Slice]],
    widths: tuple[int, int],
) -> str:  # fmt: skip
    lines = [_describe(port, "--") for port in (*ports[0], *ports[1])]
    declared = ["clk: in std_logic"]
    declared += [f"{p.name}: in std_logic_vector({p.width - 1} downto 0)" for p in ports[0]]
    declared += [f"{p.name}: out std_logic_vector({p.width - 1} downto 0)" for p in ports[1]]
    lines += ["library ieee;", "use ieee.std_logic_1164.all;", "", f"entity {top} is", "    port ("]
    lines += [f"        {d};" for d in declared]
    lines[-1] = lines[-1].removesuffix(";")
    lines += ["    );", f"end entity {top};", "", f"architecture rtl of {top} is"]
    lines += [f"    signal core_input: std_logic_vector({widths[0] - 1} downto 0);"]
    lines += [f"    signal core_output: std_logic_vector({widths[1] - 1} downto 0);", "begin"]
    position = 0
    for name, low, width in picked:
        lines.append(
            f"    core_input({position + width - 1} downto {position}) <= {name}({low + width - 1} downto {low});"
        )
        position += width
    lines += [f"    core: entity work.{core} port map(clk => clk, model_inp => core_input, model_out => core_output);"]
    for name, slices in given.items():
        for s in slices:
            if s.source < 0:
                value = f'"{s.constant:0{s.width}b}"'
            elif s.repeat:
                value = f"(others => core_output({s.source}))"
            else:
                value = f"core_output({s.source + s.width - 1} downto {s.source})"
            lines.append(f"    {name}({s.at + s.width - 1} downto {s.at}) <= {value};")
    return "\n".join([*lines, "end architecture rtl;", ""])
