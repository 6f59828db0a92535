"""Running stages in order: what is current is skipped, what is not is done and entered in the manifest."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import firmware_flows
from firmware_flows.environment import git_revision, require, versions
from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.files import hash_value
from firmware_flows.flow import conversion, data, emulation, evaluation, rtl, synthesis, training, verify
from firmware_flows.flow.observer import Observer, Silent
from firmware_flows.flow.stage import Run, Stage
from firmware_flows.recipe import Recipe
from firmware_flows.source_files import tree_fingerprint
from firmware_flows.workspace import StageRecord, Workspace

log = logging.getLogger(__name__)

STAGES: tuple[Stage, ...] = (
    data.STAGE,
    training.STAGE,
    conversion.STAGE,
    rtl.STAGE,
    synthesis.STAGE,
    emulation.STAGE,
    verify.STAGE,
    evaluation.STAGE,
)
STAGE_NAMES = tuple(stage.name for stage in STAGES)

_BY_CODE = frozenset({"convert", "rtl", "synthesize", "emulate", "verify", "report"})
"""Stages that are done again when the code of this package changes; data and training only with its version."""


@dataclass(frozen=True)
class StageStatus:
    """Where a stage stands: "current", "outdated", "damaged" or "missing"; its record where there is one."""

    name: str
    state: str
    record: StageRecord | None


@dataclass(frozen=True)
class FlowResult:
    """What a run of stages came to; `failures` are the checks that did not hold, in sentences."""

    directory: Path
    stages: Mapping[str, StageRecord]
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures


def run_flow(
    recipe: Recipe,
    directory: str | Path,
    *,
    first: str | None = None,
    last: str | None = None,
    force: Collection[str] = (),
    observer: Observer | None = None,
) -> FlowResult:
    """Run the stages of a recipe up to `last` in a run directory.

    Stages before `first` must be current already; those that `force` names are done even where they are current. A
    check that fails does not stop the flow, so that the report can tell of it: see `FlowResult.failures`.
    """
    chosen = _chosen(first, last, recipe)
    workspace = Workspace(directory)
    run = Run(recipe, workspace, observer or Silent())
    for stage in chosen:
        if stage.name in force or _state(stage, run) != "current":
            require(*stage.capabilities(recipe))
    with workspace.lock():
        stages = _wanted(recipe)
        for stage in stages[: stages.index(chosen[0])]:
            _demand(stage, run)
        forced = [stage for stage in chosen if stage.name in force]
        workspace.forget([stage.name for stage in forced])
        for folder in [folder for stage in forced for folder in stage.scratch]:
            shutil.rmtree(run.path(folder), ignore_errors=True)
        records = {stage.name: _do(stage, run) for stage in chosen}
    failures = [text for record in records.values() for text in record.results.get("failures", ())]
    return FlowResult(workspace.directory, records, tuple(failures))


def status(recipe: Recipe, directory: str | Path) -> tuple[StageStatus, ...]:
    """Where every stage of a run directory stands; changes nothing."""
    run = Run(recipe, Workspace(directory), Silent())
    return tuple(StageStatus(s.name, _state(s, run), run.workspace.record(s.name)) for s in _wanted(recipe))


def _wanted(recipe: Recipe) -> tuple[Stage, ...]:
    return tuple(stage for stage in STAGES if stage.wanted(recipe))


def _chosen(first: str | None, last: str | None, recipe: Recipe) -> Sequence[Stage]:
    stages = _wanted(recipe)
    names = [stage.name for stage in stages]
    for name in (first, last):
        if name is not None and name not in STAGE_NAMES:
            raise FirmwareFlowsError(f"{name!r} is not a stage; {nearest(name, STAGE_NAMES)}")
        if name is not None and name not in names:
            raise FirmwareFlowsError(
                f"{recipe.path} has no section {name!r}, so there is no such stage: add a line `{name}:` to it"
            )
    begin = names.index(first) if first else 0
    end = names.index(last) if last else len(stages) - 1
    if begin > end:
        raise FirmwareFlowsError(f"stage {first!r} comes after stage {last!r}; the order is {', '.join(names)}")
    return stages[begin : end + 1]


def _after(stage: Stage, run: Run) -> tuple[str, ...]:
    """Names of the stages that this one reads, of those that the recipe wants."""
    wanted = {other.name for other in _wanted(run.recipe)}
    return tuple(name for name in stage.after if name in wanted)


def _do(stage: Stage, run: Run) -> StageRecord:
    state = _state(stage, run)
    record = run.workspace.record(stage.name)
    if state == "current" and record is not None:
        run.observer.stage_skipped(stage.name, str(record.results.get("summary", "")))
        return record
    require(*stage.capabilities(run.recipe))
    run.observer.stage_started(stage.name, state)
    # Taken out first: a stage that is killed half-way must not look finished.
    run.workspace.forget([stage.name])
    started = time.monotonic()
    outcome = stage.perform(run)
    seconds = time.monotonic() - started
    record = run.workspace.finish(
        stage.name,
        key=_key(stage, run),
        outputs=list(outcome.outputs),
        results={**outcome.results, "summary": outcome.summary, "failures": list(outcome.failures)},
        seconds=seconds,
        provenance=_provenance(run.recipe),
    )
    run.observer.stage_finished(stage.name, seconds, outcome.summary)
    return record


def _demand(stage: Stage, run: Run) -> None:
    state = _state(stage, run)
    if state != "current":
        raise FirmwareFlowsError(
            f"stage {stage.name!r} is {state} in {run.workspace.directory}; run it first, or leave out --from"
        )


def _state(stage: Stage, run: Run) -> str:
    record = run.workspace.record(stage.name)
    if record is None:
        return "missing"
    if any(run.workspace.record(name) is None for name in _after(stage, run)) or record.key != _key(stage, run):
        return "outdated"
    return "damaged" if run.workspace.damaged(stage.name) else "current"


def _key(stage: Stage, run: Run) -> str:
    """Hash of everything that decides a stage's outcome."""
    upstream = {name: run.record(name).outputs for name in _after(stage, run)}
    return hash_value(
        {
            "stage": stage.name,
            "inputs": stage.inputs(run),
            "upstream": {name: dict(outputs) for name, outputs in upstream.items()},
            "version": firmware_flows.__version__,
            "code": _code() if stage.name in _BY_CODE else "",
        }
    )


@cache
def _code() -> str:
    return tree_fingerprint(Path(firmware_flows.__file__).parent)


def _provenance(recipe: Recipe) -> dict[str, Any]:
    return {
        "recipe": recipe.to_dict(),
        "recipe_file": str(recipe.path),
        "seed": recipe.seed,
        "versions": versions(),
        "git": git_revision(recipe.path.resolve().parent),
    }
