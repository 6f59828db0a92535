"""Random instances from a seed, by hypothesis; and how many of them make batches."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Instance, Shape
from benchmarks.sweep.strategies import CAST, neighbour, weights

POOL = 6
"""Hypothesis' first examples are the simplest: of this many as needed, some are taken."""

Limits = tuple[tuple[int, int], ...]

SOFTMAX = ("stable", "latency", "argmax", "logits")

SIZES: dict[int, Limits] = {1: ((1, 9),), 2: ((1, 9), (1, 4)), 3: ((1, 7), (1, 7), (1, 3))}
"""Of the input's axes."""


@dataclass(frozen=True)
class Batch:
    """Instances of one input shape for one C++ project; `entry` is the type of the first quantizer."""

    number: str
    instances: tuple[Instance, ...] = field(repr=False)
    entry: tuple[int, int] = (12, 3)
    softmax: str = "stable"
    strategy: str = "latency"


@st.composite
def instances_of(draw: Draw, case: Case, shape: Shape) -> Instance:
    """An instance of a case, its neighbours included."""
    parts = case.draw(draw, shape)
    inputs = parts.get("inputs") or [draw(CAST)]
    return {
        "case": case.name,
        "shape": list(shape),
        "inputs": inputs,
        "layer": case.layer,
        "options": parts["options"],
        "weights": parts.get("weights") or draw(weights()),
        "before": draw(neighbour(shape, behind=False)) if case.neighbours else None,
        "behind": parts["behind"] if "behind" in parts else draw(neighbour(shape, behind=True)),
    }


def drawn(strategy: Any, count: int, number: int) -> list[Any]:
    """`count` values of a strategy, always the same for the same number."""
    pool: list[Any] = []

    @seed(number)
    @settings(
        max_examples=POOL * count, phases=(Phase.generate,), database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def collect(value: Any) -> None:
        pool.append(value)

    collect()
    chosen = np.random.default_rng(number).permutation(len(pool))[:count]
    return [pool[k] for k in chosen]


def batches(cases: Sequence[Case], round_number: int, start: int, most: int = 24) -> list[Batch]:
    """One round: an instance of every case, in batches of one shape; another round, other shapes."""
    rng = np.random.default_rng([start, round_number])
    groups: dict[tuple[int, str, Limits], list[Case]] = {}
    for case in cases:
        rank = int(rng.choice(case.ranks))
        softmax = case.softmax or SOFTMAX[(rank + round_number) % len(SOFTMAX)]  # one for all who do not care
        groups.setdefault((rank, softmax, (case.sizes or SIZES[rank])[:rank]), []).append(case)
    result = []
    for (_, softmax, limits), members in sorted(groups.items()):
        for part in range(0, len(members), most):
            shape = tuple(int(rng.integers(low, high + 1)) for low, high in limits)
            instances = [instance_of(case, shape, round_number, start) for case in members[part : part + most]]
            entry = (int(rng.integers(6, 17)), int(rng.integers(-1, 5)))
            strategy = "resource" if rng.random() < 0.2 else "latency"
            result.append(Batch(f"{round_number}.{len(result)}", tuple(instances), entry, softmax, strategy))
    return result


def instance_of(case: Case, shape: Shape, round_number: int, start: int) -> Instance:
    """The instance of a case in a round: always the same."""
    number = zlib.crc32(f"{start} {round_number} {case.name}".encode())
    instance: Instance = drawn(instances_of(case, shape), 1, number)[0]
    return instance


def batch_of(instances: Iterable[Instance], number: str = "own", softmax: str = "") -> Batch:
    """A batch of given instances."""
    return Batch(number, tuple(instances), softmax=softmax or "stable")
