"""Running a tool: its output goes to a log that stays, its first error into the exception."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_flows.errors import FirmwareFlowsError

TIMEOUT_SECONDS = 3600.0
"""Of one run of a tool, unless another is given."""

_LATE = "timeout"
_PATIENCE = 0.1
"""Seconds between two looks whether a run is cancelled."""

_ERROR = re.compile(r"^%Error|\berror\b\s*:|\bfatal\b|^\S+:\d+:\d+: (?!warning|note|required)", re.IGNORECASE)
_EMPTY_ERROR = re.compile(r"^%Error: Exiting due to")


class ToolFailedError(FirmwareFlowsError):
    """A tool ended with an error, or took longer than it may: which, its first error line, where its log is."""

    def __init__(self, tool: str, reason: str, log: Path) -> None:
        self.tool = tool
        self.reason = reason
        self.log = log
        super().__init__(f"{tool}: {reason} (log: {log})")


def run_logged(
    tool: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout: float = TIMEOUT_SECONDS,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    cancelled: threading.Event | None = None,
) -> str:
    """Run a command, append it and its output to `log`, return the output (standard error included).

    `environment` is added to this process' own. Another thread may end the run by setting `cancelled`. Raises
    ToolFailedError naming `tool` when the command ends with an error, or is not done after `timeout` seconds; it and
    what it started are then ended.
    """
    words = [str(word) for word in command]
    started = time.monotonic()
    with subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        cwd=directory,
        start_new_session=True,
    ) as process:
        try:
            output, reason = _output(process, started + timeout, cancelled)
        except BaseException:
            _end(process)
            raise
    if reason:
        _append(log, words, output, f"ended: {reason}")
        text = f"not done after {timeout:g} s, so it was ended" if reason == _LATE else reason
        raise ToolFailedError(tool, text, log)
    _append(log, words, output, f"exit code {process.returncode}, {time.monotonic() - started:.1f} s")
    if process.returncode:
        raise ToolFailedError(tool, first_error(output) or f"ended with exit code {process.returncode}", log)
    return output


def _output(process: subprocess.Popen[str], until: float, cancelled: threading.Event | None) -> tuple[str, str]:
    """What the process says until its end, and why it was ended before that ("": it was not)."""
    reason = ""
    while True:
        try:
            return process.communicate(timeout=max(0.0, min(_PATIENCE, until - time.monotonic())))[0], reason
        except subprocess.TimeoutExpired:
            if reason:
                continue
            if time.monotonic() >= until:
                reason = _LATE
            elif cancelled is not None and cancelled.is_set():
                reason = "another file failed, or the user interrupted"
            if reason:
                _end(process)
                until = float("inf")


def first_error(output: str) -> str:
    """The first line that is an error; where none is, the last line that says something."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if _ERROR.search(line) and not _EMPTY_ERROR.match(line):
            return line
    return lines[-1] if lines else ""


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and those that it started: they are a session of their own."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _append(log: Path, words: Sequence[str], output: str, end: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"$ {shlex.join(words)}\n{output.rstrip()}\n[{end}]\n\n")
