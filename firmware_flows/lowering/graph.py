"""A Keras network as a plain list of nodes in order of computation: models inside it opened, every call a node."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from firmware_flows.errors import LoweringError

OWN_MODULES = ("keras", "qkeras", "quantization", "firmware_flows", "tensorflow_model_optimization")
"""Packages whose classes are known by name; a class of the same name from elsewhere is somebody's own."""

OTHER_FUNCTIONS = ("Average", "Dot")
"""Functions of keras.ops that bear the name of a layer and compute something else."""


@dataclass(frozen=True, eq=False)
class Node:
    """One call of one Keras operation; tensors have numbers.

    `name` is the layer's; inside a model that is called as a layer, `<model>/<layer>`; from the second call on, in
    the order in which the calls were written, `<layer>_2`, `<layer>_3`, ... `record` is Keras' own node of the call.
    """

    name: str
    kind: str
    operation: Any
    inputs: tuple[int, ...]
    output: int
    shape: tuple[int, ...]
    record: Any


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

    Raises LoweringError for subclassed and unbuilt models, at the top or inside, and layers with several outputs.
    """
    name = str(getattr(model, "name", "network"))
    reader = _Reader()
    outputs = reader.scope(model, name, "", {})
    inputs = [reader.of[id(t)] for t in model.inputs]
    by_tensor = {n.output: n for n in reader.nodes}
    return Graph(
        name=name,
        inputs=tuple(by_tensor[t] for t in inputs),
        nodes=tuple(n for n in behind(reader.nodes, outputs) if n.kind != "InputLayer"),
        outputs=tuple((by_tensor[t].name, t) for t in outputs),
    )


def behind(nodes: Sequence[Node], tensors: Iterable[int]) -> list[Node]:
    """Those of the nodes, sources first, that these tensors are computed by."""
    needed, found = set(tensors), []
    for node in reversed(nodes):
        if node.output in needed:
            found.append(node)
            needed.update(node.inputs)
    return found[::-1]


class _Reader:
    """Collects nodes. `of` has the number of every Keras tensor of the model at the top."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.of: dict[int, int] = {}
        self.tensors = 0

    def scope(self, model: Any, name: str, path: str, given: Mapping[int, int]) -> list[int]:
        """Add the calls of one model; returns the numbers of its outputs.

        path: what the names of its layers begin with. given: the numbers of its input tensors, by identity.
        """
        _check_readable(model, name)
        tensors = dict(given)
        records = _in_order([*model.outputs, *model.inputs], given)
        names = _names(records)
        for record in records:
            full = path + names[id(record)]
            inputs = tuple(tensors[id(t)] for t in record.input_tensors)
            for tensor, number in zip(record.output_tensors, self._call(record, full, inputs), strict=True):
                tensors[id(tensor)] = number
        if not path:
            self.of = tensors
        return [tensors[id(t)] for t in model.outputs]

    def _call(self, record: Any, name: str, inputs: tuple[int, ...]) -> list[int]:
        operation = record.operation
        kind = kind_of(operation)
        if record.arguments.kwargs.get("training"):
            raise LoweringError(name, "training", True, "firmware does not train", "Call it without training=True")
        if hasattr(operation, "layers"):
            _check_readable(operation, name)
            _check_arguments(operation, record, name)
            given = {id(t): number for t, number in zip(operation.inputs, inputs, strict=True)}
            return self.scope(operation, name, f"{name}/", given)
        _check_numbers(operation, name)
        if len(record.output_tensors) != 1:
            raise LoweringError(
                name,
                "outputs",
                len(record.output_tensors),
                "a layer with several outputs is not converted",
                "Let it give one result (return_state=False; merge_mode other than None)",
            )
        self.tensors += 1
        shape = _shape(name, record.output_tensors[0].shape)
        self.nodes.append(Node(name, kind, operation, inputs, self.tensors, shape, record))
        return [self.tensors]


