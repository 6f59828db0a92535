"""Recurrent layers, in one direction and in both, and layers at every time step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from benchmarks.sweep.cases import Case, Draw, Parts, Refusal, Remark, Shape, example
from benchmarks.sweep.families.dense import quantized
from benchmarks.sweep.strategies import CAST, sizes, weights

TABLE = Remark("is hls4ml's table", "activations by hls4ml's tables")
STATE = ["quantized_bits(6,1,alpha=1)", "quantized_bits(4,0,alpha=1)", "quantized_bits(8,2,symmetric=1,alpha=1)"]
GATES = ["quantized_sigmoid(5)", "quantized_bits(5,0,keep_negative=False,alpha=1)"]
HIDDEN = ["quantized_tanh(6)", "quantized_bits(6,1,alpha=1)", "quantized_relu(4,1.0)"]
SHORT = "quantized_bits({},{},alpha=1)"
SIZES = ((1, 4), (1, 3))
SMALL = {
    "units": 1, "activation": "quantized_bits(4,1,alpha=1)", "state_quantizer": "quantized_bits(4,1,alpha=1)",
    **{f"{name}_quantizer": "quantized_bits(3,0,alpha=1)" for name in ("kernel", "recurrent", "bias")},
}  # fmt: skip


def cell(draw: Draw, kind: str) -> dict[str, Any]:
    """Options of a quantized cell of this kind."""

    def weight() -> str:
        return SHORT.format(draw(st.integers(2, 6)), draw(st.integers(-1, 1)))

    options: dict[str, Any] = {
        "units": draw(sizes(1, 3)),
        "kernel_quantizer": draw(st.one_of(st.just(weight()), st.just("ternary(alpha=1)"), st.just("binary(alpha=1)"))),
        "recurrent_quantizer": weight(),
        "bias_quantizer": weight(),
        "state_quantizer": draw(st.sampled_from(STATE)),
        "activation": draw(st.sampled_from(HIDDEN)),
        "use_bias": draw(st.booleans()),
    }
    if kind != "SimpleRNN":
        options["recurrent_activation"] = draw(st.sampled_from(GATES))
    if kind == "GRU":
        options["reset_after"] = draw(st.booleans())
    return options


def _quantized(kind: str) -> Callable[[Draw, Shape], Parts]:
    def drawn(draw: Draw, shape: Shape) -> Parts:
        options = {
            **cell(draw, kind),
            "return_sequences": draw(st.booleans()),
            "go_backwards": draw(st.booleans()),
        }
        return {"options": options, "weights": draw(weights()), "inputs": [SHORT.format(draw(st.integers(3, 8)), 1)]}

    return drawn


def _plain(kind: str) -> Callable[[Draw, Shape], Parts]:
    """Nothing rounds the states, so that few steps, few bits or activations by tables keep them narrow."""

    def drawn(draw: Draw, shape: Shape) -> Parts:
        options: dict[str, Any] = {"units": draw(sizes(1, 2)), "return_sequences": draw(st.booleans())}
        options["activation"] = draw(st.sampled_from(["relu", "tanh"]))
        if kind != "SimpleRNN":
            options["recurrent_activation"] = draw(st.sampled_from(["sigmoid", "sigmoid", "relu"]))
        how = {**draw(weights()), "fractional": draw(st.integers(0, 2)), "exponent": 0}
        return {"options": options, "weights": how, "inputs": [SHORT.format(draw(st.integers(2, 4)), 1)]}

    return drawn


def _rnn(draw: Draw, shape: Shape) -> Parts:
    kind = draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU"]))
    options = {"cell": {"layer": f"Q{kind}Cell", "options": cell(draw, kind)}, "return_sequences": draw(st.booleans())}
    return {"options": options, "weights": draw(weights()), "inputs": [SHORT.format(draw(st.integers(3, 8)), 1)]}


def _both(draw: Draw, shape: Shape) -> Parts:
    kind = draw(st.sampled_from(["SimpleRNN", "LSTM", "GRU"]))
    inner = {**cell(draw, kind), "return_sequences": draw(st.booleans())}
    options = {
        "layer": {"layer": f"Q{kind}", "options": inner},
        "merge_mode": draw(st.sampled_from(["concat", "sum", "ave", "mul"])),
    }
    return {"options": options, "weights": draw(weights()), "inputs": [SHORT.format(draw(st.integers(3, 8)), 1)]}


def _each(draw: Draw, shape: Shape) -> Parts:
    kind = draw(
        st.sampled_from(["QDense", "QActivation", "Flatten", "QConv1D", "MaxPooling1D", "QLSTM", "RepeatVector"])
    )
    if kind in ("QConv1D", "MaxPooling1D", "QLSTM") and len(shape) < 3:
        kind = "QDense"
    if kind == "RepeatVector" and len(shape) > 2:
        kind = "Flatten"
    options: dict[str, Any] = {
        "QDense": lambda: {"units": draw(sizes(1, 3)), **quantized(draw)},
        "QActivation": lambda: {"activation": draw(CAST)},
        "Flatten": dict,
        "QConv1D": lambda: {"filters": 2, "kernel_size": min(2, shape[1]), **quantized(draw)},
        "MaxPooling1D": lambda: {"pool_size": min(2, shape[1])},
        "QLSTM": lambda: cell(draw, "LSTM"),
        "RepeatVector": lambda: {"n": 2},
    }[kind]()
    return {"options": {"layer": {"layer": kind, "options": options}}, "weights": draw(weights())}


GATE: dict[str, dict[str, str]] = {
    "SimpleRNN": {},
    "LSTM": {"recurrent_activation": "relu"},
    "GRU": {"recurrent_activation": "relu"},
}

WHOLE = {"seed": 1, "exponent": 0, "fractional": 0}

KINDS = ("SimpleRNN", "LSTM", "GRU")

CASES = [
    *(
        Case(f"Q{kind}", _quantized(kind), ranks=(2,), sizes=SIZES, neighbours=False)
        for kind in KINDS
    ),
    *(
        Case(kind, _plain(kind), ranks=(2,), sizes=((1, 3), (1, 2)), neighbours=False, remarks=(TABLE,),
             examples=tuple(
                 example(kind, (2, 1), units=1, activation=function, **GATE[kind], _weights=WHOLE,
                         _inputs=["quantized_bits(2,1,alpha=1)"])
                 for function in ("relu", "tanh")
             ),
             refusals=(
                 Refusal("lowering", "nothing rounds the states", "states of more than 63 bits: nothing rounds them",
                         example(kind, (20, 2), units=2, activation="relu", **GATE[kind],
                                 _weights={"seed": 1, "exponent": 0, "fractional": 4})),
             ))
        for kind in KINDS
    ),
    Case("RNN", _rnn, ranks=(2,), sizes=SIZES, neighbours=False),
    Case("Bidirectional", _both, ranks=(2,), sizes=SIZES, neighbours=False),
    Case("QBidirectional", _both, ranks=(2,), sizes=SIZES, neighbours=False,
         examples=(example("QBidirectional", (2, 1), layer={"layer": "QSimpleRNN", "options": SMALL}),)),
    Case("TimeDistributed", _each, ranks=(2, 3), sizes=((1, 3), (1, 3), (1, 3))),
]  # fmt: skip
