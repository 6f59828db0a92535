"""A bundle needs bash, coreutils and g++: it passes whole, and says what was changed when one bit was."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import uuid
from pathlib import Path

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.cli.main import run
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.handoff.archive import extract_archive, write_archive
from firmware_flows.handoff.bundle import from_program, read_manifest, write_bundle
from firmware_flows.handoff.bundle.copies import copy_project
from firmware_flows.handoff.golden import golden_vectors
from firmware_flows.handoff.patterns import channels_to_events, read_apx, read_empv1, read_empv2
from firmware_flows.program import Program

TOOLS = ("bash", "g++", "as", "ld", "sha256sum", "mktemp", "rm", "head", "dirname")
"""bash, g++ with its binutils, coreutils."""


@pytest.fixture(scope="session")
def bare_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with nothing else on it: no Python, no make, no awk."""
    directory = tmp_path_factory.mktemp("bin")
    for tool in TOOLS:
        found = shutil.which(tool)
        assert found is not None, tool
        (directory / tool).symlink_to(found)
    return str(directory)


@pytest.fixture
def unpacked(pristine: Path, tmp_path: Path) -> Path:
    archive = write_archive(pristine, tmp_path / "bundle.tar.gz")
    empty = tmp_path / "an empty directory"
    empty.mkdir()
    return extract_archive(archive, empty)


