"""Embedding: a row of a table for every index."""

from __future__ import annotations

from math import prod

import numpy as np

from firmware_flows.lowering.context import Context, Signal, refuse
from firmware_flows.lowering.graph import Node
from firmware_flows.lowering.quantizers import GRID_BITS, quantized_weights
from firmware_flows.program import IntegerArray


def embedding(context: Context, node: Node) -> Signal:
    """Embedding and QEmbedding of indices that are proven to be integers within the table."""
    layer, source = node.operation, context.source(node)
    if getattr(layer, "lora_enabled", False):
        raise refuse(node, "lora", True, "low-rank updates are not converted", "Merge them into the embeddings")
    quantizer = getattr(layer, "embeddings_quantizer_internal", None)
    table = quantized_weights(node.name, "embeddings", np.asarray(layer.embeddings), quantizer)
    if table.mantissas.dtype == object:
        raise refuse(
            node, "embeddings", f"{table.type.width} bits", "weights are too wide", f"Use at most {GRID_BITS} bits"
        )
    rows, n_out = table.mantissas.shape
    have, interval = context.type_of(source), context.builder.interval(source.value)
    bits = (rows - 1).bit_length()
    if have.fractional > 0:
        raise refuse(
            node, "input type", have, "an index is an integer", f"Give input_type='ap_ufixed<{bits},{bits},TRN,SAT>'"
        )
    if interval.lowest < 0 or interval.highest << -have.fractional >= rows:
        last = interval.highest << -have.fractional
        raise refuse(
            node,
            "indices",
            f"{interval.lowest << -have.fractional} to {last}",
            f"the table has rows 0 to {rows - 1}, and firmware has nothing to give beyond",
            f"Give the table {1 << bits} rows (input_dim) and input_type='ap_ufixed<{bits},{bits},TRN,SAT>'",
        )
    b, shape = context.builder, context.shape_of(source)
    b.begin_layer(node.name, "Embedding", [source.layer])
    spread = b.rearrange([source.value], np.repeat(np.arange(prod(shape)), n_out).reshape(*shape, n_out))
    t = b.type_of(spread)
    index: IntegerArray = np.clip(np.arange(t.minimum, t.maximum + 1) << -t.fractional, 0, rows - 1)
    value = b.table(spread, table.mantissas[index].T, table.fractional)
    b.end_layer(
        value,
        types={"embeddings": table.type},
        attributes={"rows": rows, "n_out": n_out},
        arrays={"embeddings": table.mantissas},
    )
    return Signal(value, node.name)


LOWERINGS = {"Embedding": embedding, "QEmbedding": embedding}
