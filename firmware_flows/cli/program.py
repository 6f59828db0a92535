"""`show`: a Program as text."""

from __future__ import annotations

from pathlib import Path

import click

from firmware_flows.cli.console import say, say_json


@click.command(short_help="Print a Program: types and proven ranges.")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--layers/--no-layers", default=True, help="With the layers below the instructions.")
@click.option("--json", "as_json", is_flag=True, help="Layers, types, ranges and ports as JSON.")
def show(program: Path, layers: bool, as_json: bool) -> None:
    """Print a Program: ports, instructions, types and proven ranges.

    \b
    Example:
        firmware-flows show runs/jet-tagger-fast/program.ffp
    """
    from firmware_flows.serialization import load_program

    loaded = load_program(program)
    if as_json:
        from firmware_flows.reporting.network import network_facts, port_facts

        say_json({**network_facts(loaded), "ports": port_facts(loaded, loaded.metadata.get("classes", ()))})
    else:
        say(loaded.to_text(layers).rstrip("\n"))


COMMANDS: tuple[click.Command, ...] = (show,)
