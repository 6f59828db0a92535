"""The input, casts and activations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers.casts import check_cast
from firmware_flows.hls.layers.normalization import scaled
from firmware_flows.hls.plan import AP_BACKENDS, Node
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


def _hard_tanh(p: Planner, layer: Layer) -> Node:
    """hls4ml's 2 * clip(x / 2 + 1 / 2, 0, 1) - 1."""
    source, half = p.source(layer), p.constant_type(FixedPoint(1, 0, signed=False))
    check_cast(layer, source.type.fractional + 1, source.type.width + 4, p.settings.backend)
    types = {"result": layer.type, "table": layer.type, "slope": half, "shift": half}
    attributes: dict[str, Any] = {"activation": "hard_tanh", "n_in": source.size, "slope": 0.5, "shift": 0.5}
    return p.add(layer, "HardActivation", (source,), source.shape, types, attributes=attributes)


def _prelu(p: Planner, layer: Layer) -> Node:
    source, slope_type = p.source(layer), p.constant_type(layer.types["slope"])
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "PReLU is verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    slopes = np.broadcast_to(layer.arrays["slope"], source.shape).reshape(-1).copy()
    return p.add(
        layer, "PReLU", (source,), source.shape, {"result": layer.type, "param": slope_type, "table": layer.type},
        attributes={"activation": "prelu", "n_in": source.size}, weights={"param": slopes},
    )  # fmt: skip


def _relu_limited(p: Planner, layer: Layer) -> Node:
    """min(max(x, 0), limit) as limit - max(limit - max(x, 0), 0): hls4ml's own knows only the limits 1 and 6."""
    source, limit_type = p.source(layer), layer.types["limit"]
    limit = np.asarray(layer.arrays["limit"]).reshape(1)
    positive = p.activation(layer, source, "relu", {"result": _unsigned(source.type)}, suffix="_positive")
    fractional = max(source.type.fractional, limit_type.fractional)
    integer = 1 + max(positive.type.integer, limit_type.integer)
    room = FixedPoint(integer + fractional, integer)
    minus, minus_type = -np.ones(1, np.int64), FixedPoint(2, 2)
    left = scaled(p, layer, positive, minus, minus_type, limit, limit_type, room, suffix="_room")
    left = p.activation(layer, left, "relu", {"result": _unsigned(room)}, suffix="_left")
    return scaled(p, layer, left, minus, minus_type, limit, limit_type, layer.type)


def _unsigned(t: FixedPoint) -> FixedPoint:
    """The same bits, for values that are not negative."""
    return FixedPoint(t.width, t.integer, signed=False)


HANDLERS = {
    "HardTanh": _hard_tanh,
    "PRelu": _prelu,
    "ReluLimited": _relu_limited,
    "Input": _input,
    "Quantize": _quantize,
    "Relu": _relu,
    "LeakyRelu": _leaky_relu,
    "HardSigmoid": _hard_sigmoid,
}
