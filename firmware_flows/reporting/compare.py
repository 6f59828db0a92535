"""Two runs beside each other: what differs in bits, metrics, types, costs and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.errors import InputError
from firmware_flows.reporting.metrics import FIRMWARE, flatten

Facts = Mapping[str, Any]

REPORT = "report.json"
OUTPUTS = "outputs.npz"

_NOT_SETTINGS = ("name", "description")
_QUANTITIES = ("latency", "interval", "lut", "ff", "dsp", "bram18")
_LAYER = ("latency", "lut", "ff", "dsp", "bram18")


def read_run(path: Path) -> tuple[Facts, Path]:
    """The facts of a run directory (or of its report.json), and the directory. Raises InputError."""
    file = path / REPORT if path.is_dir() else path
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
        known = [facts[a][b] for a, b in (("network", "digest"), ("recipe", "name"), ("provenance", "recipe"))]
        if not isinstance(known[-1], dict):
            raise TypeError
    except OSError as error:
        raise InputError(
            f"{path} holds no report ({error.strerror}); make one with `firmware-flows report RECIPE --run-dir {path}`"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise InputError(f"{file} is not the report of a run; name a run directory or its {REPORT}") from None
    return facts, file.parent


def compare(first: Path, second: Path) -> dict[str, Any]:
    """What differs between two runs, as JSON values; "a" is the first, "b" the second, None where one has nothing."""
    (a, a_directory), (b, b_directory) = read_run(first), read_run(second)
    return {
        "format": 1,
        "a": _identity(a, first),
        "b": _identity(b, second),
        "same_program": a["network"]["digest"] == b["network"]["digest"],
        "bits": _bits(a, b, a_directory, b_directory),
        "failures": {"a": list(a["failures"]), "b": list(b["failures"])},
        "metrics": list(_metrics(a, b)),
        "same_data": _same_data(a, b),
        "types": list(_types(a, b)),
        "estimates": list(_estimates(a, b)),
        "layers": list(_layers(a, b)),
        "measured": list(_measured(a, b)),
        "settings": list(_differing(_settings(a), _settings(b))),
        "versions": list(_differing(_versions(a), _versions(b))),
    }


def _identity(facts: Facts, path: Path) -> dict[str, Any]:
    return {
        "name": facts["recipe"]["name"],
        "description": facts["recipe"].get("description", ""),
        "run": str(path),
        "program": facts["network"]["digest"],
        "parameters": facts["network"]["parameters"],
        "nonzero_parameters": facts["network"]["nonzero_parameters"],
        "seed": facts["provenance"]["seed"],
    }


def _same_data(a: Facts, b: Facts) -> bool:
    one, other = (x["provenance"].get("data_sha256") for x in (a, b))
    return one is not None and one == other


def _bits(a: Facts, b: Facts, a_directory: Path, b_directory: Path) -> dict[str, Any]:
    """The firmware's answers to the test events, where both runs have the same events; else why not."""
    if not _same_data(a, b):
        return {"reason": "the runs have different test events"}
    found = [_outputs(a_directory), _outputs(b_directory)]
    if found[0] is None or found[1] is None:
        return {"reason": f"a run has no {OUTPUTS} any more"}
    one, other = found[0], found[1]
    if one.shape != other.shape:
        return {"reason": f"the outputs have the shapes {one.shape[1:]} and {other.shape[1:]}"}
    flat, flat_other = (x.reshape(len(x), -1).astype(np.float64) for x in (one, other))
    off = flat != flat_other
    result: dict[str, Any] = {
        "events": len(one),
        "differing": int(off.any(axis=1).sum()),
        "largest": float(np.abs(flat - flat_other).max(initial=0.0)),
    }
    if flat.shape[1] > 1:
        result["largest_element_differs"] = int((flat.argmax(axis=1) != flat_other.argmax(axis=1)).sum())
    return result


def _outputs(directory: Path) -> Any:
    try:
        with np.load(directory / OUTPUTS, allow_pickle=False) as archive:
            return archive[FIRMWARE]
    except (OSError, KeyError, ValueError):
        return None


def _metrics(a: Facts, b: Facts) -> Iterator[dict[str, Any]]:
    """Every metric that both or one has, form by form."""
    one, other = ((x.get("metrics") or {}).get("forms", {}) for x in (a, b))
    for form in dict.fromkeys((*one, *other)):
        mine, theirs = flatten(one.get(form, {})), flatten(other.get(form, {}))
        for name in dict.fromkeys((*mine, *theirs)):
            values = mine.get(name), theirs.get(name)
            difference = None if values[0] is None or values[1] is None else values[1] - values[0]
            yield {"form": form, "metric": name, "a": values[0], "b": values[1], "difference": difference}


