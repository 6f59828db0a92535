"""Programs for the tests of the RTL, and what to do with a traced one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.interpreter import interpret
from firmware_flows.program import Program
from firmware_flows.rtl.matrices import Effort
from firmware_flows.rtl.tracing import trace
from firmware_flows.rtl.writer import run_logic

Mantissas = npt.NDArray[np.int64]


class Net:
    """A Program under construction: one layer an instruction, named by its number."""

    def __init__(self, name: str = "net") -> None:
        self.builder = Builder(name)

    def __getattr__(self, method: str) -> Any:
        def add(*args: Any, **kwargs: Any) -> int:
            self.builder.begin_layer(f"layer{len(self.builder.layers)}", "Any")
            value = int(getattr(self.builder, method)(*args, **kwargs))
            self.builder.end_layer(value)
            return value

        return add

    def build(self, *outputs: int) -> Program:
        return self.builder.build({f"out{k}": value for k, value in enumerate(outputs)})


def all_mantissas(t: FixedPoint) -> Mantissas:
    """Every value of a narrow type; of a wide one, those around its ends, around powers of two, and random ones."""
    if t.width <= 12:
        return np.arange(t.minimum, t.maximum + 1)
    rng = np.random.default_rng(t.width)
    powers = 2 ** np.arange(t.width - 1)
    near = np.concatenate([s * powers + d for s in (-1, 1) for d in (-1, 0, 1)])
    edges = np.array([t.minimum, t.minimum + 1, t.maximum - 1, t.maximum])
    numbers = np.concatenate([near, edges, rng.integers(t.minimum, t.maximum, 2000)])
    return np.unique(np.clip(numbers, t.minimum, t.maximum))


def random_mantissas(program: Program, events: int, seed: int = 0) -> tuple[Mantissas, ...]:
    rng = np.random.default_rng(seed)
    return tuple(
        rng.integers(i.type.minimum, i.type.maximum, (events, *i.shape), endpoint=True) for i in program.inputs
    )


def differing(program: Program, inputs: Sequence[Mantissas], effort: Effort | None = None) -> int:
    """Outputs in which the traced logic, run by alkaid's interpreter, differs from the Program."""
    found = run_logic(program, trace(program, effort), inputs)
    wanted = list(interpret(program, list(inputs)))
    return sum(int((wanted[o.value] != f).sum()) for o, f in zip(program.outputs, found, strict=True))
