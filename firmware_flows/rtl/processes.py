"""Running a tool: its output goes to a log that stays, its first error into the exception."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from firmware_flows.errors import FirmwareFlowsError

TIMEOUT_SECONDS = 3600.0
"""Of one run of a tool, unless another is given."""

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
) -> str:
    """Run a command, append it and its output to `log`, return the output (standard error included).

    `environment` is added to this process' own. Raises ToolFailedError naming `tool` when the command ends with an
    error, or is not done after `timeout` seconds; it and what it started are then ended.
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
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            _end(process)
            output, _ = process.communicate()
            _append(log, words, output, f"ended after {timeout:g} s")
            raise ToolFailedError(tool, f"not done after {timeout:g} s, so it was ended", log) from None
        except BaseException:
            _end(process)
            raise
    _append(log, words, output, f"exit code {process.returncode}, {time.monotonic() - started:.1f} s")
    if process.returncode:
        raise ToolFailedError(tool, first_error(output) or f"ended with exit code {process.returncode}", log)
    return output


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
