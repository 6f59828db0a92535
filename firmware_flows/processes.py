"""Running a tool: its output in a log that stays, its time limited, its first error told, nothing of it left behind."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from firmware_flows.errors import FirmwareFlowsError

Progress = Callable[[str, int, int, str], None]
"""Called as progress(step, seconds gone, seconds allowed, what the tool is doing)."""

TIMEOUT_SECONDS = 3600.0
"""Of one run of a tool, unless another is given."""

_POLL = 0.05
_PROGRESS_INTERVAL = 1.0
_TAIL = 4096

_ERROR = re.compile(
    r"^%Error"  # Verilator
    r"|^(?:error|fatal)\b"
    r"|\berror ?(?:\(\d+\))?\s*:"  # Yosys in a source file, compilers, Quartus: "Error (12007): ..."
    r"|\bfatal\b"
    r"|^\S+:\d+:\d+: (?!warning|note|required)",  # GHDL
    re.IGNORECASE,
)
_NO_ERROR = re.compile(r"^%Error: Exiting due to|^\$ |\b(?:0|no) errors\b", re.IGNORECASE)

_STEPS = (
    re.compile(r"^\d+(?:\.\d+)*\. (?:Executing |)(.+?)\.?$"),  # Yosys
    re.compile(r"^Info: ((?:Pack|Plac|Rout|Annotat|Creating|Running|Promot).+?)\.*$"),  # nextpnr
    re.compile(r"^(?:Starting|Running|Start) (.+)$"),  # Vivado
)
_COMPILING = re.compile(r"^Preparing to run \S+\. This might take a while")


class ToolFailedError(FirmwareFlowsError):
    """A tool that failed, or did not end in time: which, its first error line, its log, what to do."""

    def __init__(self, tool: str, reason: str, log: Path, remedy: str) -> None:
        self.tool = tool
        self.reason = reason
        self.log = log
        self.remedy = remedy
        super().__init__(f"{tool}: {reason} (log: {log}). {remedy}")


class TimeIsOverError(Exception):
    """A command was ended because its time was over."""


def run_tool(
    tool: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    timeout: float = TIMEOUT_SECONDS,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    append: bool = False,
    cancelled: threading.Event | None = None,
    progress: Progress | None = None,
    remedy: str = "The log tells more.",
) -> float:
    """Run a command in `directory`; returns the seconds it took.

    The command line, its output and its errors go to `log` as they come, after what is there if `append`.
    `environment` is added to this process' own. Another thread may end the run by setting `cancelled`. Raises
    ToolFailedError, with `remedy`, when the command cannot be started, ends with an error, or is not done after
    `timeout` seconds.
    """
    words = [str(word) for word in command]
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    told = started

    def watch() -> None:
        nonlocal told
        if cancelled is not None and cancelled.is_set():
            raise ToolFailedError(tool, "ended, since another one failed or the user interrupted", log, remedy)
        now = time.monotonic()
        if progress and now - told >= _PROGRESS_INTERVAL:
            told = now
            progress(f"{tool}, seconds (at most)", int(now - started), max(int(timeout), 1), current_step(log))

    with log.open("ab" if append else "wb") as stream:
        stream.write(f"$ {shlex.join(words)}\n".encode())
        stream.flush()
        begin = stream.tell()
        try:
            code = run_limited(words, stream, timeout, directory, environment, watch)
        except OSError as error:
            reason = f"{words[0]} cannot be started: {error}"
            raise ToolFailedError(tool, reason, log, "Check its installation.") from None
        except TimeIsOverError:
            doing = current_step(log)
            raise ToolFailedError(
                tool,
                f"did not end within {timeout:g} s{'; it was at: ' + doing if doing else ''}",
                log,
                "Allow it more time (--timeout, or `timeout` in the recipe), or give it a smaller network.",
            ) from None
        seconds = time.monotonic() - started
        stream.seek(0, os.SEEK_END)
        stream.write(f"[exit code {code}, {seconds:.1f} s]\n\n".encode())
    if code:
        raise ToolFailedError(tool, first_error(_output(log, begin), code), log, remedy)
    return seconds


def run_limited(
    command: Sequence[str | Path],
    output: BinaryIO,
    timeout: float,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    watch: Callable[[], None] | None = None,
) -> int:
    """Run a command with its output and errors into a file; returns its exit code, negative for a signal.

    It and all that it started are ended when the time is over (raises TimeIsOverError), when this process is
    interrupted, and when `watch`, called many times a second, raises. Raises OSError if it cannot be started.
    """
    process = subprocess.Popen(
        [str(word) for word in command],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env={**os.environ, "LC_ALL": "C", **(environment or {})},
        cwd=directory,
        start_new_session=True,
    )
    until = time.monotonic() + timeout
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(max(0.0, min(_POLL, until - time.monotonic())))
            if time.monotonic() >= until:
                raise TimeIsOverError
            if watch is not None:
                watch()
    except BaseException:
        _end(process)
        raise


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and those that it started: they are a session of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _output(log: Path, begin: int) -> str:
    with log.open("rb") as stream:
        stream.seek(begin)
        return stream.read().decode("utf-8", errors="replace").rpartition("\n[exit code ")[0]


def first_error(output: str, code: int) -> str:
    """The first line that tells of an error; else the last line; else how the process ended."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        if _ERROR.search(line) and not _NO_ERROR.search(line):
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
                return found.group(1)[:60].strip()
    return ""
