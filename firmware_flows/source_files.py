"""Which files a function is made of: itself and, of its own package, what it imports; found by reading, not running."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType


def fingerprint(module: ModuleType, names: Iterable[str], root: Path) -> str:
    """SHA-256 over the files below `root` that the named members of `module` are made of.

    A change in the evaluation of a package does so not repeat its training.
    """
    starts: set[Path] = set()
    for name in names:
        member = getattr(module, name, None)
        home = sys.modules.get(getattr(member, "__module__", ""), module)
        file = Path(getattr(home, "__file__", None) or str(module.__file__)).resolve()
        starts.add(file if file.is_relative_to(root) else Path(str(module.__file__)).resolve())
    digest = hashlib.sha256()
    for file in sorted(_closure(starts, root)):
        digest.update(str(file.relative_to(root)).encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def tree_fingerprint(*roots: Path) -> str:
    """SHA-256 over every Python file below the given directories."""
    digest = hashlib.sha256()
    for root in roots:
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _closure(starts: Iterable[Path], root: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = list(starts)
    while waiting:
        file = waiting.pop()
        if file in found or not file.is_file():
            continue
        found.add(file)
        waiting += _imports(file, root)
    return found


def _imports(file: Path, root: Path) -> list[Path]:
    """Files below `root` that `file` imports, wherever in its text it does so."""
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError:
        return []
    files: list[Path] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                files += _absolute(alias.name.split("."), root)
        elif isinstance(node, ast.ImportFrom):
            parts = node.module.split(".") if node.module else []
            names = [alias.name for alias in node.names]
            if node.level:
                base = file.parents[node.level - 1] if node.level <= len(file.parents) else root
                if base.is_relative_to(root):
                    files += [f for name in names for f in _resolve(base, [*parts, name])]
            else:
                files += [f for name in names for f in _absolute([*parts, name], root)]
    return files


def _absolute(parts: list[str], root: Path) -> list[Path]:
    """Resolve an absolute import, from `root` itself or from the package that `root` is."""
    found = _resolve(root, parts)
    if not found and root.name in parts:
        found = _resolve(root, parts[parts.index(root.name) + 1 :])
    return found


def _resolve(base: Path, parts: list[str]) -> list[Path]:
    """The module that `parts` names below `base`; its last part may be a name inside a module."""
    for length in range(len(parts), 0, -1):
        path = base.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            return [path.with_suffix(".py")]
        if (path / "__init__.py").is_file():
            return [path / "__init__.py"]
    return []
