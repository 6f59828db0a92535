"""`python -m benchmarks.sweep`: random networks until the time is over; ends with 1 if any bit differs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.sweep import runs
from benchmarks.sweep.cases import IO
from benchmarks.sweep.families import CASES, FAMILIES


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    console = Console()
    if options.repeat:
        failed = False
        for outcome in runs.repeat(options.repeat, options.directory, options.io):
            console.print(outcome, markup=False)
            failed |= bool(outcome.get("failed"))
        return int(failed)
    cases = [
        c
        for c in ([c for name in options.family for c in FAMILIES[name]] if options.family else CASES)
        if not options.layer or {c.layer, c.name} & set(options.layer)
    ]
    if not cases:
        console.print(f"no such layer in the sweep: {options.layer}", style="red")
        return 2
    lines: dict[str, runs.Line] = {}
    with Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), console=console, transient=True
    ) as bar:
        by_time = options.seconds < float("inf")
        task = bar.add_task("sweep", total=options.seconds if by_time else options.networks)

        def progress(seconds: float, count: int, failures: int) -> None:
            done = seconds if by_time else count
            bar.update(task, completed=done, description=f"{count} networks, {failures} failed")

        for _, outcomes in runs.run(
            cases, options.directory, options.seed, options.seconds, options.networks, options.io, progress
        ):
            runs.count(lines, outcomes)
    show(console, lines)
    failed = sum(line.failed for line in lines.values())
    if failed:
        console.print(
            f"{failed} failed: python -m benchmarks.sweep --repeat {options.directory / runs.FAILURES}/<name>.json",
            style="red",
        )
    return int(failed > 0)


def show(console: Console, lines: dict[str, runs.Line]) -> None:
    """The table of layers, then all reasons of refusals with their numbers."""
    table = Table("layer", "networks", "= Keras, events", "= C++ parallel", "= C++ stream", "refused", "failed")
    reasons: Counter[str] = Counter()
    total = runs.Line()
    for name, line in sorted(lines.items()):
        refused = sum(line.refused.values())
        table.add_row(
            name, str(line.instances), f"{line.keras:,}", str(line.agreed["parallel"]), str(line.agreed["stream"]),
            f"{refused} + {line.neighbour} by a neighbour", str(line.failed),
        )  # fmt: skip
        for reason, count in line.refused.items():
            reasons[f"{name}: {reason}"] += count
        total.instances += line.instances
        total.keras += line.keras
        total.agreed += line.agreed
        total.neighbour += line.neighbour
        total.failed += line.failed
    table.add_section()
    table.add_row(
        "all", str(total.instances), f"{total.keras:,}", str(total.agreed["parallel"]), str(total.agreed["stream"]),
        f"{sum(reasons.values())} + {total.neighbour} by a neighbour", str(total.failed),
    )  # fmt: skip
    console.print(table)
    for reason, count in reasons.most_common():
        console.print(f"{count:5d}  {reason}", markup=False, highlight=False)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--seconds", type=float, default=None, help="stop after this time (default 600)")
    parser.add_argument("--networks", type=int, default=None, help="stop after this many networks")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--family", nargs="+", choices=sorted(FAMILIES))
    parser.add_argument("--layer", nargs="+", help="layers, by the names in the table")
    parser.add_argument("--io", nargs="+", choices=IO, default=list(IO))
    parser.add_argument("--directory", type=Path, default=Path("runs/sweep"), help="results and failures")
    parser.add_argument("--repeat", type=Path, help="run the network in this failure's file again")
    options = parser.parse_args(arguments)
    if options.seconds is None:
        options.seconds = float("inf") if options.networks else 600.0
    options.networks = options.networks or sys.maxsize
    return options


if __name__ == "__main__":
    sys.exit(main())
