"""What a recipe's `model:` names: a Python module or file that brings data, a network and an evaluation.

The data types below are the whole interface between such a source and the flow.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import traceback
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel

from firmware_flows.errors import FirmwareFlowsError, InputError, nearest
from firmware_flows.files import atomic_path
from firmware_flows.source_files import fingerprint

Progress = Callable[[str, int, int], None]
"""Called as progress(step, done, total) while something long runs."""

SPLITS = ("train", "validation", "test")

_REQUIRED = ("DataOptions", "NetworkOptions", "load_data", "build_network", "evaluate")


class ModelSourceError(FirmwareFlowsError):
    """A model source that cannot be found, loaded or used."""


@dataclass(frozen=True)
class Split:
    """Events and what is to be learned about them.

    x: (events, ...) converted to float32, finite, in the units that the trigger delivers;
    y: (events, ...) labels or targets.
    """

    x: NDArray[np.float32]
    y: NDArray[Any]

    def __post_init__(self) -> None:
        given_x: ArrayLike = self.x
        given_y: ArrayLike = self.y
        x = np.ascontiguousarray(given_x, dtype=np.float32)
        y = np.ascontiguousarray(given_y)
        if x.ndim < 2:
            raise InputError(f"x has shape {x.shape}; wanted (events, features, ...)")
        if y.shape[:1] != x.shape[:1]:
            raise InputError(f"x holds {x.shape[0]} events and y {y.shape[0] if y.ndim else 'no'}; wanted as many")
        if not np.isfinite(x).all():
            event = int(np.argwhere(~np.isfinite(x))[0][0])
            raise InputError(
                f"x holds NaN or infinity, first in event {event}; firmware has no such number: remove or fill it"
            )
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "y", y)

    def __len__(self) -> int:
        return int(self.x.shape[0])


@dataclass(frozen=True)
class Dataset:
    """Three splits and a JSON-able description: class names in order, units, seeds."""

    train: Split
    validation: Split
    test: Split
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).x.shape[1:] for name in SPLITS}
        if len(set(shapes.values())) != 1:
            raise InputError(f"the splits differ in the shape of an event: {shapes}")
        try:
            json.dumps(self.metadata, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(f"the dataset's metadata is not JSON: {error}") from error

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one event."""
        return tuple(int(n) for n in self.train.x.shape[1:])

    def save(self, path: str | Path) -> None:
        """Write one .npz, atomically; equal datasets give equal bytes."""
        arrays: dict[str, NDArray[Any]] = {}
        for name in SPLITS:
            split: Split = getattr(self, name)
            arrays[f"{name}_x"] = split.x
            arrays[f"{name}_y"] = split.y
        arrays["metadata"] = np.array(json.dumps(self.metadata, sort_keys=True))
        with atomic_path(Path(path)) as temporary:
            np.savez(temporary, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Dataset:
        """Read what `save` wrote; raises InputError for a file that is missing, damaged or something else."""
        try:
            with Path(path).open("rb") as stream, np.lib.npyio.NpzFile(stream, allow_pickle=False) as archive:
                splits = {name: Split(archive[f"{name}_x"], archive[f"{name}_y"]) for name in SPLITS}
                metadata = json.loads(str(archive["metadata"]))
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(
                f"{path} is not a readable data set ({error}); make it again with `firmware-flows data`"
            ) from error
        return cls(metadata=metadata, **splits)


@dataclass(frozen=True)
class Plot:
    """An image that `evaluate` wrote: PNG or SVG."""

    title: str
    path: Path
    caption: str = ""


@dataclass(frozen=True)
class Evaluation:
    """How well each form does its task.

    metrics: form ("float", "quantized", "bit-accurate") -> {"accuracy": 0.7, "auc": {"g": 0.9, ...}, ...}.
    """

    metrics: Mapping[str, Mapping[str, Any]]
    plots: tuple[Plot, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSource:
    """A loaded model source: the module, and what of it the flow calls."""

    name: str
    module: ModuleType
    root: Path

    @property
    def data_options(self) -> type[BaseModel]:
        options: type[BaseModel] = self.module.DataOptions
        return options

    @property
    def network_options(self) -> type[BaseModel]:
        options: type[BaseModel] = self.module.NetworkOptions
        return options

    @property
    def description(self) -> str:
        return str(getattr(self.module, "DESCRIPTION", "") or "")

    @property
    def has_float_network(self) -> bool:
        return callable(getattr(self.module, "float_network", None))

    def load_data(self, options: BaseModel, directory: Path, seed: int, progress: Progress) -> Dataset:
        with self._calling("load_data"):
            dataset = self.module.load_data(options, directory, seed, progress)
        if not isinstance(dataset, Dataset):
            raise ModelSourceError(
                f"{self.name}: load_data returned {type(dataset).__name__}; wanted firmware_flows.Dataset"
            )
        return dataset

    def build_network(self, options: BaseModel, dataset: Dataset, seed: int) -> Any:
        with self._calling("build_network"):
            return self.module.build_network(options, dataset, seed)

    def float_network(self, options: BaseModel, dataset: Dataset, seed: int) -> Any:
        with self._calling("float_network"):
            return self.module.float_network(options, dataset, seed)

    def evaluate(self, test: Split, outputs: dict[str, NDArray[Any]], directory: Path) -> Evaluation:
        with self._calling("evaluate"):
            evaluation = self.module.evaluate(test, outputs, directory)
        if not isinstance(evaluation, Evaluation):
            raise ModelSourceError(
                f"{self.name}: evaluate returned {type(evaluation).__name__}; wanted firmware_flows.Evaluation"
            )
        return evaluation

    @contextmanager
    def _calling(self, function: str) -> Iterator[None]:
        """An exception of the source's own code becomes one that names function, file and line.

        Errors of this package pass, and so does what no code of the source can mean (MemoryError, interruptions).
        """
        try:
            yield
        except (FirmwareFlowsError, MemoryError):
            raise
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            own = [frame for frame in frames if Path(frame.filename).is_relative_to(self.root)] or frames
            where = f" ({own[-1].filename}, line {own[-1].lineno})"
            raise ModelSourceError(
                f"{self.name}: {function} fails: {type(error).__name__}: {error}{where}; --debug shows the whole trace"
            ) from error

    def fingerprint(self, *names: str) -> str:
        """Hash of the source text that the named functions and classes of this source are made of."""
        return fingerprint(self.module, names, self.root)


def load_model_source(name: str, directory: Path) -> ModelSource:
    """Load the source that a recipe names: `package.module`, or a path ending in `.py` relative to `directory`.

    Raises ModelSourceError when it is not found, does not import, or lacks a function that the flow calls.
    """
    module, root = _load_file(name, directory) if name.endswith(".py") else _load_module(name, directory)
    _check(name, module)
    return ModelSource(name, module, root)


def _load_module(name: str, directory: Path) -> tuple[ModuleType, Path]:
    if not all(part.isidentifier() for part in name.split(".")):
        raise ModelSourceError(
            f"model {name!r} is neither a Python module name (package.module) nor a path ending in .py"
        )
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(f"{missing}."):
            raise ModelSourceError(
                f"model {name!r}: no Python module {missing!r} is installed{_hint(name, directory)}"
            ) from error
        raise ModelSourceError(
            f"model {name!r} needs the Python package {missing!r}, which is not installed"
        ) from error
    except Exception as error:
        raise ModelSourceError(_failure(name, error)) from error
    file = getattr(module, "__file__", None)
    if file is None:
        raise ModelSourceError(f"model {name!r} is a folder without Python code of its own (no __init__.py)")
    return module, Path(file).resolve().parent


def _hint(name: str, directory: Path) -> str:
    beside = directory / f"{name.rsplit('.', 1)[-1]}.py"
    if beside.is_file():
        return f"; to use the file beside the recipe write `model: {beside.name}`"
    return "; name an importable module, or a file ending in .py relative to the recipe"


def _load_file(name: str, directory: Path) -> tuple[ModuleType, Path]:
    path = (directory / Path(name).expanduser()).resolve()
    if not path.is_file():
        others = sorted(p.name for p in path.parent.glob("*.py")) if path.parent.is_dir() else []
        raise ModelSourceError(
            f"model file {path} does not exist" + (f"; {nearest(path.name, others)}" if others else "")
        )
    module_name = f"firmware_flows_model_{path.stem}"
    loaded = sys.modules.get(module_name)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded, path.parent
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise ModelSourceError(f"model file {path} cannot be loaded as Python")
    module = importlib.util.module_from_spec(spec)
    # At the end of the path: a file may import its neighbours, and shadows no installed package.
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise ModelSourceError(_failure(name, error)) from error
    return module, path.parent


def _failure(name: str, error: Exception) -> str:
    """One sentence about an exception raised by the source's own code, with the line it came from."""
    where = ""
    if isinstance(error, SyntaxError):
        where = f" ({error.filename}, line {error.lineno})"
        return f"model {name!r} is not valid Python: {error.msg}{where}"
    frames = traceback.extract_tb(error.__traceback__)
    if frames:
        where = f" ({frames[-1].filename}, line {frames[-1].lineno})"
    return f"model {name!r} fails to import: {type(error).__name__}: {error}{where}"


def _check(name: str, module: ModuleType) -> None:
    present = [n for n in vars(module) if not n.startswith("__")]
    for required in _REQUIRED:
        value = getattr(module, required, None)
        if value is None:
            hint = nearest(required, present)
            suggestion = f" ({hint})" if hint.startswith("did you mean") else ""
            raise ModelSourceError(
                f"model {name!r} defines no {required}{suggestion}; a model source needs {', '.join(_REQUIRED)}"
            )
        if required.endswith("Options"):
            if not (isinstance(value, type) and issubclass(value, BaseModel)):
                raise ModelSourceError(f"model {name!r}: {required} must be a class derived from pydantic.BaseModel")
            if value.model_config.get("extra") != "forbid":
                raise ModelSourceError(
                    f'model {name!r}: {required} must be declared with extra="forbid", or a misspelt key passes unseen'
                )
        elif not callable(value):
            raise ModelSourceError(f"model {name!r}: {required} is not a function")
