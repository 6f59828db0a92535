"""Stage `verify`: Keras, Program, compiled C++ and simulated RTL must agree in every bit."""

from __future__ import annotations

import importlib
from typing import Any

from firmware_flows.environment import load_tensorflow
from firmware_flows.files import write_json
from firmware_flows.flow.rtl import compile_rtl
from firmware_flows.flow.stage import HLS, QUANTIZED, RTL, VERIFICATION, Outcome, Run, Stage
from firmware_flows.recipe import Recipe
from firmware_flows.reporting.metrics import plain


def _inputs(run: Run) -> dict[str, Any]:
    settings = run.recipe.verification.model_dump(mode="json")
    return {**settings, "seed": _seed(run), "csim": run.recipe.hls.csim, "rtl": _simulates_rtl(run.recipe)}


def _simulates_rtl(recipe: Recipe) -> bool:
    return recipe.rtl is not None and recipe.rtl.simulate


def _seed(run: Run) -> int:
    seed = run.recipe.verification.seed
    return run.recipe.seed if seed is None else seed


def _perform(run: Run) -> Outcome:
    import firmware_flows as ff

    settings, observer = run.recipe.verification, run.observer
    load_tensorflow()
    program = run.program()
    quantization = importlib.import_module("quantization")
    network = quantization.load_keras(run.path(QUANTIZED))
    project = None
    if run.recipe.hls.csim:
        project = ff.hls.Project.load(run.path(HLS))
        project.compile(lambda done, total: observer.progress("compiling the C++ of the HLS project", done, total))
    design = None
    if _simulates_rtl(run.recipe):
        design = ff.rtl.Design.load(run.path(RTL))
        compile_rtl(design, run.recipe, observer)
    verification = ff.verify(
        program,
        run.dataset().test.x[: settings.data_events],
        keras_model=network,
        project=project,
        design=design,
        random_events=settings.random_events,
        adversarial=settings.adversarial,
        seed=_seed(run),
        progress=lambda group, done, total: observer.progress("comparing, events", done, total, group),
    )
    facts = {**plain(verification.to_dict()), "csim": project is not None, "rtl": design is not None}
    write_json(run.path(VERIFICATION), facts)
    events = sum(verification.groups.values())
    names = "; ".join(form.name for form in verification.forms)
    differing = sum(form.differing for form in verification.forms)
    failures = () if verification.passed else (failure_of(verification),)
    return Outcome(
        outputs=(VERIFICATION,),
        summary=f"{differing:,} differing in {events:,} events; compared with the Program: {names}",
        results={"passed": verification.passed, "groups": dict(verification.groups)},
        failures=failures,
    )


def failure_of(verification: Any) -> str:
    """Why a verification did not pass."""
    counts = "; ".join(f"{f.name}: {f.differing:,} of {f.compared:,} events differ" for f in verification.forms)
    first = verification.divergence
    detail = "\n" + first.describe() if first is not None else ""
    return f"the forms of the network do not agree ({counts or 'nothing was compared'}){detail}"


def _capabilities(recipe: Recipe) -> tuple[str, ...]:
    return ("train", "convert", "csim") if recipe.hls.csim else ("train",)


STAGE = Stage("verify", ("data", "train", "convert", "rtl"), _inputs, _perform, _capabilities)
