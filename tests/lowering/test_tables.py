"""Tables: the same as hls4ml's own activation functions for every input, and where those disagree with each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering import tables
from firmware_flows.lowering.context import Context, Signal
from firmware_flows.lowering.quantizers import Weights

DEFAULT, ROUNDED = FixedPoint(18, 8), FixedPoint.parse("ap_fixed<9,4,AP_RND_CONV,AP_SAT>")
EXACT = FixedPoint(48, 16)
INPUTS = [FixedPoint.parse(t) for t in ("ap_fixed<8,4>", "ap_fixed<12,4>", "ap_ufixed<9,3>", "ap_fixed<11,6>")]


def _program(function: str, x: FixedPoint, t: FixedPoint | None = None) -> ff.Program:
    b = Builder("table")
    context: Any = Context(None, b)  # type: ignore[arg-type]
    b.begin_layer("x", "Input")
    value = b.input("x", (1,), x)
    b.end_layer(value)
    source = Signal(value, "x")
    if function in tables.FUNCTIONS:
        result = tables.table(context, "y", function, source, t)
    else:
        result = tables.table_below_zero(context, "y", function, source, Weights(np.array(1), 0))
    return b.build({"y": result.value})


def _every_value(program: ff.Program) -> Any:
    t = program.inputs[0].type
    return ff.emulate(program, t.to_float(np.arange(t.minimum, t.maximum + 1))[:, None])[:, 0]


@pytest.mark.cpp
def test_tables_equal_hls4mls_own_functions_for_every_input(tmp_path: Path) -> None:
    """Also pins that hls4ml's streaming selu is another function: its factor 1.05 is cast to the input's type."""
    from native_activations import Case, every_value

    cases = [Case(f, x, t, EXACT) for f in ("tanh", "sigmoid", "softplus", "softsign") for x in INPUTS
             for t in ((DEFAULT, ROUNDED) if x is INPUTS[1] else (DEFAULT,))]  # fmt: skip
    cases += [Case(f, x, DEFAULT, EXACT) for f in ("elu", "selu") for x in INPUTS]
    for case, (parallel, stream) in zip(cases, every_value(cases, tmp_path), strict=True):
        wanted = _every_value(_program(case.function, case.x, case.table))
        np.testing.assert_array_equal(EXACT.to_float(parallel), wanted, err_msg=str(case))
        if case.function == "selu":
            assert (parallel != stream).mean() > 0.4
        else:
            np.testing.assert_array_equal(parallel, stream, err_msg=str(case))


@pytest.mark.cpp
def test_hls4mls_ternary_tanh_is_two_functions_and_wraps(tmp_path: Path) -> None:
    """Parallel: thresholds at 1/2, on 2 * x wrapped to the input's type. Stream: thresholds at 1. Ours uses neither."""
    from native_activations import Case, every_value

    x = FixedPoint(8, 4)
    ((parallel, stream),) = every_value([Case("ternary_tanh", x, DEFAULT, FixedPoint(2, 2))], tmp_path)
    values = x.to_float(np.arange(x.minimum, x.maximum + 1))
    np.testing.assert_array_equal(stream, np.where(values > 1, 1, np.where(values <= -1, -1, 0)))
    assert parallel[values == 0.75] == 1
    assert parallel[values == 4.5] == -1  # 9 has become -7


def test_hls4mls_hard_sigmoid_has_the_slope_of_an_older_keras() -> None:
    layers = pytest.importorskip("hls4ml.model.layers")
    slope = next(a for a in layers.HardActivation._expected_attributes if a.name == "slope")
    assert slope.default == 0.2  # Keras 3: 1/6, which ours rounds to 16 bits and says so


@pytest.mark.parametrize("name", [*tables.FUNCTIONS, *tables.BELOW_ZERO])
def test_tables_are_near_the_function_and_say_how_near(name: str) -> None:
    program = _program(name, FixedPoint(9, 4))
    x = np.arange(-256, 256) / 32
    if name in tables.FUNCTIONS:
        real = np.array([tables.FUNCTIONS[name].real(v) for v in x])
    else:
        scale, alpha = (1, 1) if name == "elu" else (tables.SELU_SCALE, tables.SELU_ALPHA)
        real = scale * np.where(x > 0, x, alpha * np.expm1(x))
    layer = program.layer("y")
    assert np.abs(_every_value(program) - real).max() < 1.1e-3
    assert not layer.exact_in_keras
    assert "hls4ml's table" in layer.remarks[0]
    assert layer.arrays["entries"].shape == (1, 512)


def test_inputs_of_any_width_are_addressed_by_ten_bits() -> None:
    for width in (11, 16, 30, 50):
        program = _program("tanh", FixedPoint(width, 6))
        assert program.layer("y").arrays["entries"].size == 1024
        assert str(program.layer("y_address").type) == "ap_fixed<10,3,AP_TRN_ZERO,AP_SAT>"


@pytest.mark.keras
def test_softmax_strategies() -> None:
    import keras

    x = keras.layers.Input((5,), name="x")
    model = keras.Model(x, keras.layers.Softmax(name="s")(x))
    events = np.random.default_rng(3).normal(0, 3, (4000, 5)).astype(np.float32)
    t = FixedPoint.parse("ap_fixed<10,4,AP_RND,AP_SAT>")
    logits = t.to_float(t.quantize(events))
    real = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    stable = ff.lower(model, input_type=t, softmax="stable")
    assert np.abs(ff.emulate(stable, events) - real).max() < 0.01
    assert not stable.layer("s").exact_in_keras
    hot = ff.emulate(ff.lower(model, input_type=t, softmax="argmax"), events)
    np.testing.assert_array_equal(hot, np.arange(5) == logits.argmax(axis=1)[:, None])
    np.testing.assert_array_equal(ff.emulate(ff.lower(model, input_type=t), events), logits)
    with pytest.raises(ff.LoweringError, match="stable"):
        ff.lower(model, input_type=t, softmax="stabel")


@pytest.mark.keras
@pytest.mark.cpp
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_argmax_softmax_equals_the_compiled_cpp(io: str, tmp_path: Path) -> None:
    import keras
    from keras import layers

    x = layers.Input((3, 4), name="x")
    model = keras.Model(x, [layers.Softmax(name="s")(x), layers.Softmax(name="t")(layers.ReLU(name="r")(x))])
    program = ff.lower(model, input_type="ap_fixed<4,2,AP_RND,AP_SAT>", softmax="argmax")  # many ties
    project = ff.hls.write_project(program, tmp_path / "p", io=io)
    events = np.random.default_rng(4).normal(0, 1.5, (3000, 3, 4)).astype(np.float32)
    for a, b in zip(ff.emulate(program, events, raw=True), project.simulate(events, raw=True), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.cpp
def test_hls4mls_default_type_of_the_softmax_difference_wraps(tmp_path: Path) -> None:
    """Its ap_ufixed<W-1,I-1> for max - x cannot hold the difference; ours can, and the C++ then is right."""
    from native_activations import softmax_stable

    x = FixedPoint(8, 4)
    events = np.array([[7.9375, -0.0625], [1.0, 0.5]])
    wrapped = softmax_stable(events, x, FixedPoint(7, 3, signed=False), tmp_path)
    held = softmax_stable(events, x, FixedPoint(8, 4, signed=False), tmp_path)
    real = np.exp(events) / np.exp(events).sum(axis=1, keepdims=True)
    assert np.abs(held - real).max() < 0.01
    np.testing.assert_allclose(held[0], [1, 0], atol=0.01)
    np.testing.assert_allclose(wrapped[0], [0.5, 0.5], atol=0.01)  # the difference 8 has become 0