def _in_order(tensors: Sequence[Any], given: Mapping[int, int]) -> list[Any]:
    """Keras' nodes that tensors come from, sources first.

    Depth first, with an explicit stack, since networks may be deeper than recursion.
    """
    found: dict[int, Any] = {}
    for tensor in tensors:
        stack = [tensor]
        while stack:
            record = _record(stack[-1])
            if id(stack[-1]) in given or id(record) in found:
                stack.pop()
                continue
            waiting = [t for t in record.input_tensors if id(t) not in given and id(_record(t)) not in found]
            if waiting:
                stack.extend(waiting)
                continue
            stack.pop()
            found[id(record)] = record
    return list(found.values())


def _record(tensor: Any) -> Any:
    operation, index, _ = tensor._keras_history
    return operation._inbound_nodes[index]


def _names(records: Sequence[Any]) -> dict[int, str]:
    """A name for every call of one model, by identity."""
    operations = {id(r.operation): r.operation for r in records}
    wanted = [str(o.name) for o in operations.values()]
    taken, result = set[str](), dict[int, str]()
    for operation in operations.values():
        calls = {id(r): k for k, r in enumerate(operation._inbound_nodes)}
        mine = sorted((r for r in records if r.operation is operation), key=lambda r: calls[id(r)])
        for record in mine:
            name, number = str(operation.name), 1
            while name in taken or (number > 1 and name in wanted):
                number += 1
                name = f"{operation.name}_{number}"
            taken.add(name)
            result[id(record)] = name
    return result


def _check_readable(model: Any, name: str) -> None:
    if not getattr(model, "outputs", None) or not getattr(model, "inputs", None) or not _calls_its_layers(model):
        raise LoweringError(
            name,
            "type",
            type(model).__name__,
            "has no graph of layers that could be read",
            "Build it as a functional model, or as a Sequential that begins with keras.Input",
        )


def _calls_its_layers(model: Any) -> bool:
    """Whether calling the model is what its graph says: a class with a `call` of its own may do anything."""
    return str(getattr(type(model).call, "__module__", "")).split(".")[0] in OWN_MODULES


def _check_arguments(model: Any, record: Any, name: str) -> None:
    """Tensors given by name are matched by Keras in ways that their order does not tell."""
    arguments = record.arguments.args
    structure = getattr(model, "_inputs_struct", None)
    by_name = bool(arguments) and isinstance(arguments[0], dict)
    if len(record.input_tensors) != len(model.inputs) or by_name != isinstance(structure, dict):
        raise LoweringError(
            name,
            "inputs",
            len(record.input_tensors),
            "does not match the inputs that the model was built with",
            "Call it as it was built: with a list, or with a dictionary",
        )


def _check_numbers(operation: Any, name: str) -> None:
    """Refuse layers, and layers inside wrappers, that do not compute with their weights in float32."""
    for layer in operation._flatten_layers() if hasattr(operation, "_flatten_layers") else ():
        mode = getattr(layer, "quantization_mode", None)
        if mode is not None:
            raise LoweringError(
                name,
                "quantization_mode",
                mode,
                "Keras' own quantization divides by scales that are no powers of two",
                "Convert the network before model.quantize, with its weights on a grid (a layer of QKeras, or "
                "quantization.quantize_after_training)",
            )
        if getattr(layer, "compute_dtype", None) in ("float16", "bfloat16"):
            raise LoweringError(
                name,
                "dtype",
                layer.compute_dtype,
                "Keras rounds to its few bits between the layers, which firmware does not",
                "Set the dtype_policy of every layer to 'float32': the weights stay as they are",
            )


def kind_of(operation: Any) -> str:
    """The class name; with its module where that is not one of the packages whose layers are known."""
    cls = type(operation)
    module, name = cls.__module__.split("."), str(cls.__name__)
    if module[0] not in OWN_MODULES:
        return f"{cls.__module__}.{name}"
    return f"keras.ops.{name}" if module[0] == "keras" and "ops" in module and name in OTHER_FUNCTIONS else name


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    sizes = tuple(shape)[1:]
    if any(d is None for d in sizes):
        raise LoweringError(
            name, "shape", tuple(shape), "firmware needs fixed sizes", "Give every axis but the first a number"
        )
    return tuple(int(d) for d in sizes)
