"""Recurrent networks, and a slow reference of their cells in fractions that shares nothing with the lowering."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

Vector = list[Fraction]

KERNEL = "quantized_bits(4,0,alpha=1)"
WORDS = {
    "kernel_quantizer": KERNEL,
    "recurrent_quantizer": "quantized_bits(3,0,alpha=1)",
    "bias_quantizer": "quantized_bits(5,1,alpha=1)",
    "bias_initializer": "random_normal",
    "state_quantizer": "quantized_bits(5,0,alpha=1)",
}
DENSE = {name: WORDS[name] for name in ("kernel_quantizer", "bias_quantizer", "bias_initializer")}


def network(
    shape: Sequence[int], layers: dict[str, Any], seed: int = 1, inputs: str = "quantized_bits(6,2,alpha=1)"
) -> Any:
    """Every layer on the same quantized input, each an output; the last layer of a branch gets the branch's name."""
    import keras
    from qkeras import QActivation

    keras.utils.set_random_seed(seed)
    x = keras.Input(tuple(shape), name="x")
    signal = QActivation(inputs, name="q")(x)
    outputs = []
    for number, (name, branch) in enumerate(layers.items()):
        if number and number % 2 == 0:  # so that no stream has too many readers
            signal = QActivation(f"quantized_bits(6,{2 - number // 2 % 2},alpha=1)", name=f"q{number}")(signal)
        h, chain = signal, branch if isinstance(branch, Sequence) else [branch]
        chain[-1].name = name  # QKeras hands a recurrent layer's name to its cell
        for layer in chain:
            h = layer(h)
        outputs.append(h)
    return keras.Model(x, outputs, name="network")


def cell(kind: str, units: int = 2, **options: Any) -> Any:
    """QSimpleRNN, QLSTM or QGRU."""
    import qkeras

    return getattr(qkeras, kind)(units, **{**WORDS, **options})


def grid(shape: Sequence[int], dtype: Any = None) -> npt.NDArray[np.float32]:
    """Weights that are multiples of 1/8, for layers without quantizers."""
    random = np.random.default_rng(sum(shape) + len(shape))
    return (random.integers(-7, 8, tuple(shape)) / 8).astype(np.float32)


def plain(kind: str, units: int = 2, **options: Any) -> Any:
    """SimpleRNN, LSTM or GRU of Keras, with weights on a grid."""
    import keras

    initial = {"kernel_initializer": grid, "recurrent_initializer": grid, "bias_initializer": grid}
    return getattr(keras.layers, kind)(units, **{**initial, **options})


def both(layer: Any, mode: str) -> Any:
    """The layer in both directions."""
    import keras

    return keras.layers.Bidirectional(layer, merge_mode=mode)


def each(layer: Any) -> Any:
    """The layer at every time step."""
    import keras

    return keras.layers.TimeDistributed(layer)


# ---- the reference


