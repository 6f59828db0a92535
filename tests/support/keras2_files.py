"""Files as Keras 2 wrote them, made by hand: Keras 3 cannot write them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

BITS = {
    "class_name": "quantized_bits",
    "config": {
        "bits": 6,
        "integer": 0,
        "symmetric": 0,
        "alpha": 1,
        "keep_negative": True,
        "use_stochastic_rounding": False,
        "qnoise_factor": 1.0,
    },
}
"""A quantizer as QKeras 0.9 describes it."""

Weights = dict[str, dict[str, np.ndarray[Any, Any]]]


def dense(name: str, units: int, **changes: Any) -> dict[str, Any]:
    """A layer of 16 or more fields, as Keras 2 wrote all of them."""
    config = {
        "name": name,
        "trainable": True,
        "dtype": "float32",
        "units": units,
        "activation": "linear",
        "use_bias": True,
        "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": None}},
        "bias_initializer": {"class_name": "Zeros", "config": {}},
        "kernel_regularizer": {"class_name": "L1L2", "config": {"l1": 1e-4, "l2": 0.0}},
        "bias_regularizer": None,
        "activity_regularizer": None,
        "kernel_constraint": None,
        "bias_constraint": None,
    }
    return {"class_name": "Dense", "config": {**config, **changes}}


def qdense(name: str, units: int, **changes: Any) -> dict[str, Any]:
    """A QDense of QKeras 0.9."""
    clip = {"class_name": "Clip", "config": {"min_value": -1, "max_value": 1}}
    layer = dense(name, units, kernel_quantizer=BITS, bias_quantizer=BITS, kernel_constraint=clip, bias_constraint=clip)
    layer["config"] |= {"kernel_range": None, "bias_range": None, **changes}
    return {**layer, "class_name": "QDense"}


def activation(name: str, function: Any, kind: str = "Activation") -> dict[str, Any]:
    """An Activation or QActivation."""
    config = {"name": name, "trainable": True, "dtype": "float32", "activation": function}
    return {"class_name": kind, "config": config}


def layer(kind: str, name: str, **config: Any) -> dict[str, Any]:
    """Any other layer."""
    return {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}


def pruned(inner: dict[str, Any]) -> dict[str, Any]:
    """The wrapper of TensorFlow Model Optimization around a layer."""
    schedule = {"class_name": "PolynomialDecay", "config": {"final_sparsity": 0.5}}
    config = {"name": f"prune_low_magnitude_{inner['config']['name']}", "layer": inner, "pruning_schedule": schedule}
    return {"class_name": "PruneLowMagnitude", "config": config}


def sequential(layers: list[dict[str, Any]], shape: tuple[int, ...], *, with_input: bool = True) -> dict[str, Any]:
    """A Sequential; the oldest have no InputLayer but the shape in their first layer."""
    if with_input:
        layers = [layer("InputLayer", "x", batch_input_shape=[None, *shape], sparse=False, ragged=False), *layers]
    else:
        layers[0]["config"]["batch_input_shape"] = [None, *shape]
    return {"class_name": "Sequential", "config": {"name": "sequential", "layers": layers}}


def functional(
    layers: list[tuple[dict[str, Any], list[str]]], shape: tuple[int, ...], outputs: list[str]
) -> dict[str, Any]:
    """A functional network: layers with the names of those they read; `x` is the input."""
    entries = [{**layer("InputLayer", "x", batch_input_shape=[None, *shape]), "name": "x", "inbound_nodes": []}]
    for entry, sources in layers:
        nodes = [[[source, 0, 0, {}] for source in sources]]
        entries.append({**entry, "name": entry["config"]["name"], "inbound_nodes": nodes})
    config = {
        "name": "model",
        "layers": entries,
        "input_layers": [["x", 0, 0]],
        "output_layers": [[name, 0, 0] for name in outputs],
    }
    return {"class_name": "Functional", "config": config}


def write_h5(path: Path, config: dict[str, Any], weights: Weights, version: str = "2.11.0") -> Path:
    """One HDF5 file with description and weights."""
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = version
        file.attrs["model_config"] = json.dumps(config)
        _write_weights(file.create_group("model_weights"), weights)
    return path


def write_json_pair(path: Path, config: dict[str, Any], weights: Weights, version: str = "2.4.0") -> Path:
    """NAME.json and NAME_weights.h5."""
    path.write_text(json.dumps({**config, "keras_version": version}))
    with h5py.File(path.with_name(f"{path.stem}_weights.h5"), "w") as file:
        _write_weights(file, weights)
    return path


def write_archive(path: Path, config: dict[str, Any], groups: dict[str, list[np.ndarray[Any, Any]]]) -> Path:
    """A .keras of Keras 2.12 to 2.15; groups by their counted kind: dense, dense_1, q_dense."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name, arrays in groups.items():
            variables = file.create_group(f"_layer_checkpoint_dependencies/{name}/vars")
            for index, array in enumerate(arrays):
                variables[str(index)] = array
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "2.14.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", stream.getvalue())
    return path


def _write_weights(group: Any, weights: Weights) -> None:
    group.attrs["layer_names"] = [name.encode() for name in weights]
    for name, arrays in weights.items():
        inner = group.create_group(name)
        paths = [f"{name}/{variable}:0" for variable in arrays]
        inner.attrs["weight_names"] = [path.encode() for path in paths]
        for path, array in zip(paths, arrays.values(), strict=True):
            inner[path] = array