def run_check(root: Path, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    bash = shutil.which("bash")
    assert bash is not None
    return subprocess.run(
        [bash, str(root / "CHECK.sh"), *arguments],
        capture_output=True,
        text=True,
        env={"PATH": path},
        cwd="/",
        check=False,
    )


def resign(root: Path) -> None:
    """Checksums of what is there now, as someone would who changes a file and covers it up."""
    lines = []
    for line in (root / "SHA256SUMS").read_text().splitlines():
        name = line.partition("  ")[2]
        lines.append(f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}")
    (root / "SHA256SUMS").write_text("\n".join(lines) + "\n")


def flip_weight(path: Path) -> None:
    """The lowest bit (2**-5) of the first weight that is not zero."""
    numbers = path.read_text().split(",")
    k = next(k for k, n in enumerate(numbers) if float(n))
    numbers[k] = repr(float(numbers[k]) - 2**-5 if float(numbers[k]) > 0 else float(numbers[k]) + 2**-5)
    path.write_text(",".join(numbers))


def flip_vector(path: Path, line: int) -> None:
    lines = path.read_text().splitlines()
    lines[line] = lines[line][:-1] + f"{int(lines[line][-1], 16) ^ 1:x}"
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.cpp
def test_it_passes_with_nothing_but_bash_coreutils_and_gpp(unpacked: Path, bare_path: str) -> None:
    before = sorted(p for p in unpacked.rglob("*"))
    done = run_check(unpacked, bare_path)
    assert done.returncode == 0, done.stdout + done.stderr
    events = len((unpacked / "vectors/inputs_x.hex").read_text().splitlines())
    assert events > 1000
    for form in ("emulator header", "tagger_v0", "HLS C\\+\\+"):
        assert re.search(rf"^PASS {form}: {events} events, every bit as expected$", done.stdout, re.MULTILINE)
    assert "PASS HLS weights: 57 numbers, equal in headers and text files" in done.stdout
    assert done.stdout.endswith("\nPASSED\n")
    assert sorted(p for p in unpacked.rglob("*")) == before


@pytest.mark.cpp
def test_one_bit_of_a_weight_of_a_vector_of_a_file(unpacked: Path, bare_path: str) -> None:
    """Each is named by its checksum; a weight and a vector by the event and output that they change, too."""
    weight = unpacked / "hls/firmware/weights/w2.txt"
    text = weight.read_bytes()
    flip_weight(weight)
    done = run_check(unpacked, bare_path)
    assert done.returncode == 1
    assert "FAIL checksum: hls/firmware/weights/w2.txt is not the file that was handed off" in done.stdout
    assert re.search(r"^FAIL HLS C\+\+: event \d+, output y, element \d+: mantissa", done.stdout, re.MULTILINE)
    assert "PASS emulator header" in done.stdout
    weight.write_bytes(text)

    vector = unpacked / "vectors/outputs_y.hex"
    text = vector.read_bytes()
    flip_vector(vector, 123)
    done = run_check(unpacked, bare_path)
    assert done.returncode == 1
    assert "FAIL checksum: vectors/outputs_y.hex is not" in done.stdout
    assert "FAIL emulator header: event 123, output y, element 0: mantissa" in done.stdout
    assert "FAIL HLS C++: event 123, output y, element 0: mantissa" in done.stdout
    vector.write_bytes(text)

    page = unpacked / "interface/rtl.md"
    content = bytearray(page.read_bytes())
    content[100] ^= 1
    page.write_bytes(bytes(content))
    (unpacked / "lock.json").unlink()
    (unpacked / "hls/ap_fixed.h").write_text("#define evil")
    (unpacked / "hls/a_prj").mkdir()
    (unpacked / "hls/a_prj/ap_fixed.h").touch()
    done = run_check(unpacked, bare_path, "--checksums")
    assert done.returncode == 1
    assert "FAIL checksum: interface/rtl.md is not the file that was handed off" in done.stdout
    assert "FAIL checksum: lock.json is missing" in done.stdout
    assert "FAIL checksum: hls/ap_fixed.h is no file of this bundle" in done.stdout
    assert "FAILED: 3 checks" in done.stdout


@pytest.mark.cpp
def test_changed_bits_are_found_though_all_checksums_were_renewed(unpacked: Path, bare_path: str) -> None:
    """The emulator's header, the CMSSW emulator, weights that C simulation reads, weights that synthesis reads."""
    headers = [*unpacked.glob("emulator/*.hpp"), *unpacked.glob("cmssw/*/*/*.hpp")]
    assert len(headers) == 2
    for header in headers:
        text = re.sub(
            r"(bias_1\[\d+\] = \{)(-?)(\d+)", lambda m: f"{m[1]}{m[2]}{int(m[3]) ^ 1}", header.read_text(), count=1
        )
        assert text != header.read_text()
        header.write_text(text)
    flip_weight(unpacked / "hls/firmware/weights/b2.txt")
    header = unpacked / "hls/firmware/weights/b4.h"
    text = re.sub(r"(b4\[3\] = \{)(-?[\d.]+)", lambda m: f"{m[1]}{float(m[2]) + 2**-5!r}", header.read_text())
    assert text != header.read_text()
    header.write_text(text)
    resign(unpacked)
    done = run_check(unpacked, bare_path)
    assert done.returncode == 1, done.stdout
    assert "PASS checksums" in done.stdout
    for name in ("b2", "b4"):
        assert f"FAIL HLS weights: hls/firmware/weights/{name}.h, element 0: " in done.stdout
    for form in ("emulator header", "tagger_v0", "HLS C\\+\\+"):
        assert re.search(rf"^FAIL {form}: event \d+, output", done.stdout, re.MULTILINE), (form, done.stdout)
    assert "FAILED: 4 checks" in done.stdout


def test_a_missing_compiler_ends_with_3(unpacked: Path, bare_path: str, tmp_path: Path) -> None:
    poor = tmp_path / "bin"
    shutil.copytree(bare_path, poor, symlinks=True)
    (poor / "g++").unlink()
    done = run_check(unpacked, str(poor))
    assert (done.returncode, done.stderr) == (3, "ERROR: g++ is needed and was not found\n")
    assert run_check(unpacked, str(poor), "--checksums").returncode == 0
    assert run_check(unpacked, str(poor), "--checksum").returncode == 2


@pytest.mark.cpp
def test_a_shortened_list_of_checksums_and_code_that_does_not_compile(unpacked: Path, bare_path: str) -> None:
    sums = unpacked / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if "emulator_bench" not in line))
    content = sums.read_bytes()
    sums.write_bytes(content.replace(b"  ", b" \0", 1))
    assert "FAIL checksum: line 1 of SHA256SUMS is damaged" in run_check(unpacked, bare_path, "--checksums").stdout
    sums.write_bytes(content)
    for bench in unpacked.glob("benches/*.cpp"):
        bench.write_text("#error no\n")
    shutil.rmtree(unpacked / "cmssw")
    done = run_check(unpacked, bare_path)
    assert done.returncode == 1
    assert f"FAIL checksum: SHA256SUMS names {len(lines) - 1} files, and there were {len(lines)}" in done.stdout
    assert "FAIL emulator header: does not compile: " in done.stdout
    assert "FAIL CMSSW emulator: does not compile: " in done.stdout


