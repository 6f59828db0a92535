"""A Keras network as a plain list of nodes in order of computation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from firmware_flows.errors import LoweringError

OWN_MODULES = ("keras", "qkeras", "quantization", "firmware_flows", "tensorflow_model_optimization")
"""Packages whose classes are known by name; a class of the same name from elsewhere is somebody's own."""


@dataclass(frozen=True, eq=False)
class Node:
    """One call of one Keras operation. Tensors are known by the identity of their Keras object."""

    name: str
    kind: str
    operation: Any
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Graph:
    """`inputs` are InputLayer nodes; `nodes` all others, sources first; `outputs` are (name, tensor)."""

    name: str
    inputs: tuple[Node, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[tuple[str, int], ...]

    def readers(self, tensor: int) -> list[Node]:
        """Nodes that take a tensor."""
        return [n for n in self.nodes if tensor in n.inputs]


def read(model: Any) -> Graph:
    """The graph of a functional or (built) sequential model.

    Raises LoweringError for subclassed and unbuilt models, nested models and shared layers.
    """
    name = str(getattr(model, "name", "network"))
    outputs = getattr(model, "outputs", None)
    inputs = getattr(model, "inputs", None)
    if not outputs or not inputs:
        raise LoweringError(
            name,
            "type",
            type(model).__name__,
            "has no graph of layers that could be read",
            "Build it as a functional model, or as a Sequential that begins with keras.Input",
        )
    found: dict[int, Node] = {}
    for tensor in outputs:
        _visit(tensor, found)
    for tensor in inputs:
        _visit(tensor, found)
    nodes = list(found.values())
    _refuse_shared(nodes)
    order = {id(t): k for k, t in enumerate(inputs)}
    ports = sorted((n for n in nodes if n.kind == "InputLayer"), key=lambda n: order[n.output])
    by_tensor = {n.output: n for n in nodes}
    return Graph(
        name=name,
        inputs=tuple(ports),
        nodes=tuple(n for n in nodes if n.kind != "InputLayer"),
        outputs=tuple((by_tensor[id(t)].name, id(t)) for t in outputs),
    )


def _visit(tensor: Any, found: dict[int, Node]) -> None:
    """Depth first, so that sources come first; an explicit stack, since networks may be deeper than recursion."""
    stack = [tensor]
    while stack:
        current = stack[-1]
        if id(current) in found:
            stack.pop()
            continue
        operation, node_index, _ = current._keras_history
        node = operation._inbound_nodes[node_index]
        waiting = [t for t in node.input_tensors if id(t) not in found]
        if waiting:
            stack.extend(waiting)
            continue
        stack.pop()
        found[id(current)] = Node(
            name=str(operation.name),
            kind=_kind(operation),
            operation=operation,
            inputs=tuple(id(t) for t in node.input_tensors),
            output=id(current),
            shape=_shape(operation.name, current.shape),
        )


def _kind(operation: Any) -> str:
    """The class name; with its module where that is not one of the packages whose layers are known."""
    cls = type(operation)
    if cls.__module__.split(".")[0] in OWN_MODULES:
        return str(cls.__name__)
    return f"{cls.__module__}.{cls.__name__}"


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape)[1:]
    if any(d is None for d in sizes):
        raise LoweringError(
            name, "shape", tuple(shape), "firmware needs fixed sizes", "Give every axis but the first a number"
        )
    return tuple(int(d) for d in sizes)


def _refuse_shared(nodes: list[Node]) -> None:
    seen: set[int] = set()
    for node in nodes:
        if hasattr(node.operation, "layers") and hasattr(node.operation, "outputs"):
            raise LoweringError(
                node.name,
                "type",
                node.kind,
                "a model used as a layer is not converted yet",
                "Call its layers one by one in the outer model",
            )
        if id(node.operation) in seen:
            raise LoweringError(
                node.name,
                "calls",
                2,
                "a layer used at several places is not converted yet",
                "Use one layer a place, with weights copied",
            )
        seen.add(id(node.operation))
