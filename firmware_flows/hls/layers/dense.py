"""Dense layers: of a vector, or at every position."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.plan import Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner


def _dense(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    n_in, n_out = (int(n) for n in layer.arrays["weight"].shape)
    types = {name: p.constant_type(layer.types[name]) for name in ("weight", "bias")}
    types |= {name: layer.types[name] for name in ("accum", "result")}
    weights = {"weight": layer.arrays["weight"], "bias": layer.arrays["bias"]}
    reuse = p.settings.reuse_factor.get(layer.name, 1)
    if len(source.shape) == 1:
        return p.add(
            layer, "Dense", (source,), (n_out,), types,
            attributes={"n_in": n_in, "n_out": n_out}, weights=weights, reuse_factor=reuse,
        )  # fmt: skip
    positions = prod(source.shape[:-1])
    if len(source.shape) == 2:
        return pointwise(p, layer, source, types, weights, reuse)
    rows = p.reshape(layer, source, (positions, n_in), "_rows")
    result = pointwise(p, layer, rows, types, weights, reuse)
    return p.reshape(layer, result, layer.shape, "_shaped")


def pointwise(
    p: Planner,
    layer: Layer,
    source: Node,
    types: Mapping[str, FixedPoint],
    weights: Mapping[str, npt.NDArray[np.int64]],
    reuse: int,
    suffix: str = "",
) -> Node:
    """One small dense layer at every position of (positions, n_in): a convolution with a kernel of one."""
    positions, n_in = source.shape
    n_out = int(weights["weight"].shape[1])
    return p.add(
        layer, "Conv1D", (source,), (positions, n_out), types, suffix=suffix,
        attributes={
            "in_width": positions, "out_width": positions, "n_chan": n_in, "n_filt": n_out, "filt_width": 1,
            "stride_width": 1, "pad_left": 0, "pad_right": 0, "padding": "valid", "data_format": "channels_last",
        },
        weights={"weight": weights["weight"].reshape(1, n_in, n_out), "bias": weights["bias"]},
        reuse_factor=reuse,
        parallelization_factor=None if p.stream else positions,  # all positions at once, not one after another
    )  # fmt: skip


HANDLERS = {"Dense": _dense}
