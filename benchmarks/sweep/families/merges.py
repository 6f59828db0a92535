"""Elementwise operations on several inputs, and joining them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Shape, example
from benchmarks.sweep.strategies import CAST

TWO = ["quantized_bits(6,2,alpha=1)", "quantized_bits(5,0,alpha=1)"]


def _merge(least: int = 2, most: int = 3) -> Callable[[Draw, Shape], Parts]:
    def drawn(draw: Draw, shape: Shape) -> Parts:
        return {"inputs": [draw(CAST) for _ in range(draw(st.integers(least, most)))], "options": {}}

    return drawn


def _concatenate(draw: Draw, shape: Shape) -> Parts:
    axis = draw(st.integers(1, len(shape)))
    return {**_merge()(draw, shape), "options": {"axis": draw(st.sampled_from([axis, axis - len(shape) - 1]))}}


CASES = [
    Case("Add", _merge()),
    Case("Subtract", _merge(2, 2)),
    Case("Multiply", _merge()),
    Case("Maximum", _merge()),
    Case("Minimum", _merge()),
    Case(
        "Average",
        _merge(2, 4),
        refusals=(
            Refusal("lowering", "as many inputs as a power of two", "the number of inputs is no power of two",
                    example("Average", (3,), _inputs=[*TWO, TWO[0]])),
        ),
    ),
    Case("Concatenate", _concatenate),
]  # fmt: skip
