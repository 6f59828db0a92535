"""`models`: the reference models that come with the package, and copies of their recipes."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from firmware_flows.cli.console import say, say_json
from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.files import write_text
from firmware_flows.yaml_file import read_yaml


@dataclass(frozen=True)
class Reference:
    """A recipe that comes with the package: `name` is `<model>/<recipe>`."""

    name: str
    path: Path
    description: str


def references() -> list[Reference]:
    """All recipes of the installed `models` package."""
    root = Path(str(importlib.import_module("models").__file__)).parent
    found = []
    for path in sorted(root.glob("*/*.yaml")):
        content: Any = read_yaml(path).value
        if isinstance(content, dict) and "model" in content:
            found.append(Reference(f"{path.parent.name}/{path.stem}", path, str(content.get("description", ""))))
    return found


@click.group(invoke_without_command=True, short_help="List the reference models and their recipes.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the reference models and their recipes; `models copy` writes one for you to change.

    \b
    Examples:
        firmware-flows models
        firmware-flows models copy jet_tagger/fast my_tagger.yaml
    """
    if context.invoked_subcommand is not None:
        return
    found = references()
    if as_json:
        say_json([{"name": r.name, "recipe": str(r.path), "description": r.description} for r in found])
        return
    width = max((len(r.name) for r in found), default=0)
    for reference in found:
        say(f"{reference.name:<{width}}  {reference.description}")


@models.command()
@click.argument("name")
@click.argument("destination", type=click.Path(path_type=Path), required=False)
def copy(name: str, destination: Path | None) -> None:
    """Write a copy of a reference recipe; an existing file is not touched.

    \b
    Example:
        firmware-flows models copy jet_tagger/fast my_tagger.yaml
    """
    by_name = {r.name: r for r in references()}
    reference = by_name.get(name) or by_name.get(f"{name}/recipe")
    if reference is None:
        raise FirmwareFlowsError(f"there is no reference recipe {name!r}; {nearest(name, by_name)}")
    target = destination or Path(f"{reference.name.replace('/', '_')}.yaml")
    if target.exists():
        raise FirmwareFlowsError(f"{target} exists; give another name")
    write_text(target, reference.path.read_text(encoding="utf-8"))
    say(f"{target}: change it, then `firmware-flows run {target}`")
