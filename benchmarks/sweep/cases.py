"""What is said of one layer: how to draw it at random, what becomes of it, and what is refused.

An instance is plain data, so that it can be kept, repeated and shrunk: see `networks`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Shape = tuple[int, ...]
Draw = Callable[[Any], Any]
"""Hypothesis' `draw`: takes a strategy, returns a value."""

Instance = dict[str, Any]
Parts = dict[str, Any]
"""What a case draws: `options` of the layer, and if need be `inputs`, `weights`."""

IO = ("parallel", "stream")
STAGES = ("lowering", *IO, "rtl")


@dataclass(frozen=True)
class Refusal:
    """A setting that is refused: where, a regular expression found in the message, when, and one example."""

    stage: str
    reason: str
    when: str
    example: Mapping[str, Any]


@dataclass(frozen=True)
class Remark:
    """Where Keras is no reference: a regular expression found in the layer's remark, and what the table says.

    `always`: whatever the options, so that no network of the layer is Keras' own.
    """

    reason: str
    text: str
    always: bool = False


@dataclass(frozen=True)
class Case:
    """One row of the table.

    `layer` is the name in LOWERINGS; `kind` tells several rows of one layer apart. `ranks`: numbers of axes of its
    input. `remarks`: when it is converted as the hardware computes it. `forms`: in which C++ is verified; a form that
    is missing needs a refusal of that stage. `softmax`: what `lower` is told, if that matters.
    `examples` are always in the sample. `sizes`: least and largest of each axis, for layers that are written out many
    times. `neighbours`: whether any layer may stand before it; otherwise its own inputs are of few bits.
    """

    layer: str
    draw: Callable[[Draw, Shape], Parts]
    ranks: tuple[int, ...] = (1, 2, 3)
    kind: str = ""
    remarks: tuple[Remark, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    forms: tuple[str, ...] = ("parallel", "stream")
    softmax: str = ""
    sizes: tuple[tuple[int, int], ...] = ()
    neighbours: bool = True

    @property
    def name(self) -> str:
        """The row's name."""
        return f"{self.layer}: {self.kind}" if self.kind else self.layer


def example(layer: str, shape: Shape, /, **options: Any) -> Instance:
    """An instance without neighbours; options that begin with an underscore are the instance's own."""
    own = {k[1:]: v for k, v in options.items() if k.startswith("_")}
    return {
        "shape": list(shape),
        "inputs": ["quantized_bits(6,2,alpha=1)"],
        "layer": layer,
        "options": {k: v for k, v in options.items() if not k.startswith("_")},
        "weights": {"seed": 1, "exponent": 0, "fractional": 3},
        "before": None,
        "behind": None,
        **own,
    }
