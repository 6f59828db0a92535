"""Tools that do well, that fail, that do not end: what their logs and the errors say, and that nothing goes on."""

from __future__ import annotations

import re
import sys
import threading
import time
from pathlib import Path

import pytest
from processes_of_tests import ended

from firmware_flows.processes import ToolFailedError, current_step, first_error, run_tool


def _python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_a_tool_that_does_well_leaves_its_log(tmp_path: Path) -> None:
    seconds = run_tool("Tool", _python("print('hello')"), tmp_path / "logs" / "tool.log")
    assert seconds > 0
    log = (tmp_path / "logs" / "tool.log").read_text()
    assert re.fullmatch(r"\$ \S+ -c .*\nhello\n\[exit code 0, \d+\.\d s\]\n\n", log)


def test_a_failing_tool_shows_its_first_error(tmp_path: Path) -> None:
    code = "print('0 errors so far'); print('ERROR: the first'); print('ERROR: the second'); raise SystemExit(1)"
    with pytest.raises(ToolFailedError) as caught:
        run_tool("Tool", _python(code), tmp_path / "tool.log", remedy="Do that.")
    assert caught.value.reason == "ERROR: the first"
    assert caught.value.log == tmp_path / "tool.log"
    assert str(caught.value) == f"Tool: ERROR: the first (log: {tmp_path / 'tool.log'}). Do that."


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("a.v:3: ERROR: syntax error, unexpected end\n", "a.v:3: ERROR: syntax error, unexpected end"),
        ("Info: 0 errors\nError (12007): Top-level design entity is undefined\n", "Error (12007): Top-level"),
        ("ERROR: [Synth 8-439] module 'x' not found\n", "ERROR: [Synth 8-439] module 'x' not found"),
        ("%Warning: x\n%Error: Exiting due to 1 warning(s)\n%Error: a.v:2:1: y\n", "%Error: a.v:2:1: y"),
        (
            "In file included from a.h:1,\n  from a.cpp:3:\na.cpp:3:1: warning: w\na.cpp:4:1: error: e\n",
            "a.cpp:4:1: error",
        ),
        ('x.vhd:8:3:warning: w\nx.vhd:9:3: no declaration for "y"\n', "x.vhd:9:3: no declaration"),
        ("one\nsegmentation fault\n", "ended with code 7; its last words: segmentation fault"),
        ("", "ended with code 7 and said nothing"),
    ],
)
def test_what_counts_as_the_first_error(log: str, error: str) -> None:
    assert first_error(log, 7).startswith(error)


def test_a_tool_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    child = tmp_path / "child"
    script = f"sleep 60 & echo $! > {child}; echo '1.2. Executing ABC9 pass.'; wait"
    with pytest.raises(ToolFailedError, match=r"did not end within 1 s; it was at: ABC9 pass .*--timeout"):
        run_tool("Tool", ["/bin/sh", "-c", script], tmp_path / "tool.log", timeout=1)
    assert ended(int(child.read_text()))


def test_progress_tells_time_and_step(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int, str]] = []
    code = "import time; print('Preparing to run yosys. This might take a while...', flush=True); time.sleep(1.5)"
    run_tool("Yosys", _python(code), tmp_path / "log", timeout=60, progress=lambda *facts: seen.append(facts))
    assert seen
    step, gone, allowed, note = seen[0]
    assert (step, gone, allowed) == ("Yosys, seconds (at most)", 1, 60)
    assert "compiling its WebAssembly, once" in note


def test_the_current_step_is_the_last_one_told(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("2.1. Executing PROC pass (convert).\n\nInfo: Routing 7 arcs...\nblah\n")
    assert current_step(tmp_path / "log") == "Routing 7 arcs"
    assert current_step(tmp_path / "absent") == ""


def test_a_log_that_goes_on_keeps_what_it_holds_and_tells_the_error_of_the_last_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for number in (1, 2):
        code = f"print('error: number {number}'); raise SystemExit(1)"
        with pytest.raises(ToolFailedError, match=f"Tool: error: number {number} "):
            run_tool("Tool", _python(code), log, append=True)
    assert log.read_text().count("[exit code 1, ") == 2


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolFailedError, match=r"Tool: /nowhere/tool cannot be started: .*Check its installation"):
        run_tool("Tool", ["/nowhere/tool"], tmp_path / "log")


def test_a_run_can_be_cancelled_from_another_thread(tmp_path: Path) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    begun = time.monotonic()
    with pytest.raises(ToolFailedError, match="sleep: ended, since another one failed or the user interrupted"):
        run_tool("sleep", ["/bin/sh", "-c", "sleep 60"], tmp_path / "log", cancelled=cancelled)
    assert time.monotonic() - begun < 20
