"""Batch normalization."""

from __future__ import annotations

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Shape, example
from benchmarks.sweep.strategies import quantized_bits, weights


def _plain(draw: Draw, shape: Shape) -> Parts:
    how = {**draw(weights(fractional=True)), "powers": draw(st.booleans())}
    options = {"epsilon": 0.0, "scale": draw(st.booleans()), "center": draw(st.booleans())}
    return {"options": options, "weights": how}


def _quantized(draw: Draw, shape: Shape) -> Parts:
    options = {
        "gamma_quantizer": None, "variance_quantizer": None,
        "beta_quantizer": draw(quantized_bits()), "mean_quantizer": draw(quantized_bits()),
        "inverse_quantizer": draw(quantized_bits()), "scale": draw(st.booleans()), "center": draw(st.booleans()),
    }  # fmt: skip
    return {"options": options, "weights": draw(weights())}


FLOAT = {"seed": 1, "exponent": 0, "fractional": None}
GRID = "is not on a fixed-point grid"

CASES = [
    Case(
        "BatchNormalization",
        _plain,
        refusals=(
            Refusal("lowering", GRID, "a scale or an offset on no grid of 16 bits",
                    example("BatchNormalization", (3,), _weights=FLOAT)),
            Refusal("lowering", "only the last axis", "`axis` other than the last",
                    example("BatchNormalization", (2, 3), axis=1)),
        ),
    ),
    Case(
        "QBatchNormalization",
        _quantized,
        refusals=(
            Refusal("lowering", GRID, "no `inverse_quantizer`",
                    example("QBatchNormalization", (3,), _weights=FLOAT, gamma_quantizer=None,
                            variance_quantizer=None)),
        ),
    ),
]  # fmt: skip
