"""Reading a recipe: the YAML file that says which model, which data, how trained, how converted, how checked."""

from __future__ import annotations

import importlib
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from firmware_flows.errors import FirmwareFlowsError, nearest
from firmware_flows.model_source import ModelSource, ModelSourceError, load_model_source
from firmware_flows.recipe_schema import (
    HlsSettings,
    RecipeSettings,
    RtlSettings,
    SynthesisSettings,
    VerificationSettings,
)
from firmware_flows.yaml_file import KeyPath, YamlFile, read_yaml

OPTIONAL_SECTIONS = frozenset({"rtl", "synthesize"})
"""Sections that say by being there that something is wanted, even when they are empty."""

FLOAT_REFERENCE = "float_reference"
"""Key of `training:` that is the flow's and not the trainer's: whether a float network is trained too."""

_WORDS = {
    "dict_type": "wanted a section of keys and values",
    "model_type": "wanted a section of keys and values",
    "model_attributes_type": "wanted a section of keys and values",
    "tuple_type": "wanted a list in brackets, [...]",
    "list_type": "wanted a list in brackets, [...]",
}
"""What YAML's reader sees, for pydantic's names of Python's types."""

T = TypeVar("T", bound=BaseModel)


@dataclass(frozen=True)
class Problem:
    """One mistake in a recipe: the key's path, its line, the value found there, and what is wrong."""

    keys: KeyPath
    line: int | None
    value: object
    reason: str


class RecipeError(FirmwareFlowsError):
    """A recipe that cannot be used; one line of text for each mistake."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(self._sentence(problem) for problem in problems))

    def _sentence(self, problem: Problem) -> str:
        where = f"{self.path}, line {problem.line}" if problem.line is not None else str(self.path)
        key = ".".join(str(k) for k in problem.keys)
        return f"{where}: {key}: {problem.reason}" if key else f"{where}: {problem.reason}"


@dataclass(frozen=True)
class Recipe:
    """A recipe, read and checked, with the model source that it names."""

    path: Path
    settings: RecipeSettings
    source: ModelSource
    data_options: BaseModel
    network_options: BaseModel
    training: BaseModel
    float_reference: bool

    @property
    def name(self) -> str:
        return self.settings.name

    @property
    def seed(self) -> int:
        return self.settings.seed

    @property
    def hls(self) -> HlsSettings:
        return self.settings.hls

    @property
    def rtl(self) -> RtlSettings | None:
        """None where the recipe wants no RTL."""
        return self.settings.rtl

    @property
    def synthesize(self) -> SynthesisSettings | None:
        """None where the recipe wants no synthesis."""
        return self.settings.synthesize

    @property
    def verification(self) -> VerificationSettings:
        return self.settings.verification

    def to_dict(self) -> dict[str, Any]:
        """Every setting that is in force, defaults included, as JSON values."""
        return {
            **self.settings.model_dump(mode="json"),
            "data": self.data_options.model_dump(mode="json"),
            "network": self.network_options.model_dump(mode="json"),
            "training": {**self.training.model_dump(mode="json"), FLOAT_REFERENCE: self.float_reference},
        }


def load_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe.

    Raises RecipeError (or YamlError, ModelSourceError) naming file, line, key and value, with the nearest valid key.
    """
    path = Path(path)
    document = read_yaml(path)
    if not isinstance(document.value, dict):
        raise RecipeError(path, [Problem((), None, document.value, "a recipe is a mapping of keys to values")])
    # A section that is only named, `hls:`, has its defaults.
    known = RecipeSettings.model_fields
    named = {key: {} if value is None and key in OPTIONAL_SECTIONS else value for key, value in document.value.items()}
    given = {key: value for key, value in named.items() if value is not None or key not in known}
    settings = _validate(RecipeSettings, given, document, ())
    try:
        source = load_model_source(settings.model, path.parent)
    except ModelSourceError as error:
        problem = Problem(("model",), document.line(("model",)), settings.model, str(error))
        raise RecipeError(path, [problem]) from error
    training = dict(settings.training)
    float_reference = _float_reference(training, source, document)
    return Recipe(
        path,
        settings,
        source,
        _validate(source.data_options, settings.data, document, ("data",)),
        _validate(source.network_options, settings.network, document, ("network",)),
        _validate(_training_settings(), training, document, ("training",), also=(FLOAT_REFERENCE,)),
        float_reference,
    )


