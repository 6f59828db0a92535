"""Networks of Keras 1 and 2, and of the original QKeras, rebuilt in Keras 3 from their description. Imports Keras.

Keras 3 reads some of these files, but guesses: an unknown field is an error deep inside, a pruning wrapper is unknown,
a Sequential without an input layer loses its weights' shape, `hard_sigmoid` silently becomes another function. Here
every layer and field is looked at. Initializers are left behind: the weights come from the file.
"""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from quantization.backend import import_keras, import_qkeras
from quantization.file_safety import stranger
from quantization.keras2_fields import FieldReader, first_line
from quantization.known_names import KERAS_LAYERS, QKERAS_LAYERS
from quantization.model_files import ModelFile, Named, layer_entries

log = logging.getLogger(__name__)

keras = import_keras()
qkeras = import_qkeras()

PRUNING_WRAPPER = "PruneLowMagnitude"
_PRUNING_WEIGHTS = frozenset({"mask", "threshold", "pruning_step"})


def build_keras_2(file: ModelFile) -> Any:
    """A Keras 3 model with the weights of the file; raises ModelFileError (file, layer, reason, remedy)."""
    return _Builder(file).build()


class _Builder:
    def __init__(self, file: ModelFile) -> None:
        self.file = file
        self.entries = layer_entries(file.config)
        self.layers: dict[str, Any] = {}
        self.stripped = 0
        self.fields = FieldReader(file.path)
        self.refuse = self.fields.refuse

    def build(self) -> Any:
        kind = self.file.config.get("class_name")
        if kind == "Sequential":
            model = self._sequential()
        elif kind in ("Functional", "Model"):
            model = self._functional()
        else:
            raise self.refuse(
                None, f"a network of class {kind!r} is not known", "Save a Sequential or functional network"
            )
        for name, layer in self.layers.items():
            self._assign(name, layer)
        if self.stripped:
            log.info("%s: %d pruning wrappers removed", self.file.path, self.stripped)
        return model

    def _sequential(self) -> Any:
        x = None
        inputs = None
        for entry in self.entries:
            if x is None:
                shape = _input_shape(entry["config"])
                if shape is None:
                    name = entry["config"].get("name", "?")
                    raise self.refuse(
                        name, "the first layer states no input shape", "Build the network before it is saved"
                    )
                name = entry["config"]["name"] if entry["class_name"] == "InputLayer" else "events"
                inputs = x = keras.Input(shape[1:], name=name)
            if entry["class_name"] != "InputLayer":
                x = self._make(entry)(x)
        if inputs is None:
            raise self.refuse(None, "the network has no layers", "Save a whole network")
        return keras.Model(inputs, x, name=_model_name(self.file.config))

    def _functional(self) -> Any:
        config = self.file.config["config"]
        tensors: dict[str, Any] = {}
        waiting = list(self.entries)
        while waiting:
            ready = [e for e in waiting if all(source in tensors for source in self._sources(e))]
            if not ready:
                raise self.refuse(
                    waiting[0]["name"], "its inputs come from no layer of the network", "Save the network again"
                )
            for entry in ready:
                waiting.remove(entry)
                name = entry["name"]
                if entry["class_name"] == "InputLayer":
                    shape = _input_shape(entry["config"])
                    if shape is None:
                        raise self.refuse(name, "it states no input shape", "Save the network again")
                    tensors[name] = keras.Input(shape[1:], name=name)
                    continue
                sources = [tensors[source] for source in self._sources(entry)]
                tensors[name] = self._make(entry)(sources[0] if len(sources) == 1 else sources)
        inputs = [tensors[item[0]] for item in _listed(config["input_layers"])]
        outputs = [tensors[item[0]] for item in _listed(config["output_layers"])]
        return keras.Model(_single(inputs), _single(outputs), name=_model_name(self.file.config))

    def _sources(self, entry: dict[str, Any]) -> list[str]:
        nodes = entry.get("inbound_nodes") or []
        if len(nodes) > 1:
            raise self.refuse(entry["name"], "it is used more than once in the network", "Give each use its own layer")
        if not nodes:
            return []
        node = nodes[0]
        # A single input is stored without its list by some versions.
        node = [node] if node and isinstance(node[0], str) else node
        for item in node:
            if item[1] != 0 or item[2] != 0 or (len(item) > 3 and item[3]):
                raise self.refuse(entry["name"], "it is called with more than one tensor a layer")
        return [item[0] for item in node]

    def _make(self, entry: dict[str, Any]) -> Any:
        """The Keras 3 layer of one entry, without its weights."""
        class_name, config = str(entry["class_name"]), entry["config"]
        name = config["name"]
        if class_name == PRUNING_WRAPPER:
            self.stripped += 1
            class_name, config = str(config["layer"]["class_name"]), config["layer"]["config"]
        plain = class_name.split(">")[-1]
        if plain in QKERAS_LAYERS:
            kind = getattr(qkeras, plain)
        elif plain in KERAS_LAYERS:
            kind = getattr(keras.layers, plain)
        elif plain in ("Sequential", "Functional", "Model"):
            raise self.refuse(
                name, "it is a network inside the network", "Save the network with all layers on one level"
            )
        elif ">" in class_name:
            raise self.refuse(name, *stranger(plain, class_name.split(">")[0]))
        else:
            raise self.refuse(name, f"{plain} is a layer neither of Keras nor of QKeras that is known here")
        settings = self.fields.settings(name, kind, config)
        try:
            layer = kind(name=config["name"], **settings)
        except Exception as error:
            raise self.refuse(name, f"{plain} refuses its settings ({first_line(error)})") from error
        # By the name in the file: the weights of a pruned layer bear the wrapper's.
        self.layers[name] = layer
        return layer

    def _assign(self, name: str, layer: Any) -> None:
        """The weights of one layer, by name or, where the file keeps none, in order."""
        values: Named = dict(self.file.weights.get(name, {}))
        variables = list(layer.weights)
        if not variables:
            return
        if all(key.isdigit() for key in values):
            ordered = [values[key] for key in sorted(values, key=int)]
            values = {v.name: value for v, value in zip(variables, ordered, strict=False)} if values else {}
        source = self.file.weights_path or self.file.path
        for variable in variables:
            if variable.name not in values:
                raise self.refuse(name, f"its {variable.name} is not in {source.name}", "Save the weights again")
            value = values.pop(variable.name)
            if tuple(value.shape) != tuple(variable.shape):
                reason = (
                    f"its {variable.name} has shape {tuple(value.shape)} in {source.name}, "
                    f"{tuple(variable.shape)} is wanted"
                )
                raise self.refuse(name, reason, "Give the weights that belong to this network")
            if not np.isfinite(value).all():
                raise self.refuse(name, f"its {variable.name} holds NaN or infinity", "Train the network again")
            variable.assign(value)
        left = sorted(set(values) - _PRUNING_WEIGHTS)
        if left:
            raise self.refuse(name, f"{source.name} holds a weight {left[0]!r} that the layer does not have")


def _input_shape(config: dict[str, Any]) -> tuple[int | None, ...] | None:
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    return None if shape is None else tuple(shape)


def _model_name(config: dict[str, Any]) -> str:
    inner = config["config"]
    name = str(inner.get("name", "network")) if isinstance(inner, dict) else "network"
    return name.replace("/", "_")


def _listed(layers: Any) -> list[Any]:
    return [layers] if isinstance(layers[0], str) else list(layers)


def _single(tensors: list[Any]) -> Any:
    return tensors[0] if len(tensors) == 1 else tensors
