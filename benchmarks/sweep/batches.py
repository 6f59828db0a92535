"""One batch: what of it is refused, and whether Keras, Program and C++ agree on all the rest."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import firmware_flows as ff
from benchmarks.sweep.cases import IO
from benchmarks.sweep.drawing import Batch
from benchmarks.sweep.networks import network
from firmware_flows.emulator import trace_mantissas

EVENTS = 1500
KERAS_EVENTS = 300
TRACED = 60


@dataclass
class Outcome:
    """What became of one instance. `refused` and `failed` are messages by stage: those of STAGES, keras.

    `keras` counts the events on which Keras was a proven witness; `reasons` are refusals without names and values.
    """

    case: str
    agreed: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    neighbour: dict[str, bool] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    exact: bool = True
    remarks: list[str] = field(default_factory=list)
    keras: int = 0

    def refuse(self, stage: str, error: Any) -> None:
        """Count a refusal by its reason."""
        self.refused[stage] = str(error)
        self.reasons[stage] = f"{_plain(getattr(error, 'field', 'RTL'))}: {error.reason}"
        self.neighbour[stage] = not any(mark in str(error.layer) for mark in ("_layer", "sum", "max", "mean"))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def _plain(text: str) -> str:
    return text.removeprefix("activation.") if text.startswith("activation.") else text


def run(
    batch: Batch,
    directory: Path | None = None,
    io: Sequence[str] = IO,
    events: int = EVENTS,
    compiled: bool = True,
    level: int = 0,
) -> list[Outcome]:
    """Outcomes in the order of the batch's instances; without `compiled` no C++ is, so that none agrees.

    `level`: how far g++ optimizes. Nearly all time goes into compiling, and -O0 takes half of what -O3 does.
    """
    import keras

    whole = network(batch.instances, batch.entry)
    x = whole.inputs[0]
    outcomes = [Outcome(str(i.get("case", i["layer"]))) for i in batch.instances]
    for output, outcome in zip(whole.outputs, outcomes, strict=True):
        _classify(keras.Model(x, output), batch, outcome, io)
    for form in io if compiled else ():
        chosen = [n for n, o in enumerate(outcomes) if not {form, "lowering"} & set(o.refused) and not o.failed]
        with _optimizing(level):
            _compare(batch, whole, chosen, outcomes, form, directory, events)
    return outcomes


@contextmanager
def _optimizing(level: int) -> Iterator[None]:
    """The options of firmware_flows.hls.compiler, which reads this variable."""
    name = "FIRMWARE_FLOWS_CSIM_FLAGS"
    before = os.environ.get(name)
    os.environ[name] = f"{before or ''} -O{level}"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _classify(part: Any, batch: Batch, outcome: Outcome, io: Sequence[str]) -> None:
    """Lower one instance alone: refusals of lowering, of each form and of RTL, and Keras against the Program."""
    from firmware_flows.hls.planner import make_plan, multiplying_layers
    from firmware_flows.hls.settings import check_settings
    from firmware_flows.rtl import obstacles

    try:
        program = ff.lower(part, softmax=batch.softmax)
    except ff.LoweringError as error:
        outcome.refuse("lowering", error)
        return
    except Exception as error:  # noqa: BLE001 whatever it is, it is what the sweep looks for
        outcome.failed["lowering"] = f"{type(error).__name__}: {error}"
        return
    for layer in program.layers:
        if not layer.exact_in_keras and layer.kind != "Input":
            outcome.exact = False
            outcome.remarks += [r for r in layer.remarks if r not in outcome.remarks]
    try:
        found = ff.verify(program, keras_model=part, random_events=KERAS_EVENTS, adversarial=False)
        outcome.keras = next(f.compared for f in found.forms if f.name == "Keras")
        if any(f.differing for f in found.forms):
            outcome.failed["keras"] = found.summary()
    except Exception as error:  # noqa: BLE001
        outcome.failed["keras"] = f"{type(error).__name__}: {error}"
    for obstacle in obstacles(program).values():
        outcome.refuse("rtl", obstacle)
        break
    for form in io:
        settings = check_settings(
            target="xcvu13p-flga2577-2-e", backend="Vitis", clock_mhz=None, clock_period=None, io=form,
            strategy=batch.strategy, reuse_factor=1, project_name="firmware",
            multiplying_layers=multiplying_layers(program),
        )  # fmt: skip
        try:
            make_plan(program, settings)
        except ff.hls.HlsConversionError as error:
            outcome.refuse(form, error)
        except Exception as error:  # noqa: BLE001
            outcome.failed[form] = f"{type(error).__name__}: {error}"


def _compare(
    batch: Batch,
    whole: Any,
    chosen: list[int],
    outcomes: list[Outcome],
    form: str,
    directory: Path | None,
    events: int,
) -> None:
    """All chosen instances in one project; where that fails, halves of them, down to the one that is to blame."""
    if not chosen:
        return
    place = Path(tempfile.mkdtemp(prefix="sweep-", dir=directory))
    try:
        wrong = _differing(batch, whole, chosen, form, place, events)
    except Exception as error:  # noqa: BLE001
        if len(chosen) == 1:
            outcomes[chosen[0]].failed[form] = f"{type(error).__name__}: {error}"[:4000]
            return
        for half in (chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]):
            _compare(batch, whole, half, outcomes, form, directory, events)
        return
    finally:
        shutil.rmtree(place, ignore_errors=True)
    for n in chosen:
        if n in wrong:
            outcomes[n].failed[form] = wrong[n]
        else:
            outcomes[n].agreed.append(form)


def _differing(batch: Batch, whole: Any, chosen: list[int], form: str, place: Path, events: int) -> dict[int, str]:
    """Instances whose C++ differs from the Program, and where."""
    import keras

    part = keras.Model(whole.inputs[0], [whole.outputs[n] for n in chosen])
    program = ff.lower(part, softmax=batch.softmax)
    project = ff.hls.write_project(program, place / "project", io=form, strategy=batch.strategy)
    found = ff.verify(program, project=project, random_events=events, adversarial=False)
    wrong: dict[int, str] = {}
    if not found.passed:
        x = np.random.default_rng(1).normal(0, 2.0 ** batch.entry[1], (events, *program.inputs[0].shape))
        x = np.concatenate([np.reshape(d.inputs, (1, *x.shape[1:])) for d in found.divergences] + [x])
        wanted, simulated = _tuple(ff.emulate(program, x, raw=True)), _tuple(project.simulate(x, raw=True))
        for n, a, b in zip(chosen, wanted, simulated, strict=True):
            if not np.array_equal(a, b):
                wrong[n] = found.summary()
        if not wrong:
            raise AssertionError(f"differences that no output shows:\n{found.summary()}")
    x = np.random.default_rng(2).normal(0, 2.0 ** batch.entry[1], (TRACED, *program.inputs[0].shape))
    traced, layers = project.trace(x, raw=True), trace_mantissas(program, x)
    for name, values in layers.items():
        if name in traced and not np.array_equal(traced[name], values):
            number = name[1:].split("_")[0]
            if not number.isdigit():
                raise AssertionError(f"layer {name!r} differs in C++")
            wrong.setdefault(int(number), f"layer {name!r} differs in the trace, the outputs agree")
    return wrong


def _tuple(values: Any) -> Sequence[Any]:
    return values if isinstance(values, tuple) else (values,)
