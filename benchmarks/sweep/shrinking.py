"""Making an instance that fails as simple as possible."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.sweep.cases import Instance

SIMPLE = "quantized_bits(6,2,alpha=1)"


def shrunk(instance: Instance, fails: Callable[[Instance], bool], tries: int = 30) -> Instance:
    """The simplest instance found that still fails, with at most `tries` calls of `fails`."""
    current, left, moved = instance, tries, True
    while moved and left > 0:
        moved = False
        for candidate in simpler(current):
            left -= 1
            if fails(candidate):
                current, moved = candidate, True
                break
            if left <= 0:
                break
    return current


def simpler(instance: Instance) -> Iterator[Instance]:
    """Instances with one thing less: a neighbour, an option, a size."""

    def changed(**new: Any) -> Instance:
        return {**copy.deepcopy(instance), **new}

    for side in ("before", "behind"):
        if instance[side]:
            yield changed(**{side: None})
    for number, quantizer in enumerate(instance["inputs"]):
        if quantizer != SIMPLE:
            yield changed(inputs=[*instance["inputs"][:number], SIMPLE, *instance["inputs"][number + 1 :]])
    options = instance["options"]
    for name, value in options.items():
        if isinstance(value, bool | str | int | list | float) and value:
            yield changed(options={k: v for k, v in options.items() if k != name})
        if isinstance(value, int) and value > 1:
            yield changed(options={**options, name: 1})
        if isinstance(value, str) and (plain := re.sub(r"\((\d+),.*\)", r"(\1,0,alpha=1)", value)) != value:
            yield changed(options={**options, name: plain})
    for axis, size in enumerate(instance["shape"]):
        for smaller in sorted({1, size // 2, size - 1} - {0, size}):
            yield changed(shape=[*instance["shape"][:axis], smaller, *instance["shape"][axis + 1 :]])
