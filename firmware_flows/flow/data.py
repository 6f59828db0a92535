"""Stage `data`: the model source's events, in one file."""

from __future__ import annotations

from typing import Any

from firmware_flows.flow.stage import DATASET, Outcome, Run, Stage

_CACHE = "data"


def _inputs(run: Run) -> dict[str, Any]:
    return {
        "options": run.recipe.data_options.model_dump(mode="json"),
        "seed": run.recipe.seed,
        "source": run.recipe.source.fingerprint("DataOptions", "load_data"),
    }


def _perform(run: Run) -> Outcome:
    cache = run.path(_CACHE)
    cache.mkdir(exist_ok=True)
    source = run.recipe.source
    dataset = source.load_data(run.recipe.data_options, cache, run.recipe.seed, run.observer.progress)
    dataset.save(run.path(DATASET))
    run.set_dataset(dataset)
    events = {name: len(getattr(dataset, name)) for name in ("train", "validation", "test")}
    counts = ", ".join(f"{count:,} {name}" for name, count in events.items())
    return Outcome(
        outputs=(DATASET,),
        summary=f"{counts} events of shape {dataset.event_shape}",
        results={"events": events, "event_shape": list(dataset.event_shape), "metadata": dataset.metadata},
    )


STAGE = Stage("data", (), _inputs, _perform, scratch=(_CACHE,))
