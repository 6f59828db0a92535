"""From a Program's layers to the exact list of hls4ml layers that express them.

A Program layer becomes one node or a short chain of nodes. Every node carries all its types and its weights as
integers; nothing is left for hls4ml to choose, so that what hls4ml then holds can be compared with the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import nearest
from firmware_flows.fixed_point import FixedPoint, Rounding
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.naming import safe_names
from firmware_flows.hls.settings import Settings
from firmware_flows.program import Layer, Program

BIT = FixedPoint(1, 1, signed=False)
"""Type of the weights (all 1) and the bias (0) of a sum written as a matrix product."""

MULTIPLYING_KINDS = ("Dense",)
"""Kinds of layer that have a reuse factor of their own."""

AP_BACKENDS = ("Vitis", "Vivado")
"""Backends whose C++ uses ap_fixed and hls::stream; the others use ac_fixed, of two bits at least."""

MAX_STREAM_READERS = 7
"""hls4ml copies a stream at most seven times."""


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


@dataclass(frozen=True)
class Port:
    """An output of the firmware: the Program's name, the node that drives it, shape and type."""

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
    outputs: tuple[Port, ...]
    traced: tuple[Traced, ...]

    @property
    def input(self) -> Node:
        """The only input."""
        return self.nodes[0]

    def node(self, name: str) -> Node:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)


def multiplying_layers(program: Program) -> list[str]:
    """Names of the layers that a reuse factor can be given for."""
    return [layer.name for layer in program.layers if layer.kind in MULTIPLYING_KINDS]


def make_plan(program: Program, settings: Settings) -> Plan:
    """The nodes for this Program. Raises HlsConversionError where hls4ml cannot express a layer exactly."""
    return _Planner(program, settings).plan()


