"""Dense layers."""

from __future__ import annotations

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Shape, example
from benchmarks.sweep.strategies import BIAS, CAST, WEIGHT, sizes, weights

EXACT = ["relu", "relu6", "linear", "hard_tanh", "quantized_tanh(5)", "quantized_sigmoid(5)"]
ACTIVATION = st.one_of(st.none(), st.none(), CAST, st.sampled_from(EXACT))


def quantized(draw: Draw, field: str = "kernel") -> dict[str, object]:
    """Options that quantized layers with one kernel share."""
    return {
        f"{field}_quantizer": draw(WEIGHT),
        "bias_quantizer": draw(BIAS),
        "use_bias": draw(st.booleans()),
        "activation": draw(ACTIVATION),
    }


def _qdense(draw: Draw, shape: Shape) -> Parts:
    return {"options": {"units": draw(sizes(1, 4)), **quantized(draw)}, "weights": draw(weights())}


def _dense(draw: Draw, shape: Shape) -> Parts:
    options = {"units": draw(sizes(1, 4)), "use_bias": draw(st.booleans())}
    options["activation"] = draw(st.sampled_from(["linear", "relu", "relu6", "hard_tanh"]))
    return {"options": options, "weights": draw(weights(fractional=True))}


KERNEL = {"kernel_quantizer": "quantized_bits(4,0,alpha=1)", "bias_quantizer": "quantized_bits(4,0,alpha=1)"}


def inexact_weights(layer: str, shape: Shape, field: str, options: dict[str, object]) -> tuple[Refusal, ...]:
    """Refusals of quantized kernels, with this field's name."""
    one = {"_weights": {"seed": 1, "exponent": 0, "fractional": None}}
    bits = "quantized_bits(4,0,alpha={})"

    def refusal(reason: str, when: str, quantizer: str) -> Refusal:
        return Refusal("lowering", reason, when, example(layer, shape, **{**options, field: quantizer}, **one))

    return (
        refusal("the scale follows the weights", f"`alpha='auto'` of {field}", bits.format("'auto'")),
        refusal("is no power of two", f"`alpha` of {field} is no power of two", bits.format("0.3")),
        refusal("random rounding", f"stochastic rounding of {field}",
                "quantized_bits(4,0,alpha=1,use_stochastic_rounding=True)"),
        refusal("weights of this quantizer", f"stochastic {field}", "stochastic_ternary(alpha=1)"),
        refusal("weights of this quantizer", f"{field} `bernoulli`", "bernoulli(alpha=1)"),
    )  # fmt: skip


def _folded(draw: Draw, shape: Shape) -> Parts:
    parts = _qdense(draw, shape)
    return {**parts, "options": {**parts["options"], **normalized(draw)}}


def normalized(draw: Draw) -> dict[str, object]:
    """Options of layers with a batch normalization inside."""
    mode = draw(st.sampled_from(["ema_stats_folding", "batch_stats_folding"]))
    given = st.sampled_from([True] * 7 + [False])
    return {"folding_mode": mode, "center": draw(given), "scale": draw(given)}


def without(layer: str, shape: Shape, **options: object) -> tuple[Refusal, ...]:
    """Settings with which QKeras cannot call a layer with a batch normalization inside."""
    return tuple(
        Refusal("lowering", "QKeras' call of the layer fails", f"`{field}=False`, with which QKeras' own call fails",
                example(layer, shape, **{**options, field: False}))
        for field in ("center", "scale")
    )  # fmt: skip


CASES = [
    Case("QDenseBatchnorm", _folded, refusals=without("QDenseBatchnorm", (3,), units=2, **KERNEL)),
    Case("QDense", _qdense, refusals=inexact_weights("QDense", (3,), "kernel_quantizer", {"units": 2, **KERNEL})),
    Case(
        "Dense",
        _dense,
        refusals=(
            Refusal(
                "lowering",
                "not on a fixed-point grid",
                "weights on no grid of 16 bits",
                example("Dense", (3,), units=2, _weights={"seed": 1, "exponent": 0, "fractional": None}),
            ),
        ),
    ),
]
