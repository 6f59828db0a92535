"""What a bundle is made of: a Program, its written forms, and what is known of how they came about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_flows.environment import versions
from firmware_flows.program import Program

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design


@dataclass(frozen=True, eq=False)
class BundleSource:
    """Everything that decides a bundle's content.

    facts: those of the report (report.json) without times and machine paths, or None; report: what else lies in the
    folder of that name, texts and files to copy. recipe: settings in force; recipe_text: the file. data: events of the
    test set.
    """

    name: str
    program: Program
    project: Project | None
    design: Design | None
    facts: dict[str, Any] | None = None
    report: Mapping[str, str | Path] = field(default_factory=dict)
    recipe: Mapping[str, Any] | None = None
    recipe_text: str | None = None
    data: Any = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def from_program(program: Program, project: Project | None, design: Design | None) -> BundleSource:
    """A Program with its written forms; there is no recipe and no report of a training."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", program.name).strip("._-") or "network"
    return BundleSource(name, program, project, design, provenance={"versions": versions()})
