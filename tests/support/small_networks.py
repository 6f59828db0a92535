"""Small Programs built by hand."""

from __future__ import annotations

import itertools

import numpy as np

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program


def dense_network(sizes: list[int], bits: int = 6, input_type: str = "ap_fixed<12,6,RND_CONV,SAT>") -> Program:
    """Dense layers with ReLU between, random weights of `bits` bits."""
    random = np.random.default_rng(7)
    b = Builder("-".join(map(str, sizes)))
    b.begin_layer("x", "Input")
    value = b.input("x", (sizes[0],), FixedPoint.parse(input_type))
    b.end_layer(value, attributes={"shape": (sizes[0],)})
    last = "x"
    limit = 2 ** (bits - 1)
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        weights = random.integers(-limit, limit, (n_in, n_out))
        bias = random.integers(-limit, limit, n_out)
        b.begin_layer(f"dense{k}", "Dense", [last])
        value = b.affine(value, weights, bits - 1, bias, bits - 1)
        b.end_layer(value, arrays={"weight": weights, "bias": bias})
        last = f"dense{k}"
        if k < len(sizes) - 2:
            b.begin_layer(f"relu{k}", "Relu", [last])
            value = b.cast(value, FixedPoint(bits, 2, False, "RND_CONV", "SAT"))
            b.end_layer(value)
            last = f"relu{k}"
    return b.build({"y": value}, {"classes": list("gqWZt"), "units": {"pt": "GeV"}})


def two_ports() -> Program:
    """y = a - b and its largest element; c is a constant output."""
    b = Builder("two ports")
    t = FixedPoint.parse("ap_fixed<8,4,RND,SAT>")
    first, second = b.input("a", (3,), t), b.input("b", (3,), t)
    difference = b.combine("subtract", first, second)
    constant = b.constant([1, -2], 1)
    return b.build({"y": difference, "largest": b.reduce("maximum", difference, 0), "c": constant})
