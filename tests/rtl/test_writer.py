"""A design on disk: what is written, that it is written again alike, and that its test bench can fail."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from rtl_programs import Net

from firmware_flows.emulator import emulate
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.rtl import Design, DesignError, RtlCheckError, RtlError, RtlSettingsError, write_design, writer
from firmware_flows.rtl.design import Language
from firmware_flows.rtl.tracing import Logic

LANGUAGES: tuple[Language, ...] = ("verilog", "vhdl")


def network(name: str = "two ports") -> Program:
    """Two inputs of which one is partly dead, two outputs of which one is partly constant, a table, a product."""
    rng = np.random.default_rng(3)
    net = Net(name)
    x = net.input("in", (3, 2), FixedPoint(7, 3, True, "RND", "SAT"))
    z = net.input("signal", (2,), FixedPoint(5, 2, False, "RND", "SAT"))
    y = net.affine(x, rng.integers(-15, 16, (2, 3)), 3, [5, -3, 1], 4)
    y = net.cast(y, FixedPoint(6, 3, True, "RND_CONV", "SAT"))
    y = net.reduce("sum", net.table(y, rng.integers(-99, 99, (3, 64)), 4), 0)
    part = net.rearrange([z], [0, -1, 0], 9)
    return net.build(net.combine("multiply", y, part), net.rearrange([y, part], [0, 1, 2, 4, 3]), net.argmax(y))


@pytest.fixture(scope="module", params=LANGUAGES)
def design(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Design:
    directory = tmp_path_factory.mktemp("the designs") / request.param  # the space is meant
    return write_design(network(), directory, language=request.param, clock_mhz=300, vectors=200)


def content(directory: Path) -> dict[str, bytes]:
    return {str(f.relative_to(directory)): f.read_bytes() for f in sorted(directory.rglob("*")) if f.is_file()}


def test_everything_is_there(design: Design) -> None:
    assert design.top == "two_ports"
    assert [p.name for p in design.inputs] == ["in_port", "signal_port"]
    assert [p.name for p in design.outputs] == ["out0", "out1", "out2"]
    assert design.sources[-1].stem == design.top
    bench = f"testbench/two_ports_testbench.{'sv' if design.language == 'verilog' else 'vhd'}"
    names = set(content(design.directory))
    assert {bench, "testbench/inputs.hex", "testbench/outputs.hex", "constraints/two_ports.xdc", "program.ffp",
            "constraints/two_ports.sdc", "scripts/vivado_project.tcl", "scripts/vivado_out_of_context.tcl",
            "scripts/quartus.tcl", "README.txt", "design.json", "logic.json.gz"} <= names  # fmt: skip
    assert len((design.directory / "testbench/inputs.hex").read_text().splitlines()) == 200
    assert "create_clock -name clk -period 3.333 " in (design.directory / "constraints/two_ports.xdc").read_text()


def test_every_module_bears_the_name_of_the_design(design: Design) -> None:
    assert all(s.stem.startswith("two_ports") for s in design.sources)


def test_a_design_is_opened_again(design: Design) -> None:
    again = Design.load(design.directory)
    assert again.to_json() == design.to_json()
    assert again.program.digest == design.program.digest


def test_the_same_again_gives_the_same_bytes(design: Design, tmp_path: Path) -> None:
    other = write_design(
        network(), tmp_path / "other", language=design.language, clock_mhz=300, vectors=200, cache=tmp_path / "cache"
    )
    assert content(other.directory) == content(design.directory)
    before = list((tmp_path / "cache").iterdir())
    assert len(before) == 1
    again = write_design(
        network(), tmp_path / "again", language=design.language, clock_mhz=300, vectors=200, cache=tmp_path / "cache"
    )
    assert content(again.directory) == content(design.directory)


def simulate(design: Design, directory: Path) -> subprocess.CompletedProcess[str]:
    """The test bench, by whatever simulator of the language is here, as README.txt says."""
    name = f"{design.top}_testbench"
    if design.language == "verilog":
        program = directory / "sim.vvp"
        build = ["iverilog", "-g2012", "-Wall", "-s", name, "-o", str(program), *map(str, design.sources)]
        build += [f"testbench/{name}.sv"]
        run = ["vvp", "-n", str(program)]
    else:
        work = f"--workdir={directory}"
        build = ["ghdl", "-a", "--std=08", work, *map(str, design.sources), f"testbench/{name}.vhd"]
        run = ["ghdl", "-r", "--std=08", work, name]
    if shutil.which(build[0]) is None:
        pytest.skip(f"{build[0]} is not installed")
    subprocess.run(build, cwd=design.directory, check=True, capture_output=True)
    return subprocess.run(run, cwd=design.directory, check=False, capture_output=True, text=True)


def test_the_test_bench_passes_and_fails(design: Design, tmp_path: Path) -> None:
    done = simulate(design, tmp_path)
    assert "PASS: 200 events, all bits equal" in done.stdout + done.stderr
    assert done.returncode == 0
    expected = design.directory / "testbench" / "outputs.hex"
    right = expected.read_text()
    lines = right.splitlines()
    lines[123] = lines[123][:-1] + format(int(lines[123][-1], 16) ^ 1, "x")
    expected.write_text("\n".join(lines) + "\n")
    try:
        done = simulate(design, tmp_path)
    finally:
        expected.write_text(right)
    said = done.stdout + done.stderr
    assert "FAIL: 1 of 200 events differ, the first is event 123" in said
    assert re.search(r"event 123, port out0: wanted [0-9a-fA-F]+, got [0-9a-fA-F]+", said)
    assert "port out1" not in said
    assert done.returncode != 0


def test_without_vectors_the_test_bench_fails(design: Design, tmp_path: Path) -> None:
    vectors = design.directory / "testbench" / "inputs.hex"
    kept = vectors.read_text()
    vectors.unlink()
    try:
        assert simulate(design, tmp_path).returncode != 0
    finally:
        vectors.write_text(kept)


def test_scripts_are_complete_tcl(design: Design) -> None:
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed")
    scripts = [*design.directory.glob("scripts/*.tcl"), *design.directory.glob("constraints/*")]
    check = "foreach f $argv { set c [open $f]; if {![info complete [read $c]]} { puts $f; exit 1 } }"
    done = subprocess.run(["tclsh", "-", *map(str, scripts)], input=check, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


TOOL = """
rename file real_file
proc file {what args} { if {$what ne "mkdir"} { return [real_file $what {*}$args] } }
proc cd {directory} {}
proc unknown {command args} {
    puts [list $command {*}$args]
    set last [lindex $args end]
    if {$command in {read_verilog read_vhdl read_xdc add_files}} { foreach file $last { puts "file $file" } }
    if {$command eq "set_global_assignment" && [regexp {_FILE$} [lindex $args 1]]} { puts "file $last" }
}
"""
"""In the tools' place: says what is called, and the files: Vivado takes lists of them, Quartus one."""


