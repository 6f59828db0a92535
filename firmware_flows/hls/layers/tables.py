"""Lookup tables whose entries are written out: hls4ml's unary table, addressed by all bits of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner

MOST_ENTRIES = 1024
"""Vivado's and Vitis' HLS partition an array completely, as hls4ml asks for here, up to this many elements."""


def _table(p: Planner, layer: Layer) -> Node:
    source, entries = p.source(layer), layer.arrays["entries"]
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "hls4ml has a table with given entries for ap_fixed only",
            "use Vitis or Vivado",
        )  # fmt: skip
    if entries.shape[0] != 1 or entries.shape[1] > MOST_ENTRIES:
        raise HlsConversionError(
            layer.name, "entries", entries.shape, f"one table of at most {MOST_ENTRIES} entries for all elements",
            "cast the input to 10 bits or fewer first",
        )  # fmt: skip
    # the address is the bit pattern of the input, so that the negative half of a signed type comes last
    ordered = np.roll(entries[0], source.type.minimum)
    return p.add(
        layer, "UnaryLUT", (source,), source.shape, {"table": layer.types["table"], "result": layer.type},
        attributes={"activation": "unary_lut", "n_in": source.size},
        weights={"table": ordered},
    )  # fmt: skip


HANDLERS = {"Table": _table}
