"""Stage `report`: metrics and plots of every form, the recipe's limits, and the report itself."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_flows.budgets import budget_checks, firmware_of
from firmware_flows.environment import git_revision, versions
from firmware_flows.errors import InputError
from firmware_flows.files import write_json, write_text
from firmware_flows.flow.conversion import class_names
from firmware_flows.flow.stage import OUTPUTS, PLOTS, REPORTS, VERIFICATION, Outcome, Run, Stage
from firmware_flows.model_source import Evaluation
from firmware_flows.recipe_schema import FORMS
from firmware_flows.reporting import arrange, to_html, to_markdown
from firmware_flows.reporting.costs_plot import costs_svg
from firmware_flows.reporting.estimates import estimate_facts
from firmware_flows.reporting.metrics import check_metrics, failures, plain
from firmware_flows.reporting.network import network_facts, port_facts
from firmware_flows.reporting.size import beyond_budget
from firmware_flows.reporting.types_plot import types_svg

if TYPE_CHECKING:
    from firmware_flows.program import Program

_EARLIER = ("data", "train", "convert", "rtl", "synthesize", "emulate", "verify")


def _inputs(run: Run) -> dict[str, Any]:
    return {
        "source": run.recipe.source.fingerprint("evaluate"),
        "floors": run.recipe.settings.floors,
        "max_loss": run.recipe.settings.max_loss,
        "description": run.recipe.settings.description,
        "budget": run.recipe.settings.budget.model_dump(mode="json"),
        "published": _published(run),
    }


def _published(run: Run) -> list[Any]:
    """Designs of others that the model source sets beside this network, as JSON values."""
    find = getattr(run.recipe.source.module, "published", None)
    if find is None:
        return []
    shape = tuple(run.record("data").results["event_shape"])
    return [plain(design.to_json()) for design in find(run.recipe.network_options, shape)]


def _perform(run: Run) -> Outcome:
    directory = run.workspace.directory
    plots = run.path(PLOTS)
    shutil.rmtree(plots, ignore_errors=True)
    plots.mkdir()
    run.observer.progress("evaluating", 0, 1)
    evaluation = run.recipe.source.evaluate(run.dataset().test, _outputs(run), plots)
    run.observer.progress("writing the report", 0, 1)
    settings = run.recipe.settings
    metrics: dict[str, dict[str, Any]] = plain(evaluation.metrics)
    checks = check_metrics(evaluation.metrics, settings.floors, settings.max_loss)
    failed = failures(checks)
    checks = plain(checks)
    facts = _facts(run, evaluation, metrics, checks, failed)
    svg = types_svg(facts["network"]["layers"])
    if svg:
        write_text(plots / "types.svg", svg)
        facts["types_plot"] = f"{PLOTS}/types.svg"
    facts["costs_plots"] = _costs_plots(facts["estimates"], plots)
    document = arrange(facts)
    write_json(directory / "report.json", facts)
    write_text(directory / "report.md", to_markdown(document))
    write_text(directory / "report.html", to_html(document, directory))
    run.observer.progress("writing the report", 1, 1)
    return Outcome(
        outputs=(*REPORTS, PLOTS),
        summary="; ".join([*headline(metrics, checks), *_exceeded(facts["budget"]), str(directory / "report.html")]),
        results={"metrics": metrics, "checks": checks},
        failures=failed,
    )


def headline(metrics: dict[str, dict[str, Any]], checks: list[dict[str, Any]]) -> list[str]:
    """How well the forms do, in a line: accuracies; of a regression, which has none, what its recipe limits."""
    shown = [
        f"{form} {metrics[form]['accuracy']:.4f}"
        for form in FORMS
        if isinstance(metrics.get(form, {}).get("accuracy"), float)
    ]
    return ["accuracy: " + ", ".join(shown)] if shown else [f"{c['check']} {c['value']:.4g}" for c in checks]


def _exceeded(budget: list[dict[str, Any]]) -> list[str]:
    names = beyond_budget(budget)
    return [f"over the budget: {', '.join(names)} (see `firmware-flows check`)"] if names else []


def _costs_plots(estimates: list[dict[str, Any]], plots: Path) -> dict[str, str]:
    """Draw what every layer costs, by form; names relative to the report."""
    names = {}
    for entry in estimates:
        svg = costs_svg(entry["layers"], entry["stages"][-1]["stage"]) if "layers" in entry else ""
        if svg:
            write_text(plots / f"costs_{entry['form']}.svg", svg)
            names[entry["form"]] = f"{PLOTS}/costs_{entry['form']}.svg"
    return names


def budget_facts(program: Program, recipe: dict[str, Any], rtl: Any, synthesis: Any) -> list[dict[str, Any]]:
    """For every form, what `firmware-flows check` finds of its budget; JSON values. `judged`: it goes by that form."""
    judged = firmware_of(recipe, rtl, synthesis).form
    found = []
    for form in ("hls", "rtl") if recipe.get("rtl") is not None else ("hls",):
        settings = {**(recipe.get("budget") or {}), "form": form}
        checks = budget_checks(program, firmware_of({**recipe, "budget": settings}, rtl, synthesis), settings)
        found.append({"form": form, "judged": form == judged, "checks": [asdict(c) for c in checks]})
    return found


def _outputs(run: Run) -> dict[str, Any]:
    with np.load(run.path(OUTPUTS), allow_pickle=False) as archive:
        found = {name: archive[name] for name in archive.files}
    return {form: found[form] for form in FORMS if form in found}


def _facts(
    run: Run,
    evaluation: Evaluation,
    metrics: dict[str, dict[str, Any]],
    checks: list[dict[str, Any]],
    failed: tuple[str, ...],
) -> dict[str, Any]:
    """The content of report.json."""
    recipe, program = run.recipe, run.program()
    unwanted = {name for name in ("rtl", "synthesize") if getattr(recipe, name) is None}
    records = {name: run.record(name) for name in _EARLIER if name not in unwanted}
    earlier = [text for record in records.values() for text in record.results.get("failures", ())]
    settings = recipe.settings
    hls = records["convert"].results["hls"]
    rtl = records["rtl"].results["rtl"] if "rtl" in records else None
    synthesis = records["synthesize"].results if "synthesize" in records else None
    budget = budget_facts(program, recipe.to_dict(), rtl, synthesis)
    return {
        "format": 1,
        "recipe": {
            "name": recipe.name,
            "description": settings.description or recipe.source.description,
            "file": str(recipe.path),
        },
        "failures": [*earlier, *failed],
        "network": network_facts(program),
        "ports": port_facts(program, class_names(run)),
        "verification": _read(run.path(VERIFICATION)),
        "metrics": {
            "forms": metrics,
            "events": records["emulate"].results["events"],
            "source": recipe.source.name,
            "checks": checks,
            "remarks": list(evaluation.remarks),
        },
        "plots": [
            {"title": p.title, "file": _relative(p.path, run.workspace.directory), "caption": p.caption}
            for p in evaluation.plots
        ],
        "hls": {"csim": recipe.hls.csim, **hls},
        "rtl": rtl,
        "synthesis": synthesis,
        "estimates": plain(estimate_facts(program, recipe.to_dict(), hls["reuse_factor"], budget)),
        "budget": budget,
        "published": _published(run),
        "data": records["data"].results,
        "training": {
            form: records["train"].results[form] for form in ("quantized", "float") if form in records["train"].results
        },
        "remarks": _remarks(program),
        "provenance": {
            "seed": recipe.seed,
            "data_sha256": records["data"].outputs["dataset.npz"],
            "git": git_revision(recipe.path.resolve().parent),
            "versions": versions(),
            "recipe": recipe.to_dict(),
            "stages": [
                {"stage": name, "finished": record.finished, "seconds": record.seconds}
                for name, record in records.items()
            ],
        },
    }


def _remarks(program: Any) -> list[str]:
    """What a reader of the whole report must know."""
    if any(layer.kind == "Argmax" for layer in program.layers):
        return [
            "The network ends in a softmax, which firmware leaves out: the outputs here are its inputs (logits), in "
            "every form. The class with the largest logit is the class with the largest probability."
        ]
    return []


def _relative(path: Path, directory: Path) -> str:
    try:
        return path.resolve().relative_to(directory.resolve()).as_posix()
    except ValueError:
        raise InputError(f"the plot {path} is not below the folder that evaluate was given; write it there") from None


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


STAGE = Stage("report", _EARLIER, _inputs, _perform)
