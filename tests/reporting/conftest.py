"""A small Program, and the facts of a run that never was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.reporting.network import network_facts, port_facts


@pytest.fixture
def program() -> Program:
    """x (3,) -> dense (2,) -> ReLU, with a pruned weight."""
    weight, bias = FixedPoint.parse("ap_fixed<4,2>"), FixedPoint.parse("ap_fixed<5,2>")
    result = FixedPoint.parse("ap_ufixed<6,3,AP_RND_CONV,AP_SAT>")
    b = Builder("small")
    b.begin_layer("x", "Input")
    x = b.input("x", (3,), FixedPoint.parse("ap_fixed<8,3,AP_RND_CONV,AP_SAT>"))
    b.end_layer(x)
    b.begin_layer("dense", "Dense", ("x",))
    w, offsets = np.array([[1, 2], [0, -3], [4, 5]]), np.array([1, -2])
    y = b.affine(x, w, weight.fractional, offsets, bias.fractional)
    types = {"weight": weight, "bias": bias, "accum": b.type_of(y)}
    b.end_layer(y, types=types, arrays={"weight": w, "bias": offsets}, remarks=("a remark",))
    b.begin_layer("relu", "Relu", ("dense",))
    positive = b.combine("maximum", y, b.constant(np.zeros((1,), np.int64), b.type_of(y).fractional))
    z = b.cast(positive, result)
    b.end_layer(z)
    return b.build({"relu": z})


@pytest.fixture
def facts(program: Program) -> dict[str, Any]:
    return {
        "format": 1,
        "recipe": {"name": "run_<1>", "description": "Cuts & |pipes| <b>bold</b>", "file": "r.yaml"},
        "failures": [],
        "network": network_facts(program),
        "ports": port_facts(program, ("q", "g")),
        "verification": {
            "passed": True,
            "seed": 7,
            "csim": True,
            "groups": {"random": 100_000, "rounding ties": 300},
            "forms": [
                {"name": "HLS C++", "compared": 100_300, "differing": 0, "skipped": 0, "reason": "none"},
                {"name": "Keras", "compared": 100_000, "differing": 0, "skipped": 300, "reason": "beyond float32"},
            ],
            "divergences": [],
            "coverage": [
                {
                    "layer": "dense",
                    "instruction": "affine",
                    "proven": ["-1.5", "2"],
                    "reached": ["-1.5", "1"],
                    "ends_reached": [True, False],
                    "ties": 0,
                    "below": 0,
                    "above": 0,
                }
            ],
            "remarks": [],
        },
        "metrics": {
            "forms": {"float": {"accuracy": 0.8, "auc": {"t": 0.95}}, "bit-accurate": {"accuracy": 0.79}},
            "events": 1234,
            "source": "some.source",
            "checks": [{"check": "bit-accurate accuracy", "value": 0.79, "at_least": 0.6, "passed": True}],
            "remarks": [],
        },
        "plots": [],
        "hls": {"backend": "Vitis", "csim": True},
        "data": {"events": {"train": 10, "validation": 5, "test": 5}, "event_shape": [3]},
        "training": {
            "quantized": {"best": {"val_loss": 0.5}, "best_epoch": 2, "epochs": [{}, {}], "seconds": 3.2, "seed": 1}
        },
        "remarks": ["The softmax is left out."],
        "provenance": {
            "seed": 1,
            "versions": {"numpy": "2.0"},
            "stages": [{"stage": "data", "finished": "2026-01-01", "seconds": 1.0}],
        },
    }
