"""The C++ test benches pass on what is right, and fail on one flipped bit of a vector or of a weight."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

import firmware_flows as ff
from benchmarks.networks import dense_network
from firmware_flows.handoff.bench import emulator_bench, hls_bench
from firmware_flows.handoff.cpp import header_text
from firmware_flows.handoff.golden import golden_vectors, write_hex
from firmware_flows.hls.compiler import includes

pytestmark = pytest.mark.cpp


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both benches compiled, and vectors, in one directory."""
    directory = tmp_path_factory.mktemp("benches")
    program = dense_network("bench", (6, 8, 3))
    write_hex(golden_vectors(program, random_events=100), directory)
    (directory / "emulator.hpp").write_text(header_text(program))
    (directory / "emulator.cpp").write_text(emulator_bench(program, "emulator.hpp"))
    project = ff.hls.write_project(program, directory / "hls")
    (directory / "hls.cpp").write_text(hls_bench(program, "hls/simulation/simulation.cpp"))
    flags = ["-std=c++17", "-O1", "-pthread", "-w", *includes(project.directory)]
    weights = f'-DWEIGHTS_DIR="{project.directory / "firmware/weights"}"'
    for name, more in (("emulator", ["-Wall", "-Werror"]), ("hls", [weights])):
        subprocess.run(["g++", *flags, *more, f"{name}.cpp", "-o", f"{name}_bench"], cwd=directory, check=True)
    return directory


def _run(directory: Path, form: str) -> subprocess.CompletedProcess[str]:
    files = [str(p) for side in ("inputs", "outputs") for p in sorted(directory.glob(f"{side}_*.hex"))]
    return subprocess.run([f"./{form}_bench", *files], cwd=directory, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("form", ["emulator", "hls"])
def test_the_right_bits_pass(benches: Path, form: str) -> None:
    done = _run(benches, form)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.fullmatch(r"PASS .*: \d+ events, every bit as expected\n", done.stdout)


@pytest.mark.parametrize("form", ["emulator", "hls"])
def test_one_flipped_bit_of_a_vector_fails(benches: Path, form: str) -> None:
    (path,) = benches.glob("outputs_*.hex")
    text = path.read_text()
    lines = text.splitlines()
    lines[70] = lines[70][:-1] + f"{int(lines[70][-1], 16) ^ 1:x}"
    path.write_text("\n".join(lines) + "\n")
    try:
        done = _run(benches, form)
        assert done.returncode == 1
        assert re.search(r"FAIL .*: event 70, output \w+, element 0: mantissa -?\d+ found, -?\d+ expected", done.stdout)
        path.write_text("\n".join(lines[:-1]) + "\n")
        assert "another number of events" in _run(benches, form).stderr
        path.write_text(text[:-3])
        assert "hexadecimal digits" in _run(benches, form).stderr
    finally:
        path.write_text(text)


def test_one_flipped_bit_of_a_weight_fails(benches: Path) -> None:
    """Weights of the HLS project are read when the bench starts."""
    path = sorted((benches / "hls/firmware/weights").glob("w*.txt"))[0]
    text = path.read_text()
    numbers = text.split(",")
    numbers[0] = str(-float(numbers[0]) if float(numbers[0]) else 0.5)
    path.write_text(",".join(numbers))
    try:
        done = _run(benches, "hls")
        assert done.returncode == 1
        assert done.stdout.startswith("FAIL HLS C++: event")
    finally:
        path.write_text(text)
