"""Running a tool: its output in a log, its time limited, its first error told."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_flows.synthesis.errors import SynthesisError

Progress = Callable[[str, int, int, str], None]
"""Called as progress(step, seconds gone, seconds allowed, what the tool is doing)."""

_POLL = 0.05
_PROGRESS_INTERVAL = 1.0
_TAIL = 4096

_ERRORS = (
    re.compile(r"^.*?:\d+: ERROR: .+$"),  # Yosys, in a source file
    re.compile(r"^(?:ERROR|Error|error|FATAL|Fatal)\b.+$"),
    re.compile(r"^.*?\b(?:[Ee]rror|ERROR)\b ?(?:\(\d+\))?:.+$"),  # Quartus: "Error (12007): ...", compilers
)
_NOT_ERRORS = re.compile(r"\b(?:0|no) errors\b", re.IGNORECASE)

_STEPS = (
    re.compile(r"^\d+(?:\.\d+)*\. (?:Executing |)(.+?)\.?$"),  # Yosys
    re.compile(r"^Info: ((?:Pack|Plac|Rout|Annotat|Creating|Running|Promot).+?)\.*$"),  # nextpnr
    re.compile(r"^(?:Starting|Running|Start) (.+)$"),  # Vivado
)
_COMPILING = re.compile(r"^Preparing to run \S+\. This might take a while")


def run_tool(
    tool: str,
    command: Sequence[str],
    directory: Path,
    log: Path,
    timeout: float,
    progress: Progress | None = None,
    remedy: str = "",
) -> float:
    """Run a command in `directory`; returns the seconds it took.

    Standard output and error go to `log`. The command and everything it started end when the time is over, or when
    this process is interrupted. Raises SynthesisError with the first error of the log.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("wb") as stream:
        try:
            process = subprocess.Popen(
                list(command),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
                start_new_session=True,
            )
        except OSError as error:
            raise SynthesisError(
                tool, f"{command[0]} cannot be started: {error}", None, "Check its installation."
            ) from None
        try:
            _wait(tool, process, log, started, timeout, progress)
        except BaseException:
            _end(process)
            raise
    if process.returncode:
        raise SynthesisError(tool, first_error(log, process.returncode), log, remedy or "The log tells more.")
    return time.monotonic() - started


def _wait(
    tool: str, process: subprocess.Popen[bytes], log: Path, started: float, timeout: float, progress: Progress | None
) -> None:
    told = started
    while process.poll() is None:
        now = time.monotonic()
        if now - started > timeout:
            doing = current_step(log)
            raise SynthesisError(
                tool,
                f"did not end within {timeout:g} s{'; it was at: ' + doing if doing else ''}",
                log,
                "Allow it more time (--timeout), or give it a smaller network.",
            )
        if progress and now - told >= _PROGRESS_INTERVAL:
            told = now
            progress(f"{tool}, seconds (at most)", int(now - started), max(int(timeout), 1), current_step(log))
        time.sleep(_POLL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children: it leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def first_error(log: Path, code: int) -> str:
    """The first line of a log that tells of an error; else its last line, else how the process ended."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    for pattern in _ERRORS:
        for line in lines:
            if pattern.match(line) and not _NOT_ERRORS.search(line):
                return line
    ended = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{ended}; its last words: {lines[-1]}" if lines else f"{ended} and said nothing"


def current_step(log: Path) -> str:
    """What the tool was doing when it wrote last, or ""."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    for line in reversed(lines):
        if _COMPILING.match(line):
            return "compiling its WebAssembly, once for this version (about a minute)"
        for pattern in _STEPS:
            found = pattern.match(line.strip())
            if found:
                return found.group(1)[:60]
    return ""
