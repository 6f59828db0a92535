"""`doctor`: what is installed here, what that enables, what is damaged."""

from __future__ import annotations

from typing import Any

import click

from firmware_flows.cli.console import say, say_json
from firmware_flows.environment import (
    CAPABILITIES,
    VENDOR_PROGRAMS,
    find_program,
    in_virtual_environment,
    program_version,
    qkeras_problem,
    versions,
)
from firmware_flows.errors import MissingToolError


def examine() -> dict[str, Any]:
    """Everything that `doctor` tells, as JSON values."""
    return {
        "versions": versions(),
        "virtual_environment": in_virtual_environment(),
        "capabilities": [
            {
                "name": c.name,
                "purpose": c.purpose,
                "enabled": c.enabled,
                "missing": list(c.missing),
                "remedy": "" if c.enabled else c.remedy,
            }
            for c in CAPABILITIES
        ],
        "programs": {
            **{name: program_version(name) for name in ("g++", "git", "ghdl")},
            "verilator": _verilator(),
            **{name: program_version(name) for name in VENDOR_PROGRAMS},
        },
        "problems": [text for text in (qkeras_problem(),) if text is not None],
    }


def _verilator() -> str | None:
    """Version of the Verilator that would be used; why not, where the one that is here is too old."""
    from firmware_flows.rtl.verilator import find_verilator

    try:
        found = find_verilator()
    except MissingToolError as error:
        return error.remedy if find_program("verilator") else None
    return f"Verilator {found.version_text} ({found.program})"


@click.command(short_help="Say what is installed and what that enables.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def doctor(as_json: bool) -> None:
    """Say what is installed, what that enables, and what to do about the rest.

    \b
    Example:
        firmware-flows doctor
    """
    found = examine()
    if as_json:
        say_json(found)
        return
    say("Versions")
    for name, version in found["versions"].items():
        say(f"  {name:<16} {version}")
    say("Programs")
    for name, version in found["programs"].items():
        say(f"  {name:<16} {version or 'not found'}")
    say("What works here")
    for capability in found["capabilities"]:
        mark = "yes" if capability["enabled"] else "no"
        say(f"  {capability['name']:<16} {mark:<4} {capability['purpose']}")
        if not capability["enabled"]:
            say(f"{'':24}missing: {', '.join(capability['missing'])}; {capability['remedy']}")
    for problem in found["problems"]:
        say(f"Problem: {problem}")
    if not found["problems"] and all(c["enabled"] for c in found["capabilities"]):
        say("Everything that the full flow needs is here.")