class _Planner:
    """Walks the layers in order; `self.of[layer]` is the node that holds a layer's result."""

    def __init__(self, program: Program, settings: Settings) -> None:
        self.program = program
        self.settings = settings
        self.stream = settings.io == "stream"
        self.two_bits_at_least = settings.backend not in AP_BACKENDS
        self.nodes: dict[str, Node] = {}
        self.lowered: set[str] = set()
        self.of: dict[str, Node] = {}
        self.traced: list[Traced] = []
        self.outputs = self._output_layers()
        self.layers = self._needed()
        self.names = safe_names([layer.name for layer in self.layers])

    def plan(self) -> Plan:
        for layer in self.layers:
            handler = HANDLERS.get(layer.kind)
            if handler is None:
                raise HlsConversionError(
                    layer.name, "kind", layer.kind, "hls4ml has no exact counterpart", nearest(layer.kind, HANDLERS)
                )
            node = handler(self, layer)
            if not node.type.same_bits(layer.type) or node.size != prod(layer.shape):
                raise HlsConversionError(
                    layer.name, "type", layer.type, f"the plan gives {node.type}", "please report this"
                )
            self.of[layer.name] = node
            held = self._alias(node)
            self.traced.append(Traced(layer.name, held.name, layer.shape, layer.type))
        ports = self._ports()
        self._check_readers(ports)
        return Plan(tuple(self.nodes.values()), tuple(ports), tuple(self.traced))

    # ---- which layers

    def _output_layers(self) -> dict[str, Layer]:
        chosen: dict[str, Layer] = {}
        for output in self.program.outputs:
            found = [x for x in self.program.layers if x.value == output.value]
            if not found:
                raise HlsConversionError(
                    output.name, "output", output.value, "no layer of the Program ends in this value",
                    "make it the result of a layer",
                )  # fmt: skip
            chosen[output.name] = found[-1]
        return chosen

    def _needed(self) -> list[Layer]:
        by_name = {layer.name: layer for layer in self.program.layers}
        needed: set[str] = set()
        stack = [layer.name for layer in self.outputs.values()]
        while stack:
            name = stack.pop()
            if name not in needed:
                needed.add(name)
                stack.extend(by_name[name].inputs)
        layers = [layer for layer in self.program.layers if layer.name in needed]
        inputs = [layer for layer in layers if layer.kind == "Input"]
        if len(inputs) != 1 or layers[0] is not inputs[0]:
            names = ", ".join(layer.name for layer in inputs) or "none"
            raise HlsConversionError(
                inputs[-1].name if inputs else self.program.name, "inputs", names,
                "exactly one input, before all other layers, is supported", "concatenate the inputs into one",
            )  # fmt: skip
        return layers

    # ---- adding nodes

    def constant_type(self, t: FixedPoint) -> FixedPoint:
        """Type of a constant: where hls4ml has no type of one bit, one more, which holds the same values."""
        if self.two_bits_at_least and t.width == 1:
            return FixedPoint(2, t.integer + 1, t.signed)
        return t

    def add(
        self,
        layer: Layer,
        kind: str,
        inputs: tuple[Node, ...],
        shape: tuple[int, ...],
        types: Mapping[str, FixedPoint],
        *,
        suffix: str = "",
        **more: Any,
    ) -> Node:
        name = self.names[layer.name] + suffix
        while name.lower() in self.lowered:  # hls4ml's configuration does not distinguish case
            name += "x"
        self.lowered.add(name.lower())
        names = tuple(node.name for node in inputs)
        node = Node(name, layer.name, kind, names, tuple(int(n) for n in shape), dict(types), **more)
        self.nodes[name] = node
        return node

    def source(self, layer: Layer, index: int = 0) -> Node:
        return self.of[layer.inputs[index]]

    def reshape(
        self, layer: Layer, source: Node, shape: tuple[int, ...], suffix: str = "", t: FixedPoint | None = None
    ) -> Node:
        """The same elements in another shape: free in parallel form, a repacked stream otherwise.

        The Program may have proven a narrower type `t` than the source's; in parallel form a Reshape is only another
        name of the source's array, so that the type then changes in a layer before it.
        """
        if t is None or t.same_bits(source.type):
            t = source.type
        attributes = {"target_shape": [int(n) for n in shape]}
        if not self.stream:
            if t is not source.type:
                source = self.activation(layer, source, "linear", {"result": t}, suffix=suffix + "_cast")
            return self.add(layer, "Reshape", (source,), shape, {"result": t}, suffix=suffix, attributes=attributes)
        wide, narrow = max(source.shape[-1], shape[-1]), min(source.shape[-1], shape[-1])
        if wide % narrow:  # hls4ml's repacking is silently wrong unless one pack divides the other: go through one pack
            flat = (prod(shape),)
            source = self.add(
                layer, "Repack", (source,), flat, {"result": source.type},
                suffix=suffix + "_flat", attributes={"target_shape": [*flat]},
            )  # fmt: skip
        return self.add(layer, "Repack", (source,), shape, {"result": t}, suffix=suffix, attributes=attributes)

    def activation(
        self, layer: Layer, source: Node, function: str, types: Mapping[str, FixedPoint], suffix: str = ""
    ) -> Node:
        attributes = {"activation": function, "n_in": source.size}
        return self.add(
            layer, "Activation", (source,), source.shape, {**types, "table": types["result"]},
            suffix=suffix, attributes=attributes,
        )  # fmt: skip

    # ---- after the layers

    def _alias(self, node: Node) -> Node:
        """The node in whose C++ array the values of `node` lie: in parallel form a Reshape has none of its own."""
        while not self.stream and node.kind == "Reshape":
            node = self.nodes[node.inputs[0]]
        return node

    def _ports(self) -> list[Port]:
        ports: list[Port] = []
        taken: set[str] = set()
        for name, layer in self.outputs.items():
            node = self._alias(self.of[layer.name])
            if node.kind == "InputLayer" or node.name in taken or (self.stream and node.kind == "Reshape"):
                # the input itself, or one value at two ports: hls4ml needs a layer of its own for each port
                node = self.activation(layer, node, "linear", {"result": node.type}, suffix="_port")
            taken.add(node.name)
            ports.append(Port(name, node.name, layer.shape, layer.type))
        self._drop_unread(taken)
        return ports

    def _drop_unread(self, outputs: set[str]) -> None:
        """A trailing Reshape in parallel form is nothing in C++, and hls4ml would remove it."""
        while True:
            read = {name for node in self.nodes.values() for name in node.inputs} | outputs
            unread = [name for name in self.nodes if name not in read]
            if not unread:
                return
            for name in unread:
                del self.nodes[name]

    def _check_readers(self, ports: list[Port]) -> None:
        if not self.stream:
            return
        for node in self.nodes.values():
            readers = sum(other.inputs.count(node.name) for other in self.nodes.values())
            readers += sum(port.node == node.name for port in ports)
            if readers > MAX_STREAM_READERS:
                raise HlsConversionError(
                    node.layer, "readers", readers, f"a stream feeds at most {MAX_STREAM_READERS} layers in hls4ml",
                    'use io="parallel"',
                )  # fmt: skip


