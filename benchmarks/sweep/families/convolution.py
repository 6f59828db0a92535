"""Convolutions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Shape, example
from benchmarks.sweep.families.dense import ACTIVATION, KERNEL, inexact_weights, normalized, without
from benchmarks.sweep.strategies import BIAS, WEIGHT, sizes, weights

ABSENT = ("QDepthwiseConv1D",)
"""Layers that QKeras does not have; the lowering would take them."""

KINDS = {"Conv": "kernel", "DepthwiseConv": "depthwise", "SeparableConv": "depthwise"}


def _drawing(prefix: str, kind: str, rank: int) -> Callable[[Draw, Shape], Parts]:
    quantized = prefix == "Q"

    def drawn(draw: Draw, shape: Shape) -> Parts:
        options: dict[str, Any] = {
            "padding": draw(st.sampled_from(["valid", "same"])),
            "use_bias": draw(st.booleans()),
        }
        dilated = draw(st.integers(0, 3)) == 0 and (not quantized or kind != "SeparableConv" or rank == 2)
        kernel = [draw(sizes(1, max(1, (n + 1) // 2) if dilated else min(n, 3))) for n in shape[:-1]]
        options["kernel_size"] = kernel
        if dilated:
            rates = [draw(sizes(1, 2)) for _ in kernel]
            options["dilation_rate"] = rates if not (quantized and kind == "SeparableConv") else rates[:1] * rank
        elif kind == "Conv":
            options["strides"] = [draw(sizes(1, 3)) for _ in kernel]
        else:  # TensorFlow has equal strides only
            options["strides"] = [draw(sizes(1, 3))] * rank
        if kind != "DepthwiseConv":
            options["filters"] = draw(sizes(1, 3))
        if kind == "Conv" and draw(st.integers(0, 2)) == 0:
            groups = draw(st.sampled_from([n for n in range(1, shape[-1] + 1) if shape[-1] % n == 0]))
            options |= {"groups": groups, "filters": groups * draw(sizes(1, 2))}
        if kind != "Conv":
            options["depth_multiplier"] = draw(sizes(1, 2))
        if quantized:
            options["depthwise_quantizer" if kind != "Conv" else "kernel_quantizer"] = draw(WEIGHT)
            options["bias_quantizer"] = draw(BIAS)
            options["activation"] = draw(ACTIVATION)
            if kind == "SeparableConv":
                options["pointwise_quantizer"] = draw(WEIGHT)
        else:
            options["activation"] = draw(st.sampled_from([None, "relu", "relu6", "hard_tanh"]))
            if kind == "Conv" and rank == 1 and draw(st.integers(0, 3)) == 0:
                options["padding"] = "causal"
        return {"options": options, "weights": draw(weights(fractional=not quantized))}

    return drawn


def _refusals(prefix: str, kind: str, rank: int) -> Any:
    if prefix != "Q" or kind != "Conv":
        return ()
    shape = (4, 2) if rank == 1 else (4, 4, 1)
    options: dict[str, object] = {
        "filters": 2, "kernel_size": 2, "kernel_quantizer": "quantized_bits(4,0,alpha=1)",
        "bias_quantizer": "quantized_bits(4,0,alpha=1)",
    }  # fmt: skip
    return inexact_weights(f"Q{kind}{rank}D", shape, "kernel_quantizer", options)[:3]


CASES = [
    Case(f"{prefix}{kind}{rank}D", _drawing(prefix, kind, rank), ranks=(rank + 1,),
         refusals=_refusals(prefix, kind, rank))
    for kind in KINDS
    for prefix in ("", "Q")
    for rank in (1, 2)
    if f"{prefix}{kind}{rank}D" not in ABSENT
]  # fmt: skip


def _folded(kind: str) -> Callable[[Draw, Shape], Parts]:
    inner = _drawing("Q", kind, 2)

    def drawn(draw: Draw, shape: Shape) -> Parts:
        parts = inner(draw, shape)
        return {**parts, "options": {**parts["options"], **normalized(draw)}}

    return drawn


DEPTHWISE = {"depthwise_quantizer": "quantized_bits(4,0,alpha=1)", "bias_quantizer": "quantized_bits(4,0,alpha=1)"}

CASES += [
    Case("QConv2DBatchnorm", _folded("Conv"), ranks=(3,),
         examples=(example("QConv2DBatchnorm", (3, 3, 1), filters=2, kernel_size=2, **KERNEL),),
         refusals=without("QConv2DBatchnorm", (3, 3, 1), filters=2, kernel_size=2, **KERNEL)),
    Case("QDepthwiseConv2DBatchnorm", _folded("DepthwiseConv"), ranks=(3,),
         examples=(example("QDepthwiseConv2DBatchnorm", (3, 3, 1), kernel_size=2, **DEPTHWISE),),
         refusals=without("QDepthwiseConv2DBatchnorm", (3, 3, 1), kernel_size=2, **DEPTHWISE)),
]  # fmt: skip
