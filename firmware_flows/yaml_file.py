"""Reading YAML with the line of every key, so that an error can say where it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from firmware_flows.errors import FirmwareFlowsError

KeyPath = tuple[str | int, ...]


class YamlError(FirmwareFlowsError):
    """A file that is missing, is not YAML, or is YAML of a kind that hides a mistake."""


@dataclass(frozen=True)
class YamlFile:
    """The value of a YAML file, and the line (from 1) on which each of its keys stands."""

    path: Path
    value: Any
    lines: Mapping[KeyPath, int]

    def line(self, keys: KeyPath) -> int | None:
        """Line of the key, or of the nearest one above it that has a line."""
        for length in range(len(keys), 0, -1):
            if keys[:length] in self.lines:
                return self.lines[keys[:length]]
        return None

    def holds(self, keys: KeyPath) -> bool:
        """Whether the file itself has such a key."""
        return keys in self.lines


class _Loader(yaml.SafeLoader):
    """YAML 1.1 without its traps: 1e-3 is a number, a key given twice is an error."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*)(\.[\d_]*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)


def read_yaml(path: Path) -> YamlFile:
    """Read one YAML file; raises YamlError with file, line and reason."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise YamlError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise YamlError(f"{path} is a folder; name a recipe file (.yaml)") from None
    except UnicodeDecodeError as error:
        raise YamlError(f"{path} is not a text file in UTF-8 ({error.reason} at byte {error.start})") from error
    except OSError as error:
        raise YamlError(f"{path} cannot be read: {error.strerror}") from error
    loader = _Loader(text)
    lines: dict[KeyPath, int] = {}
    try:
        node = loader.get_single_node()
        if node is None:
            return YamlFile(path, None, lines)
        _walk(node, (), lines, path, frozenset())
        return YamlFile(path, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise YamlError(f"{path}{where}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()


def _walk(node: yaml.Node, keys: KeyPath, lines: dict[KeyPath, int], path: Path, above: frozenset[int]) -> None:
    """Note the line of every key below `node`; refuse a key that is given twice."""
    if id(node) in above:
        raise YamlError(f"{path}, line {node.start_mark.line + 1}: an anchor refers to itself")
    above = above | {id(node)}
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise YamlError(f"{path}, line {key_node.start_mark.line + 1}: a key must be a word or a number")
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                raise YamlError(f"{path}, line {line}: key {key!r} is given twice (first on line {seen[key]})")
            seen[key] = line
            lines[(*keys, key)] = line
            _walk(value_node, (*keys, key), lines, path, above)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*keys, index)] = item.start_mark.line + 1
            _walk(item, (*keys, index), lines, path, above)
