"""The input, casts and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.casts import check_cast
from firmware_flows.hls.plan import Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner


def _input(p: Planner, layer: Layer) -> Node:
    shape = {"input_shape": [*layer.shape]}
    return p.add(layer, "InputLayer", (), layer.shape, {"result": layer.type}, attributes=shape)


def _quantize(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    check_cast(layer, source.type.fractional, source.type.width, p.settings.backend)
    return p.activation(layer, source, "linear", {"result": layer.type})


def _relu(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    check_cast(layer, source.type.fractional, source.type.width, p.settings.backend)
    return p.activation(layer, source, "relu", {"result": layer.type})


def _leaky_relu(p: Planner, layer: Layer) -> Node:
    source, slope_type = p.source(layer), p.constant_type(layer.types["slope"])
    check_cast(layer, source.type.fractional, source.type.width, p.settings.backend)
    check_cast(
        layer, source.type.fractional + slope_type.fractional, source.type.width + slope_type.width, p.settings.backend
    )
    slope = float(slope_type.to_float(np.asarray(layer.arrays["slope"]).reshape(-1))[0])
    return p.add(
        layer, "LeakyReLU", (source,), source.shape,
        {"result": layer.type, "param": slope_type, "table": layer.type},
        attributes={"activation": "leakyrelu", "activ_param": slope, "n_in": source.size},
    )  # fmt: skip


def _hard_sigmoid(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    types = {"result": layer.type, "table": layer.type}
    attributes: dict[str, Any] = {"activation": "hard_sigmoid", "n_in": source.size}
    for name in ("slope", "shift"):
        value, t = float(layer.attributes[name]), layer.types[name]
        if float(t.to_float(t.quantize([value]))[0]) != value:
            raise HlsConversionError(layer.name, name, value, f"{t} does not hold it exactly", "use a power of two")
        types[name], attributes[name] = p.constant_type(t), value
    slope, shift = types["slope"], types["shift"]
    fractional = max(source.type.fractional + slope.fractional, shift.fractional)
    integer = 1 + max(source.type.integer + slope.integer, shift.integer + source.type.signed)  # of the sum in C++
    check_cast(layer, fractional, integer + fractional, p.settings.backend)
    return p.add(layer, "HardActivation", (source,), source.shape, types, attributes=attributes)


HANDLERS = {
    "Input": _input,
    "Quantize": _quantize,
    "Relu": _relu,
    "LeakyRelu": _leaky_relu,
    "HardSigmoid": _hard_sigmoid,
}
