"""Stage `train`: the quantized network, and the float reference where the recipe wants one."""

from __future__ import annotations

import importlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware_flows.environment import enabled, load_tensorflow
from firmware_flows.files import atomic_path
from firmware_flows.flow.conversion import write_project
from firmware_flows.flow.stage import FLOAT, QUANTIZED, Outcome, Run, Stage
from firmware_flows.model_source import ModelSourceError

_CHECKPOINTS = "training"


def _inputs(run: Run) -> dict[str, Any]:
    recipe = run.recipe
    return {
        "network": recipe.network_options.model_dump(mode="json"),
        "training": recipe.training.model_dump(mode="json"),
        "float_reference": recipe.float_reference,
        "input_type": recipe.settings.input_type,
        "seed": recipe.seed,
        "source": recipe.source.fingerprint("NetworkOptions", "build_network", "float_network"),
    }


def _perform(run: Run) -> Outcome:
    recipe, dataset = run.recipe, run.dataset()
    load_tensorflow()
    _seed(recipe.seed)
    network = recipe.source.build_network(recipe.network_options, dataset, recipe.seed)
    outputs = [QUANTIZED]
    _refuse_early(run, network)
    results = {"quantized": _train(run, network, "quantized", QUANTIZED)}
    if recipe.float_reference:
        _seed(recipe.seed)
        reference = recipe.source.float_network(recipe.network_options, dataset, recipe.seed)
        results["float"] = _train(run, reference, "float", FLOAT)
        outputs.append(FLOAT)
    best = results["quantized"]["best"]
    numbers = ", ".join(f"{k} {best[k]:.4g}" for k in ("val_loss", "val_accuracy") if k in best)
    return Outcome(
        outputs=tuple(outputs),
        summary=f"best epoch {results['quantized']['best_epoch']}: {numbers}",
        results=results,
    )


def _seed(seed: int) -> None:
    """First weights that are the same in every run, also of a source that forgets its seed."""
    import keras

    keras.utils.set_random_seed(seed)


def _refuse_early(run: Run, network: Any) -> None:
    """Convert the untrained network, so that what cannot be converted is refused before time goes into training."""
    from firmware_flows.lowering import lower

    run.observer.progress("converting the untrained network", 0, 1)
    program = lower(network, run.recipe.settings.input_type)
    if len(program.inputs) != 1 or len(program.outputs) != 1:
        raise ModelSourceError(
            f"{run.recipe.source.name}: build_network gives {len(program.inputs)} inputs, "
            f"{len(program.outputs)} outputs; a data set has one of each"
        )
    if enabled("convert"):
        with tempfile.TemporaryDirectory(prefix=".hls-untrained-", dir=run.workspace.directory) as directory:
            write_project(program, run.recipe, Path(directory) / "hls")
    run.observer.progress("converting the untrained network", 1, 1)


def _train(run: Run, network: Any, form: str, file: str) -> dict[str, Any]:
    """Train one network below `training/<form>` and put its best weights into `file`."""
    quantization = importlib.import_module("quantization")
    settings = run.recipe.training
    if getattr(settings, "seed", None) is None:
        settings = settings.model_copy(update={"seed": run.recipe.seed})

    def progress(done: int, total: int, row: Mapping[str, float]) -> None:
        shown = [f"{key} {row[key]:.4g}" for key in ("loss", "val_loss", "val_accuracy") if key in row]
        run.observer.progress(f"training the {form} network, epochs", done, total, ", ".join(shown))

    directory: Path = run.path(_CHECKPOINTS) / form
    history = quantization.train(network, run.dataset(), settings, directory, progress, lower_first=False)
    with atomic_path(run.path(file)) as temporary:
        shutil.copyfile(history.network, temporary)
    found: dict[str, Any] = history.to_dict()
    return {**found, "best": dict(history.best), "seconds": history.seconds}


STAGE = Stage("train", ("data",), _inputs, _perform, lambda recipe: ("train",), (_CHECKPOINTS,))
