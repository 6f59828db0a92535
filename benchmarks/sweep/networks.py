"""Keras networks from instances.

An instance is a dictionary: `shape` of the input; `inputs`, the quantizers of the values that the layer takes;
`before` and `behind`, neighbours or None; `layer` (its Keras class), `options` of its constructor, `weights`: seed,
exponent and fractional bits of random weights. Optional: `stack` (the layer takes several inputs),
`calls` (of a shared layer, how often it is called).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.sweep.cases import Instance

LINKED = 2
"""Instances that read one quantizer of the chain from the input: a stream feeds seven layers at most."""

FUNCTIONS = {"Sum": "sum", "Max": "max", "Mean": "mean"}


def network(instances: Sequence[Instance], entry: tuple[int, int] = (12, 3)) -> Any:
    """A network with one output an instance, all of the same input shape. Layers bear the number of their instance.

    Instances hang on a chain of two alternating quantizers, of which none holds the values of the other, so that all
    remain layers of the firmware. `entry` is bits and integer bits of the first.
    """
    import keras
    from qkeras import QActivation

    keras.utils.set_random_seed(1)
    x = keras.Input(tuple(instances[0]["shape"]), name="x")
    bits, integer = entry
    signal = QActivation(f"quantized_bits({bits},{integer},alpha=1)", name="entry")(x)
    outputs = []
    for number, instance in enumerate(instances):
        if number and number % LINKED == 0:
            link = number // LINKED
            signal = QActivation(f"quantized_bits({bits},{integer + link % 2},alpha=1)", name=f"link{link}")(signal)
        outputs.append(branch(instance, signal, f"n{number}"))
    return keras.Model(x, outputs, name="sweep")


def branch(instance: Instance, signal: Any, name: str) -> Any:
    """The instance's layers on a signal: <name>_in0, <name>_before, <name>_layer, <name>_behind."""
    from qkeras import QActivation

    sources = []
    for number, quantizer in enumerate(instance["inputs"]):
        h = QActivation(quantizer, name=f"{name}_in{number}")(signal) if quantizer else signal
        if instance["before"]:
            suffix = f"{number}" if number else ""
            h = apply(instance["before"], h, f"{name}_before{suffix}")
        sources.append(h)
    many = len(sources) > 1 or instance.get("stack")
    h = apply(instance, sources if many else sources[0], f"{name}_layer")
    return apply(instance["behind"], h, f"{name}_behind") if instance["behind"] else h


def apply(description: Mapping[str, Any], sources: Any, name: str) -> Any:
    """Make the layer, call it, give it its weights."""
    layer = make(description["layer"], dict(description["options"]), name)
    result = layer(sources)
    for _ in range(description.get("calls", 1) - 1):
        result = layer(result)
    if getattr(layer, "weights", None):
        set_weights(layer, description["weights"])
    return result


def make(kind: str, options: dict[str, Any], name: str) -> Any:
    """A layer by the name of its class; `keras.ops` for functions."""
    import keras
    import qkeras

    if kind in FUNCTIONS:
        return lambda t: getattr(keras.ops, FUNCTIONS[kind])(t, **options)
    if kind == "SumPooling1D":
        from quantization import SumPooling1D

        return SumPooling1D(name=name)
    for part in ("layer", "cell"):  # of a wrapper: its own layer, described likewise
        if part in options:
            inner = options[part]
            options[part] = make(inner["layer"], dict(inner["options"]), f"{name}_inner")
    if kind == "Sequential":
        steps = [make(step["layer"], dict(step["options"]), f"{name}_{k}") for k, step in enumerate(options["layers"])]
        return keras.Sequential(steps, name=name)
    cls = getattr(qkeras, kind, None) if kind.startswith("Q") else getattr(keras.layers, kind)
    if kind == "QActivation":
        return cls(options["activation"], name=name)
    return cls(**options, name=name)


def set_weights(layer: Any, how: Mapping[str, Any]) -> None:
    """Random numbers for every variable; variances are such that batch normalization has a result on a grid."""
    rng = np.random.default_rng(how["seed"])
    values = []
    for variable in layer.weights:
        name, shape = variable.name, tuple(variable.shape)
        v = rng.normal(0, 1, shape) * 2.0 ** how["exponent"]
        if "moving_variance" in name:
            v = 4.0 ** rng.integers(-1, 2, shape) if how["fractional"] is not None else rng.uniform(0.2, 4, shape)
        elif name == "gamma" and how.get("powers"):
            v = rng.choice([-1, 1], shape) * 2.0 ** rng.integers(-2, 2, shape)
        elif how["fractional"] is not None:
            v = np.round(v * 2.0 ** how["fractional"]) / 2.0 ** how["fractional"]
        elif name in ("gamma", "beta", "moving_mean"):
            v = np.abs(v) + 0.1 if name == "gamma" else v
        if variable.dtype.startswith(("int", "uint")):
            v = np.array(variable)
        values.append(np.asarray(v, np.float32 if variable.dtype.startswith("float") else variable.dtype))
    layer.set_weights(values)
