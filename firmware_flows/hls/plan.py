"""The exact list of hls4ml layers that express a Program, as data.

Every node carries all its types and its weights as integers; nothing is left for hls4ml to choose, so that what hls4ml
then holds can be compared with the plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint

AP_BACKENDS = ("Vitis", "Vivado")
"""Backends whose C++ uses ap_fixed and hls::stream; the others use ac_fixed, of two bits at least."""

WITH_WINDOWS = (
    *("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"),
    *("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"),
)
"""Layers of hls4ml that slide a window over positions."""


@dataclass(frozen=True, eq=False)
class Node:
    """One layer of hls4ml's graph: its class there, its inputs, all its types, its weights as mantissas.

    `shape` is the result's, without events. `layer` is the Program layer that it is part of.
    """

    name: str
    layer: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    types: Mapping[str, FixedPoint]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    reuse_factor: int = 1
    parallelization_factor: int | None = None

    @property
    def type(self) -> FixedPoint:
        """Type of the result."""
        return self.types["result"]

    @property
    def size(self) -> int:
        """Number of elements of the result."""
        return prod(self.shape)

    @property
    def has_line_buffer(self) -> bool:
        """Whether its C++ keeps the last rows of a stream in static variables."""
        pointwise = self.attributes.get("filt_width", 1) == 1 and self.attributes.get("filt_height", 1) == 1
        return self.kind in WITH_WINDOWS and not (self.kind in ("Conv1D", "Conv2D") and pointwise)


@dataclass(frozen=True)
class Port:
    """A port of the firmware: the Program's name, the node that is it or drives it, shape and type."""

    name: str
    node: str
    shape: tuple[int, ...]
    type: FixedPoint


@dataclass(frozen=True)
class Traced:
    """Where a Program layer is found in the C++: the node whose result it is."""

    layer: str
    node: str
    shape: tuple[int, ...]
    type: FixedPoint


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that is needed to write the project, and later to run it."""

    nodes: tuple[Node, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    traced: tuple[Traced, ...]

    @property
    def input_size(self) -> int:
        """Numbers that enter in one event, all inputs together."""
        return sum(prod(port.shape) for port in self.inputs)

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)
