"""Random quantizers as QKeras writes them, and neighbours of the layer that is tested."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from benchmarks.sweep.cases import Draw, Shape


def sizes(low: int, high: int) -> Any:
    """An integer of this range, ends included."""
    return st.integers(low, high)


# half of all types are such as networks have, so that not everything saturates or vanishes
BITS = st.one_of(st.integers(2, 9), st.integers(1, 16))
INTEGER = st.one_of(st.integers(-1, 3), st.integers(-8, 8))
FLAG = st.integers(0, 1)
NEGATIVE = st.sampled_from([True, True, True, False])


@st.composite
def quantized_bits(draw: Draw, alphas: tuple[str, ...] = ("1",)) -> str:
    name = draw(st.sampled_from(["quantized_bits", "quantized_bits", "quantized_linear"]))
    alpha = draw(st.sampled_from(alphas))
    return f"{name}({draw(BITS)},{draw(INTEGER)},symmetric={draw(FLAG)},keep_negative={draw(NEGATIVE)},alpha={alpha})"


@st.composite
def quantized_relu(draw: Draw) -> str:
    bits, integer = draw(st.one_of(st.integers(2, 9), st.integers(1, 16))), draw(INTEGER)
    return f"quantized_relu({bits},{float(integer)})"  # a negative integer as int crashes TensorFlow


@st.composite
def leaky_quantized_relu(draw: Draw) -> str:
    slope = draw(st.sampled_from([1.0, 0.5, 0.25, 0.125, 2**-5]))
    return f"quantized_relu({draw(st.integers(2, 16))},{float(draw(INTEGER))},negative_slope={slope})"


@st.composite
def bounded_quantized_relu(draw: Draw) -> str:
    """The bound is without effect unless is_quantized_clip is False."""
    clip = draw(st.booleans())
    return (
        f"quantized_relu({draw(BITS)},{float(draw(INTEGER))},relu_upper_bound={draw(st.sampled_from([0.5, 1.0, 6.0]))},"
        f"is_quantized_clip={clip})"
    )


@st.composite
def unusual(draw: Draw, quantizer: Any, *settings: str) -> str:
    """A quantizer, one in four with a setting that networks rarely have: it agrees all the same, or is refused."""
    text: str = draw(quantizer)
    return f"{text[:-1]},{draw(st.sampled_from(settings))})" if draw(st.integers(0, 3)) == 0 else text


CAST = st.one_of(quantized_bits(), quantized_bits(), quantized_relu())
"""A quantizer that is a type."""

WEIGHT = st.one_of(
    quantized_bits(("1", "1", "'auto_po2'", "None", "0.5", "4")),
    st.sampled_from(["quantized_bits(4,0,alpha='auto_po2',scale_axis=0)", "quantized_bits(5,1,alpha=1,use_ste=False)",
                     "quantized_bits(4,0,alpha='auto_po2',min_po2_exponent=-1,max_po2_exponent=1)",
                     "quantized_bits(4,0,alpha='auto_po2',post_training_scale=0.5)", "ternary()", "binary()",
                     "quantized_relu_po2(4,1.0)", "quantized_po2(4,log2_rounding='floor')"]),
    st.sampled_from(["binary(alpha=1)", "ternary(alpha=1)", "ternary(alpha=1,threshold=0.5)",
                     "binary(alpha='auto_po2')", "ternary(alpha='auto_po2')", "binary(use_01=True,alpha=1)",
                     "quantized_po2(4)", "quantized_po2(3,2.0)", "quantized_po2(2,1.0)"]),
    quantized_bits(),
)  # fmt: skip
BIAS = st.one_of(quantized_bits(), st.just("quantized_po2(4,2.0)"), st.just("ternary(alpha=1)"))


@st.composite
def weights(draw: Draw, fractional: bool = False) -> dict[str, Any]:
    """How weights are drawn: normal numbers times 2**exponent, on a grid where no quantizer rounds them."""
    return {
        "seed": draw(st.integers(0, 10**6)),
        "exponent": draw(st.integers(-3, 2)),
        "fractional": draw(st.integers(0, 6)) if fractional else None,
    }


@st.composite
def neighbour(draw: Draw, shape: Shape, behind: bool) -> dict[str, Any] | None:
    """A layer on one side of the one tested, or none; for any shape.

    "Sequential" is a model within the model: a dense layer and its activation. `calls`: a shared layer, called again
    on its own output.
    """
    kind = draw(st.sampled_from([None, "QActivation", "QActivation", "QDense", "ReLU", "Activation", "Sequential"]))
    if kind is None or (kind == "QActivation" and not behind):
        return None
    if kind == "Sequential":
        dense = {"units": shape[-1] if not behind else draw(sizes(1, 3)), "kernel_quantizer": draw(quantized_bits()),
                 "bias_quantizer": draw(quantized_bits())}  # fmt: skip
        inner = [{"layer": "QDense", "options": dense},
                 {"layer": "QActivation", "options": {"activation": draw(CAST)}}]  # fmt: skip
        # the first call gives the shape that the second takes only where the layer keeps it
        calls = 1 if behind else draw(st.sampled_from([1, 2]))
        return {"layer": kind, "options": {"layers": inner}, "weights": draw(weights()), "calls": calls}
    options: dict[str, Any] = {}
    if kind == "QActivation":
        options = {"activation": draw(CAST)}
    elif kind == "Activation":
        options = {"activation": draw(st.sampled_from(["relu", "linear"]))}
    elif kind == "QDense":
        units = draw(sizes(1, 3)) if behind else shape[-1]  # the shape stays as it is before the layer
        options = {
            "units": units,
            "kernel_quantizer": draw(quantized_bits()),
            "bias_quantizer": draw(quantized_bits()),
        }
    return {"layer": kind, "options": options, "weights": draw(weights())}
