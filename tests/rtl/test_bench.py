"""The written test benches under real simulators; VHDL and Verilog agree; a flipped bit is found wherever it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rtl_programs import Net

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.errors import MissingToolError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.rtl import compiled
from firmware_flows.rtl.bench import TestbenchError as BenchError
from firmware_flows.rtl.bench import run_testbench
from firmware_flows.rtl.ports import RESERVED
from firmware_flows.rtl.timing import TimingError
from firmware_flows.rtl.verilator import find_verilator

pytestmark = pytest.mark.cpp

EVENTS = 200
NEEDS = {"iverilog": "iverilog", "ghdl": "ghdl"}


def program() -> ff.Program:
    """Two inputs, two outputs, sums, a cast, a maximum, a table: small."""
    b = Builder("two in, two out")
    b.begin_layer("a", "Input")
    a = b.input("a", (2,), FixedPoint.parse("ap_fixed<6,3,RND,SAT>"))
    b.end_layer(a)
    b.begin_layer("b", "Input")
    c = b.input("b", (3,), FixedPoint.parse("ap_ufixed<5,2,TRN,WRAP>"))
    b.end_layer(c)
    b.begin_layer("sums", "Dense", ["a"])
    sums = b.affine(a, np.array([[3, -2, 1], [1, 5, -4]]), 2, np.array([1, 0, -7]), 5)
    b.end_layer(sums)
    b.begin_layer("most", "Maximum", ["sums", "b"])
    most = b.combine("maximum", b.cast(sums, FixedPoint.parse("ap_fixed<6,3,RND_CONV,SAT>")), c)
    b.end_layer(most)
    return b.build({"most": most, "sums": sums})


def needs(simulator: str) -> None:
    if simulator == "verilator":
        try:
            find_verilator()
        except MissingToolError as error:
            pytest.skip(str(error))
    elif shutil.which(NEEDS[simulator]) is None:
        pytest.skip(f"{simulator} is not installed (Debian: apt install {simulator})")


@pytest.fixture(scope="module")
def designs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    root = tmp_path_factory.mktemp("bench")
    return {
        language: ff.rtl.write_design(
            program(), root / language, language=language, clock_mhz=400, vectors=EVENTS, top="net"
        )
        for language in ("verilog", "vhdl")
    }


@contextmanager
def changed(file: Path, change: Callable[[str], str]) -> Iterator[None]:
    """The file with another text, for as long as the block lasts."""
    good = file.read_text()
    assert change(good) != good
    file.write_text(change(good))
    try:
        yield
    finally:
        file.write_text(good)


def flip_line(number: int) -> Callable[[str], str]:
    """Invert the lowest bit of a line of hexadecimal digits."""

    def change(text: str) -> str:
        lines = text.splitlines()
        lines[number] = lines[number][:-1] + f"{int(lines[number][-1], 16) ^ 1:x}"
        return "\n".join(lines) + "\n"

    return change


def flip_bit(text: str) -> str:
    """Invert the lowest bit of the port `most` in the top module."""
    text = text.replace("= core_output[14:0];", "= core_output[14:0] ^ 15'h1;")
    return text.replace("<= core_output(14 downto 0);", '<= core_output(14 downto 0) xor "000000000000001";')


@pytest.mark.parametrize(
    ("language", "simulator"), [("verilog", "verilator"), ("verilog", "iverilog"), ("vhdl", "ghdl")]
)
def test_the_bench_passes_and_a_flipped_bit_in_vectors_or_design_fails(
    language: str, simulator: Any, designs: dict[str, Any]
) -> None:
    needs(simulator)
    design = designs[language]
    assert run_testbench(design, simulator) == EVENTS
    vectors, top = design.directory / "testbench", design.directory / design.sources[-1]
    with changed(vectors / "inputs.hex", flip_line(50)), changed(vectors / "outputs.hex", flip_line(150)):
        with pytest.raises(
            BenchError, match="FAIL: 2 of 200 events differ, the first is event 50; event 50, port"
        ) as caught:
            run_testbench(design, simulator)
        assert caught.value.exit_code == 1
    with changed(top, flip_bit), pytest.raises(BenchError, match="FAIL: 200 of 200 events differ"):
        run_testbench(design, simulator)


def test_the_same_design_written_again_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command `rtl` compiled anew whenever it was called."""
    needs("verilator")
    design = ff.rtl.write_design(program(), tmp_path / "d", vectors=EVENTS)
    library = design.compile()
    monkeypatch.setattr(compiled, "_build", lambda *a: pytest.fail("compiled again"))
    again = ff.rtl.write_design(program(), tmp_path / "d", vectors=EVENTS)
    assert again.compile() == library


def test_vhdl_and_verilog_agree_in_bits_and_timing(designs: dict[str, Any]) -> None:
    needs("ghdl")
    needs("verilator")
    rng = np.random.default_rng(5)
    a, b = rng.uniform(-5, 5, (400, 2)).astype(np.float32), rng.uniform(0, 4, (400, 3)).astype(np.float32)
    verilog, vhdl = designs["verilog"], designs["vhdl"]
    assert verilog.latency_cycles == vhdl.latency_cycles == verilog.pipeline_depth > 2
    assert verilog.initiation_interval == vhdl.initiation_interval == 1
    expected = ff.emulate(program(), [a, b], raw=True)
    for one, other, wanted in zip(
        verilog.simulate([a, b], raw=True), vhdl.simulate([a, b], raw=True), expected, strict=True
    ):
        assert np.array_equal(one, other)
        assert np.array_equal(one, wanted)


def test_a_register_less_than_stated_is_found_by_measuring_and_by_the_bench(designs: dict[str, Any]) -> None:
    needs("verilator")
    needs("iverilog")
    design = designs["verilog"]
    core = design.directory / "src" / "net_core.v"
    skip: Any = lambda text: re.sub(r"assign (INTERNAL_logic3_inp.*) = .*;", r"assign \1 = INTERNAL_logic2_outp;", text)  # noqa: E731
    with changed(core, skip):
        stated = design.pipeline_depth
        with pytest.raises(TimingError, match=f"{stated - 1} clock cycles were measured .* states {stated}"):
            _ = replace(design).latency_cycles
        with pytest.raises(BenchError, match="FAIL"):
            run_testbench(design, "iverilog")


@pytest.mark.parametrize(("language", "simulator"), [("verilog", "iverilog"), ("vhdl", "ghdl")])
def test_ports_named_as_what_stands_in_the_top_module(language: Any, simulator: Any, tmp_path: Path) -> None:
    """An input "core_input" was declared twice."""
    needs(simulator)
    net = Net("core")
    inputs = [net.input(word, (), FixedPoint(4, 2)) for word in RESERVED]
    design = ff.rtl.write_design(net.build(*inputs[::-1]), tmp_path / "d", language=language, vectors=EVENTS)
    assert run_testbench(design, simulator) == EVENTS
