"""The 'latency' softmax: as near the real one as it says, equal to hls4ml's C++, or refused."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.lowering.context import Context, Signal
from firmware_flows.lowering.softmax import softmax

TYPES = [
    "ap_fixed<6,2,AP_RND,AP_SAT>",
    "ap_fixed<3,1,AP_RND,AP_SAT>",
    "ap_ufixed<7,2,AP_RND,AP_SAT>",
    "ap_fixed<14,2,AP_RND,AP_SAT>",  # more than the 12 bits of an address
    "ap_fixed<8,-1,AP_RND,AP_SAT>",
    "ap_ufixed<1,1,AP_RND,AP_SAT>",
]


def program_of(*types: str, shape: tuple[int, ...] = (2, 5)) -> ff.Program:
    """An input, and a softmax of it in each type."""
    b = Builder("softmax")
    context: Any = Context(None, b, softmax="latency")  # type: ignore[arg-type]
    b.begin_layer("x", "Input")
    value = b.input("x", shape, FixedPoint.parse("ap_fixed<18,4,AP_RND,AP_SAT>"))
    b.end_layer(value)
    outputs = {}
    for number, t in enumerate(types):
        source = context.quantize(f"cast{number}", Signal(value, "x"), FixedPoint.parse(t))
        node: Any = SimpleNamespace(name=f"soft{number}", operation=None)
        outputs[node.name] = softmax(context, node, "activation", "softmax", source).value
    return b.build(outputs)


def events(count: int = 3000, shape: tuple[int, ...] = (2, 5)) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.uniform(-2.5, 2.5, (count, *shape)) * rng.choice([1, 0.2], (count, *(1,) * len(shape)))
    x[: count // 4] = rng.choice([-3.0, 3.0], (count // 4, *shape))
    return x.astype(np.float32)


def test_no_error_is_much_larger_than_the_remark_says() -> None:
    program, x = program_of(*TYPES), events(20000)
    traced = ff.trace(program, x)
    for number in range(len(TYPES)):
        layer = program.layer(f"soft{number}")
        e = np.exp(traced[f"cast{number}"])
        worst = np.abs(traced[layer.name] - e / e.sum(axis=-1, keepdims=True)).max()
        said = float(re.findall(r"up to (\S+) from", layer.remarks[0])[0])
        assert 0.3 * said < worst < 1.1 * said < 0.02
        assert not layer.exact_in_keras


@pytest.mark.cpp
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_the_compiled_cpp_is_equal(io: str, tmp_path: Path) -> None:
    program, x = program_of(*TYPES), events()
    project = ff.hls.write_project(program, tmp_path / "p", io=io)
    for a, b in zip(ff.emulate(program, x, raw=True), project.simulate(x, raw=True), strict=True):
        np.testing.assert_array_equal(b, a)
    layers, traced = ff.trace(program, x), project.trace(x)
    for name, values in traced.items():
        np.testing.assert_array_equal(values, layers[name], err_msg=name)


@pytest.mark.parametrize(
    ("t", "n"), [("ap_fixed<8,3,AP_RND,AP_SAT>", 5), ("ap_fixed<16,4,AP_RND,AP_SAT>", 2), ("ap_fixed<6,4>", 3)]
)
def test_a_spread_that_one_table_cannot_hold_is_refused(t: str, n: int) -> None:
    with pytest.raises(ff.LoweringError, match=r"'soft0', inputs = '-\d.* to \d.*'stable'"):
        program_of(t, shape=(n,))


@pytest.mark.keras
def test_through_lower() -> None:
    import keras

    x = keras.layers.Input((4,), name="x")
    model = keras.Model(x, keras.layers.Softmax(name="s")(x))
    program = ff.lower(model, input_type=TYPES[0], softmax="latency")
    assert program.layer("s").attributes["strategy"] == "latency"
    assert ff.emulate(program, np.zeros((1, 4))).tolist() == [[pytest.approx(0.25, abs=0.01)] * 4]