def _types(a: Facts, b: Facts) -> Iterator[dict[str, Any]]:
    """What differs in the layers: kind, shape, parameters and types, layer by layer."""
    one, other = ({layer["name"]: _described(layer) for layer in x["network"]["layers"]} for x in (a, b))
    for name in dict.fromkeys((*one, *other)):
        for row in _differing(one.get(name, {}), other.get(name, {})):
            yield {"layer": name, **row}


def _described(layer: Facts) -> dict[str, Any]:
    return {
        "kind": layer["kind"],
        "shape": " x ".join(map(str, layer["shape"])),
        **({"parameters": layer["parameters"], "not zero": layer["nonzero_parameters"]} if layer["parameters"] else {}),
        **layer["types"],
        "bits of the proven range": layer["proven"]["bits_needed"],
    }


def _estimates(a: Facts, b: Facts) -> Iterator[dict[str, Any]]:
    """Totals by form and stage; values with their intervals."""
    one, other = (_stages(x) for x in (a, b))
    for key in dict.fromkeys((*one, *other)):
        for name in _QUANTITIES:
            values = one.get(key, {}).get(name), other.get(key, {}).get(name)
            yield {"form": key[0], "stage": key[1], "quantity": name, "a": values[0], "b": values[1]}


def _stages(facts: Facts) -> dict[tuple[str, str], Facts]:
    return {
        (entry["form"], stage["stage"]): stage
        for entry in facts.get("estimates", ())
        for stage in entry.get("stages", ())
    }


def _layers(a: Facts, b: Facts) -> Iterator[dict[str, Any]]:
    """Estimated cost of every layer after logic synthesis, by form."""
    one, other = (
        {
            (entry["form"], layer["name"]): {"latency": layer["latency"], **layer["synthesis"]}
            for entry in x.get("estimates", ())
            for layer in entry.get("layers", ())
        }
        for x in (a, b)
    )
    for key in dict.fromkeys((*one, *other)):
        values = [None if x is None else {n: x[n] for n in _LAYER} for x in (one.get(key), other.get(key))]
        yield {"form": key[0], "layer": key[1], "a": values[0], "b": values[1]}


def _measured(a: Facts, b: Facts) -> Iterator[dict[str, Any]]:
    """Counts, clocks and cycles of tools; only numbers of one tool, stage and target stand in one row."""
    one, other = (dict(_of_tools(x)) for x in (a, b))
    for key in dict.fromkeys((*one, *other)):
        yield {"origin": key[0], "target": key[1], "quantity": key[2], "a": one.get(key), "b": other.get(key)}


def _of_tools(facts: Facts) -> Iterator[tuple[tuple[str, str, str], float]]:
    rtl = facts.get("rtl")
    if rtl and rtl["measured"]:
        measured, clock = rtl["measured"], f"RTL at {rtl['clock_mhz']:g} MHz"
        yield (measured["source"], clock, "latency, cycles"), measured["latency_cycles"]
        yield (measured["source"], clock, "interval, cycles"), measured["initiation_interval"]
    for result in (facts.get("synthesis") or {}).get("results", ()):
        origin, target = result["origin"]["text"], result["target"]
        for q in result["quantities"]:
            yield (origin, target, q["name"]), q["count"]
        for clock in result["clocks"]:
            if clock["achieved_mhz"] is not None:
                yield (origin, target, f"clock {clock['name']}, MHz"), clock["achieved_mhz"]
        for name, value in (result["latency"] or {}).items():
            if value is not None:
                yield (origin, target, f"cycles, {name.replace('_', ' ')}"), value


def _settings(facts: Facts) -> dict[str, Any]:
    recipe = {k: v for k, v in facts["provenance"]["recipe"].items() if k not in _NOT_SETTINGS}
    return dict(_dotted(recipe))


def _versions(facts: Facts) -> dict[str, Any]:
    provenance = facts["provenance"]
    return dict(_dotted({"versions": provenance.get("versions", {}), "git": provenance.get("git")}))


def _dotted(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _dotted(item, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield {"name": name, "a": one.get(name), "b": other.get(name)}
