"""Stage `convert`: the trained network as an exact Program, and as an HLS project."""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_flows.environment import load_tensorflow
from firmware_flows.flow.stage import HLS, PROGRAM, QUANTIZED, Outcome, Run, Stage
from firmware_flows.recipe import Recipe

if TYPE_CHECKING:
    from firmware_flows.program import Program


PORT_METADATA = ("features", "units", "scale", "offset", "mean", "std", "target", "target_unit", "ports")
"""Keys of a data set's metadata that describe the ports of the network."""


def _inputs(run: Run) -> dict[str, Any]:
    return {
        "name": run.recipe.name,
        "input_type": run.recipe.settings.input_type,
        "hls": run.recipe.hls.model_dump(mode="json", exclude={"csim"}),
        "classes": list(class_names(run)),
        "ports": port_metadata(run),
    }


def _perform(run: Run) -> Outcome:
    import firmware_flows as ff

    observer = run.observer
    quantization = importlib.import_module("quantization")
    load_tensorflow()
    observer.progress("lowering the network", 0, 1)
    network = quantization.load_keras(run.path(QUANTIZED))
    metadata = {"recipe": run.recipe.name, "classes": list(class_names(run)), **port_metadata(run)}
    program = ff.lower(network, run.recipe.settings.input_type, metadata)
    program = replace(program, name=run.recipe.name)
    program.save(run.path(PROGRAM))
    observer.progress("writing the HLS project", 0, 1)
    project = write_project(program, run.recipe, run.path(HLS))
    observer.progress("writing the HLS project", 1, 1)
    parameters = sum(int(a.size) for layer in program.layers for a in layer.arrays.values())
    return Outcome(
        outputs=(PROGRAM, HLS),
        summary=f"{len(program.layers)} layers, {parameters:,} parameters; HLS project for {run.recipe.hls.backend}",
        results={"digest": program.digest, "hls": project.settings.to_json()},
    )


def write_project(program: Program, recipe: Recipe, directory: Path) -> Any:
    """The HLS project of a Program with the settings of a recipe."""
    from firmware_flows import hls

    settings = recipe.hls
    return hls.write_project(
        program,
        directory,
        target=settings.target,
        backend=settings.backend,
        clock_mhz=settings.clock_mhz,
        io=settings.io,
        strategy=settings.strategy,
        reuse_factor=settings.reuse_factor,
    )


def class_names(run: Run) -> tuple[str, ...]:
    """Names of the classes in the order of the outputs: the source's CLASSES, or the data set's `classes`."""
    names = getattr(run.recipe.source.module, "CLASSES", None)
    if names is None:
        record = run.workspace.record("data")
        names = record.results.get("metadata", {}).get("classes", ()) if record else ()
    return tuple(str(name) for name in names)


def port_metadata(run: Run) -> dict[str, Any]:
    """What the data set says of its features and target (names, units, scales), for the interface documents."""
    record = run.workspace.record("data")
    metadata = record.results.get("metadata", {}) if record else {}
    return {key: metadata[key] for key in PORT_METADATA if key in metadata}


STAGE = Stage("convert", ("data", "train"), _inputs, _perform, lambda recipe: ("train", "convert"))
