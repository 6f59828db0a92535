"""The fields of a Keras 2 layer's description, as arguments for its class in Keras 3. Imports Keras."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import Any

from firmware_flows.errors import nearest
from quantization.backend import import_keras, import_qkeras
from quantization.errors import ModelFileError
from quantization.known_names import ACTIVATIONS, QKERAS_FUNCTIONS, QUANTIZERS

keras = import_keras()
qkeras = import_qkeras()

LAYERS_REMEDY = "Build the network from layers of Keras or QKeras"

_FORGOTTEN = frozenset(
    {"name", "dtype", "batch_input_shape", "batch_shape", "input_dtype", "sparse", "ragged", "fused", "renorm"}
    | {"virtual_batch_size", "kernel_range", "bias_range", "bias_initializer_range"}
)
"""Fields without a bearing on what a trained layer computes."""


class FieldReader:
    """Reads the fields of the layers of one file; raises ModelFileError with that file and the layer."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def refuse(self, layer: str | None, reason: str, remedy: str = LAYERS_REMEDY) -> ModelFileError:
        """The error to raise."""
        return ModelFileError(self.path, reason, remedy, layer)

    def settings(self, layer: str, kind: Any, config: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the Keras 3 class out of the fields of the Keras 2 description."""
        known = _parameters(kind)
        settings: dict[str, Any] = {}
        for field, value in config.items():
            if field in _FORGOTTEN or field.endswith("_initializer"):
                continue
            if kind is keras.layers.LeakyReLU and field == "alpha":
                settings["negative_slope"] = _number(value)
            elif value is None:
                continue
            elif field not in known:
                if value not in (False, 0, 0.0, ""):
                    reason = f"its field {field} = {value!r} is not known to {kind.__name__} of Keras 3"
                    raise self.refuse(layer, reason)
            else:
                settings[field] = self._field(layer, kind, field, value)
        return settings

    def _field(self, layer: str, kind: Any, field: str, value: Any) -> Any:
        if field.endswith("_quantizer"):
            return self._quantizer(layer, value)
        if field == "activation":
            return self._activation(layer, kind, value)
        if field.endswith("_regularizer"):
            return _regularizer(value)
        if field.endswith("_constraint"):
            return _constraint(value)
        if field == "axis" and isinstance(value, list):
            # A single axis; Keras 2 stores that of a batch normalization as a list.
            return value[0] if len(value) == 1 else value
        return tuple(value) if isinstance(value, list) else value

    def _activation(self, layer: str, kind: Any, value: Any) -> Any:
        if isinstance(value, dict):
            name = str(value.get("class_name", "")).split(">")[-1]
            if name in QUANTIZERS:
                return self._quantizer(layer, value)
            value = value.get("config", name) if name == "function" else name
        name = str(value)
        if name.split("(")[0] in QUANTIZERS:
            return self._quantizer(layer, name)
        if name in QKERAS_FUNCTIONS and kind.__module__.startswith("qkeras"):
            return name
        if name == "hard_sigmoid":
            raise self.refuse(
                layer,
                "hard_sigmoid is clip(0.2 x + 0.5, 0, 1) in Keras 2 and clip(x/6 + 0.5, 0, 1) in Keras 3",
                "Retrain with Keras 3, or with an activation that is the same in both",
            )
        if name not in ACTIVATIONS:
            hint = nearest(name, ACTIVATIONS)
            raise self.refuse(layer, f"the activation {name!r} is known neither to Keras nor to QKeras ({hint})")
        return name

    def _quantizer(self, layer: str, value: Any) -> Any:
        if isinstance(value, dict):
            name, settings = str(value["class_name"]).split(">")[-1], dict(value.get("config") or {})
            positional: list[Any] = []
        else:
            name, positional, settings = self._call(layer, str(value))
        if name not in QUANTIZERS:
            raise self.refuse(layer, f"the quantizer {name!r} is not one of QKeras ({nearest(name, QUANTIZERS)})")
        kind = getattr(qkeras, name)
        known = _parameters(kind)
        for field, setting in list(settings.items()):
            if field not in known:
                if setting not in (None, False, 0):
                    reason = f"{name} has a field {field} = {setting!r} that QKeras no longer knows"
                    raise self.refuse(layer, reason, "Retrain with the present QKeras (qkeras-v3)")
                del settings[field]
        try:
            return kind(*positional, **settings)
        except Exception as error:
            raise self.refuse(layer, f"{name} refuses its settings ({first_line(error)})") from error

    def _call(self, layer: str, text: str) -> tuple[str, list[Any], dict[str, Any]]:
        """Name, arguments and keyword arguments of `quantized_relu(6, 2)`, read as literals, never evaluated."""
        match = re.fullmatch(r"\s*(\w+)\s*(\(.*\))?\s*", text)
        try:
            if match is None:
                raise ValueError(text)
            tree = ast.parse(f"f{match[2] or '()'}", mode="eval").body
            if not isinstance(tree, ast.Call):
                raise ValueError(text)
            positional = [ast.literal_eval(argument) for argument in tree.args]
            keywords = {str(k.arg): ast.literal_eval(k.value) for k in tree.keywords}
        except (ValueError, SyntaxError) as error:
            raise self.refuse(
                layer, f"the quantizer {text!r} is not a name with numbers", "Write it as quantized_bits(8,2,alpha=1)"
            ) from error
        return match[1], positional, keywords


def _number(value: Any) -> float:
    """A float, or a NumPy scalar as Keras 2 wrote it."""
    return float(value["value"]) if isinstance(value, dict) else float(value)


def first_line(error: Exception) -> str:
    """The first line of an error's message, shortened."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _parameters(kind: Any) -> set[str]:
    """Names that the constructor takes, those that it hands on to its bases included."""
    names: set[str] = set()
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = inspect.signature(base.__init__).parameters
            names |= set(parameters)
            if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
                break
    return names - {"self", "args", "kwargs"}


def _regularizer(value: Any) -> Any:
    """L1 and L2; others are left behind, since they change nothing that a trained network computes."""
    settings = value.get("config", {}) if isinstance(value, dict) else {}
    l1, l2 = _number(settings.get("l1") or 0.0), _number(settings.get("l2") or 0.0)
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def _constraint(value: Any) -> Any:
    """The Clip of QKeras; others are left behind, since they act in training only."""
    if isinstance(value, dict) and str(value.get("class_name", "")).split(">")[-1] == "Clip":
        settings = value.get("config", {})
        return qkeras.qlayers.Clip(settings.get("min_value", -1.0), settings.get("max_value", 1.0))
    return None
