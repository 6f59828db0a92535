"""Every layer that is converted, by the name of its Keras class."""

from __future__ import annotations

from collections.abc import Callable

from firmware_flows.lowering import (
    activations,
    convolution,
    dense,
    embedding,
    local_pooling,
    merges,
    normalization,
    padding,
    pooling,
    products,
    recurrent,
    shapes,
    time_distributed,
)
from firmware_flows.lowering.context import Context, Signal
from firmware_flows.lowering.graph import Node

Lowering = Callable[[Context, Node], Signal]

LOWERINGS: dict[str, Lowering] = {
    **dense.LOWERINGS,
    **activations.LOWERINGS,
    **shapes.LOWERINGS,
    **merges.LOWERINGS,
    **pooling.LOWERINGS,
    **convolution.LOWERINGS,
    **local_pooling.LOWERINGS,
    **padding.LOWERINGS,
    **normalization.LOWERINGS,
    **products.LOWERINGS,
    **embedding.LOWERINGS,
    **recurrent.LOWERINGS,
    **time_distributed.LOWERINGS,
}
