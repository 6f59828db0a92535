"""Running a recipe's stages from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from firmware_flows.cli.console import say, say_json, watching
from firmware_flows.errors import CheckFailedError, FirmwareFlowsError
from firmware_flows.flow import STAGE_NAMES, FlowResult, run_flow
from firmware_flows.recipe import load_recipe


class Interrupted(FirmwareFlowsError):
    """The user pressed Ctrl-C."""

    exit_code = 130


def run_recipe(
    path: Path,
    run_dir: Path | None,
    *,
    first: str | None = None,
    last: str | None = None,
    force: tuple[str, ...] = (),
    as_json: bool = False,
) -> None:
    """Run stages, show what came out; raises CheckFailedError when a check did not hold."""
    recipe = load_recipe(path)
    directory = run_dir if run_dir is not None else Path("runs") / recipe.name
    try:
        with watching(quiet=as_json) as observer:
            result = run_flow(recipe, directory, first=first, last=last, force=force, observer=observer)
    except KeyboardInterrupt:
        raise Interrupted(
            f"Interrupted. What is finished is kept in {directory}; the same command goes on from there."
        ) from None
    if as_json:
        say_json(_as_json(result))
    elif last in (None, "report"):
        say(f"Report: {result.directory / 'report.html'}")
    if result.failures:
        raise CheckFailedError("\n".join(f"A check failed: {text}" for text in result.failures))


def _as_json(result: FlowResult) -> dict[str, Any]:
    return {
        "directory": str(result.directory),
        "passed": result.passed,
        "failures": list(result.failures),
        "stages": {
            name: {"outputs": sorted(r.outputs), "results": r.results, "seconds": r.seconds, "finished": r.finished}
            for name, r in result.stages.items()
        },
    }


def every_stage(first: str | None, last: str | None) -> tuple[str, ...]:
    """Names of the stages from `first` to `last`."""
    begin = STAGE_NAMES.index(first) if first in STAGE_NAMES else 0
    end = STAGE_NAMES.index(last) if last in STAGE_NAMES else len(STAGE_NAMES) - 1
    return STAGE_NAMES[begin : end + 1]
