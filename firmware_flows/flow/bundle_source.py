"""A finished run as what a bundle is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_flows.errors import CheckFailedError, InputError
from firmware_flows.flow.stage import DATASET, HLS, PROGRAM, REPORTS, RTL
from firmware_flows.handoff.bundle import BundleSource
from firmware_flows.model_source import Dataset
from firmware_flows.program import Program
from firmware_flows.reporting import arrange, to_html, to_markdown
from firmware_flows.serialization import load_program
from firmware_flows.workspace import MANIFEST, Workspace

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design

DATA_EVENTS = 1000
"""Events of the test set among the golden vectors."""

_TIMES = ("seconds", "finished")
"""Keys of facts that differ from run to run though nothing else does."""


def from_run(directory: Path) -> BundleSource:
    """A finished run. Raises InputError for one that is not finished, or whose files were changed since."""
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
        report=_report(directory, facts),
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


def _report(directory: Path, facts: dict[str, Any]) -> dict[str, str | Path]:
    """The pages, of portable facts, and their images."""
    document = arrange(facts)
    images = [plot["file"] for plot in facts["plots"]]
    images += [facts["types_plot"]] if "types_plot" in facts else []
    return {
        "report.md": to_markdown(document),
        "report.html": to_html(document, directory),
        **{name: directory / name for name in images},
    }


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
