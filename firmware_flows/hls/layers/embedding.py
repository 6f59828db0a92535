"""A row of a table for every index: hls4ml's embedding, of a vector of indices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from firmware_flows.hls.errors import HlsConversionError
from firmware_flows.hls.plan import AP_BACKENDS, Node
from firmware_flows.program import Layer

if TYPE_CHECKING:
    from firmware_flows.hls.planner import Planner


def _embedding(p: Planner, layer: Layer) -> Node:
    source = p.source(layer)
    if p.settings.backend not in AP_BACKENDS:
        raise HlsConversionError(
            layer.name, "backend", p.settings.backend, "this layer is verified with Vitis and Vivado only",
            "use Vitis or Vivado",
        )  # fmt: skip
    rows, n_out = layer.arrays["embeddings"].shape
    flat = source if len(source.shape) == 1 else p.reshape(layer, source, (source.size,), "_indices")
    node = p.add(
        layer, "Embedding", (flat,), (flat.size, n_out),
        {"embeddings": layer.types["embeddings"], "result": layer.type},
        suffix="" if flat is source else "_rows",
        attributes={"n_in": flat.size, "n_out": n_out, "vocab_size": rows},
        weights={"embeddings": layer.arrays["embeddings"]},
    )  # fmt: skip
    return node if flat is source else p.reshape(layer, node, layer.shape)


HANDLERS = {"Embedding": _embedding}
