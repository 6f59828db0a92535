"""`targets`: devices, boards and budgets; one of them in full; a user's own from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from firmware_flows.cli.console import say, say_json


@click.command(short_help="List the FPGA devices, boards and budgets that are known.")
@click.argument("name", required=False)
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with targets of your own; may be given several times.",
)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def targets(name: str | None, files: tuple[Path, ...], as_json: bool) -> None:
    """List devices, boards and budgets, or show one of them with its source.

    NAME is a budget, a board, a device or a part number.

    \b
    Examples:
        firmware-flows targets
        firmware-flows targets X2O
        firmware-flows targets xcvu13p-flga2577-2-e
        firmware-flows targets --file our_boards.yaml
    """
    from firmware_flows.targets import catalogue, find_target

    if name is None:
        known = catalogue(*files)
        if as_json:
            say_json(
                {
                    "devices": [x.facts() for x in known.devices.values()],
                    "boards": [x.facts() for x in known.boards.values()],
                    "budgets": [x.facts() for x in known.budgets.values()],
                }
            )
            return
        _list(known)
        return
    target = find_target(name, *files)
    facts = {
        "device": target.device.facts(),
        "board": target.board.facts() if target.board else None,
        "budget": target.budget.facts() if target.budget else None,
    }
    if as_json:
        say_json(facts)
        return
    for group, entries in facts.items():
        if entries:
            say(group)
            _show(entries)


def _list(known: Any) -> None:
    from firmware_flows.targets import catalogue

    ours = catalogue().devices.values()
    say(f"{'device':<12} {'LUT':>10} {'FF':>10} {'DSP':>7} {'BRAM18':>7} {'URAM':>6} {'regions':>8}")
    for d in known.devices.values():
        note = "" if d in ours else f"  ({d.source})"
        note = "  (in part from memory of the data sheet)" if d.from_memory else note
        say(f"{d.name:<12} {d.lut:>10,} {d.ff:>10,} {d.dsp:>7,} {d.bram18:>7,} {d.uram:>6,} {d.regions:>8}{note}")
    say("")
    say(f"{'board':<18} {'device':<12} {'MHz':<10} description")
    for b in known.boards.values():
        number = f"{b.devices} x " if b.devices > 1 else ""
        clocks = "/".join(f"{c:g}" for c in b.clocks_mhz) or "-"
        say(f"{b.name:<18} {number + b.device:<12} {clocks:<10} {b.description}")
    say("")
    say(f"{'budget':<18} {'board':<9} {'MHz':>5} {'ns':>6} {'cycles':>7} {'interval':>9} {'share':>6}  description")
    for u in known.budgets.values():
        interval = "-" if u.interval_cycles is None else f"{u.interval_cycles}"
        share = "-" if u.share is None else f"{u.share:.0%}"
        say(
            f"{u.name:<18} {u.board:<9} {u.clock_mhz:>5g} {u.latency_ns:>6g} {u.latency_cycles:>7} {interval:>9} "
            f"{share:>6}  {u.description}"
        )


def _show(entries: dict[str, Any]) -> None:
    for key, value in entries.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v:,}" for k, v in value.items())
        elif isinstance(value, list):
            value = ", ".join(f"{v:g}" if isinstance(v, float) else str(v) for v in value)
        elif isinstance(value, int):
            value = f"{value:,}"
        say(f"  {key}: {value}")


COMMANDS: tuple[click.Command, ...] = (targets,)
