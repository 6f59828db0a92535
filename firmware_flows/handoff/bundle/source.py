"""What a bundle is made of: a run directory, or a Program written to HLS and RTL for the purpose."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_flows.environment import versions
from firmware_flows.errors import CheckFailedError, InputError
from firmware_flows.flow.stage import DATASET, HLS, PROGRAM, REPORTS, RTL
from firmware_flows.program import Program
from firmware_flows.serialization import load_program
from firmware_flows.workspace import MANIFEST, Workspace

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design

DATA_EVENTS = 1000
"""Events of the test set among the golden vectors."""

_TIMES = ("seconds", "finished")
"""Keys of facts that differ from run to run though nothing else does."""


@dataclass(frozen=True, eq=False)
class BundleSource:
    """Everything that decides a bundle's content.

    facts: those of the report (report.json) without times and machine paths, or None; plots: the directory that its
    images are relative to. recipe: settings in force; recipe_text: the file. data: events of the test set.
    """

    name: str
    program: Program
    project: Project | None
    design: Design | None
    facts: dict[str, Any] | None = None
    plots: Path | None = None
    recipe: Mapping[str, Any] | None = None
    recipe_text: str | None = None
    data: Any = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def from_run(directory: Path) -> BundleSource:
    """A finished run. Raises InputError for one that is not finished, or whose files were changed since."""
    from firmware_flows.model_source import Dataset

    workspace = Workspace(directory)
    if not (directory / MANIFEST).is_file():
        raise InputError(
            f"{directory} is no run directory: it has no {MANIFEST}; `firmware-flows run RECIPE` makes one"
        )
    record = workspace.record("report")
    if record is None:
        raise InputError(f"the run in {directory} is not finished: end it with `firmware-flows run RECIPE`")
    for stage in ("convert", "rtl", "synthesize", "verify", "report"):
        damaged = workspace.damaged(stage)
        if damaged:
            raise InputError(
                f"{directory / damaged[0]} was changed or removed since stage {stage!r} wrote it: run again"
            )
    facts = portable(json.loads((directory / REPORTS[0]).read_text(encoding="utf-8")))
    if facts["failures"]:
        raise CheckFailedError(
            "\n".join(f"A check of the run failed, so nothing is handed off: {text}" for text in facts["failures"])
        )
    facts["provenance"]["stages"] = []
    recipe = facts["provenance"]["recipe"]
    program = load_program(directory / PROGRAM)
    path = Path(str(record.provenance.get("recipe_file", "")))
    return BundleSource(
        name=recipe["name"],
        program=program,
        project=_project(directory / HLS, program),
        design=_design(directory / RTL, program) if recipe.get("rtl") is not None else None,
        facts=facts,
        plots=directory,
        recipe=recipe,
        recipe_text=path.read_text(encoding="utf-8") if path.is_file() else None,
        data=Dataset.load(directory / DATASET).test.x[:DATA_EVENTS],
        provenance={
            "seed": recipe["seed"],
            "git": facts["provenance"]["git"],
            "data_sha256": facts["provenance"]["data_sha256"],
            "versions": facts["provenance"]["versions"],
        },
    )


def from_program(program: Program, project: Project | None, design: Design | None) -> BundleSource:
    """A Program with its written forms; there is no recipe and no report of a training."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", program.name).strip("._-") or "network"
    return BundleSource(name, program, project, design, provenance={"versions": versions()})


def portable(value: Any) -> Any:
    """Facts without times, and absolute paths as bare names: equal for equal runs, wherever they were made."""
    if isinstance(value, Mapping):
        return {k: portable(v) for k, v in value.items() if k not in _TIMES}
    if isinstance(value, list):
        return [portable(v) for v in value]
    if isinstance(value, str) and value.startswith("/") and PurePath(value).is_absolute():
        return PurePath(value).name
    if isinstance(value, np.generic):
        return value.item()
    return value


def _project(directory: Path, program: Program) -> Project:
    from firmware_flows.hls import Project

    project = Project.load(directory)
    _same(directory, project.program, program)
    return project


def _design(directory: Path, program: Program) -> Design:
    from firmware_flows.rtl import Design

    design = Design.load(directory)
    _same(directory, design.program, program)
    return design


def _same(directory: Path, found: Program, wanted: Program) -> None:
    if found.digest != wanted.digest:
        raise InputError(f"{directory} was written from another Program ({found.digest[:16]}): run again")
