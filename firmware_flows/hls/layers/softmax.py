"""Softmax kept in firmware: hls4ml's own, with every type given."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

UNREAD = FixedPoint(2, 2, signed=False)
"""Type of tables that the strategy does not have, which hls4ml writes nevertheless."""

TABLES = ("exp_table", "inv_table", "inv_inp", "accum")


def _softmax(p: Planner, layer: Layer) -> Node:
    source, strategy = p.source(layer), str(layer.attributes["strategy"])
    if p.settings.backend not in AP_BACKENDS or strategy not in ("stable", "latency", "argmax"):
        raise HlsConversionError(
            layer.name, "strategy", f"{strategy} ({p.settings.backend})", "softmax is exact with Vitis and Vivado",
            "use Vitis or Vivado, or softmax='logits'",
        )  # fmt: skip
    if strategy == "argmax":
        types, sizes = dict.fromkeys(TABLES, UNREAD), (4, 4)
    elif strategy == "latency":
        types = {name: layer.types[name] for name in TABLES}
        address = layer.types["input"]
        if not source.type.same_bits(address):
            source = p.activation(layer, source, "linear", {"result": address}, suffix="_input")
        sizes = (1 << address.width, 1 << types["inv_inp"].width)
    else:
        types = {name: layer.types[name] for name in (*TABLES, "inp_norm")}
        sizes = (1 << types["inp_norm"].width, 1 << types["inv_inp"].width)
    return p.add(
        layer, "Softmax", (source,), source.shape, {**types, "table": UNREAD, "result": layer.type},
        attributes={
            "activation": "softmax", "implementation": strategy, "axis": -1, "n_in": source.size,
            "n_outer": prod(source.shape[:-1]), "n_inner": 1, "exp_scale": 1.0, "table_size": max(sizes),
            "exp_table_size": sizes[0], "inv_table_size": sizes[1],
        },
    )  # fmt: skip


HANDLERS = {"Softmax": _softmax}
