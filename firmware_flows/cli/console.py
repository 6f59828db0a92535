"""What the command line shows while stages run: bars on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from firmware_flows.flow.observer import Observer, Silent

NARROW = 80
"""Columns of a terminal below which a step has no bar, but its numbers."""

PLAIN_INTERVAL = 10.0
"""Seconds between two lines where the output is no terminal."""

_REASONS = {"missing": "", "outdated": " (its inputs have changed)", "damaged": " (its output was damaged)"}


def say(text: str) -> None:
    """A line of results."""
    click.echo(text)


def say_json(value: Any) -> None:
    """Results for a script."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def warn(text: str) -> None:
    """A line for a person, apart from the results."""
    click.echo(text, err=True)


@contextmanager
def watching(quiet: bool = False) -> Iterator[Observer]:
    """An observer for the time of a run; none of what it shows goes to standard output."""
    if quiet:
        yield Silent()
        return
    if not sys.stderr.isatty():
        yield PlainLines()
        return
    # A descriptor of its own: that of standard error is turned away while TensorFlow starts.
    with os.fdopen(os.dup(sys.stderr.fileno()), "w") as stream, bars(Console(file=stream, highlight=False)) as shown:
        yield shown


@contextmanager
def bars(console: Console) -> Iterator[Observer]:
    """Bars on this console."""
    columns: list[ProgressColumn] = [
        TextColumn("  {task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        _Time(),
        TextColumn("[dim]{task.fields[note]}[/dim]"),
    ]
    if console.width < NARROW:  # the numbers are what must be left
        columns = [columns[0], *columns[2:4]]
    with Progress(*columns, console=console, transient=True) as progress:
        yield Bars(progress)


class _Time(TimeRemainingColumn):
    """The time that is left; where that is not known, as in a step that is one call of a compiler, the time so far."""

    def render(self, task: Task) -> Text:
        if task.completed or not task.elapsed:
            return super().render(task)
        return Text(f"{task.elapsed:.0f} s", style="progress.elapsed")


class Bars:
    """A bar for the current step of the current stage."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._step = ""
        self._task: TaskID | None = None

    def stage_started(self, name: str, reason: str) -> None:
        self._line(f"[bold]{name}[/bold]{_REASONS.get(reason, '')} ...")

    def stage_skipped(self, name: str, summary: str) -> None:
        self._line(f"[bold]{name}[/bold] is current: {escape(summary)}")

    def stage_finished(self, name: str, seconds: float, summary: str) -> None:
        self._remove()
        self._line(f"[bold green]{name}[/bold green] {seconds:.1f} s: {escape(summary)}")

    def progress(self, step: str, done: int, total: int, note: str = "") -> None:
        if self._task is None or step != self._step:
            self._remove()
            self._step, self._task = step, self._bars.add_task(step, total=total, note="")
        self._bars.update(self._task, completed=done, total=total, note=escape(note))

    def _line(self, markup: str) -> None:
        self._bars.console.print(markup, soft_wrap=True)

    def _remove(self) -> None:
        if self._task is not None:
            self._bars.remove_task(self._task)
        self._task = None


class PlainLines:
    """Lines without control characters, for logs."""

    def __init__(self) -> None:
        self._last = time.monotonic()
        self._shown = ""

    def stage_started(self, name: str, reason: str) -> None:
        warn(f"{name}{_REASONS.get(reason, '')} ...")
        self._last = time.monotonic()

    def stage_skipped(self, name: str, summary: str) -> None:
        warn(f"{name} is current: {summary}")

    def stage_finished(self, name: str, seconds: float, summary: str) -> None:
        warn(f"{name} {seconds:.1f} s: {summary}")

    def progress(self, step: str, done: int, total: int, note: str = "") -> None:
        ended = done >= total and self._shown == step
        if not ended and time.monotonic() - self._last < PLAIN_INTERVAL:
            return
        self._last = time.monotonic()
        self._shown = "" if ended else step
        warn(f"  {step}: {done:,} of {total:,}{'; ' + note if note else ''}")
