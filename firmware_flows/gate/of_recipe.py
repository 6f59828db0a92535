"""The gate of a recipe: its run is brought up to date, then everything that was promised is held against it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from firmware_flows.budgets import budget_checks, firmware_of
from firmware_flows.checks import Check, Gate, check, skipped
from firmware_flows.flow.observer import Observer
from firmware_flows.flow.runner import run_flow
from firmware_flows.flow.stage import PROGRAM, REPORTS
from firmware_flows.gate.drift import drift
from firmware_flows.handoff.lock import drifted, lock_of, read_lock, write_lock
from firmware_flows.program import Program
from firmware_flows.recipe import Recipe
from firmware_flows.reporting.metrics import FIRMWARE, flatten
from firmware_flows.serialization import load_program

LOCK_SUFFIX = ".lock.json"


def lock_path(recipe: Recipe) -> Path:
    """The lock file, which is kept beside the recipe and committed with it."""
    return recipe.path.with_name(recipe.path.stem + LOCK_SUFFIX)


def check_recipe(recipe: Recipe, directory: Path, observer: Observer | None = None) -> Gate:
    """Run what is not current, then check bits, metrics, budgets and drift."""
    run_flow(recipe, directory, observer=observer)
    program = load_program(directory / PROGRAM)
    facts = json.loads((directory / REPORTS[0]).read_text(encoding="utf-8"))
    checks = [
        *bit_checks(facts["verification"]),
        *metric_checks(facts["metrics"]["checks"]),
        *budget_checks(
            program,
            firmware_of(recipe.to_dict(), facts["rtl"], facts["synthesis"]),
            recipe.settings.budget.model_dump(mode="json"),
        ),
        *_drift(program, lock_path(recipe)),
    ]
    return Gate.of(recipe.name, checks)


def update_lock(recipe: Recipe, directory: Path, observer: Observer | None = None) -> list[str]:
    """Write the lock for what the recipe gives now; returns what changed, a phrase each (empty: nothing)."""
    run_flow(recipe, directory, observer=observer)
    metrics = json.loads((directory / REPORTS[0]).read_text(encoding="utf-8"))["metrics"]["forms"].get(FIRMWARE, {})
    now = {
        **lock_of(load_program(directory / PROGRAM)),
        "metrics": {f"{FIRMWARE} {name}": value for name, value in flatten(metrics).items()},
    }
    path = lock_path(recipe)
    changes = drifted(read_lock(path), now) if path.exists() else ["there was no lock"]
    if changes:
        write_lock(path, now)
    return changes


def bit_checks(verification: Mapping[str, Any]) -> Iterator[Check]:
    """One check a form that was compared with the Program."""
    failed = False
    for form in verification["forms"]:
        name, events, differing = form["name"], form["compared"], form["differing"]
        if not events and not differing:
            yield skipped("bits", name, f"{name}: no event was compared: {form.get('reason') or 'none was given'}")
            continue
        failed |= differing > 0
        text = f"{name}: {differing:,} of {events:,} events differ from the Program"
        first = next((d for d in verification["divergences"] if d.get("form") == name), None)
        detail = f", first: {_where(first)}" if differing and first is not None else ""
        yield check("bits", name, differing == 0, text + detail)
    if not verification["passed"] and not failed:
        yield check("bits", "forms", False, "no form of the network was compared with the Program")


def _where(divergence: Mapping[str, Any]) -> str:
    return ", ".join(f"{k} {divergence[k]}" for k in ("layer", "group", "event", "element") if k in divergence)


def metric_checks(checks: list[dict[str, Any]]) -> Iterator[Check]:
    """One check a floor or a largest loss; `checks`: as the report has them."""
    for c in checks:
        limit = f"at least {c['at_least']:g}" if "at_least" in c else f"at most {c['at_most']:g}"
        text = f"{c['check']} is {c['value']:.6g}, wanted {limit}"
        yield check("metrics", str(c["check"]), bool(c["passed"]), text)
    if not checks:
        yield skipped("metrics", "floors", "the recipe asks for no metric: add `floors:` to it")


def _drift(program: Program, path: Path) -> list[Check]:
    if not path.exists():
        text = f"{path.name} is missing: write it with `firmware-flows check RECIPE --update` and commit it"
        return [check("drift", "lock file", False, text)]
    return drift(program, read_lock(path))
