"""A Keras model as a list of steps in order of computation, and back. Imports Keras."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from quantization.backend import import_keras
from quantization.errors import QuantizationError

keras = import_keras()


@dataclass(frozen=True)
class Step:
    """One layer applied once; `inputs` are the names of the steps it reads. `layer` None: an input of the model."""

    name: str
    inputs: tuple[str, ...]
    layer: Any
    shape: tuple[int, ...]
    """Of the result, without the axis of events."""


@dataclass(frozen=True)
class Graph:
    """Steps, each after those it reads; `outputs` names those whose results are the model's."""

    name: str
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    def __getitem__(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def readers(self, name: str) -> tuple[Step, ...]:
        """The steps that read the result of `name`."""
        return tuple(step for step in self.steps if name in step.inputs)

    def without(self, name: str) -> Graph:
        """Take out a step of one input: its readers read that input instead."""
        (source,) = self[name].inputs

        def renamed(names: Sequence[str]) -> tuple[str, ...]:
            return tuple(source if n == name else n for n in names)

        steps = tuple(replace(step, inputs=renamed(step.inputs)) for step in self.steps if step.name != name)
        return replace(self, steps=steps, outputs=renamed(self.outputs))


def read_graph(model: Any) -> Graph:
    """The steps of a Sequential or functional model; raises QuantizationError for a shared or nested layer."""
    if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
        raise QuantizationError(
            getattr(model, "name", type(model).__name__),
            "it is not a Sequential or functional Keras model that has been built",
            "Build the model with keras.Input",
        )
    if isinstance(model, keras.Sequential):
        return _read_sequential(model)
    config = model.get_config()
    operations = {operation.name: operation for operation in model.operations}
    steps = []
    for entry in config["layers"]:
        name = entry["name"]
        operation = operations[name]
        if isinstance(operation, keras.layers.InputLayer):
            steps.append(Step(name, (), None, tuple(operation.output.shape[1:])))
            continue
        nodes = entry["inbound_nodes"]
        if len(nodes) != 1:
            raise QuantizationError(name, "it is used more than once in the network", "Give each use its own layer")
        sources = tuple(_sources(nodes[0]["args"]))
        steps.append(_step(operation, sources))
    return Graph(model.name, tuple(_ordered(steps)), tuple(_output_names(config["output_layers"])))


def _read_sequential(model: Any) -> Graph:
    (tensor,) = model.inputs
    # A Sequential has an input without a name of its own.
    taken = {layer.name for layer in model.layers}
    name = next(n for n in ("events", "input", f"{model.name}_input") if n not in taken)
    steps = [Step(name, (), None, tuple(tensor.shape[1:]))]
    for layer in model.layers:
        steps.append(_step(layer, (steps[-1].name,)))
    return Graph(model.name, tuple(steps), (steps[-1].name,))


def _step(operation: Any, sources: tuple[str, ...]) -> Step:
    if isinstance(operation, keras.Model):
        raise QuantizationError(operation.name, "it is a network inside the network", "Put all layers on one level")
    return Step(operation.name, sources, operation, tuple(operation.output.shape[1:]))


def _sources(value: Any) -> list[str]:
    """Names of the layers whose tensors appear in the arguments of a call, as Keras serialises them."""
    if isinstance(value, dict):
        if value.get("class_name") == "__keras_tensor__":
            return [value["config"]["keras_history"][0]]
        return [name for inner in value.values() for name in _sources(inner)]
    if isinstance(value, list | tuple):
        return [name for inner in value for name in _sources(inner)]
    return []


def _output_names(references: Any) -> list[str]:
    """Of [name, node, tensor] or a list of such."""
    if isinstance(references[0], str):
        return [references[0]]
    return [name for reference in references for name in _output_names(reference)]


def _ordered(steps: list[Step]) -> list[Step]:
    """Each step after those it reads."""
    done: dict[str, Step] = {}
    while len(done) < len(steps):
        for step in steps:
            if step.name not in done and all(source in done for source in step.inputs):
                done[step.name] = step
    return list(done.values())


def build_model(graph: Graph, make: Callable[[Step, list[Any]], Any]) -> Any:
    """A functional model in which `make(step, input tensors)` gives the result of each step but the inputs."""
    tensors: dict[str, Any] = {}
    for step in graph.steps:
        if step.layer is None:
            tensors[step.name] = keras.Input(step.shape, name=step.name)
        else:
            tensors[step.name] = make(step, [tensors[name] for name in step.inputs])
    inputs = [tensors[step.name] for step in graph.steps if step.layer is None]
    outputs = [tensors[name] for name in graph.outputs]
    return keras.Model(
        inputs[0] if len(inputs) == 1 else inputs, outputs[0] if len(outputs) == 1 else outputs, name=graph.name
    )
