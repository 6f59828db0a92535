"""Rows of a table of published vendor reports, brought to the form of the estimator.

The columns are those of `vendor_reports.csv`: one network a row, its layers as JSON, `bram` in blocks of 18 Kb.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_flows.errors import InputError
from firmware_flows.estimation.constants import from_summary
from firmware_flows.estimation.work import Conditions, Cost, Kind, Multiplier, Strategy, Work
from firmware_flows.targets import device_of

COLUMNS = ("row_id", "source_repo", "tool", "part", "clock_ns_target", "io_type", "strategy", "layers", "quality")


@dataclass(frozen=True)
class Row:
    """One report: the network as work, the conditions, what the report says.

    `family`: networks of the same layer sizes; `network` is those sizes.
    """

    name: str
    repository: str
    quality: str
    stage: str
    hand_modified: bool
    strategy: str
    io: str
    family: str
    work: tuple[Work, ...]
    conditions: Conditions
    measured: Cost
    device: str
    unknown: tuple[str, ...]


@dataclass(frozen=True)
class Module:
    """One layer's instance in a report: its latency in cycles."""

    row: Row
    work: Work
    latency: float


def read_rows(path: Path) -> list[Row]:
    """All rows that state their layers. Raises InputError where the file is not such a table."""
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            table = list(csv.DictReader(stream))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    missing = [name for name in COLUMNS if not table or name not in table[0]]
    if missing:
        raise InputError(f"{path} is no table of vendor reports: it has no column {', '.join(missing)}")
    rows = (_row(line) for line in table)
    return [row for row in rows if row is not None]


def read_modules(path: Path, rows: Sequence[Row]) -> list[Module]:
    """The instances of layers in the reports of these rows, where the table joins them to one layer."""
    by_name = {row.name: row for row in rows}
    found = []
    with path.open(encoding="utf-8", newline="") as stream:
        for line in csv.DictReader(stream):
            row = by_name.get(line["row_id"])
            if row is None or not line["layer"]:
                continue
            layer = json.loads(line["layer"])
            handler = _HANDLERS.get(_base(layer["type"]))
            if handler is None or "_" in line["latency_max_cc"] or not line["latency_max_cc"]:
                continue
            try:
                work = handler(layer, row.strategy)
            except (KeyError, TypeError, ValueError):
                continue
            found.append(Module(row, work, float(line["latency_max_cc"])))
    return found


def _row(line: Mapping[str, str]) -> Row | None:
    if not line["layers"]:
        return None
    layers: list[dict[str, Any]] = json.loads(line["layers"])
    default = line["strategy"].lower()
    unknown: list[str] = []
    work: list[Work] = []
    for layer in layers:
        handler = _HANDLERS.get(_base(layer["type"]))
        if handler is None:
            unknown.append(str(layer["type"]))
            continue
        try:
            work.append(handler(layer, default))
        except (KeyError, TypeError, ValueError):
            unknown.append(str(layer["type"]))
    clock = float(line["clock_ns_target"])
    device = device_of(line["part"])
    strategies = {w.strategy.value for w in work if w.kind is Kind.PRODUCT}
    return Row(
        name=line["row_id"],
        repository=line["source_repo"],
        quality=line["quality"],
        stage=line["stage"],
        hand_modified=line["hls_source"] != "hls4ml",
        strategy=strategies.pop() if len(strategies) == 1 else default,
        io=line["io_type"],
        family=_family(layers) if line["quality"].startswith("A") else f"sweep {line['source_repo']}",
        work=tuple(work),
        conditions=Conditions(
            clock=clock,
            technology=device.technology,
            tool="vivado_hls" if line["tool"] == "vivado" else line["tool"],
            tool_version=float(re.match(r"\d+\.\d+", line["tool_version"]).group()),  # type: ignore[union-attr]
            uncertainty=_number(line["clock_unc_ns"]),
            stream=line["io_type"] == "io_stream",
            multiplier=Multiplier(line["mul_impl"] or "auto"),
            dsp_available=device.dsp,
        ),
        measured=Cost(*(float(line[k]) for k in ("latency_max_cc", "ii_max", "lut", "ff", "dsp", "bram"))),
        device=device.name,
        unknown=tuple(unknown),
    )


def _family(layers: list[dict[str, Any]]) -> str:
    """Sizes of the layers with weights: whatever their types, weights, reuse or target, it is one network."""
    sizes = [
        f"{x['n_in']}x{x['n_out']}" for x in layers if x.get("n_out") and "n_in" in x and "linear" not in x["type"]
    ]
    convolutions = [f"{x['n_chan']}c{x['n_filt']}" for x in layers if x.get("w_n") and "n_chan" in x]
    return "-".join(convolutions + sizes) or "none"


def _base(kind: str) -> str:
    return re.sub(r"(_array|_me\d?|_ss|_switch)+$", "", kind)


def _number(text: str) -> float | None:
    return float(text) if text else None


