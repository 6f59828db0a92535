"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

RECIPE_SUFFIXES = (".yaml", ".yml")


def is_recipe(path: Path) -> bool:
    """Whether an argument names a recipe rather than a network or a Program."""
    return path.suffix.lower() in RECIPE_SUFFIXES


def recipe_options(function: F) -> F:
    """The options of every command that works on a recipe's run directory."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no progress is shown."),
        click.option("--force", is_flag=True, help="Do it again even where the result is current."),
        click.option(
            "--run-dir",
            type=click.Path(path_type=Path, file_okay=False),
            help="Where everything is written.  [default: runs/<name of the recipe>]",
        ),
    ):
        function = option(function)
    return function


def refuse(context: click.Context, names: tuple[str, ...], reason: str) -> None:
    """Refuse options that the user gave and that make no sense together with the argument."""
    for name in names:
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            option = next(p.opts[-1] for p in context.command.params if p.name == name)
            raise click.UsageError(f"{option} {reason}", context)