@pytest.mark.parametrize("script", ["vivado_out_of_context", "vivado_project", "quartus"])
def test_scripts_hand_every_file_to_the_tool_though_its_path_has_spaces(design: Design, script: str) -> None:
    if shutil.which("tclsh") is None:
        pytest.skip("tclsh is not installed")
    code = f"{TOOL}\nset argv {{}}\nsource {{{design.directory / 'scripts' / script}.tcl}}\n"
    done = subprocess.run(["tclsh"], input=code, capture_output=True, text=True, check=True)
    assert not done.stderr
    files = {line.removeprefix("file ") for line in done.stdout.splitlines() if line.startswith("file ")}
    bench = f"testbench/{design.top}_testbench.{'sv' if design.language == 'verilog' else 'vhd'}"
    wanted = [*design.sources, f"constraints/{design.top}.{'sdc' if script == 'quartus' else 'xdc'}"]
    assert files == {str(design.directory / f) for f in [*wanted, *([bench] if script == "vivado_project" else [])]}
    if script == "vivado_project":
        standard = "set_property file_type {VHDL 2008}"
        assert (standard in done.stdout) == (design.language == "vhdl")
        assert design.language == "verilog" or done.stdout.index(bench) < done.stdout.index(standard)
        assert f"vectors={design.directory}/testbench" in done.stdout