def check_cast(layer: Layer, fractional: int, width: int, backend: str) -> None:
    """Refuse a rounding to a grid coarser than the whole source: the vendor's headers read a bit that is not there.

    `fractional` and `width` are those of the C++ expression that is assigned to the layer's result.
    """
    t = layer.type
    if backend in AP_BACKENDS and t.rounding is not Rounding.TRN and fractional - t.fractional > width:
        raise HlsConversionError(
            layer.name, "result", t,
            f"its least significant bit is more than the whole range of its source ({width} bits, {fractional} of "
            f"them fractional), and ap_fixed's C++ simulation ends on AP_{t.rounding} there",
            "give the result more fractional bits, or AP_TRN",
        )  # fmt: skip


def _input(p: _Planner, layer: Layer) -> Node:
    shape = {"input_shape": [*layer.shape]}
    return p.add(layer, "InputLayer", (), layer.shape, {"result": layer.type}, attributes=shape)


def _quantize(p: _Planner, layer: Layer) -> Node:
    source = p.source(layer)
    check_cast(layer, source.type.fractional, source.type.width, p.settings.backend)
    return p.activation(layer, source, "linear", {"result": layer.type})


def _relu(p: _Planner, layer: Layer) -> Node:
    source = p.source(layer)
    check_cast(layer, source.type.fractional, source.type.width, p.settings.backend)
    return p.activation(layer, source, "relu", {"result": layer.type})


def _leaky_relu(p: _Planner, layer: Layer) -> Node:
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


def _hard_sigmoid(p: _Planner, layer: Layer) -> Node:
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


def _dense(p: _Planner, layer: Layer) -> Node:
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
        return _pointwise(p, layer, source, types, weights, reuse)
    rows = p.reshape(layer, source, (positions, n_in), "_rows")
    result = _pointwise(p, layer, rows, types, weights, reuse)
    return p.reshape(layer, result, layer.shape, "_shaped")


def _pointwise(
    p: _Planner,
    layer: Layer,
    source: Node,
    types: Mapping[str, FixedPoint],
    weights: Mapping[str, npt.NDArray[np.int64]],
    reuse: int,
) -> Node:
    """One small dense layer at every position of (positions, n_in): a convolution with a kernel of one."""
    positions, n_in = source.shape
    n_out = int(weights["weight"].shape[1])
    return p.add(
        layer, "Conv1D", (source,), (positions, n_out), types,
        attributes={
            "in_width": positions, "out_width": positions, "n_chan": n_in, "n_filt": n_out, "filt_width": 1,
            "stride_width": 1, "pad_left": 0, "pad_right": 0, "padding": "valid", "data_format": "channels_last",
        },
        weights={"weight": weights["weight"].reshape(1, n_in, n_out), "bias": weights["bias"]},
        reuse_factor=reuse,
        parallelization_factor=None if p.stream else positions,  # all positions at once, not one after another
    )  # fmt: skip


def _reshape(p: _Planner, layer: Layer) -> Node:
    source = p.source(layer)
    if p.stream and len(layer.shape) == 1 and layer.type.same_bits(source.type) and _only_read_by_dense(p, layer):
        # hls4ml's dense gathers the packs of a stream itself; every other layer would read beyond the pack
        return p.add(
            layer, "Reshape", (source,), layer.shape, {"result": source.type},
            attributes={"target_shape": [*layer.shape]},
        )  # fmt: skip
    return p.reshape(layer, source, layer.shape, t=layer.type)


def _transpose(p: _Planner, layer: Layer) -> Node:
    source = p.source(layer)
    if not layer.type.same_bits(source.type):  # as for a Reshape, the Program may have proven a narrower type
        source = p.activation(layer, source, "linear", {"result": layer.type}, suffix="_cast")
    perm = [int(axis) for axis in layer.attributes["perm"]]
    if len(perm) > 3 or (p.stream and len(perm) != 2):
        raise HlsConversionError(
            layer.name, "perm", perm, "hls4ml transposes two axes, or three in parallel form", "reshape before it"
        )
    return p.add(layer, "Transpose", (source,), layer.shape, {"result": source.type}, attributes={"perm": perm})


def _only_read_by_dense(p: _Planner, layer: Layer) -> bool:
    if any(output.name == layer.name for output in p.outputs.values()):
        return False
    readers = [x for x in p.layers if layer.name in x.inputs]
    return len(readers) == 1 and readers[0].kind == "Dense"


