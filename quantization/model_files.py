"""What is inside the file of a Keras network: its configuration and its weights, read without running any of it.

h5py is imported inside the functions.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows.errors import MissingToolError
from quantization.errors import ModelFileError

Named = dict[str, npt.NDArray[Any]]
"""Variable name ("kernel", "moving_mean", or "0", "1" in order where the file keeps no names) -> value."""

SUFFIXES = (".keras", ".h5", ".hdf5", ".json")

_AGAIN = "Save the network again, or copy the file again"


@dataclass(frozen=True)
class ModelFile:
    """A network as its file describes it. `weights` is by layer name; empty for Keras 3, whose own reader is used."""

    path: Path
    keras_version: tuple[int, ...]
    config: dict[str, Any]
    weights: Mapping[str, Named]
    weights_path: Path | None = None
    """The separate file of a `.json`, if the weights are in one."""

    @property
    def is_keras_2(self) -> bool:
        """Written by Keras 1 or 2 (the 2.0.5 of 2017 to the 2.15 of 2023), or by tf_keras."""
        return self.keras_version < (3,)


def read_model_file(path: Path) -> ModelFile:
    """Read `.keras`, `.h5`/`.hdf5`, or `.json` with its weights beside it; raises ModelFileError."""
    if path.is_dir():
        raise ModelFileError(
            path, "it is a directory (a TensorFlow SavedModel?)", "Save the network from Keras as .keras or .h5"
        )
    if not path.exists():
        raise ModelFileError(path, "there is no such file", "Correct the path")
    readers = {".keras": _read_archive, ".h5": _read_hdf5, ".hdf5": _read_hdf5, ".json": _read_json}
    if path.suffix not in readers:
        raise ModelFileError(
            path, f"the suffix {path.suffix!r} is not that of a Keras network", f"Known are {', '.join(SUFFIXES)}"
        )
    return readers[path.suffix](path)


def layer_entries(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The layers of a Sequential or functional configuration; Keras 2.0 and 2.1 had a bare list."""
    inner = config["config"]
    layers: list[dict[str, Any]] = inner["layers"] if isinstance(inner, dict) else inner
    return layers


def _read_hdf5(path: Path) -> ModelFile:
    with _open_hdf5(path, path) as file:
        if "model_config" not in file.attrs:
            raise ModelFileError(
                path,
                "it holds weights without a network",
                "Give the .json of the network, with the weights beside it as NAME_weights.h5 or NAME.weights.h5",
            )
        config = _parse(path, _text(file.attrs["model_config"]))
        version = _version(_text(file.attrs.get("keras_version", "")) or _text(config.get("keras_version", "")))
        keras_2 = version < (3,)
        weights = dict(_hdf5_weights(path, file["model_weights"])) if keras_2 and "model_weights" in file else {}
    return ModelFile(path, version, config, weights)


def _read_json(path: Path) -> ModelFile:
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(path, f"it is not text ({error})", _AGAIN) from error
    config = _parse(path, text)
    version = _version(_text(config.get("keras_version", "")))
    names = [f"{path.stem}_weights.h5", f"{path.stem}.weights.h5", f"{path.stem}.h5", f"{path.stem}_weights.hdf5"]
    beside = next((path.with_name(name) for name in names if path.with_name(name).exists()), None)
    if beside is None:
        raise ModelFileError(path, "its weights are not beside it", f"Looked for {', '.join(names)}")
    if version >= (3,):
        return ModelFile(path, version, config, {}, beside)
    with _open_hdf5(beside, beside) as file:
        weights = dict(_hdf5_weights(beside, file.get("model_weights", file)))
    return ModelFile(path, version, config, weights, beside)


def _read_archive(path: Path) -> ModelFile:
    try:
        with zipfile.ZipFile(path) as archive:
            config = _parse(path, archive.read("config.json").decode())
            metadata = _parse(path, archive.read("metadata.json").decode())
            version = _version(_text(metadata.get("keras_version", "")))
            if version >= (3,):
                return ModelFile(path, version, config, {})
            content = io.BytesIO(archive.read("model.weights.h5"))
    except (zipfile.BadZipFile, KeyError, OSError, EOFError, UnicodeDecodeError) as error:
        raise ModelFileError(path, f"it is not a whole Keras archive ({error})", _AGAIN) from error
    with _open_hdf5(content, path) as file:
        weights = dict(_archive_weights(file, layer_entries(config)))
    return ModelFile(path, version, config, weights)


def _open_hdf5(source: Path | io.BytesIO, path: Path) -> Any:
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise MissingToolError(
            "h5py", "to read a Keras file", 'install the training extra: pip install "firmware-flows[train]"'
        ) from error
    try:
        return h5py.File(source, "r")
    except OSError as error:
        raise ModelFileError(path, f"it is not a whole HDF5 file ({error})", _AGAIN) from error


def _hdf5_weights(path: Path, group: Any) -> Iterator[tuple[str, Named]]:
    """Keras 1 and 2: a group a layer, with the names of its weights in order as an attribute."""
    if "layer_names" not in group.attrs:
        raise ModelFileError(path, "it holds no list of layers", _AGAIN)
    for raw in group.attrs["layer_names"]:
        layer = _text(raw)
        named: Named = {}
        for raw_name in group[layer].attrs["weight_names"]:
            name = _text(raw_name)
            named[name.split("/")[-1].split(":")[0]] = np.asarray(group[layer][name])
        yield layer, named


def _archive_weights(file: Any, layers: list[dict[str, Any]]) -> Iterator[tuple[str, Named]]:
    """Keras 2.12 to 2.15 archives: groups named by the kind of layer and counted, variables by their number."""
    root = file["layers"] if "layers" in file else file["_layer_checkpoint_dependencies"]
    counts: dict[str, int] = {}
    for entry in layers:
        kind = _snake_case(entry["class_name"])
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        group_name = kind if number == 0 else f"{kind}_{number}"
        if entry["class_name"] == "PruneLowMagnitude":
            group_name += "/layer"
        if group_name in root and "vars" in root[group_name]:
            variables = root[group_name]["vars"]
            yield entry["config"]["name"], {name: np.asarray(variables[name]) for name in variables}


def _snake_case(name: str) -> str:
    """As Keras does it: ReLU -> re_lu, QDense -> q_dense."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise ModelFileError(path, f"the description of the network is damaged ({error})", _AGAIN) from error
    if not isinstance(value, dict):
        raise ModelFileError(path, "it does not describe a network", "Give a file that Keras has saved")
    return value


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _version(text: str) -> tuple[int, ...]:
    """(2, 11, 0) of "2.11.0"; files without a version are older than all that state one."""
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3]) or (0,)
