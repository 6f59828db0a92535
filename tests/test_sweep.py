"""A seeded sample of the sweep: every layer agrees with hls4ml's C++, and is refused only as the table says.

One network of each row is compiled, in one form; rows take turns. `make sweep` compiles both, and more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.sweep.batches import Outcome, run
from benchmarks.sweep.cases import Case, Instance
from benchmarks.sweep.drawing import Batch, batch_of, instance_of
from benchmarks.sweep.families import BY_NAME, CASES, GENERAL, GENERAL_RTL

pytestmark = [pytest.mark.keras, pytest.mark.cpp, pytest.mark.slow]

SEED = 5
DRAWS = 8
"""Instances of a row that are drawn at most, until one of them is refused by nothing."""
EVENTS = 300
SHAPES = {1: (3,), 2: (2, 2), 3: (3, 2, 2)}
"""One for each number of axes, so that all layers share few projects; small, as recurrent layers are unrolled."""

PROJECTS = {
    (1, "stream"): "logits",
    (2, "parallel"): "latency", (2, "stream"): "stable",
    (3, "parallel"): "argmax", (3, "stream"): "stable",
}  # fmt: skip
"""Axes and form of each C++ project -> its softmax."""

Place = tuple[int, str]
Found = tuple[Case, Instance, Outcome]


def test_every_layer_agrees_or_is_refused_as_stated(tmp_path: Path) -> None:
    found, chosen = _drawn()
    missing = [case.name for case in CASES if case.forms and case.name not in chosen]
    assert not missing, f"refused whatever was drawn: {missing}"
    found += list(_examples())
    problems = [p for case, _, outcome in found for p in _contradictions(case, outcome)]
    problems += [p for case in CASES for p in _unproven(case, [o for c, _, o in found if c is case])]
    for (rank, form), softmax in PROJECTS.items():
        members = [i for i, place in chosen.values() if place == (rank, form)]
        for outcome in run(batch_of(members, softmax=softmax), tmp_path, io=(form,), events=EVENTS):
            if form not in outcome.agreed or outcome.failed:
                problems.append(f"{outcome.case}: io_{form} does not agree: {outcome.failed or outcome.refused}")
    assert not problems, "\n\n".join(problems)


def _drawn() -> tuple[list[Found], dict[str, tuple[Instance, Place]]]:
    """Random instances of every row, and the first of each that nothing refuses. Nothing is compiled."""
    found: list[Found] = []
    chosen: dict[str, tuple[Instance, Place]] = {}
    for number in range(DRAWS):
        for place in PROJECTS:
            cases = [c for k, c in enumerate(CASES) if _place(k, c) == place and c.name not in chosen]
            if not cases or (number and not any(c.forms for c in cases)):
                continue
            instances = [instance_of(c, SHAPES[place[0]], number, SEED) for c in cases]
            outcomes = run(_batch(instances, place), io=(place[1],), compiled=False)
            for case, instance, outcome in zip(cases, instances, outcomes, strict=True):
                found.append((case, instance, outcome))
                if not set(outcome.refused) - {"rtl"}:
                    chosen[case.name] = (instance, place)
    return found, chosen


def _place(number: int, case: Case) -> Place:
    """The project of a row: its softmax decides, if it has one; all others are spread over axes and forms."""
    if case.softmax:
        return next(p for p, softmax in PROJECTS.items() if softmax == case.softmax and p[0] in case.ranks)
    places = [place for place in PROJECTS if place[0] in case.ranks]
    return places[number % len(places)]


def _batch(instances: list[Instance], place: Place) -> Batch:
    return batch_of(instances, softmax=PROJECTS[place])


def _examples() -> Iterator[Found]:
    for case in CASES:
        for example in case.examples:
            instance = {**example, "case": case.name}
            batch = replace(batch_of([instance]), softmax=case.softmax or "stable")
            yield case, instance, run(batch, compiled=False)[0]


def _contradictions(case: Case, outcome: Outcome) -> list[str]:
    """What the code did that the table does not say."""
    found = [f"{case.name}, {stage}: {text}" for stage, text in outcome.failed.items()]
    for stage, text in outcome.refused.items():
        general = GENERAL_RTL if stage == "rtl" else GENERAL
        reasons = [r.reason for r in case.refusals if r.stage == stage] + [reason for reason, _ in general]
        if not outcome.neighbour[stage] and not any(re.search(reason, text) for reason in reasons):
            found.append(f"{case.name} is refused in {stage} for a reason that the table does not have: {text}")
    for remark in outcome.remarks:
        if not any(re.search(r.reason, remark) for r in case.remarks) and "_before" not in remark:
            found.append(f"{case.name} has a remark that the table does not have: {remark}")
    if not case.forms and "lowering" not in outcome.refused:
        found.append(f"{case.name} is stated as refused, and is converted")
    if any(r.always for r in case.remarks) and outcome.exact and "lowering" not in outcome.refused:
        found.append(f"{case.name} is stated as the hardware's in all networks, and one is Keras' own")
    return found


def _unproven(case: Case, outcomes: list[Outcome]) -> list[str]:
    """What the table states of a row and no network of it shows."""
    lowered = [o for o in outcomes if "lowering" not in o.refused]
    found = [
        f"{case.name}: no network has the remark {remark.reason!r}"
        for remark in case.remarks
        if not any(re.search(remark.reason, text) for o in lowered for text in o.remarks)
    ]
    if not case.forms:
        return found
    if not any(r.always for r in case.remarks) and not any(o.exact and o.keras for o in lowered):
        found.append(f"{case.name}: Keras is witness of no network")
    if not any("rtl" not in o.refused for o in lowered):
        found.append(f"{case.name}: no network can be RTL")
    return found


def test_each_row_is_stated_once() -> None:
    assert len(BY_NAME) == len(CASES)
