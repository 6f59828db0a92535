"""A user's own project: recipe, model file, README, and workflow files for continuous integration."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path
from typing import Literal

from firmware_flows import __version__
from firmware_flows.errors import InputError
from firmware_flows.files import write_text

Ci = Literal["github", "gitlab", "both", "none"]

_FILES = {
    "recipe.yaml": "@name@.yaml",
    "model.py": "@name@.py",
    "README.md": "README.md",
    "requirements.txt": "requirements.txt",
    "gitignore": ".gitignore",
}
"""Template -> file of the project."""

_WORKFLOWS = {"github": ("github.yml", ".github/workflows/firmware.yml"), "gitlab": ("gitlab.yml", ".gitlab-ci.yml")}


def start_project(name: str, directory: Path, ci: Ci = "both") -> list[Path]:
    """Write the files; returns them. Nothing that exists is touched: raises InputError, as for an unusable name."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,59}", name) or keyword.iskeyword(name):
        raise InputError(
            f"{name!r} cannot be the name of a project, which names a Python file and a library too: give a letter, "
            "then letters, digits and _"
        )
    chosen = dict(_FILES)
    chosen |= {template: target for key, (template, target) in _WORKFLOWS.items() if ci in (key, "both")}
    texts = {directory / target.replace("@name@", name): _text(template, name) for template, target in chosen.items()}
    for path in texts:
        if path.exists():
            raise InputError(f"{path} exists; give another --directory")
    for path, text in texts.items():
        write_text(path, text)
    return list(texts)


def _text(template: str, name: str) -> str:
    text = files("firmware_flows.handoff").joinpath(f"templates/{template}.template").read_text(encoding="utf-8")
    return text.replace("@name@", name).replace("@version@", __version__)