def _concatenate(p: _Planner, layer: Layer) -> Node:
    rank, axis = len(layer.shape), int(layer.attributes["axis"])
    axis = axis % rank
    if rank > 3:
        raise HlsConversionError(
            layer.name, "shape", layer.shape, "hls4ml concatenates at most three axes", "reshape before concatenating"
        )
    node = p.source(layer)
    for number in range(1, len(layer.inputs)):
        other = p.source(layer, number)
        shape = list(node.shape)
        shape[axis] += other.shape[axis]
        last = number == len(layer.inputs) - 1
        node = p.add(
            layer, "Concatenate", (node, other), tuple(shape), {"result": layer.type},
            suffix="" if last else f"_join{number}", attributes={"axis": axis + 1, "op": f"concatenate{rank}d"},
        )  # fmt: skip
    if len(layer.inputs) == 1:
        return p.activation(layer, node, "linear", {"result": layer.type})
    return node


def _merge(p: _Planner, layer: Layer) -> Node:
    operation = str(layer.attributes["operation"])
    if operation not in MERGES or len(layer.inputs) != 2:
        raise HlsConversionError(
            layer.name, "operation", operation, f"hls4ml merges two values by {', '.join(MERGES)}", "use one of these"
        )
    if operation == "average" and p.settings.backend in ("Catapult", "oneAPI"):
        raise HlsConversionError(
            layer.name, "operation", operation,
            f"hls4ml's C++ for {p.settings.backend} does not halve exactly (Catapult's factor has wrapped to 0)",
            "use add, or Vitis or Vivado",
        )  # fmt: skip
    left, right = p.source(layer), p.source(layer, 1)
    if left.shape != right.shape:
        _check_broadcast(p, layer, left, right)
    return p.add(layer, "Merge", (left, right), layer.shape, {"result": layer.type}, attributes={"op": operation})


def _check_broadcast(p: _Planner, layer: Layer, left: Node, right: Node) -> None:
    shapes = f"{left.shape} and {right.shape}"
    if p.stream or p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "shapes", shapes, "hls4ml merges only equal shapes here",
            'use io="parallel" with Vitis or Vivado',
        )  # fmt: skip
    large, small = (left, right) if left.size >= right.size else (right, left)
    trimmed = small.shape
    while trimmed and trimmed[0] == 1:
        trimmed = trimmed[1:]
    if large.shape[len(large.shape) - len(trimmed) :] != trimmed or large.shape != layer.shape:
        raise HlsConversionError(
            layer.name, "shapes", shapes, "hls4ml's C++ repeats the smaller value along the leading axes only",
            "repeat the smaller value before merging",
        )  # fmt: skip


def _pool(p: _Planner, layer: Layer) -> Node:
    source, operation = p.source(layer), str(layer.attributes["operation"])
    types = {"accum": layer.types["accum"], "result": layer.type}
    if len(source.shape) != 2:
        raise HlsConversionError(
            layer.name, "shape", source.shape, "pooling needs (positions, channels)", "reshape before pooling"
        )
    positions, channels = source.shape
    check_cast(layer, types["accum"].fractional, types["accum"].width, p.settings.backend)
    if operation == "average" and p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "operation", operation,
            f"hls4ml's C++ for {p.settings.backend} averages without the accumulator's type and overflows",
            "use sum pooling, or Vitis or Vivado",
        )  # fmt: skip
    if operation in POOLS:
        return p.add(
            layer, POOLS[operation], (source,), (channels,), types,
            attributes={"n_in": positions, "n_filt": channels, "data_format": "channels_last"},
        )  # fmt: skip
    if operation != "sum":
        raise HlsConversionError(
            layer.name, "operation", operation, "not a pooling of hls4ml", nearest(operation, ["sum", *POOLS])
        )
    # hls4ml has no sum: swap the axes and multiply each channel's row of positions by a column of ones
    swapped = p.add(
        layer, "Transpose", (source,), (channels, positions), {"result": source.type},
        suffix="_swapped", attributes={"perm": [1, 0]},
    )  # fmt: skip
    one = p.constant_type(BIT)
    ones = {"weight": np.ones((positions, 1), np.int64), "bias": np.zeros(1, np.int64)}
    summed = _pointwise(p, layer, swapped, {**types, "weight": one, "bias": one}, ones, 1)
    return p.reshape(layer, summed, (channels,), "_vector")


MERGES = ("add", "subtract", "multiply", "average", "maximum")
POOLS = {"average": "GlobalAveragePooling1D", "maximum": "GlobalMaxPooling1D"}

HANDLERS: dict[str, Callable[[_Planner, Layer], Node]] = {
    "Input": _input,
    "Quantize": _quantize,
    "Relu": _relu,
    "LeakyRelu": _leaky_relu,
    "HardSigmoid": _hard_sigmoid,
    "Dense": _dense,
    "Reshape": _reshape,
    "Transpose": _transpose,
    "Concatenate": _concatenate,
    "Merge": _merge,
    "Pool": _pool,
}
"""How each kind of layer is written."""
