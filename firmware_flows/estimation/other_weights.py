"""Layers as they would be with other weights: the smallest pruned, or all of them of fewer bits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Layer

LEAST_BITS = 2
"""Weights are not made shorter than this."""

Integers = npt.NDArray[np.int64]


def pruned(layer: Layer, kept: float) -> Layer:
    """Of the weights that are not zero the share `kept` stays, those largest in magnitude: what pruning leaves."""
    weights = layer.arrays["weight"]
    size = np.abs(weights).ravel()
    staying = np.argsort(-size, kind="stable")[: round(np.count_nonzero(size) * kept)]
    mask = np.zeros(size.shape, bool)
    mask[staying] = True
    return _with(layer, np.where(mask.reshape(weights.shape), weights, 0), 0)


def shortened(layer: Layer, bits: int) -> Layer:
    """Every weight rounded to so many fractional bits fewer."""
    bits = min(bits, max(_type(layer).width - LEAST_BITS, 0))
    limit = 1 << max(_type(layer).width - bits - 1, 0)
    # Halves go up, not to even: the weights that training rounds are not halves, and even ones have fewer digits.
    rounded = (layer.arrays["weight"] + ((1 << bits) >> 1)) >> bits
    return _with(layer, np.clip(rounded, -limit, limit - 1), bits)


def _type(layer: Layer) -> FixedPoint:
    """That of the weights, or the narrowest that holds them where the layer does not state it."""
    width = int(np.max(np.abs(layer.arrays["weight"]), initial=1)).bit_length() + 1
    return layer.types.get("weight", FixedPoint(width, width))


def _with(layer: Layer, weights: Integers, bits: int) -> Layer:
    """With these weights, of `bits` fewer after the point; sums lose those bits and those that they no longer reach."""
    weight = _type(layer)
    types = {**layer.types, "weight": replace(weight, width=weight.width - bits)}
    before, after = _reach(layer, layer.arrays["weight"]), _reach(layer, weights) * 2.0**bits
    unreached = round(np.log2(before / after)) if after else 0
    total = layer.types.get("accum", layer.type)
    narrower = replace(
        total, width=max(total.width - bits - unreached, LEAST_BITS), integer=total.integer - unreached
    )  # fmt: skip
    for name in ("accum", "result"):
        # A result that is rounded keeps its type: it is the layer's, whatever the sums are.
        if name in types and types[name].same_bits(total):
            types[name] = narrower
    return replace(layer, types=types, arrays={**layer.arrays, "weight": weights})


def _reach(layer: Layer, weights: Integers) -> float:
    """The largest sum of magnitudes that one output adds up."""
    own = 2 if layer.kind.startswith("Depthwise") else 1
    return float(np.abs(weights).sum(axis=tuple(range(weights.ndim - own))).max(initial=0))
