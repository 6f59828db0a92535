"""The layers of a Program as work for the hardware, with the exact constants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil, log2, prod

import numpy as np

from firmware_flows.estimation.constants import ConstantMatrix, from_weights, side_by_side
from firmware_flows.estimation.work import Kind, Work
from firmware_flows.fixed_point import Overflow, Rounding
from firmware_flows.program import Layer, Program

MULTIPLYING_KINDS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")
"""Kinds of layer that have a reuse factor and a strategy of their own."""


def multiplying_layers(program: Program) -> list[str]:
    """Names of the layers that a reuse factor can be given for."""
    return [x.name for x in program.layers if x.kind in MULTIPLYING_KINDS and "weight" in x.arrays]


def work_of(layers: Sequence[Layer], stream: bool) -> list[Work]:
    """One piece of work for every layer of a Program, in order; products with reuse factor 1."""
    by_name = {layer.name: layer for layer in layers}
    found = []
    for layer in layers:
        sources = [by_name[name] for name in layer.inputs if name in by_name]
        handler = _HANDLERS[layer.kind] if known(layer) and layer.kind in _HANDLERS else _unmodelled(layer)
        found.append(handler(layer, sources, stream))
    return found


WIRING_KINDS = (
    *("Input", "Reshape", "Transpose", "Concatenate", "ZeroPadding", "Cropping", "UpSampling", "Repeat", "Split"),
    *("Permute", "Flatten", "Slice"),
)
"""Kinds that move values and compute nothing."""


def known(layer: Layer) -> bool:
    """Whether the layer is one that the estimator has a model for; those with multipliers state their weights."""
    if layer.kind in MULTIPLYING_KINDS:
        return "weight" in layer.arrays
    return layer.kind in _HANDLERS or layer.kind in WIRING_KINDS


def _unmodelled(layer: Layer) -> Callable[[Layer, list[Layer], bool], Work]:
    return _wiring if layer.kind in WIRING_KINDS else _elementwise


def _places(layer: Layer, channels: int, stream: bool) -> tuple[int, int]:
    """Copies side by side, and turns one after another."""
    positions = max(prod(layer.shape) // max(channels, 1), 1)
    return (1, positions) if stream else (positions, 1)


def _dense(layer: Layer, sources: list[Layer], stream: bool) -> Work:
    weights = np.asarray(layer.arrays["weight"])
    return _product(layer, sources, stream, from_weights(weights.reshape(-1, weights.shape[-1])))


def _depthwise(layer: Layer, sources: list[Layer], stream: bool) -> Work:
    weights = np.asarray(layer.arrays["weight"])
    channels, multiplier = weights.shape[-2:]
    flat = weights.reshape(-1, channels, multiplier)
    return _product(layer, sources, stream, side_by_side([from_weights(flat[:, c]) for c in range(channels)]))


def _product(layer: Layer, sources: list[Layer], stream: bool, constants: ConstantMatrix) -> Work:
    copies, positions = _places(layer, layer.shape[-1] if layer.shape else 1, stream)
    return Work(
        name=layer.name,
        kind=Kind.PRODUCT,
        elements=layer.shape[-1] if layer.shape else 1,
        input_bits=_input_bits(layer, sources),
        result_bits=layer.type.width,
        accumulator_bits=layer.types.get("accum", layer.type).width,
        weight_bits=_weight_bits(layer),
        constants=constants,
        copies=copies,
        positions=positions,
        layer=layer.kind,
    )


def _weight_bits(layer: Layer) -> int:
    """Width of the weights' type, or of the widest weight where the layer does not state one."""
    if "weight" in layer.types:
        return layer.types["weight"].width
    return int(np.max(np.abs(layer.arrays["weight"]), initial=1)).bit_length() + 1


def _simple(kind: Kind) -> Callable[[Layer, list[Layer], bool], Work]:
    def handler(layer: Layer, sources: list[Layer], stream: bool) -> Work:
        channels = layer.shape[-1] if layer.shape else 1
        copies, positions = _places(layer, channels, stream)
        result = layer.type
        same = bool(sources) and sources[0].type.same_bits(result)
        return Work(
            name=layer.name,
            kind=kind,
            elements=channels,
            input_bits=_input_bits(layer, sources),
            result_bits=result.width,
            accumulator_bits=layer.types.get("accum", result).width,
            copies=copies,
            positions=positions,
            rounds=result.rounding is not Rounding.TRN and not same,
            saturates=result.overflow is not Overflow.WRAP and not same,
            operands=_operands(layer, sources),
            weight_bits=layer.types["scale"].width if "scale" in layer.types else 0,
            layer=layer.kind,
        )

    return handler


_elementwise = _simple(Kind.ELEMENTWISE)
_wiring = _simple(Kind.WIRING)


def _operands(layer: Layer, sources: list[Layer]) -> int:
    if layer.kind == "Pool":
        return int(layer.attributes.get("positions", 2))
    if layer.kind == "LocalPool":
        return int(prod(layer.attributes.get("kernel", (2,))))
    if layer.kind == "Argmax":
        return int(prod(sources[0].shape)) if sources else 2
    return max(len(sources), 2)


def _table(layer: Layer, sources: list[Layer], stream: bool) -> Work:
    work = _simple(Kind.TABLE)(layer, sources, stream)
    entries = layer.arrays.get("entries")
    size = int(entries.shape[-1]) if entries is not None else 1 << min(work.input_bits, 16)
    return replace(work, table_size=size, table_bits=layer.type.width)


def _softmax(layer: Layer, sources: list[Layer], stream: bool) -> Work:
    work = _simple(Kind.SOFTMAX)(layer, sources, stream)
    exponentials = layer.arrays.get("exponentials")
    if exponentials is None:
        return replace(work, kind=Kind.ELEMENTWISE, operands=work.elements)
    bits = max(ceil(log2(int(np.max(np.abs(exponentials))) + 1)) + 1, 2)
    return replace(work, table_size=int(np.asarray(exponentials).size), table_bits=bits)


def _input_bits(layer: Layer, sources: list[Layer]) -> int:
    return max((source.type.width for source in sources), default=layer.type.width)


_HANDLERS: dict[str, Callable[[Layer, list[Layer], bool], Work]] = {
    "Dense": _dense,
    "Conv1D": _dense,
    "Conv2D": _dense,
    "DepthwiseConv1D": _depthwise,
    "DepthwiseConv2D": _depthwise,
    **dict.fromkeys(
        ("Quantize", "Relu", "ReluLimited", "LeakyRelu", "PRelu", "HardTanh", "HardSigmoid"), _simple(Kind.RECTIFIER)
    ),
    **dict.fromkeys(("Pool", "LocalPool"), _simple(Kind.POOLING)),
    **dict.fromkeys(("Merge", "Argmax"), _simple(Kind.ELEMENTWISE)),
    "Scale": _simple(Kind.SCALE),
    "Table": _table,
    "Softmax": _softmax,
}
