"""Activations: QKeras quantizers, functions, and layers that are the identity in firmware."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from benchmarks.sweep import strategies as some
from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Remark, Shape, example

TABLE = Remark("is hls4ml's table", "hls4ml's table of 1024 entries")
TABLE_ALWAYS = Remark(TABLE.reason, TABLE.text, always=True)
FAR = Remark(r"QKeras computes x \+ \(q - x\) in float32", "of inputs so wide that QKeras' float32 is off the grid")


def _quantizer(strategy: Any) -> Callable[[Draw, Shape], Parts]:
    return lambda draw, shape: {"options": {"activation": draw(strategy)}}


def _options(**strategies: Any) -> Callable[[Draw, Shape], Parts]:
    return lambda draw, shape: {"options": {k: draw(s) for k, s in strategies.items()}}


def _refused(stage: str, reason: str, when: str, activation: str, **more: Any) -> Refusal:
    return Refusal(stage, reason, when, example("QActivation", (3,), activation=activation, **more))


@st.composite
def _binary(draw: Draw) -> str:
    return f"binary(use_01={draw(st.booleans())},alpha={draw(st.sampled_from([1, 0.5, 0.75, 3]))})"


@st.composite
def _ternary(draw: Draw) -> str:
    threshold = draw(st.sampled_from([None, 0.1, 0.33, 0.5, 1.5, 4]))
    return f"ternary(alpha={draw(st.sampled_from([1, 0.5, 0.75, 3]))},threshold={threshold})"


@st.composite
def _tanh(draw: Draw) -> str:
    real = draw(st.booleans())
    return f"quantized_tanh({draw(st.integers(1, 16))},symmetric={draw(st.booleans())},use_real_tanh={real})"


@st.composite
def _sigmoid(draw: Draw) -> str:
    real = draw(st.booleans())
    return f"quantized_sigmoid({draw(st.integers(1, 16))},symmetric={draw(st.booleans())},use_real_sigmoid={real})"


@st.composite
def _po2(draw: Draw) -> str:
    limit = draw(st.sampled_from([None, 1.0, 2.0, 3.0, 8.0]))
    options = f"quadratic_approximation={draw(st.booleans())},log2_rounding='{draw(st.sampled_from(ROUNDINGS))}'"
    if draw(st.booleans()):
        return f"quantized_po2({draw(st.integers(1, 6))},max_value={limit},{options})"
    slope = draw(st.sampled_from([0, 0, 0.25, 0.5]))
    return f"quantized_relu_po2({draw(st.integers(1, 6))},max_value={limit},negative_slope={slope},{options})"


ROUNDINGS = ("rnd", "rnd", "floor")

RARE = ("use_stochastic_rounding=True",)
NOISE = (*RARE, "qnoise_factor=0.5", "qnoise_factor=1.0", "use_variables=True", "use_ste=False")


UNKNOWN = ("quantized_hswish(6,2,alpha=1)", "quantized_ulaw(6,2)")
RANDOM = ("stochastic_ternary", "stochastic_binary", "bernoulli")

SCALED = "the scale is computed from each batch"

QUANTIZERS = [
    Case(
        "QActivation",
        _quantizer(some.unusual(some.quantized_bits(), "qnoise_factor=0.5", "qnoise_factor=1.0", *RARE,
                                "use_variables=True", "scale_axis=0")),
        kind="quantized_bits, quantized_linear",
        refusals=(
            _refused("lowering", "one bit with keep_negative", "one bit that keeps negative values (-1, +1)",
                     "quantized_bits(1,0,alpha=1)"),
            _refused("lowering", SCALED, "`alpha='auto'` or `'auto_po2'`", "quantized_bits(4,0,alpha='auto_po2')"),
            _refused("lowering", "random rounding", "stochastic rounding",
                     "quantized_bits(4,0,alpha=1,use_stochastic_rounding=True)"),
            _refused("lowering", "alpha=0.5 scales", "`alpha` other than 1", "quantized_bits(4,0,alpha=0.5)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(some.quantized_relu(), *NOISE, "use_sigmoid=1")),
        kind="quantized_relu",
        refusals=(
            _refused("lowering", "a sigmoid inside the ReLU", "`use_sigmoid`", "quantized_relu(6,3,use_sigmoid=1)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(some.leaky_quantized_relu(), *NOISE, "relu_upper_bound=1.0")),
        kind="quantized_relu with negative_slope",
        refusals=(
            _refused("lowering", "finer than the", "a slope below the type's grid (QKeras' negative values leave it)",
                     "quantized_relu(3,-1.0,negative_slope=0.125)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(some.bounded_quantized_relu(), *NOISE)),
        kind="quantized_relu with relu_upper_bound",
        examples=(example("QActivation", (3,), activation="quantized_relu(6,1,relu_upper_bound=2.0)"),),
        refusals=(
            _refused("lowering", "a limit besides the type's own", "with `is_quantized_clip=False`",
                     "quantized_relu(6,3,relu_upper_bound=2.0,is_quantized_clip=False)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(_tanh(), *RARE)),
        kind="quantized_tanh",
        examples=(example("QActivation", (3,), activation="quantized_tanh(6,use_real_tanh=True)"),
                  example("QActivation", (3,), activation="quantized_tanh(6)")),
        remarks=(TABLE,),
        refusals=(
            _refused("lowering", "one symmetric bit holds only zero", "one symmetric bit",
                     "quantized_tanh(1,symmetric=True)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(_sigmoid(), *RARE)),
        kind="quantized_sigmoid",
        examples=(example("QActivation", (3,), activation="quantized_sigmoid(6,use_real_sigmoid=True)"),
                  example("QActivation", (3,), activation="quantized_sigmoid(6)")),
        remarks=(TABLE,),
        refusals=(
            _refused("lowering", "no fixed-point type starts above zero", "`symmetric`",
                     "quantized_sigmoid(6,symmetric=True)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(_po2(), *NOISE)),
        kind="quantized_po2, quantized_relu_po2",
        refusals=(
            _refused("lowering", "needs a table of its input's", "the input has more than 10 bits", "quantized_po2(4)",
                     _inputs=["quantized_bits(11,2,alpha=1)"]),
            _refused("lowering", "its values need", "the exponents span more than 32 bits", "quantized_po2(7)"),
        ),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(_binary(), *RARE, "scale_axis=0")),
        kind="binary",
        examples=(example("QActivation", (3,), activation=f"binary(alpha={2**-24:.30f})"),),
        remarks=(FAR,),
        refusals=(_refused("lowering", "computed from each batch", "`alpha` follows the events",
                           "binary(alpha='auto')"),),
    ),
    Case(
        "QActivation",
        _quantizer(some.unusual(_ternary(), *RARE, "number_of_unrolls=1")),
        kind="ternary",
        examples=(example("QActivation", (3,), activation=f"ternary(alpha={2**-24:.30f},threshold=0.5)"),
                  example("QActivation", (3,), activation="ternary(alpha=1)")),
        remarks=(FAR,),
        refusals=(_refused("lowering", "computed from each batch", "`alpha` follows the events",
                           "ternary(alpha='auto')"),),
    ),
    Case(
        "QActivation",
        _quantizer(st.sampled_from([*(f"{name}(alpha=1)" for name in RANDOM), *UNKNOWN])),
        kind=", ".join([*RANDOM, "quantized_hswish", "quantized_ulaw"]),
        forms=(),
        refusals=(
            _refused("lowering", "random values", "always: random values", "stochastic_ternary(alpha=1)"),
            _refused("lowering", "no such function", "`quantized_hswish`: hls4ml has no such function",
                     "quantized_hswish(6,2,alpha=1)"),
            _refused("lowering", "on no fixed-point grid", "`quantized_ulaw`: its values lie on no grid",
                     "quantized_ulaw(6,2)"),
        ),
    ),
    Case("QActivation", _quantizer(st.sampled_from(["hard_tanh", "hard_sigmoid"])), kind="hard_tanh, hard_sigmoid"),
]  # fmt: skip

TABLES = ["sigmoid", "tanh", "softplus", "softsign", "exponential", "elu", "selu"]
ABSENT = ["gelu", "silu", "mish", "log_sigmoid"]

FUNCTIONS = [
    Case("Activation", _options(activation=st.sampled_from(["linear", "relu", "relu6"])), kind="linear, relu, relu6"),
    Case(
        "Activation",
        _options(activation=st.just("hard_sigmoid")),
        kind="hard_sigmoid",
        remarks=(Remark("multiplies by 10923/65536", "1/6 has 16 bits", always=True),),
    ),
    Case(
        "Activation",
        _options(activation=st.sampled_from(TABLES)),
        kind=", ".join(TABLES),
        remarks=(TABLE_ALWAYS,),
    ),
    Case(
        "Activation",
        _options(activation=st.sampled_from([*ABSENT, "leaky_relu"])),
        kind=", ".join([*ABSENT, "leaky_relu"]),
        forms=(),
        refusals=(
            Refusal("lowering", "no such function", "always: hls4ml has no such function",
                    example("Activation", (3,), activation="gelu")),
            Refusal("lowering", "negative_slope = 0.2", "`leaky_relu`: its slope 0.2 is on no grid",
                    example("Activation", (3,), activation="leaky_relu")),
        ),
    ),
]  # fmt: skip


def _relu(draw: Draw, shape: Shape) -> Parts:
    maximum = draw(st.sampled_from([None, None, 0.75, 2.0, 6.0]))
    slope = draw(st.sampled_from([0.0, 0.0, 0.25, 0.375]))
    threshold = draw(st.sampled_from([0.0, 0.0, 0.5, 1.25]))
    return {"options": {"max_value": maximum, "negative_slope": slope, "threshold": threshold}}


def _prelu(draw: Draw, shape: Shape) -> Parts:
    axes = [None, [1]] if len(shape) > 1 else [None]
    return {"options": {"shared_axes": draw(st.sampled_from(axes))}, "weights": draw(some.weights(fractional=True))}


def _softmax(draw: Draw, shape: Shape) -> Parts:
    return {"options": {}}


def _dropped_softmax(draw: Draw, shape: Shape) -> Parts:
    return {"options": {}, "behind": None, "inputs": [draw(some.CAST)]}


STABLE = Remark("hls4ml's 'stable'", "hls4ml's tables of exponentials and of inverses", always=True)
LATENCY = Remark("hls4ml's 'latency'", "hls4ml's tables, without the largest input taken off", always=True)
ARGMAX = Remark("hls4ml's 'argmax'", "1 for the largest, 0 for all others", always=True)
LOGITS = Remark("softmax is dropped", "the logits come out", always=True)
SOFTMAX_AXIS = Refusal(
    "lowering", "over the last axis", "`axis` other than the last", example("Softmax", (2, 3), axis=1)
)

LAYERS = [
    Case("ReLU", _relu),
    Case(
        "LeakyReLU",
        _options(negative_slope=st.sampled_from([0.5, 0.125, 0.375, 2.0, 0.3])),
        refusals=(
            Refusal("lowering", "not on a fixed-point grid", "`negative_slope` on no grid of 16 bits",
                    example("LeakyReLU", (3,), negative_slope=0.3)),
        ),
    ),
    Case(
        "PReLU",
        _prelu,
        refusals=(
            Refusal("lowering", "not on a fixed-point grid", "slopes on no grid of 16 bits",
                    example("PReLU", (3,), _weights={"seed": 1, "exponent": 0, "fractional": None})),
        ),
    ),
    Case(
        "ELU",
        _options(alpha=st.sampled_from([1.0, 0.5, 0.75, 0.1])),
        remarks=(TABLE_ALWAYS,),
        refusals=(
            Refusal("lowering", "not on a fixed-point grid", "`alpha` on no grid of 16 bits",
                    example("ELU", (3,), alpha=0.1)),
        ),
    ),
    Case("Softmax", _softmax, kind="stable", softmax="stable", remarks=(STABLE,), refusals=(SOFTMAX_AXIS,)),
    Case("Softmax", _softmax, kind="latency", remarks=(LATENCY,), softmax="latency",
         refusals=(
             Refusal("lowering", "has one table of 1 / sum", "inputs of a range too wide for its one table",
                     example("Softmax", (3,), _inputs=["quantized_bits(8,6,alpha=1)"])),
         )),
    Case("Softmax", _softmax, kind="argmax", remarks=(ARGMAX,), softmax="argmax"),
    Case("Softmax", _dropped_softmax, kind="dropped at the end", ranks=(1,), softmax="logits",
         remarks=(LOGITS,)),
]  # fmt: skip

IDENTITY = [
    Case("Dropout", _options(rate=st.just(0.3))),
    Case("SpatialDropout1D", _options(rate=st.just(0.3)), ranks=(2,)),
    Case("SpatialDropout2D", _options(rate=st.just(0.3)), ranks=(3,)),
    Case("AlphaDropout", _options(rate=st.just(0.3))),
    Case("GaussianNoise", _options(stddev=st.just(0.3))),
    Case("GaussianDropout", _options(rate=st.just(0.3))),
    Case("ActivityRegularization", _options(l2=st.just(0.1))),
    Case("Identity", _options()),
]

CASES = [*QUANTIZERS, *FUNCTIONS, *LAYERS, *IDENTITY]
