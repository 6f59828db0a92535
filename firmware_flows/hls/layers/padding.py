"""Zeros around positions, positions taken away, positions repeated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

AXES = ("height", "width")


def sizes_of(prefix: str, sizes: Sequence[int]) -> dict[str, int]:
    """{'in_height': .., 'in_width': ..}, or the width alone where there is one axis."""
    return {f"{prefix}_{axis}": int(n) for axis, n in zip(AXES[-len(sizes) :], sizes, strict=True)}


def pad(p: Planner, layer: Layer, source: Node, padding: Sequence[tuple[int, int]], suffix: str = "") -> Node:
    """A layer of zeros around the positions of (*positions, channels); the source itself where there are none."""
    if suffix and not any(map(any, padding)):
        return source
    rank = len(padding)
    sides = (("pad_top", "pad_bottom"), ("pad_left", "pad_right"))[2 - rank :]
    shape = tuple(n + before + after for n, (before, after) in zip(source.shape, padding, strict=False))
    return p.add(
        layer, f"ZeroPadding{rank}D", (source,), (*shape, source.shape[-1]), {"result": source.type},
        suffix=suffix,
        attributes={
            **sizes_of("in", source.shape[:-1]),
            **sizes_of("out", shape),
            **{name: int(n) for names, pair in zip(sides, padding, strict=True)
               for name, n in zip(names, pair, strict=True)},
            "n_chan": source.shape[-1],
            "data_format": "channels_last",
        },
    )  # fmt: skip


def _zero_padding(p: Planner, layer: Layer) -> Node:
    padding = [(int(before), int(after)) for before, after in layer.attributes["padding"]]
    return pad(p, layer, _in_type(p, layer, layer.type), padding)


def _cropping(p: Planner, layer: Layer) -> Node:
    source = _in_type(p, layer, layer.type)
    cropping = [(int(before), int(after)) for before, after in layer.attributes["cropping"]]
    sides = (("crop_top", "crop_bottom"), ("crop_left", "crop_right"))[2 - len(cropping) :]
    return p.add(
        layer, f"Cropping{len(cropping)}D", (source,), layer.shape, {"result": source.type},
        attributes={
            **sizes_of("in", source.shape[:-1]),
            **sizes_of("out", layer.shape[:-1]),
            **{name: n for names, pair in zip(sides, cropping, strict=True)
               for name, n in zip(names, pair, strict=True)},
            "n_chan": source.shape[-1],
            "data_format": "channels_last",
        },
    )  # fmt: skip


def _up_sampling(p: Planner, layer: Layer) -> Node:
    return _resize(p, layer, _in_type(p, layer, layer.type))


def _repeat(p: Planner, layer: Layer) -> Node:
    source = _in_type(p, layer, layer.type)
    return _resize(p, layer, p.reshape(layer, source, (1, source.shape[-1]), "_row"))


def _resize(p: Planner, layer: Layer, source: Node) -> Node:
    """hls4ml's nearest neighbour, in 16 fractional bits of a position."""
    for size, larger in zip(source.shape[:-1], layer.shape[:-1], strict=True):
        ratio = (size << 16) // larger + 1
        if (larger - 1) * ratio >= 1 << 31 or any((k * ratio) >> 16 != k * size // larger for k in range(larger)):
            raise HlsConversionError(
                layer.name, "shape", layer.shape, "hls4ml's positions of 16 fractional bits are too coarse for it",
                "repeat fewer positions",
            )  # fmt: skip
    # the height that hls4ml wants for one axis, too
    inner, outer = ((1, *shape[:-1])[-2:] for shape in (source.shape, layer.shape))
    return p.add(
        layer, "Resize", (source,), layer.shape, {"result": source.type},
        attributes={
            **sizes_of("in", inner), **sizes_of("out", outer), "n_chan": source.shape[-1],
            "algorithm": "nearest", "data_format": "channels_last",
        },
    )  # fmt: skip


def _in_type(p: Planner, layer: Layer, t: FixedPoint) -> Node:
    """The source in the type that the Program has proven for the result, which these layers of hls4ml cannot change."""
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "this layer is verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    source = p.source(layer)
    if source.type.same_bits(t):
        return source
    return p.activation(layer, source, "linear", {"result": t}, suffix="_cast")


HANDLERS = {"ZeroPadding": _zero_padding, "Cropping": _cropping, "UpSampling": _up_sampling, "Repeat": _repeat}
