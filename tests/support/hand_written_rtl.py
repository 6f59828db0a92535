"""A small design written by hand, in Verilog and VHDL: y = W x + bias, with registers behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.rtl import Design
from firmware_flows.rtl.design import Language
from firmware_flows.rtl.ports import Port, ports_of

WEIGHTS = np.array([[3, -2], [0, 5], [-7, 1]])
BIAS = np.array([4, -9])


def small_program(weights: Any = WEIGHTS) -> Program:
    """x (3,) of 7 bits -> y (2,)."""
    b = Builder("by hand")
    b.begin_layer("x", "Input")
    x = b.input("x", (3,), FixedPoint.parse("ap_fixed<7,4,RND,SAT>"))
    b.end_layer(x)
    b.begin_layer("dense", "Dense", ["x"])
    y = b.affine(x, np.asarray(weights), 0, BIAS, 3)
    b.end_layer(y, arrays={"weight": np.asarray(weights), "bias": BIAS})
    return b.build({"double": y})


def write(
    directory: Path, *, stages: int = 3, stated: int | None = None, flip: bool = False, language: Language = "verilog"
) -> Design:
    """The design with so many registers between input and output.

    stated: the depth that it claims, if not the truth; flip: the lowest bit of y[1] is wrong where x[0] is 5.
    """
    program = small_program()
    inputs, outputs = ports_of(program)
    directory.mkdir(parents=True, exist_ok=True)
    source = Path("by_hand.v" if language == "verilog" else "by_hand.vhd")
    text = _verilog if language == "verilog" else _vhdl
    (directory / source).write_text(text(inputs[0].name, outputs[0], stages, flip))
    design = Design(
        directory=directory, program=program, language=language, top="by_hand", sources=(source,),
        inputs=inputs, outputs=outputs, target="none", clock_mhz=200.0, clock="clock",
        pipeline_depth=stages if stated is None else stated, cost=0.0, register_bits=0, longest_path=0.0,
    )  # fmt: skip
    design.save()
    return design


def _verilog(x: str, y: Port, stages: int, flip: bool) -> str:
    width, total = y.type.width, y.width
    lines = [f"wire signed [31:0] x{i} = $signed({x}[{7 * i + 6}:{7 * i}]);" for i in range(3)]
    for j, (column, offset) in enumerate(zip(WEIGHTS.T, BIAS, strict=True)):
        terms = " + ".join(f"({w}) * x{i}" for i, w in enumerate(column))
        wrong = f" ^ (x0 == 5 ? {int(flip and j == 1)} : 0)"
        lines.append(f"wire signed [31:0] y{j} = ({terms} + ({offset})){wrong};")
    sums = ", ".join(f"y{j}[{width - 1}:0]" for j in (1, 0))
    lines.append(f"wire [{total - 1}:0] stage0 = {{{sums}}};")
    for k in range(stages):
        lines.append(f"reg [{total - 1}:0] stage{k + 1}; always @(posedge clock) stage{k + 1} <= stage{k};")
    lines.append(f"assign {y.name} = stage{stages};")
    ports = f"input clock, input [20:0] {x}, output [{total - 1}:0] {y.name}"
    return f"module by_hand ({ports});\n" + "\n".join(lines) + "\nendmodule\n"


def _vhdl(x: str, y: Port, stages: int, flip: bool) -> str:
    width, total = y.type.width, y.width
    sums = []
    for column, offset in zip(WEIGHTS.T, BIAS, strict=True):
        terms = " + ".join(f"({w}) * to_integer(signed({x}({7 * i + 6} downto {7 * i})))" for i, w in enumerate(column))
        sums.append(f"std_logic_vector(to_signed({terms} + ({offset}), {width}))")
    # adding one flips the lowest bit where it is 0
    wrong = f"{x}(6 downto 0) = std_logic_vector(to_signed({5 if flip else -64}, 7)) and {str(flip).lower()}"
    return f"""
library ieee; use ieee.std_logic_1164.all; use ieee.numeric_std.all;
entity by_hand is
    port (clock : in std_logic; {x} : in std_logic_vector(20 downto 0);
          {y.name} : out std_logic_vector({total - 1} downto 0));
end entity;
architecture rtl of by_hand is
    type chain is array (0 to {stages}) of std_logic_vector({total - 1} downto 0);
    signal stage : chain;
begin
    process (all)
        variable sums : std_logic_vector({total - 1} downto 0);
    begin
        sums := {sums[1]} & {sums[0]};
        if {wrong} then
            sums({width}) := not sums({width});
        end if;
        stage(0) <= sums;
    end process;
    shift : for k in 1 to {stages} generate
        stage(k) <= stage(k - 1) when rising_edge(clock);
    end generate;
    {y.name} <= stage({stages});
end architecture;
"""
