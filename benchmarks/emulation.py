"""Emulation against hls4ml's C++ simulation: equal bits first, then events per second, one process, one thread each.

    python benchmarks/emulation.py                 both networks and the memory
    python benchmarks/emulation.py --events 200000 --network 16-64-32-32-5

Seconds are seconds of the processor, so that other work on the machine matters little.

Ends with 1 if a bit differs, emulation is less than 300 times as fast, or memory grows beyond 1 GiB.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_name] = "1"  # before NumPy is imported

import click  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.networks import NETWORKS, dense_network, random_events  # noqa: E402
from firmware_flows.emulator import emulate  # noqa: E402
from firmware_flows.program import Program  # noqa: E402

WANTED_RATIO = 300
WANTED_BYTES = 1 << 30
RUN_SECONDS = 0.4
TURNS = 12
"""The best of so many runs counts: other processes only ever slow one down."""

Events = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--events", default=2_000_000, show_default=True, help="At most so many events in one run of the emulation."
)
@click.option("--network", type=click.Choice(list(NETWORKS)), multiple=True, help="Only this one.")
@click.option("--memory-events", default=10_000_000, show_default=True, help="Events for the memory; 0 for none.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON on standard output.")
@click.option("--memory-child", is_flag=True, hidden=True)
def main(events: int, network: tuple[str, ...], memory_events: int, as_json: bool, memory_child: bool) -> None:
    """Emulation against hls4ml's C++ simulation: bits, events per second, memory."""
    if memory_child:
        print(extra_memory(memory_events))
        return
    console = Console(stderr=True)
    programs = [dense_network(name, NETWORKS[name]) for name in network or NETWORKS]
    with bars(console) as progress:
        results = [compare(program, events, WANTED_RATIO, Bars(progress)) for program in programs]
        memory = memory_in_a_process(memory_events, Bars(progress)) if memory_events else None
    passed = all(r["passed"] for r in results) and (memory or 0) < WANTED_BYTES
    if as_json:
        print(json.dumps({"networks": results, "memory_bytes": memory, "passed": passed}))
    else:
        show(Console(), results)
        if memory is not None:
            verdict = "ok" if memory < WANTED_BYTES else "FAILED: less than 1 GiB wanted"
            Console().print(f"memory for {memory_events:,} events above the arrays given and returned: "
                            f"{memory / 2**20:,.0f} MiB  {verdict}")  # fmt: skip
    sys.exit(0 if passed else 1)


def bars(console: Console) -> Progress:
    """Progress bars that disappear."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


class Bars:
    """Progress callbacks, one bar each."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def bar(self, text: str) -> Callable[[int, int], None]:
        task = self.progress.add_task(text, total=None)

        def update(done: int, total: int) -> None:
            self.progress.update(task, completed=done, total=total)

        return update


def compare(program: Program, events: int, wanted: float, bars: Bars) -> dict[str, Any]:
    """Equality and speeds for one network; `wanted`: how many times faster than csim emulation has to be."""
    from firmware_flows.hls import write_project

    name = program.name
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        project = write_project(program, Path(directory) / "project")
        project.compile(progress=bars.bar(f"{name}: compile"))

        def simulate(x: Events, update: Callable[[int, int], None] | None = None) -> Any:
            return project.simulate(x, raw=True, workers=1, progress=update)

        def emulated(x: Events, update: Callable[[int, int], None] | None = None) -> Any:
            return emulate(program, x, raw=True, threads=1, progress=update)

        csim_events = max(1, round(RUN_SECONDS / pace(simulate, program)))
        emulated_events = min(events, round(RUN_SECONDS / pace(emulated, program)))
        checked = random_events(program, min(100_000, 16 * csim_events), seed=3)
        equal = bool(np.array_equal(simulate(checked, bars.bar(f"{name}: csim, bits")), emulated(checked)))
        csim, emulation = seconds_an_event(
            [(simulate, checked[:csim_events]), (emulated, random_events(program, emulated_events))],
            bars.bar(f"{name}: speed"),
        )
    return {
        "network": name,
        "equal": equal,
        "events_compared": len(checked),
        "emulated_per_second": 1 / emulation,
        "csim_per_second": 1 / csim,
        "ratio": csim / emulation,
        "wanted_ratio": wanted,
        "passed": equal and csim >= wanted * emulation,
    }


def pace(run: Callable[[Events], Any], program: Program) -> float:
    """Seconds an event, roughly."""
    count = 64
    while True:
        x = random_events(program, count)
        start = time.process_time()
        run(x)
        seconds = time.process_time() - start
        if seconds > RUN_SECONDS / 10:
            return seconds / count
        count *= 4


def seconds_an_event(
    sides: list[tuple[Callable[[Events], Any], Events]], update: Callable[[int, int], None]
) -> list[float]:
    """Processor seconds an event of each side: the best of runs that take turns, all costs of a call included."""
    best = [float("inf")] * len(sides)
    for turn in range(TURNS):
        for k, (run, x) in enumerate(sides):
            start = time.process_time()
            run(x)
            best[k] = min(best[k], (time.process_time() - start) / len(x))
        update(turn + 1, TURNS)
    return best


def memory_in_a_process(events: int, bars: Bars) -> int:
    """Peak memory above what was given and returned, of a fresh process; bytes."""
    bar = bars.bar(f"memory of {events:,} events")
    bar(0, 1)
    command = [sys.executable, str(Path(__file__)), "--memory-child", "--memory-events", str(events)]
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ))
    bar(1, 1)
    return int(result.stdout)


def extra_memory(events: int) -> int:
    """Peak resident memory of emulating, above that before and the returned array; all cores."""
    name = "16-64-32-32-5"
    program = dense_network(name, NETWORKS[name])
    x = np.ones((events, NETWORKS[name][0]), dtype=np.float32)
    before = peak_bytes()
    y = emulate(program, x)
    return peak_bytes() - before - int(y.nbytes)


def peak_bytes() -> int:
    """Highest resident memory of this process so far."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) << 10
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


def show(console: Console, results: list[dict[str, Any]]) -> None:
    """The speeds as a table."""
    table = Table(title="Emulation against hls4ml's C++ simulation, one thread each")
    for heading in ("network", "equal bits", "emulation [events/s]", "csim [events/s]", "ratio", ""):
        table.add_column(heading, justify="left" if heading in ("network", "") else "right")
    for r in results:
        table.add_row(
            r["network"],
            f"{'yes' if r['equal'] else 'NO'} ({r['events_compared']:,} events)",
            f"{r['emulated_per_second']:,.0f}",
            f"{r['csim_per_second']:,.0f}",
            f"{r['ratio']:,.0f}",
            "ok" if r["passed"] else f"FAILED: equal and >= {r['wanted_ratio']} wanted",
        )
    console.print(table)


if __name__ == "__main__":
    main()
