"""From a Program's layers to the plan: a Program layer becomes one node or a short chain of nodes."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from firmware_flows.errors import nearest
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.layers import HANDLERS
from firmware_flows.hls.naming import safe_names
from firmware_flows.hls.plan import AP_BACKENDS, Node, Plan, Port, Traced
from firmware_flows.hls.settings import Settings
from firmware_flows.program import Input, Layer, Program

MULTIPLYING_KINDS = ("Dense", "Conv1D", "Conv2D", "DepthwiseConv1D", "DepthwiseConv2D")
"""Kinds of layer that have a reuse factor of their own."""

MAX_STREAM_READERS = 7
"""hls4ml copies a stream at most seven times."""


def multiplying_layers(program: Program) -> list[str]:
    """Names of the layers that a reuse factor can be given for."""
    return [layer.name for layer in program.layers if layer.kind in MULTIPLYING_KINDS]


def make_plan(program: Program, settings: Settings) -> Plan:
    """The nodes for this Program. Raises HlsConversionError where hls4ml cannot express a layer exactly."""
    return Planner(program, settings).plan()


class Planner:
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
            if not layer.shape:
                raise HlsConversionError(
                    layer.name, "shape", layer.shape, "hls4ml has no numbers without an axis", "give it the shape (1,)"
                )
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
        return Plan(tuple(self.nodes.values()), tuple(self._inputs()), tuple(ports), tuple(self.traced))

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
        if not inputs:
            raise HlsConversionError(
                self.program.name, "inputs", "none", "hls4ml's firmware has at least one input",
                "make the outputs depend on an input",
            )  # fmt: skip
        return inputs + [layer for layer in layers if layer.kind != "Input"]

    def _inputs(self) -> list[Port]:
        """The inputs that the outputs depend on, in the Program's order."""
        by_value = {layer.value: layer for layer in self.layers if layer.kind == "Input"}
        ports: list[Port] = []
        for number, instruction in enumerate(self.program.instructions):
            layer = by_value.get(number)
            if layer is not None and isinstance(instruction, Input):
                ports.append(Port(instruction.port, self.of[layer.name].name, layer.shape, layer.type))
        return ports

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
        """The node in whose C++ array or stream the values of `node` lie: a Reshape has none of its own."""
        while node.kind == "Reshape":
            node = self.nodes[node.inputs[0]]
        return node

    def _ports(self) -> list[Port]:
        ports: list[Port] = []
        taken: set[str] = set()
        for name, layer in self.outputs.items():
            node = self._alias(self.of[layer.name])
            if node.kind == "InputLayer" or node.name in taken:
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
