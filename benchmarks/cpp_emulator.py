"""The header-only emulator against csim's Python call: equal bits first, then events per second, one thread each.

    python benchmarks/cpp_emulator.py                             both networks
    python benchmarks/cpp_emulator.py --network 20-10x128-43

The header is compiled as CHECK.sh and the CMSSW package compile it (-O3, no options of this machine) and called through
a shared library. Seconds are seconds of the processor, so that other work on the machine matters little.

Ends with 1 if a bit differs or the header is less than 50 times as fast.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

import click  # noqa: E402
import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks.emulation import RUN_SECONDS, Bars, Events, bars, pace, seconds_an_event  # noqa: E402
from benchmarks.networks import NETWORKS, dense_network, random_events  # noqa: E402
from firmware_flows.emulator import emulate  # noqa: E402
from firmware_flows.program import Program  # noqa: E402

WANTED_RATIO = 50
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-shared")

_CALL = """#include "emulator.hpp"
extern "C" void run(const float* x, double* y, std::size_t events) {{ {namespace}::emulate(x, y, events); }}
"""


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--network", type=click.Choice(list(NETWORKS)), multiple=True, help="Only this one.")
@click.option("--events", default=2_000_000, show_default=True, help="At most so many events in one run of the header.")
@click.option("--json", "as_json", is_flag=True, help="The numbers as JSON on standard output.")
def main(network: tuple[str, ...], events: int, as_json: bool) -> None:
    """The header-only emulator against csim's Python call."""
    programs = [dense_network(name, NETWORKS[name]) for name in network or NETWORKS]
    with bars(Console(stderr=True)) as progress:
        results = [compare(program, events, Bars(progress)) for program in programs]
    if as_json:
        print(json.dumps(results))
    else:
        table = Table("network", "bits", "csim [events/s]", "header [events/s]", "ratio", "")
        for r in results:
            verdict = "ok" if r["passed"] else f"FAILED: {WANTED_RATIO} wanted"
            bits = f"equal ({r['checked']:,} events)" if r["equal"] else "DIFFERENT"
            table.add_row(r["network"], bits, f"{r['csim']:,.0f}", f"{r['header']:,.0f}", f"{r['ratio']:.0f}", verdict)
        Console().print(table)
    sys.exit(0 if all(r["passed"] for r in results) else 1)


def compare(program: Program, events: int, bars: Bars) -> dict[str, Any]:
    """Equality and speeds for one network."""
    from firmware_flows.hls import write_project

    name = program.name
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        project = write_project(program, Path(directory) / "project")
        project.compile(progress=bars.bar(f"{name}: compile"))
        header = compiled(program, Path(directory))

        def simulate(x: Events, update: Callable[[int, int], None] | None = None) -> Any:
            return project.simulate(x, workers=1, progress=update)

        def emulated(x: Events, update: Callable[[int, int], None] | None = None) -> Any:
            return header(x)

        csim_events = max(1, round(RUN_SECONDS / pace(simulate, program)))
        header_events = max(1, min(events, round(RUN_SECONDS / pace(emulated, program))))
        checked = random_events(program, min(100_000, 16 * csim_events), seed=3)
        found = emulated(checked)
        equal = np.array_equal(simulate(checked), found) and np.array_equal(emulate(program, checked), found)
        csim, fast = seconds_an_event(
            [(simulate, checked[:csim_events]), (emulated, random_events(program, header_events))],
            bars.bar(f"{name}: speed"),
        )
    ratio = csim / fast
    return {
        "network": name,
        "equal": bool(equal),
        "checked": len(checked),
        "csim": 1 / csim,
        "header": 1 / fast,
        "ratio": ratio,
        "passed": bool(equal) and ratio >= WANTED_RATIO,
    }


def compiled(program: Program, directory: Path) -> Callable[[Events], Any]:
    """The header as a function of arrays."""
    from firmware_flows.handoff.cpp import header_text, namespace_of
    from firmware_flows.hls.compiler import find_compiler

    (directory / "emulator.hpp").write_text(header_text(program))
    (directory / "emulator.cpp").write_text(_CALL.format(namespace=namespace_of(program)))
    library = directory / "emulator.so"
    command = [find_compiler(), *FLAGS, str(directory / "emulator.cpp"), "-o", str(library)]
    subprocess.run(command, check=True)
    run = ctypes.CDLL(str(library)).run
    shape = program.instructions[program.outputs[0].value].shape

    def call(x: Events) -> Any:
        given = np.ascontiguousarray(x, np.float32)
        result = np.empty((len(given), *shape))
        run(ctypes.c_void_p(given.ctypes.data), ctypes.c_void_p(result.ctypes.data), ctypes.c_size_t(len(given)))
        return result

    return call


if __name__ == "__main__":
    main()
