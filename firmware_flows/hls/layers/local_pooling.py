"""Pooling in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.casts import check_cast
from firmware_flows.hls.layers.convolution import pads
from firmware_flows.hls.layers.padding import pad, sizes_of
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

POOLS = {"average": "AveragePooling", "maximum": "MaxPooling"}


def _local_pool(p: Planner, layer: Layer) -> Node:
    source, operation = p.source(layer), str(layer.attributes["operation"])
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "pooling in windows is verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    kernel = [int(n) for n in layer.attributes["kernel"]]
    strides = [int(n) for n in layer.attributes["strides"]]
    padding = [(int(before), int(after)) for before, after in layer.attributes["padding"]]
    rank = len(kernel)
    if operation == "maximum" and not source.type.signed:
        # what hls4ml pads an unsigned maximum with is its middle value; zero is the smallest
        source = pad(p, layer, source, padding, "_padded")
        padding = [(0, 0)] * rank
    if p.stream and any(map(any, padding)):
        raise HlsConversionError(
            layer.name, "padding", "same",
            "hls4ml streams pooling without padding" + (
                ", and zeros around would be larger than negative values" if operation == "maximum"
                else ", and would divide by positions outside, too"
            ),
            "use padding='valid', a ReLU before a maximum, or io=\"parallel\"",
        )  # fmt: skip
    if p.stream and rank == 2 and kernel != strides:
        raise HlsConversionError(
            layer.name, "strides", strides, f"hls4ml streams pooling of {kernel} in steps of {kernel} only",
            'use strides like pool_size, or io="parallel"',
        )  # fmt: skip
    types = {"accum": layer.types["accum"], "result": layer.type}
    check_cast(layer, types["accum"].fractional, types["accum"].width, p.settings.backend)
    windows = {**sizes_of("pool", kernel), **sizes_of("stride", strides), **pads(padding)}
    positions = {**sizes_of("in", source.shape[:-1]), **sizes_of("out", layer.shape[:-1])}
    if rank == 1:
        positions = {"n_in": source.shape[0], "n_out": layer.shape[0]}
    return p.add(
        layer, f"{POOLS[operation]}{rank}D", (source,), layer.shape, types,
        attributes={
            **positions, **windows, "n_filt": layer.shape[-1], "count_pad": False, "data_format": "channels_last",
        },
    )  # fmt: skip


HANDLERS = {"LocalPool": _local_pool}
