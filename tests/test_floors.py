"""Arrows go down: nothing imports from a floor above its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import firmware_flows

ROOT = Path(firmware_flows.__file__).parent
FLOORS: tuple[frozenset[str], ...] = (
    # the ground: what a Program is, what it computes, files and tools; all that no line below names
    frozenset(),
    frozenset({"targets", "stimulus", "lowering"}),
    frozenset({"hls"}),
    frozenset({"rtl"}),
    frozenset({"synthesis", "estimation", "verification"}),
    frozenset({"checks", "budgets"}),
    frozenset({"handoff"}),
    frozenset({"reporting"}),
    frozenset({"model_source", "recipe_schema", "recipe", "workspace"}),
    frozenset({"flow"}),
    frozenset({"gate"}),
    frozenset({"cli"}),
)  # fmt: skip
FACADE = {"", "__init__", "__version__"}  # `import firmware_flows as ff` loads what is asked for, when it is


def floor(unit: str) -> int:
    return next((k for k, units in enumerate(FLOORS) if unit in units), 0)


def imported(path: Path) -> Iterator[str]:
    """Parts of the house that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module == "firmware_flows":
            names = [f"firmware_flows.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [str(node.module)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        for name in names:
            top, _, rest = name.partition(".")
            if top == "firmware_flows":
                yield rest.split(".")[0]


def test_no_arrow_goes_up() -> None:
    arrows = {
        (path.relative_to(ROOT).as_posix(), unit) for path in sorted(ROOT.rglob("*.py")) for unit in imported(path)
    }
    assert ("cli/handoff.py", "gate") in arrows
    up = [
        f"{name} imports {unit}"
        for name, unit in sorted(arrows)
        if name != "__init__.py" and unit not in FACADE and floor(unit) > floor(name.split("/")[0].removesuffix(".py"))
    ]
    assert up == []


def test_no_two_floors_share_a_part_and_each_is_there() -> None:
    units = [unit for units in FLOORS for unit in units]
    assert len(units) == len(set(units))
    assert all((ROOT / unit).is_dir() or (ROOT / f"{unit}.py").is_file() for unit in units)