def _bits(text: Any, default: int = 16) -> int:
    found = re.match(r"a[pc]_u?(?:fixed|int)<\s*(\d+)", str(text))
    return int(found.group(1)) if found else default


def _strategy(layer: Mapping[str, Any], default: str) -> Strategy:
    text = str(layer.get("strategy") or default).lower()
    return Strategy(text) if text in {s.value for s in Strategy} else Strategy.LATENCY


def _matrix(layer: Mapping[str, Any], inputs: int, outputs: int, strategy: str, positions: int = 1) -> Work:
    width = _bits(layer.get("weight_type"))
    return Work(
        name=str(layer.get("name", layer["type"])),
        kind=Kind.PRODUCT,
        elements=outputs,
        input_bits=_bits(layer.get("in_type")),
        result_bits=_bits(layer.get("result_type")),
        accumulator_bits=_bits(layer.get("accum_type")),
        weight_bits=width,
        constants=from_summary(
            inputs,
            outputs,
            int(layer["w_nonzero"]),
            int(layer["w_pow2"]),
            int(layer["w_csd_digits"]),
            int(layer["w_distinct"]),
            width,
        ),
        positions=positions,
        reuse_factor=int(layer.get("reuse_factor") or 1),
        strategy=_strategy(layer, strategy),
    )


def _dense(layer: Mapping[str, Any], strategy: str) -> Work:
    return _matrix(layer, int(layer["n_in"]), int(layer["n_out"]), strategy)


def _convolution(layer: Mapping[str, Any], strategy: str) -> Work:
    window = int(layer["filt_width"]) * int(layer.get("filt_height", 1)) * int(layer["n_chan"])
    return _matrix(layer, window, int(layer["n_filt"]), strategy, _positions(layer))


def _activation(layer: Mapping[str, Any], strategy: str) -> Work:
    result = str(layer.get("result_type"))
    return Work(
        name=str(layer.get("name", layer["type"])),
        kind=Kind.RECTIFIER if "relu" in layer["type"] else Kind.WIRING,
        elements=int(layer["n_in"]),
        input_bits=_bits(layer.get("in_type")),
        result_bits=_bits(layer.get("result_type")),
        rounds="RND" in result,
        saturates="SAT" in result,
    )


def _lookup(layer: Mapping[str, Any], strategy: str) -> Work:
    softmax = layer["type"] == "softmax"
    table = layer.get("exp_table_type") if softmax else layer.get("table_type")
    return Work(
        name=str(layer.get("name", layer["type"])),
        kind=Kind.SOFTMAX if softmax else Kind.TABLE,
        elements=int(layer["n_in"]),
        input_bits=_bits(layer.get("in_type")),
        result_bits=_bits(layer.get("result_type")),
        table_size=int(layer.get("table_size", 1024)),
        table_bits=_bits(table, 18),
    )


def _wiring(layer: Mapping[str, Any], strategy: str) -> Work:
    return Work(str(layer.get("name", layer["type"])), Kind.WIRING, 0, 16, 16, positions=_positions(layer))


def _pooling(layer: Mapping[str, Any], strategy: str) -> Work:
    return Work(
        name=str(layer.get("name", layer["type"])),
        kind=Kind.POOLING,
        elements=int(layer["n_filt"]),
        input_bits=_bits(layer.get("in_type")),
        result_bits=_bits(layer.get("result_type")),
        accumulator_bits=_bits(layer.get("accum_type")),
        operands=int(layer.get("pool_width", 1)) * int(layer.get("pool_height", 1)),
        positions=_positions(layer),
    )


def _normalization(layer: Mapping[str, Any], strategy: str) -> Work:
    channels = int(layer["n_in"]) if int(layer["n_filt"]) < 0 else int(layer["n_filt"])
    return Work(
        name=str(layer.get("name", layer["type"])),
        kind=Kind.SCALE,
        elements=channels,
        input_bits=_bits(layer.get("in_type")),
        weight_bits=_bits(layer.get("scale_type")),
        result_bits=_bits(layer.get("result_type")),
        positions=max(int(layer["n_in"]) // channels, 1),
    )


def _positions(layer: Mapping[str, Any]) -> int:
    return int(layer.get("in_width", 1)) * int(layer.get("in_height", 1))


_HANDLERS = {
    "dense": _dense,
    "conv_2d_cl": _convolution,
    "conv_1d_cl": _convolution,
    "relu": _activation,
    "linear": _wiring,
    "softmax": _lookup,
    "sigmoid": _lookup,
    "tanh": _lookup,
    "pooling2d_cl": _pooling,
    "pooling1d_cl": _pooling,
    "zeropad2d_cl": _wiring,
    "zeropad1d_cl": _wiring,
    "normalize": _normalization,
    "h_quantize": _wiring,
    "h_dense_relu_quantizer": _wiring,
    "h_dense_1_relu_quantizer": _wiring,
    "h_dense_2_relu_quantizer": _wiring,
    "h_dense_3_quantizer": _wiring,
}
