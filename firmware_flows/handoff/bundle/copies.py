"""Copies of an HLS project and of an RTL design without what a machine, a moment or a build left in them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from firmware_flows.handoff.golden import Golden, write_tb_data
from firmware_flows.rtl.design import DESIGN_FILE, PROGRAM_FILE

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design

_BUILT = re.compile(r".*_prj|simulation/.*\.so|.*\.o|.*\.log")
"""What compilers and vendors' tools leave in a project."""

_STAMPED = ("*.sh", "CMakeLists.txt", "src/*.cpp")
"""Files in which hls4ml writes its stamp."""


def copy_project(project: Project, directory: Path, golden: Golden) -> None:
    """The project, with the golden vectors where hls4ml's own test bench reads them."""
    for path in sorted(project.directory.rglob("*")):
        name = path.relative_to(project.directory)
        parts = [name.as_posix(), *(p.as_posix() for p in name.parents)]
        if path.is_file() and not any(_BUILT.fullmatch(part) for part in parts):
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, directory / name)
    _settle(directory, project.program.digest[:8])
    write_tb_data(golden, directory / "tb_data", [port.name for port in project.plan.inputs])


def _settle(directory: Path, stamp: str) -> None:
    """hls4ml writes where the project lay, and a stamp drawn at random, which only names a library and a C++ class."""
    path = directory / "hls4ml_config.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    # YAML quotes a stamp that is all digits: the text is made from the values, not edited
    path.write_text(yaml.safe_dump({**settings, "OutputDir": ".", "Stamp": stamp}, sort_keys=True), encoding="utf-8")
    drawn = re.compile(rf"(?<![0-9a-f]){settings['Stamp']}(?![0-9a-f])")
    for file in sorted(p for pattern in _STAMPED for p in directory.glob(pattern)):
        file.write_text(drawn.sub(stamp, file.read_text(encoding="utf-8")), encoding="utf-8")


def copy_design(design: Design, directory: Path) -> None:
    """Sources, test bench, constraints, scripts and description of a design."""
    names = [*design.sources, Path("README.txt"), Path(DESIGN_FILE), Path(PROGRAM_FILE)]
    names += [
        path.relative_to(design.directory)
        for folder in ("testbench", "constraints", "scripts")
        for path in sorted((design.directory / folder).iterdir())
        if path.is_file()
    ]
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(design.directory / name, directory / name)