def _training_settings() -> type[BaseModel]:
    # By name, as a model source is: nothing in this package imports `quantization` on its own account.
    settings: type[BaseModel] = importlib.import_module("quantization.settings").TrainingSettings
    return settings


def _float_reference(training: dict[str, Any], source: ModelSource, document: YamlFile) -> bool:
    """Take `float_reference` out of the training section; by default there is one where the source has one."""
    value = training.pop(FLOAT_REFERENCE, source.has_float_network)
    keys: KeyPath = ("training", FLOAT_REFERENCE)
    if not isinstance(value, bool):
        problem = Problem(keys, document.line(keys), value, f"wanted true or false, not {value!r}")
        raise RecipeError(document.path, [problem])
    if value and not source.has_float_network:
        reason = f"model {source.name!r} defines no float_network; add one or write false"
        raise RecipeError(document.path, [Problem(keys, document.line(keys), value, reason)])
    if not value and document.value.get("max_loss"):
        reason = "a loss is counted against the float reference, which this recipe does not train"
        raise RecipeError(document.path, [Problem(("max_loss",), document.line(("max_loss",)), None, reason)])
    return value


def _validate(
    schema: type[T], value: Mapping[str, Any], document: YamlFile, prefix: KeyPath, also: tuple[str, ...] = ()
) -> T:
    try:
        return schema.model_validate(value)
    except ValidationError as error:
        raise RecipeError(document.path, _problems(error, schema, document, prefix, also)) from None


def _problems(
    error: ValidationError, schema: type[BaseModel], document: YamlFile, prefix: KeyPath, also: tuple[str, ...]
) -> list[Problem]:
    """Pydantic's list in our words, one entry a key, in the order of the file."""
    reasons: dict[KeyPath, list[str]] = {}
    values: dict[KeyPath, object] = {}
    for entry in error.errors(include_url=False):
        location = entry["loc"]
        keys: KeyPath = (*prefix, *location)
        missing = entry["type"] == "missing"
        # Branches of a union are part of pydantic's location, not of the file.
        while len(keys) > len(prefix) and not missing and not document.holds(keys):
            keys = keys[:-1]
        values.setdefault(keys, entry["input"])
        reasons.setdefault(keys, []).append(_reason(dict(entry), schema, also))
    found = [
        Problem(keys, document.line(keys), values[keys], " or ".join(dict.fromkeys(texts)))
        for keys, texts in reasons.items()
    ]
    # A list is too short to pydantic when its only entry is wrong: the entry's line says it.
    inner = {keys[:-1] for keys in reasons if keys and isinstance(keys[-1], int)}
    return sorted((p for p in found if p.keys not in inner), key=lambda problem: problem.line or 0)


def _reason(entry: Mapping[str, Any], schema: type[BaseModel], also: tuple[str, ...]) -> str:
    location, value, kind = entry["loc"], entry["input"], entry["type"]
    if kind == "extra_forbidden":
        parent = _schema_at(schema, location[:-1])
        valid = [*(parent.model_fields if parent else ()), *(also if len(location) == 1 else ())]
        return "unknown key" + (f"; {nearest(str(location[-1]), valid)}" if valid else "")
    if kind == "missing":
        return "this key is required and missing"
    message = str(entry["msg"]).removeprefix("Value error, ")
    message = re.sub(r"^Input should be ", "wanted ", message)
    message = message[0].lower() + message[1:] if message[:2] != message[:2].upper() else message
    message = _WORDS.get(kind, message)
    # A whole section says nothing beside the sentence, nor does a value that the sentence has already.
    known = isinstance(value, dict) or (kind == "value_error" and repr(value) in message)
    text = message if known else f"{message}, not {reprlib.repr(value)}"
    if kind in ("literal_error", "enum") and isinstance(value, str):
        near = nearest(value, re.findall(r"'([^']*)'", str(entry.get("ctx", {}).get("expected", ""))))
        text += f"; {near}" if near.startswith("did you mean") else ""
    return text


def _schema_at(schema: type[BaseModel], location: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The pydantic class that describes the given place, where it can be followed."""
    current: type[BaseModel] | None = schema
    for key in location:
        if current is None or key not in current.model_fields:
            return current if isinstance(key, int) else None
        annotation = current.model_fields[str(key)].annotation
        candidates = [annotation, *get_args(annotation)]
        current = next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)
    return current