def several_ports() -> Program:
    """Three inputs, of which the first is read by no layer and the others in the opposite order; two outputs."""
    b = Builder("ports")
    values = {}
    for name, size in (("spare", 2), ("a", 3), ("b", 2)):
        b.begin_layer(name, "Input")
        values[name] = b.input(name, (size,), FixedPoint.parse("ap_fixed<5,3,AP_RND,AP_SAT>"))
        b.end_layer(values[name], attributes={"shape": [size]})
    outputs = {}
    for name, n_in, n_out in (("b", 2, 1), ("a", 3, 2)):
        weights, bias = np.arange(n_in * n_out).reshape(n_in, n_out) - 2, np.arange(n_out)  # below 10: printed exactly
        b.begin_layer(f"dense_{name}", "Dense", [name])
        y = outputs[f"of_{name}"] = b.affine(values[name], weights, 2, bias, 2)
        t = FixedPoint(5, 3)
        b.end_layer(
            y,
            types={"weight": t, "bias": t, "accum": b.type_of(y)},
            attributes={"positions": 1, "n_in": n_in, "n_out": n_out},
            arrays={"weight": weights, "bias": bias},
        )
    return b.build(outputs)


@pytest.mark.cpp
def test_several_ports_and_one_that_nobody_reads(tmp_path: Path) -> None:
    program = several_ports()
    project = ff.hls.write_project(program, tmp_path / "hls")
    root = write_bundle(from_program(program, project, None), tmp_path / "bundle", random_events=100)
    done = run_check(root, os.environ["PATH"])
    assert done.returncode == 0, done.stdout
    assert done.stdout.count("every bit as expected") == 3
    # the bench for the vendors' simulation, with a C++ as old as theirs
    hls = root / "hls/firmware"
    flags = ["-std=c++11", "-O1", "-w", f"-I{hls / 'ap_types'}", f'-DWEIGHTS_DIR="{hls / "weights"}"']
    sources = [str(root / "benches/hls_top_bench.cpp"), str(hls / "firmware.cpp"), "-o", str(tmp_path / "top")]
    subprocess.run(["g++", *flags, *sources], check=True)
    top = subprocess.run([str(tmp_path / "top")], cwd=root / "vectors", capture_output=True, text=True, check=True)
    assert top.stdout.startswith("PASS HLS top function: ")
    flip_vector(root / "vectors/outputs_of_a.hex", 5)
    top = subprocess.run([str(tmp_path / "top")], cwd=root / "vectors", capture_output=True, text=True, check=False)
    assert (top.returncode, top.stdout[:43]) == (1, "FAIL HLS top function: event 5, output of_a")
    interface = json.loads((root / "interface/hls.json").read_text())
    assert {p["source"] for p in interface["ports"] if p["role"] == "data"} == {"a", "b", "of_a", "of_b"}
    assert interface["remarks"] == ["Input 'spare' has no port: no layer reads it."]
    # hls4ml's own test bench reads what it is given, and prints the right numbers
    flags = ["-std=c++17", "-O0", "-w", "-Ifirmware/ap_types", '-DWEIGHTS_DIR="firmware/weights"']
    sources = ["firmware_test.cpp", "firmware/firmware.cpp", "-o", "test"]
    subprocess.run(["g++", *flags, *sources], cwd=root / "hls", check=True)
    subprocess.run(["./test"], cwd=root / "hls", check=True, capture_output=True)
    wanted = (root / "hls/tb_data/tb_output_predictions.dat").read_text().split()
    found = (root / "hls/tb_data/csim_results.log").read_text().split()
    assert found == [f"{float(v):g}" for v in wanted]


