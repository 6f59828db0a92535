"""The report stage of the reference recipes on untrained networks and events made up here: everything but numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import reference_networks

import firmware_flows as ff
from firmware_flows.files import write_json
from firmware_flows.flow.evaluation import STAGE
from firmware_flows.flow.observer import Silent
from firmware_flows.flow.stage import DATASET, OUTPUTS, PROGRAM, VERIFICATION, Run
from firmware_flows.recipe import load_recipe
from firmware_flows.reporting.metrics import plain
from firmware_flows.synthesis import Clock, Origin, Quantity, SynthesisResult
from firmware_flows.workspace import Workspace

MODELS = Path(__file__).parents[2] / "models"

NETWORKS = {
    "jet_tagger": "jet tagger DeepSets, 16 constituents",
    "omtf": "OMTF 44-64-32-44",
    "calorimeter": "calorimeter 9-16-8-1",
}
"""Model -> name of its network in `reference_networks`."""

RTL: Mapping[str, Any] = {
    "language": "verilog", "top": "net", "target": "xcvu13p-2", "clock_mhz": 320.0,
    "estimated": {"lut": 8001.24, "register_bits": 12119, "source": "estimated (alkaid 0.8.2)"},
    "stated": {"latency_cycles": 20, "source": "the generator's pipeline"},
    "measured": {
        "latency_cycles": 20, "latency_ns": 62.5, "initiation_interval": 1, "events_per_us": 320.0,
        "source": "measured in simulation (Verilator 5.048)",
    },
}  # fmt: skip

SYNTHESIS = SynthesisResult(
    origin=Origin("placed and routed", "nextpnr-ecp5", "0.11.1"),
    design="net",
    target="Lattice ECP5 LFE5U-85F",
    quantities=(Quantity("LUT", 27_870, "LUT4 sites", 83_640), Quantity("FF", 12_100, "flip-flops", 83_640)),
    clocks=(Clock("clk", 320.0, 76.6),),
)


def _jets(events: int) -> ff.Split:
    rng = np.random.default_rng(1)
    return ff.Split(rng.normal(0, 1, (events, 16, 3)), rng.integers(0, 5, events))


def _muons(events: int) -> ff.Split:
    from models.omtf.encoding import encode
    from models.omtf.generator import generate
    from models.omtf.golden_patterns import make_patterns
    from models.omtf.spectrum import Spectrum, rate_weights
    from models.omtf.truth import pack

    found = make_patterns([generate(30_000, 1)]).find(generate(events, 2))
    return ff.Split(encode(found), pack(found, rate_weights(found.pt, Spectrum()) / events))


def _cells(events: int) -> ff.Split:
    from models.calorimeter.truth import Truth
    from models.calorimeter.windows import MEV_PER_UNIT

    rng = np.random.default_rng(1)
    kind = np.arange(events) % 3
    injected = np.where(kind == 0, rng.uniform(0.0, 5000.0, events), 0.0)
    energy = injected + np.where(kind == 1, rng.exponential(50.0, events), 0.0)
    filtered = energy + rng.normal(-40.0, 150.0, events)
    series = np.full(events, -1.0)
    series[100:400] = np.arange(300)
    truth = Truth(
        target=energy / MEV_PER_UNIT,
        energy=energy,
        injected=injected,
        gap=rng.integers(1, 60, events).astype(float),
        filled=(kind > 0).astype(float),
        adc=energy / 4.0,
        optimal_filter=filtered,
        optimal_filter_maximum=np.maximum(filtered, 0.0),
        series=series,
    )
    return ff.Split(rng.normal(0, 1, (events, 9)), truth.table())


_EVENTS = {"jet_tagger": (_jets, 2000), "omtf": (_muons, 20_000), "calorimeter": (_cells, 6000)}


def write_report(model: str, directory: Path, budget: Mapping[str, Any] | None = None) -> Path:
    """Run the stage `report` of models/<model>/recipe.yaml as the flow would; the directory that it wrote into.

    The records of the stages before it are made up, except for the Program (of an untrained network), the events, the
    outputs and the verification.
    """
    recipe = load_recipe(MODELS / model / "recipe.yaml")
    if budget:
        recipe = replace(recipe, settings=recipe.settings.model_copy(update={"budget": _budget(budget)}))
    make, events = _EVENTS[model]
    test = make(events)
    few = ff.Split(test.x[:10], test.y[:10])
    program = replace(ff.lower(reference_networks.build(NETWORKS[model])), name=recipe.name)
    run = Run(recipe, Workspace(directory), Silent())
    with run.workspace.lock():
        ff.Dataset(few, few, test).save(run.path(DATASET))
        program.save(run.path(PROGRAM))
        answers = ff.emulate(program, test.x)
        noise = np.random.default_rng(3).normal(0, 0.01, answers.shape)
        np.savez(run.path(OUTPUTS), **{"float": answers + noise, "quantized": answers, "bit-accurate": answers})
        verification = ff.verify(program, test.x[:100], random_events=200)
        write_json(run.path(VERIFICATION), {**plain(verification.to_dict()), "csim": False, "rtl": False})
        for stage, results in _records(run, test).items():
            outputs = [DATASET] if stage == "data" else []
            run.workspace.finish(stage, key="", outputs=outputs, results=results, seconds=1.0, provenance={})
        STAGE.perform(run)
    return directory


def _budget(values: Mapping[str, Any]) -> Any:
    from firmware_flows.recipe_schema import BudgetSettings

    return BudgetSettings(**values)


def _records(run: Run, test: ff.Split) -> dict[str, dict[str, Any]]:
    log = {"best": {"loss": 0.9, "val_loss": 1.0}, "best_epoch": 3, "epochs": [{}] * 4, "seconds": 10.0, "seed": 1}
    hls = {"backend": "Vitis", "target": run.recipe.hls.target, "clock_period": 1e3 / run.recipe.hls.clock_mhz}
    records: dict[str, dict[str, Any]] = {
        "data": {
            "events": {"train": 10, "validation": 10, "test": len(test)}, "event_shape": list(test.x.shape[1:]),
            "metadata": {},
        },
        "train": {"quantized": log, "float": log},
        "convert": {"hls": {**hls, "reuse_factor": 1}},
        "emulate": {"events": len(test)},
        "verify": {},
    }  # fmt: skip
    if run.recipe.rtl is not None:
        records["rtl"] = {"rtl": dict(RTL)}
    if run.recipe.synthesize is not None:
        records["synthesize"] = {"results": [SYNTHESIS.to_json()]}
    return records
