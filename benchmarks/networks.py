"""The networks that are measured: dense layers with quantized ReLU between, as QKeras networks are lowered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program

INPUT = FixedPoint.parse("ap_fixed<12,6,AP_RND_CONV,AP_SAT>")
WEIGHT = FixedPoint.parse("ap_fixed<6,1,AP_RND_CONV,AP_SAT>")
ACTIVATION = FixedPoint.parse("ap_ufixed<6,2,AP_RND_CONV,AP_SAT>")

NETWORKS = {
    "16-64-32-32-5": (16, 64, 32, 32, 5),
    "20-10x128-43": (20, *[128] * 10, 43),
}


def dense_network(name: str, sizes: Sequence[int], seed: int = 1) -> Program:
    """Random weights and biases of 6 bits, activations of 6 bits, inputs of 12."""
    random = np.random.default_rng(seed)
    b = Builder(name)
    b.begin_layer("x", "Input")
    value = b.input("x", (sizes[0],), INPUT)
    b.end_layer(value, attributes={"shape": [sizes[0]]})
    last = "x"
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        # weights small enough for activations of deep networks to keep to their range
        weights = np.clip(np.rint(random.normal(0, 32 / np.sqrt(n_in) * 1.5, (n_in, n_out))), -32, 31).astype(np.int64)
        bias = random.integers(-8, 9, n_out)
        b.begin_layer(f"dense_{k}", "Dense", [last])
        value = b.affine(value, weights, WEIGHT.fractional, bias, WEIGHT.fractional)
        b.end_layer(
            value,
            types={"weight": WEIGHT, "bias": WEIGHT, "accum": b.type_of(value)},
            attributes={"positions": 1, "n_in": n_in, "n_out": n_out},
            arrays={"weight": weights, "bias": bias},
        )
        last = f"dense_{k}"
        if k < len(sizes) - 2:
            b.begin_layer(f"relu_{k}", "Relu", [last])
            value = b.cast(value, ACTIVATION)
            b.end_layer(value)
            last = f"relu_{k}"
    return b.build({"y": value})


def random_events(program: Program, count: int, seed: int = 2) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Events that fill the input type's range, and a few beyond it."""
    random, t = np.random.default_rng(seed), program.inputs[0].type
    largest = 0.375 * 2.0**t.integer
    return (random.standard_normal((count, *program.inputs[0].shape), dtype=np.float32) * largest).astype(np.float32)