def outputs(layer: Any, events: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What a recurrent layer of Keras or QKeras gives for quantized events (events, time, inputs)."""
    step, states = REFERENCES[type(layer.cell).__name__.removeprefix("Q").removesuffix("Cell")]
    weights = _numbers(layer.cell)
    result = []
    for event in events:
        state = [[Fraction(0)] * layer.cell.units for _ in range(states)]
        given: list[Vector] = []
        for x in event[::-1] if layer.go_backwards else event:
            q = getattr(layer.cell, "state_quantizer_internal", None)
            rounded = [[function(q, v) for v in s] for s in state] if q is not None else state
            state = step(layer.cell, weights, [Fraction(float(v)) for v in x], rounded)
            given.append(state[0])
        result.append(given if layer.return_sequences else given[-1])
    return np.array(
        [[[float(v) for v in h] for h in r] if layer.return_sequences else [float(v) for v in r] for r in result]
    )


def function(f: Any, v: Fraction) -> Fraction:
    """An activation or a quantizer of one number."""
    name = getattr(f, "__name__", None) or type(f).__name__
    bits = int(getattr(f, "bits", 0))
    if name == "linear":
        return v
    if name == "relu":
        return max(v, Fraction(0))
    if name in ("sigmoid", "tanh"):
        return _table(name, v)
    if name == "hard_sigmoid":
        return _limited(v / 2 + Fraction(1, 2), Fraction(0), Fraction(1))
    if name == "quantized_tanh":
        return _rounded(v, Fraction(2) ** (1 - bits), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if name == "quantized_sigmoid":
        return _rounded(function(_Named("hard_sigmoid"), v), Fraction(1, 2**bits), 0, 2**bits - 1)
    integer = int(f.integer)
    if name == "quantized_relu":
        return _rounded(v, Fraction(2) ** (integer - bits), 0, 2**bits - 1)
    assert name == "quantized_bits", name
    signed = int(f.keep_negative)
    top = 2 ** (bits - signed)
    return _rounded(v, Fraction(2) ** (integer + signed - bits), -top * signed + int(f.symmetric) * signed, top - 1)


class _Named:
    def __init__(self, name: str) -> None:
        self.__name__ = name


def _table(name: str, v: Fraction) -> Fraction:
    """hls4ml's table of 1024 entries over [-8, 8) or [-4, 4), of type ap_fixed<18,8>."""
    reach = 8 if name == "sigmoid" else 4
    address = max(-512, min(511, math.trunc(v * 512 / reach)))
    x = address * reach / 512
    value = 1 / (1 + math.exp(-x)) if name == "sigmoid" else math.tanh(x)
    return Fraction(math.floor(value * 1024), 1024)


def _rounded(v: Fraction, step: Fraction, low: int, high: int) -> Fraction:
    return max(low, min(high, round(v / step))) * step  # round() of a fraction goes to even


def _limited(v: Fraction, low: Fraction, high: Fraction) -> Fraction:
    return max(low, min(high, v))


def _numbers(cell: Any) -> dict[str, npt.NDArray[Any]]:
    result = {}
    for name, field in (("kernel", "kernel"), ("recurrent_kernel", "recurrent"), ("bias", "bias")):
        values = getattr(cell, name)
        quantizer = getattr(cell, f"{field}_quantizer_internal", None)
        if values is None:
            values = np.zeros((2, cell.kernel.shape[1]))
        elif quantizer is not None:
            values = quantizer(values)
        array = np.asarray(values, dtype=np.float64)
        array = np.stack([array, np.zeros_like(array)]) if field == "bias" and array.ndim == 1 else array
        result[field] = np.vectorize(Fraction, otypes=[object])(array)
    return result


def _sum(x: Vector, matrix: npt.NDArray[Any], bias: Sequence[Fraction]) -> Vector:
    return [b + sum(v * w for v, w in zip(x, column, strict=True)) for b, column in zip(bias, matrix.T, strict=True)]


def _gates(cell: Any, weights: dict[str, Any], x: Vector, h: Vector) -> tuple[list[Vector], list[Vector]]:
    """What the input and what the state gives to every gate."""
    n = cell.units
    parts = (
        _sum(x, weights["kernel"], weights["bias"][0]),
        _sum(h, weights["recurrent"], weights["bias"][1]),
    )
    left, right = ([p[k : k + n] for k in range(0, len(p), n)] for p in parts)
    return left, right


def _simple(cell: Any, weights: dict[str, Any], x: Vector, state: list[Vector]) -> list[Vector]:
    (a,), (b,) = _gates(cell, weights, x, state[0])
    return [[function(cell.activation, u + v) for u, v in zip(a, b, strict=True)]]


def _lstm(cell: Any, weights: dict[str, Any], x: Vector, state: list[Vector]) -> list[Vector]:
    left, right = _gates(cell, weights, x, state[0])
    sums = [[u + v for u, v in zip(a, b, strict=True)] for a, b in zip(left, right, strict=True)]
    i, f, o = ([function(cell.recurrent_activation, v) for v in sums[k]] for k in (0, 1, 3))
    c = [fk * ck + ik * function(cell.activation, g) for fk, ck, ik, g in zip(f, state[1], i, sums[2], strict=True)]
    return [[ok * function(cell.activation, ck) for ok, ck in zip(o, c, strict=True)], c]


def _gru(cell: Any, weights: dict[str, Any], x: Vector, state: list[Vector]) -> list[Vector]:
    h = state[0]
    left, right = _gates(cell, weights, x, h)
    z, r = (
        [function(cell.recurrent_activation, u + v) for u, v in zip(left[k], right[k], strict=True)] for k in (0, 1)
    )
    if cell.reset_after:
        inner = [u * v for u, v in zip(r, right[2], strict=True)]
    else:
        reset = [u * v for u, v in zip(r, h, strict=True)]
        inner = _sum(reset, weights["recurrent"][:, 2 * cell.units :], [Fraction(0)] * cell.units)
    g = [function(cell.activation, u + v) for u, v in zip(left[2], inner, strict=True)]
    return [[zk * hk + (1 - zk) * gk for zk, hk, gk in zip(z, h, g, strict=True)]]


Step = Callable[[Any, dict[str, Any], Vector, list[Vector]], list[Vector]]
REFERENCES: dict[str, tuple[Step, int]] = {"SimpleRNN": (_simple, 1), "LSTM": (_lstm, 2), "GRU": (_gru, 1)}