def test_another_clock_takes_the_traced_logic_from_the_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_design(network(), tmp_path / "d", clock_mhz=100, vectors=20)
    monkeypatch.setattr(writer, "trace", lambda *a: pytest.fail("traced again"))
    second = write_design(network(), tmp_path / "d", clock_mhz=400, language="vhdl", vectors=20)
    assert second.pipeline_depth > first.pipeline_depth
    assert not list(second.directory.glob("src/*.v"))
    assert [p.name for p in tmp_path.iterdir()] == ["d"]


def test_what_cannot_be_traced_is_refused_before_tracing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "trace", lambda *a: pytest.fail("traced"))
    net = Net()
    x = net.input("x", (4,), FixedPoint(30, 10))
    with pytest.raises(RtlError, match="layer 'layer1', affine: a number of 55 bits"):
        write_design(net.build(net.affine(x, np.full((4, 1), 2**24 - 1), 0)), tmp_path / "d")
    assert not list(tmp_path.iterdir())


def test_logic_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> Logic:
        logic = original(*arguments)  # type: ignore[arg-type]
        swapped = (logic.outputs[1], logic.outputs[0], *logic.outputs[2:])
        return Logic(logic.combinational, swapped)

    original = writer.trace
    monkeypatch.setattr(writer, "trace", broken)
    with pytest.raises(RtlCheckError, match="output 'out0', element"):
        write_design(network(), tmp_path / "d", vectors=50)
    assert not list(tmp_path.iterdir())


def test_the_vectors_are_the_programs(design: Design) -> None:
    lines = (design.directory / "testbench" / "outputs.hex").read_text().split()
    given = (design.directory / "testbench" / "inputs.hex").read_text().split()
    number, x = int(lines[17], 16), int(given[17], 16)
    events = []
    for port in design.inputs:
        bits = [(x >> f.offset) & ((1 << f.width) - 1) for f in port.fields]
        signed = [
            b - (port.type.signed and b >> f.width - 1) * 2**f.width for b, f in zip(bits, port.fields, strict=True)
        ]
        events.append(port.type.to_float(np.array(signed).reshape(1, *port.shape)).astype(np.float32))
        x >>= port.width
    wanted = emulate(design.program, events, raw=True)
    for port, outputs in zip(design.outputs, wanted, strict=True):
        bits = [(number >> f.offset) & ((1 << f.width) - 1) for f in port.fields]
        assert bits == [int(v) & ((1 << port.type.width) - 1) for v in outputs.reshape(-1)]
        number >>= port.width


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"language": "chisel"}, "language"),
        ({"clock_mhz": 0}, "clock_mhz"),
        ({"top": "a__b"}, "top"),
        ({"top": "module"}, "top"),
        ({"target": "omtf-phase2"}, "target"),
        ({"vectors": 1}, "vectors"),
    ],
)
def test_settings_are_checked(settings: dict[str, object], field: str, tmp_path: Path) -> None:
    with pytest.raises(RtlSettingsError) as caught:
        write_design(network(), tmp_path / "d", **settings)  # type: ignore[arg-type]
    assert caught.value.field == field


def test_other_directories_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RtlSettingsError, match="something else than a design"):
        write_design(network(), tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_damaged_design_is_refused(tmp_path: Path) -> None:
    design = write_design(network(), tmp_path / "d", vectors=20)
    (design.directory / design.sources[0]).unlink()
    with pytest.raises(DesignError, match="is missing: write the design again"):
        Design.load(design.directory)
    network("another").save(design.directory / "program.ffp")
    with pytest.raises(DesignError, match="is not an RTL design"):
        Design.load(tmp_path)
