"""Tools that fail, that do not end, that are not there."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_flows.errors import MissingToolError
from firmware_flows.synthesis import Source, SynthesisError, SynthesisSettingsError, synthesize, tools
from firmware_flows.synthesis.process import current_step, first_error, run_tool


def _python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_tool_that_does_well_leaves_its_log(tmp_path: Path) -> None:
    seconds = run_tool("Tool", _python("print('hello')"), tmp_path, tmp_path / "logs" / "tool.log", 60)
    assert seconds > 0
    assert (tmp_path / "logs" / "tool.log").read_text() == "hello\n"


def test_a_failing_tool_shows_its_first_error(tmp_path: Path) -> None:
    code = "print('0 errors so far'); print('ERROR: the first'); print('ERROR: the second'); raise SystemExit(1)"
    with pytest.raises(SynthesisError) as caught:
        run_tool("Tool", _python(code), tmp_path, tmp_path / "tool.log", 60, remedy="Do that.")
    assert caught.value.first_error == "ERROR: the first"
    assert caught.value.log == tmp_path / "tool.log"
    assert str(caught.value) == f"Tool: ERROR: the first (log: {tmp_path / 'tool.log'}). Do that."


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("a.v:3: ERROR: syntax error, unexpected end\n", "a.v:3: ERROR: syntax error, unexpected end"),
        ("Info: 0 errors\nError (12007): Top-level design entity is undefined\n", "Error (12007): Top-level"),
        ("ERROR: [Synth 8-439] module 'x' not found\n", "ERROR: [Synth 8-439] module 'x' not found"),
        ("one\nsegmentation fault\n", "ended with code 7; its last words: segmentation fault"),
        ("", "ended with code 7 and said nothing"),
    ],
)
def test_what_counts_as_the_first_error(log: str, error: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(log)
    assert first_error(tmp_path / "log", 7).startswith(error)


def test_a_tool_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    started = tmp_path / "started"
    child = tmp_path / "child.py"
    child.write_text(
        f"import pathlib, time\nfile = pathlib.Path({str(started)!r})\n"
        "file.touch()\ntime.sleep(3)\nfile.write_text('survived')\n"
    )
    code = (
        "import subprocess, sys; print('1.2. Executing ABC9 pass.', flush=True); "
        f"subprocess.run([sys.executable, {str(child)!r}])"
    )
    with pytest.raises(SynthesisError, match=r"did not end within 1 s; it was at: ABC9 pass .*--timeout"):
        run_tool("Tool", _python(code), tmp_path, tmp_path / "tool.log", 1)
    assert started.exists()
    time.sleep(2.5)
    assert started.read_text() == ""


def test_progress_tells_time_and_step(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int, str]] = []
    code = "import time; print('Preparing to run yosys. This might take a while...', flush=True); time.sleep(1.5)"
    run_tool("Yosys", _python(code), tmp_path, tmp_path / "log", 60, lambda *facts: seen.append(facts))
    assert seen
    step, gone, allowed, note = seen[0]
    assert (step, gone, allowed) == ("Yosys, seconds (at most)", 1, 60)
    assert "compiling its WebAssembly, once" in note


def test_the_current_step_is_the_last_one_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("2.1. Executing PROC pass (convert).\n\nInfo: Routing 7 arcs...\nblah\n")
    assert current_step(tmp_path / "log") == "Routing 7 arcs"
    assert current_step(tmp_path / "absent") == ""


@pytest.mark.parametrize(
    ("tool", "target", "missing"),
    [
        ("vivado", "xcvu13p-flga2577-2-e", "vivado"),
        ("quartus", "10AX115N2F45E1SG", "quartus_sh"),
        ("yosys", "xcvu13p-flga2577-2-e", "yosys"),
        ("nextpnr", "LFE5U-25F", "yosys"),
    ],
)
def test_a_missing_tool_is_named(
    tool: str, target: str, missing: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=f"^{missing} is needed") as caught:
        synthesize(replace(source, target=target), tmp_path / "out", tool=tool)
    assert caught.value.exit_code == 3


def test_settings_are_checked_before_a_tool_starts(source: Source, tmp_path: Path) -> None:
    with pytest.raises(SynthesisSettingsError, match="did you mean 'yosys'"):
        synthesize(source, tmp_path, tool="yosis")
    with pytest.raises(SynthesisSettingsError, match="did you mean 'xcup'"):
        synthesize(source, tmp_path, tool="yosys", family="xcupp")
    with pytest.raises(SynthesisSettingsError, match="no tool is known for it"):
        synthesize(replace(source, target="iCE40HX8K"), tmp_path)
    with pytest.raises(SynthesisSettingsError, match="positive number of seconds"):
        synthesize(source, tmp_path, timeout=0)
    with pytest.raises(SynthesisSettingsError, match="write the design in Verilog"):
        synthesize(replace(source, language="vhdl"), tmp_path, tool="yosys")
    with pytest.raises(SynthesisSettingsError, match="RTL, not C"):
        synthesize(source, tmp_path, tool="vitis")
    with pytest.raises(SynthesisSettingsError, match="valid names: LFE5U-25F, LFE5U-45F"):
        synthesize(source, tmp_path, tool="nextpnr", device="nothing")
    with pytest.raises(SynthesisSettingsError, match="Nexus"):
        synthesize(replace(source, target="LIFCL-40-9BG400C"), tmp_path)
