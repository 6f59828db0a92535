"""Convolutions of one and two axes.

hls4ml's templates are used where they are exact as they are: no dilation (its parallel form ignores it), no padding
inside a streaming layer, depthwise with one kernel a channel. What they lack is expressed with what they have: a
dilated kernel is one with zeros between, a depthwise kernel with a multiplier one with zeros for the other channels,
padding a layer of its own. Zeros cost no multiplier under the latency strategy.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.padding import pad, sizes_of
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

Kernel = npt.NDArray[np.int64]


def _conv(p: Planner, layer: Layer) -> Node:
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "convolutions are verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    source, kernel = p.source(layer), dilated(layer.arrays["weight"], layer.attributes["dilation"])
    strides = [int(s) for s in layer.attributes["strides"]]
    padding = [(int(before), int(after)) for before, after in layer.attributes["padding"]]
    channels, rank = source.shape[-1], len(strides)
    # in parallel form hls4ml has the depthwise product for the latency strategy only; both have one kernel a channel
    depthwise = layer.kind.startswith("Depthwise")
    diagonal = depthwise and kernel.shape[-1] == 1 and (p.stream or p.settings.strategy == "latency")
    if rank == 1 and any(other.kind == "DepthwiseConv2D" for other in p.layers):
        diagonal = False  # hls4ml's headers of both share an include guard, so that one of them is left out
    if depthwise and not diagonal:
        kernel = over_all_channels(kernel)
    if p.stream and rank == 2 and kernel.shape[0] == 1 and strides[0] > 1 and (kernel.shape[1] > 1 or diagonal):
        # hls4ml streams a kernel of one row row by row, and forgets to leave rows out: give it a second row, of zeros
        kernel = np.pad(kernel, [(0, 1), *[(0, 0)] * 3])
        padding[0] = (padding[0][0], padding[0][1] + 1)
    if p.stream:
        source = pad(p, layer, source, padding, "_padded")
        padding = [(0, 0)] * rank
    results = int(layer.attributes["n_out"])
    types = {name: p.constant_type(layer.types[name]) for name in ("weight", "bias")}
    types |= {name: layer.types[name] for name in ("accum", "result")}
    attributes: dict[str, Any] = {
        **sizes_of("in", source.shape[:-1]),
        **sizes_of("out", layer.shape[:-1]),
        **sizes_of("filt", kernel.shape[:rank]),
        **sizes_of("stride", strides),
        **pads(padding),
        "n_chan": channels,
        "n_filt": results,
        "padding": "valid" if not any(map(any, padding)) else "same",
        "data_format": "channels_last",
    }
    if diagonal:
        scale = 2.0 ** -types["weight"].fractional
        attributes |= {"depth_multiplier": 1, "depthwise_data": kernel.astype(np.float64) * scale}
    return p.add(
        layer, f"DepthwiseConv{rank}D" if diagonal else f"Conv{rank}D", (source,), layer.shape, types,
        attributes=attributes,
        weights={"weight": kernel, "bias": layer.arrays["bias"]},
        reuse_factor=p.settings.reuse_factor.get(layer.name, 1),
        parallelization_factor=None if p.stream else prod(layer.shape[:-1]),  # all positions at once
    )  # fmt: skip


def dilated(kernel: Kernel, dilation: list[int]) -> Kernel:
    """The kernel with dilation - 1 zeros between its elements."""
    rank = len(dilation)
    spans = [d * (k - 1) + 1 for k, d in zip(kernel.shape, dilation, strict=False)]
    result = np.zeros((*spans, *kernel.shape[rank:]), np.int64)
    result[tuple(slice(None, None, d) for d in dilation)] = kernel
    return result


def over_all_channels(kernel: Kernel) -> Kernel:
    """A depthwise kernel (*positions, channels, multiplier) as one over all channels, mostly zeros."""
    channels, multiplier = kernel.shape[-2:]
    result = np.zeros((*kernel.shape[:-2], channels, channels * multiplier), np.int64)
    for c in range(channels):
        result[..., c, c * multiplier : (c + 1) * multiplier] = kernel[..., c, :]
    return result


def pads(padding: list[tuple[int, int]]) -> dict[str, int]:
    """hls4ml's names for padding before and after each axis."""
    names = (("pad_top", "pad_bottom"), ("pad_left", "pad_right"))[2 - len(padding) :]
    return {name: n for pair, ns in zip(names, padding, strict=True) for name, n in zip(pair, ns, strict=True)}


HANDLERS = dict.fromkeys(("Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D"), _conv)