def test_equal_inputs_give_equal_bytes(small_program: Program, pristine: Path, tmp_path: Path) -> None:
    """Forms written again, elsewhere and later, are the same bundle; no path of this machine is in it."""
    elsewhere = tmp_path / "so far away that lines of YAML with this name in them are folded"
    elsewhere.mkdir()
    project = ff.hls.write_project(small_program, elsewhere / "other hls", clock_mhz=360)
    design = ff.rtl.write_design(small_program, elsewhere / "other rtl", vectors=50)
    (project.directory / "simulation" / "libabc.so").write_text("left by a compiler")
    (project.directory / "firmware_prj").mkdir()
    (project.directory / "firmware_prj" / "vitis.log").write_text("left by a tool")
    again = write_bundle(from_program(small_program, project, design), tmp_path / "bundle", random_events=50)
    assert write_archive(again, tmp_path / "a.tar.gz").read_bytes() == (
        write_archive(pristine, tmp_path / "b.tar.gz").read_bytes()
    )
    for path in (p for p in again.rglob("*") if p.is_file()):
        assert str(tmp_path).encode() not in path.read_bytes(), path


@pytest.mark.parametrize("backend", ["Vitis", "oneAPI"])
def test_the_stamp_that_hls4ml_draws_leaves_no_trace(
    backend: str, small_program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of digits alone, which YAML quotes (every 43rd is), and one of digits and letters."""
    contents = []
    for stamp in ("12345678", "0ab1cdef"):
        monkeypatch.setattr(uuid, "uuid4", lambda drawn=stamp: f"00000000-0000-4000-8000-0000{drawn}")
        project = ff.hls.write_project(small_program, tmp_path / stamp, backend=backend)
        assert stamp in (project.directory / "hls4ml_config.yml").read_text()
        copy = tmp_path / f"copy {stamp}"
        copy_project(project, copy, golden_vectors(small_program, random_events=1))
        contents.append({p.relative_to(copy): p.read_bytes() for p in copy.rglob("*") if p.is_file()})
    one, other = contents
    assert {str(name) for name in one.keys() | other.keys() if one.get(name) != other.get(name)} == set()
    assert not any(b"12345678" in content for content in one.values())


def test_the_manifest_names_every_file_and_what_it_was_made_from(pristine: Path, small_program: Program) -> None:
    manifest = read_manifest(pristine)
    present = {p.relative_to(pristine).as_posix() for p in pristine.rglob("*") if p.is_file()}
    assert set(manifest["files"]) == present - {"manifest.json", "SHA256SUMS"}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((pristine / name).read_bytes()).hexdigest() == digest
    assert manifest["program"]["sha256"] == small_program.digest
    assert manifest["vectors"]["seed"] == 1
    assert manifest["provenance"]["versions"]["numpy"]
    assert manifest["forms"]["rtl"]["versions"]["alkaid"]
    assert os.access(pristine / "CHECK.sh", os.X_OK)


def test_the_patterns_hold_the_golden_words(pristine: Path) -> None:
    chosen = [int(k) for k in (pristine / "patterns/events.txt").read_text().split()]
    assert len(chosen) == 72
    for side, port in (("inputs", "x"), ("outputs", "y")):
        lines = (pristine / f"vectors/{side}_{port}.hex").read_text().splitlines()
        wanted = [int(lines[k], 16) for k in chosen]
        for name, read in (("empv1", read_empv1), ("empv2", read_empv2), ("apx", read_apx)):
            files = sorted((pristine / "patterns" / name).glob(f"{side}_*.txt"))
            words = [row for file in files for row in channels_to_events(read(file.read_text())).tolist()]
            assert [sum(w << (64 * k) for k, w in enumerate(row)) for row in words] == wanted


def test_tb_data_lie_where_hls4mls_test_bench_reads_them(pristine: Path) -> None:
    test = (pristine / "hls/firmware_test.cpp").read_text()
    for name in re.findall(r'ifstream \w+\("([^"]+)"\)', test):
        assert len((pristine / "hls" / name).read_text().splitlines()) > 1000


def test_a_bundle_replaces_a_bundle_and_nothing_else(small_program: Program, tmp_path: Path) -> None:
    source = from_program(small_program, None, None)
    place = tmp_path / "bundle"
    place.mkdir()
    (place / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds something else than a bundle"):
        write_bundle(source, place, random_events=1)
    assert [p.name for p in place.iterdir()] == ["thesis.tex"]
    assert [p.name for p in tmp_path.iterdir()] == ["bundle"]
    (place / "thesis.tex").unlink()
    write_bundle(source, place, random_events=1)
    first = json.loads((place / "manifest.json").read_text())
    write_bundle(source, place, random_events=2)
    assert json.loads((place / "manifest.json").read_text())["vectors"] != first["vectors"]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog runs the HDL test bench")
def test_the_hdl_test_bench_runs_from_the_bundle_and_fails_on_a_bit(pristine: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(pristine / "rtl", tmp_path / "rtl"))
    command = re.search(r"iverilog -g2012.*", (root / "README.txt").read_text())
    assert command is not None

    def simulate() -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", command[0]], cwd=root, capture_output=True, text=True, check=False)

    done = simulate()
    assert (done.returncode, "PASS: 50 events, all bits equal" in done.stdout) == (0, True)
    flip_vector(root / "testbench/outputs.hex", 17)
    done = simulate()
    assert done.returncode != 0
    assert "FAIL: 1 of 50 events differ, the first is event 17" in done.stdout
    assert ff.rtl.Design.load(pristine / "rtl").inputs[0].name == "x"


def test_a_program_file_is_enough_on_the_command_line(
    small_program: Program, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(small_program.save(tmp_path / "net.ffp"))
    place = tmp_path / "bundle"
    options = ["--random-events", "10", "--no-verify", "--clock-mhz", "320", "--language", "vhdl", "--io", "stream"]
    options += ["--strategy", "resource", "--reuse-factor", "2"]
    assert run(["handoff", path, "-o", str(place), *options, "--archive", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["archive"]["sha256"] == hashlib.sha256((tmp_path / "bundle.tar.gz").read_bytes()).hexdigest()
    manifest = read_manifest(place)
    assert manifest["forms"]["rtl"]["language"] == "vhdl"
    assert manifest["forms"]["hls"]["clock_period"] == 3.125
    assert manifest["forms"]["hls"]["strategy"] == "resource"
    assert manifest["forms"]["hls"]["reuse_factor"]["dense_1"] == 2
    assert (place / "interface/rtl.xml").read_text().count(
        ">vhdlSource<"
    ) > 3  # of the standard of 2014, which names no 2008
    assert run(["handoff", path, "-o", str(place), "--run-dir", "x"]) == 2
    assert run(["handoff", "net.yaml", "-o", str(place), "--no-rtl"]) == 2
    assert run(["handoff", path, "-o", str(place), "--no-hls", "--reuse-factor", "2"]) == 2


TCL = """
set calls {}
foreach name {open_project set_top add_files open_solution config_array_partition config_compile set_part
              config_schedule create_clock set_clock_uncertainty csim_design csynth_design cosim_design
              export_design} {
    proc $name args "lappend ::calls \\[concat $name \\$args\\]"
}
proc exit args {}
"""


def test_the_script_for_hls_runs_and_finds_its_files(
    pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under an interpreter of Tcl, with the commands of the vendor's tool replaced by a record of their calls."""
    tkinter = pytest.importorskip("tkinter", reason="its Tcl interpreter runs the script")
    root = tmp_path / "bundle"
    shutil.copytree(pristine, root)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HLS_COSIM", "0")
    tcl = tkinter.Tcl()
    tcl.eval(TCL)
    tcl.eval(f"source {{{root / 'scripts/hls.tcl'}}}")
    calls = [tcl.splitlist(call) for call in tcl.splitlist(tcl.eval("set calls"))]
    names = [call[0] for call in calls]
    assert names[:2] == ["open_project", "set_top"]
    assert names[-3:] == ["csim_design", "csynth_design", "export_design"]
    assert ("set_part", "xcvu13p-flga2577-2-e") in calls
    added = [a for call in calls if call[0] == "add_files" for a in call[1:] if a.startswith("/")]
    assert len(added) == 5
    assert all(Path(a).exists() for a in added)
    assert Path(tcl.eval("pwd")) == root / "build_hls"
