"""How each kind of Program layer is written in hls4ml: one file a family, as in `lowering`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from firmware_flows.hls.layers import (
    activations,
    convolution,
    dense,
    embedding,
    local_pooling,
    merges,
    normalization,
    padding,
    pooling,
    shapes,
    softmax,
    tables,
)
from firmware_flows.hls.plan import Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

Handler = Callable[["Planner", Layer], Node]

HANDLERS: dict[str, Handler] = {
    **activations.HANDLERS,
    **dense.HANDLERS,
    **shapes.HANDLERS,
    **merges.HANDLERS,
    **pooling.HANDLERS,
    **convolution.HANDLERS,
    **local_pooling.HANDLERS,
    **padding.HANDLERS,
    **normalization.HANDLERS,
    **tables.HANDLERS,
    **softmax.HANDLERS,
    **embedding.HANDLERS,
}
"""Kind of layer -> its handler."""
