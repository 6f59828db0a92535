"""What of a file may be built at all: layers of Keras, QKeras and this project, and nothing that is code.

Keras would import any module that a file names and QKeras looks any name up in its own global names; so every name is
held against a list before either sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quantization.errors import ModelFileError

_CODE = {
    "Lambda": "a Lambda layer",
    "__lambda__": "a Python function",
    "TFOpLambda": "an operation written in Python",
    "SlicingOpLambda": "an operation written in Python",
}

_OWN_PACKAGES = ("keras", "qkeras", "firmware_flows", "quantization")


def refuse_code_and_strangers(path: Path, config: Any) -> None:
    """Raise ModelFileError where any part of the configuration holds code or comes from another package."""
    for layer, part in _parts(config, None):
        name = str(part.get("class_name", ""))
        if name in _CODE:
            raise ModelFileError(
                path,
                f"it holds {_CODE[name]}; code from a file is never run",
                "Replace it by layers of Keras and save the network again",
                layer,
            )
        package = _foreign_package(part)
        if package is not None:
            raise ModelFileError(path, *stranger(name, package), layer)


def stranger(name: str, package: str) -> tuple[str, str]:
    """Reason and remedy for a class of a package that is not read here."""
    if package.lower().startswith("hgq"):
        return (
            f"{name} is a layer of HGQ, whose types differ from weight to weight and are not those of QKeras",
            "Quantize the float network with quantization.quantize_after_training, or train with QKeras",
        )
    return (
        f"{name} comes from the package {package!r}, which is neither Keras nor QKeras",
        "Build the network from layers of Keras or QKeras",
    )


def _foreign_package(part: dict[str, Any]) -> str | None:
    registered = part.get("registered_name")
    if isinstance(registered, str) and ">" in registered:
        package = registered.split(">")[0]
    elif isinstance(part.get("class_name"), str) and ">" in part["class_name"]:
        package = part["class_name"].split(">")[0]
    else:
        package = part.get("module") or ""
    root = str(package).split(".")[0]
    if root in ("", "Custom", "builtins", "tf_keras", *_OWN_PACKAGES):
        return None
    if str(package).startswith("tensorflow_model_optimization"):
        return None
    return str(package)


def _parts(value: Any, layer: str | None) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Every dictionary of the configuration that names a class, with the layer that it belongs to."""
    if isinstance(value, dict):
        config = value.get("config")
        if isinstance(config, dict) and isinstance(config.get("name"), str) and "layers" not in config:
            layer = config["name"]
        if "class_name" in value:
            yield layer, value
        for inner in value.values():
            yield from _parts(inner, layer)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner, layer)
