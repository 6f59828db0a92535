"""Types read from QKeras quantizers against what those quantizers compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.type_notation import TypeNotationError

pytestmark = [
    pytest.mark.keras,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

Array = npt.NDArray[Any]


@pytest.fixture(scope="module")
def qkeras() -> Any:
    pytest.importorskip("qkeras", reason="qkeras is not installed")
    from qkeras import quantizers

    return quantizers


def grid(t: FixedPoint) -> Array:
    """Float32 numbers at every value of the type, every tie, beside both, and beyond the range: up to 2**20 values,
    and as far beyond as float32 keeps `x + (q(x) - x)`, which is how QKeras computes q(x), exact.
    """
    quarters = np.arange(4 * 3 * min(t.minimum, -t.maximum), 4 * 3 * t.maximum, max(1, t.maximum >> 14))
    values = np.ldexp(quarters.astype(np.float64), -t.fractional - 2).astype(np.float32)
    far = np.ldexp(np.float32([1.0, -1.0, 1.25, -1.75]), 22 - t.fractional).astype(np.float32)
    beside = [values, np.nextafter(values, np.float32(np.inf)), np.nextafter(values, np.float32(-np.inf)), far]
    return np.concatenate(beside)


def agree(quantizer: Any, values: Array, before: Array) -> None:
    t = FixedPoint.parse(quantizer)
    theirs = np.asarray(quantizer(values), dtype=np.float64)
    ours = t.to_float(t.quantize(before))
    wrong = np.flatnonzero(ours != theirs)[:5]
    assert not len(wrong), (t, values[wrong], theirs[wrong], ours[wrong])


LINEAR = [
    {"bits": 8, "integer": 2},
    {"bits": 8, "integer": 2, "symmetric": 1},
    {"bits": 8, "integer": 2, "symmetric": 0},
    {"bits": 8, "integer": 2, "keep_negative": False},
    {"bits": 8, "integer": 2, "symmetric": 1, "keep_negative": False},
    {"bits": 4, "integer": -2},
    {"bits": 4, "integer": 7},
    {"bits": 2, "integer": 0, "symmetric": 1},
    {"bits": 2, "integer": 1, "symmetric": 0},
    {"bits": 1, "integer": 0, "keep_negative": False},
    {"bits": 16, "integer": 5},
    {"bits": 8, "integer": 2, "alpha": None},
    {"bits": 8.0, "integer": np.float32(2.0)},
]


@pytest.mark.parametrize("settings", LINEAR)
@pytest.mark.parametrize("name", ["quantized_bits", "quantized_linear"])
def test_linear(qkeras: Any, name: str, settings: dict[str, Any]) -> None:
    quantizer = getattr(qkeras, name)(**{"alpha": 1, **settings})
    values = grid(FixedPoint.parse(quantizer))
    agree(quantizer, values, values)


RELU = [
    {"bits": 8, "integer": 2},
    {"bits": 6, "integer": 0},
    {"bits": 1, "integer": 0},
    {"bits": 4, "integer": 7},
    {"bits": 16, "integer": 6},
    {"bits": 8, "integer": 2, "relu_upper_bound": 1.3},
    {"bits": 8, "integer": 2, "is_quantized_clip": False},
    {"bits": 8, "integer": 2, "is_quantized_clip": False, "relu_upper_bound": 4.0},
    {"bits": 8, "integer": 2, "is_quantized_clip": False, "relu_upper_bound": 0},
]


@pytest.mark.parametrize("settings", RELU)
def test_relu(qkeras: Any, settings: dict[str, Any]) -> None:
    quantizer = qkeras.quantized_relu(**settings)
    values = grid(FixedPoint.parse(quantizer))
    agree(quantizer, values, np.maximum(values, 0))


@pytest.mark.parametrize("slope", [0.125, 0.25, 1.0])
def test_leaky_relu_ends_at_the_slope_times_the_range_quirk(qkeras: Any, slope: float) -> None:
    """The type says -2**integer, QKeras stops at -slope * 2**integer: the input is to be limited before."""
    quantizer = qkeras.quantized_relu(8, 2, negative_slope=slope)
    values = grid(FixedPoint.parse(quantizer))
    agree(quantizer, values, np.maximum(values, 0) + slope * np.clip(values, -4.0, 0.0))


@pytest.mark.parametrize("settings", [{"bits": 8}, {"bits": 4, "symmetric": True}, {"bits": 1}, {"bits": 2}])
def test_hard_tanh(qkeras: Any, settings: dict[str, Any]) -> None:
    quantizer = qkeras.quantized_tanh(**settings)
    t = FixedPoint.parse(quantizer)
    values = np.ldexp(np.arange(-20 << t.width, 20 << t.width), -t.fractional - 3).astype(np.float32)
    agree(quantizer, values, np.clip(values, -1.0, 1.0))


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_hard_sigmoid(qkeras: Any, bits: int) -> None:
    quantizer = qkeras.quantized_sigmoid(bits)
    t = FixedPoint.parse(quantizer)
    values = np.ldexp(np.arange(-20 << t.width, 20 << t.width), -t.fractional - 3).astype(np.float32)
    agree(quantizer, values, np.clip(0.5 * values + 0.5, 0.0, 1.0))


def test_text_and_object_mean_the_same(qkeras: Any) -> None:
    for quantizer in (
        qkeras.quantized_bits(8, 2, 1, alpha=1),
        qkeras.quantized_bits(8, 2, keep_negative=False, alpha=1.0),
        qkeras.quantized_linear(8, 2),
        qkeras.quantized_relu(6, 2),
        qkeras.quantized_tanh(6),
        qkeras.quantized_sigmoid(6),
    ):
        assert FixedPoint.parse(str(quantizer)) == FixedPoint.parse(quantizer)


def test_qkeras_prints_arguments_in_the_wrong_place_quirk(qkeras: Any) -> None:
    """The text of these quantizers means another one, to QKeras as well: refused instead of believed."""
    for quantizer in (qkeras.quantized_relu(6, 2, negative_slope=0.25), qkeras.quantized_tanh(6, symmetric=True)):
        assert FixedPoint.parse(quantizer).signed
        with pytest.raises(TypeNotationError):
            FixedPoint.parse(str(quantizer))


def test_settings_held_in_variables(qkeras: Any) -> None:
    quantizer = qkeras.quantized_bits(8, np.array([2.0]), alpha=np.ones((1, 1)), use_variables=True)
    quantizer(np.zeros(3, dtype=np.float32))
    assert FixedPoint.parse(quantizer) == FixedPoint.parse("quantized_bits(8,2,alpha=1)")
    quantizer.update_qnoise_factor(0.5)
    with pytest.raises(TypeNotationError, match=r"qnoise_factor=0\.5"):
        FixedPoint.parse(quantizer)


@pytest.mark.parametrize(
    ("name", "settings", "says"),
    [
        ("quantized_bits", {"alpha": "auto"}, "alpha='auto'"),
        ("quantized_bits", {"alpha": np.array([1.0, 0.5])}, "alpha"),
        ("quantized_bits", {"bits": 1, "alpha": 1}, "one bit"),
        ("quantized_bits", {"integer": np.array([1, 2])}, "integer"),
        ("quantized_linear", {"alpha": 0.5}, "alpha=0.5"),
        ("quantized_linear", {"bits": 1}, "one bit"),
        ("quantized_relu", {"use_sigmoid": 1}, "use_sigmoid"),
        ("quantized_relu", {"integer": 2, "is_quantized_clip": False, "relu_upper_bound": 1.3}, "relu_upper_bound"),
        ("quantized_relu", {"bits": 32}, "30 bits"),
        ("quantized_sigmoid", {"symmetric": True}, "symmetric"),
        ("quantized_tanh", {"use_stochastic_rounding": True}, "stochastic"),
        ("quantized_po2", {}, "does not name a fixed-point type"),
        ("quantized_hswish", {}, "does not name a fixed-point type"),
        ("binary", {}, "does not name a fixed-point type"),
    ],
)
def test_what_is_no_plain_type(qkeras: Any, name: str, settings: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeNotationError, match=says):
        FixedPoint.parse(getattr(qkeras, name)(**settings))


def test_a_weight_quantizer_without_alpha_becomes_auto_po2_quirk(qkeras: Any) -> None:
    """QDense tells its quantizer that it is trainable, which turns alpha=None into 'auto_po2'."""
    quantizer = qkeras.quantized_bits(8, 2)
    assert FixedPoint.parse(quantizer) == FixedPoint.parse("quantized_bits(8,2,alpha=1)")
    quantizer._set_trainable_parameter()
    with pytest.raises(TypeNotationError, match="auto_po2"):
        FixedPoint.parse(quantizer)


def test_keras_is_no_witness_far_beyond_the_range_quirk(qkeras: Any) -> None:
    """x + (q(x) - x) in float32 loses bits when x is 2**24 times the least significant bit, or more."""
    quantizer = qkeras.quantized_bits(8, 2, alpha=1)
    t = FixedPoint.parse(quantizer)
    values = np.ldexp(np.float32([1.0, 1.0]), np.array([24, 22]) - t.fractional).astype(np.float32) * np.float32(1.5)
    theirs = np.asarray(quantizer(values), dtype=np.float64)
    assert t.to_float(t.quantize(values)).tolist() == [3.96875, 3.96875]
    assert theirs[0] != 3.96875
    assert theirs[1] == 3.96875


def test_keras_saturates_too_high_beyond_24_bits_quirk(qkeras: Any) -> None:
    quantizer = qkeras.quantized_bits(26, 2, alpha=1)
    assert FixedPoint.parse(quantizer).range[1] < 4
    assert np.asarray(quantizer(np.float32([100.0]))).tolist() == [4.0]
