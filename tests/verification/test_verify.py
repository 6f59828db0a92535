"""Verification finds what differs, says where, and cannot pass without comparing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.verification.verify import INTERPRETED


def _program(seed: int = 0, overflow: str = "SAT") -> ff.Program:
    rng = np.random.default_rng(seed)
    b = Builder("two layers")
    b.begin_layer("x", "Input")
    x = b.input("x", (4,), FixedPoint.parse("ap_fixed<8,3,AP_RND_CONV,AP_SAT>"))
    b.end_layer(x)
    b.begin_layer("first_linear", "Dense", ["x"])
    y = b.affine(x, rng.integers(-15, 16, (4, 5)), 3, rng.integers(-20, 20, 5), 3)
    b.end_layer(y)
    b.begin_layer("first", "Quantize", ["first_linear"])
    z = b.cast(y, FixedPoint(7, 3, True, "RND_CONV", overflow))
    b.end_layer(z)
    b.begin_layer("second", "Dense", ["first"])
    out = b.affine(z, rng.integers(-7, 8, (5, 3)), 2)
    b.end_layer(out)
    return b.build({"second": out})


class _Form:
    """A simulation that answers as the Program does, but for what `spoil` does to a layer's values."""

    def __init__(self, program: ff.Program, layer: str | None = None, spoil: Any = None) -> None:
        self.program, self.layer, self.spoil = program, layer, spoil

    def simulate(self, x: Any, raw: bool = False) -> Any:
        assert raw
        values = self.trace(x)
        t = self.program.layers[-1].type
        return (values[self.program.layers[-1].name] * 2.0**t.fractional).astype(np.int64)

    def trace(self, x: Any) -> dict[str, Any]:
        values = ff.trace(self.program, x)
        if self.layer is not None:
            spoilt = values[self.layer].copy()
            self.spoil(spoilt, x)
            values[self.layer] = spoilt
            if self.layer == "first":
                last = self.program.instructions[-1]
                values["second"] = spoilt @ (last.weights * 2.0**-last.weight_fractional)  # type: ignore[attr-defined]
        return values


def test_equal_forms_pass() -> None:
    program = _program()
    v = ff.verify(program, np.zeros((10, 4)), project=_Form(program), random_events=2000)
    assert v.passed
    assert v.divergence is None
    by_name = {f.name: f for f in v.forms}
    assert by_name["HLS C++"].compared == sum(v.groups.values())
    assert v.groups["data"] == 10
    assert v.groups["random"] == 2000
    assert v.digest == program.digest


def test_one_bit_in_one_event_is_found_and_located() -> None:
    program = _program()
    x = np.random.default_rng(1).normal(0, 1, (200, 4))

    def flip(values: Any, given: Any) -> None:
        rows = np.flatnonzero((np.asarray(given) == np.float32(x[137])).all(axis=1))
        values[rows, 2] += program.layer("first").type.lsb

    v = ff.verify(program, x, project=_Form(program, "first", flip), random_events=500)
    assert not v.passed
    assert {f.name: f.differing for f in v.forms} == {"Program, interpreted": 0, "HLS C++": 1}
    d = v.divergence
    assert d is not None
    assert (d.layer, d.group, d.event, d.element) == ("first", "data", 137, (2,))
    expected = int(ff.trace(program, x)["first"][137, 2] * 2.0**4)
    assert d.expected == expected
    assert d.found == (expected + 1) * 2.0**-4
    text = d.describe()
    for part in ("'first'[2]", "event 137", f"mantissa {expected}", f"mantissa {expected + 1}", "ap_fixed<7,3", "0b"):
        assert part in text
    assert "FAILED" in v.summary()
    assert v.to_dict()["divergences"][0]["description"] == text


def test_a_wrong_rounding_is_met_by_the_adversarial_events_alone() -> None:
    """A form that rounds ties up instead of to even."""
    program = _program()
    linear, first = program.layer("first_linear"), program.layer("first")

    class RoundsUp(_Form):
        def trace(self, x: Any) -> dict[str, Any]:
            values = ff.trace(program, x)
            mantissas = (values["first_linear"] * 2.0**linear.type.fractional).astype(np.int64)
            other = first.type.with_modes("RND", first.type.overflow)
            values["first"] = other.to_float(other.cast(mantissas, linear.type.fractional))
            last = program.instructions[-1]
            values["second"] = values["first"] @ (last.weights * 2.0**-last.weight_fractional)  # type: ignore[attr-defined]
            return values

    v = ff.verify(program, project=RoundsUp(program), random_events=0)
    assert not v.passed
    assert v.divergence is not None
    assert v.divergence.layer == "first"


def test_wrapping_instead_of_saturating_is_met() -> None:
    saturating, wrapping = _program(overflow="SAT"), _program(overflow="WRAP")
    v = ff.verify(saturating, project=_Form(wrapping), random_events=0)
    assert not v.passed
    assert v.divergence is not None
    assert v.divergence.layer == "first"


def test_a_single_changed_weight_is_met() -> None:
    program = _program()
    layer = program.instructions[1]
    changed = layer.weights.copy()  # type: ignore[attr-defined]
    changed[3, 4] += 1
    b = Builder("changed")
    b.begin_layer("x", "Input")
    x = b.input("x", (4,), program.inputs[0].type)
    b.end_layer(x)
    y = b.affine(x, changed, 3, layer.bias, layer.type.fractional)  # type: ignore[attr-defined]
    z = b.cast(y, program.instructions[2].type)
    last = program.instructions[3]
    b.begin_layer("second", "Dense", ["x"])
    out = b.affine(z, last.weights, 2)  # type: ignore[attr-defined]
    b.end_layer(out)
    v = ff.verify(program, project=_Form(b.build({"second": out})), random_events=0)
    assert not v.passed
    assert v.divergence is not None
    assert v.divergence.layer == "second"  # the changed form traces no inner layer


def test_a_negative_number_of_events_is_an_error() -> None:
    with pytest.raises(InputError, match="random_events = -1"):
        ff.verify(_program(), random_events=-1)


@pytest.mark.keras
def test_keras_with_other_inputs_is_told_to_be_another_network() -> None:
    import keras

    x = keras.Input((5,), name="x")
    other = keras.Model(x, keras.layers.Dense(3, name="second")(x), name="other")
    with pytest.raises(InputError, match=r"'other' has inputs \{'x': \(5,\)\}"):
        ff.verify(_program(), keras_model=other, random_events=10)


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        ff.verify(_program(), random_events=0, adversarial=False)


def test_nan_is_refused_before_any_form_runs() -> None:
    class Untouched(_Form):
        def simulate(self, x: Any, raw: bool = False) -> Any:
            raise AssertionError("ran")

    program, x = _program(), np.zeros((3, 4))
    x[2, 1] = np.nan
    with pytest.raises(InputError, match=r"event 2, element \(1,\)"):
        ff.verify(program, x, project=Untouched(program))


def test_more_events_than_are_interpreted() -> None:
    program = _program()
    v = ff.verify(program, project=_Form(program), random_events=INTERPRETED * 5, adversarial=False)
    interpreted = v.forms[0]
    assert v.passed
    assert 0 < interpreted.compared < INTERPRETED * 5
    assert interpreted.compared + interpreted.skipped == INTERPRETED * 5


def test_same_seed_same_events() -> None:
    program = _program()
    seen: list[list[bytes]] = []
    for seed in (3, 3, 4):
        form = _Form(program)
        blocks: list[bytes] = []

        class Recording(_Form):
            def simulate(self, x: Any, raw: bool = False) -> Any:
                blocks.append(np.asarray(x).tobytes())  # noqa: B023
                return form.simulate(x, raw)  # noqa: B023

        ff.verify(program, project=Recording(program), random_events=100, seed=seed)
        seen.append(blocks)
    assert seen[0] == seen[1]
    assert seen[0] != seen[2]


@pytest.mark.keras
def test_keras_with_a_changed_weight_fails_and_names_the_first_layer() -> None:
    from qkeras_networks import dense_network

    model = dense_network()
    program = ff.lower(model)
    assert ff.verify(program, keras_model=model, random_events=2000).passed
    bias = model.get_layer("d1").bias
    values = np.array(bias)
    values[2] += 0.25
    bias.assign(values)
    v = ff.verify(program, keras_model=model, random_events=2000)
    assert not v.passed
    assert v.divergence is not None
    assert (v.divergence.form, v.divergence.layer, v.divergence.element) == ("Keras", "d1", (2,))


@pytest.mark.keras
def test_keras_is_no_witness_where_float32_is_not_exact() -> None:
    from qkeras_networks import dense_network

    wide = "quantized_bits(16,0,alpha=1)"
    model = dense_network(
        weights=wide, bias=wide, activation="quantized_relu(16,3)", inputs="quantized_bits(16,3,alpha=1)"
    )
    program = ff.lower(model)
    v = ff.verify(program, keras_model=model, random_events=5000, adversarial=False)
    keras = next(f for f in v.forms if f.name == "Keras")
    assert keras.skipped > 3000
    assert keras.differing == 0
    assert "float32" in keras.reason


@pytest.mark.keras
@pytest.mark.parametrize("input_type", ["ap_fixed<32,8,RND,SAT>", "ap_fixed<60,8,RND,SAT>"])
def test_keras_is_no_witness_of_events_limited_to_more_bits_than_float32_has(input_type: str) -> None:
    import keras

    x = keras.Input((4,), name="x")
    model = keras.Model(x, keras.layers.ReLU(name="relu")(x))
    v = ff.verify(ff.lower(model, input_type=input_type), keras_model=model, random_events=500)
    found = next(f for f in v.forms if f.name == "Keras")
    assert found.skipped > 100
    assert found.differing == 0
    assert found.compared > 100


@pytest.mark.keras
def test_keras_alone_proves_nothing_behind_a_hardware_defined_layer() -> None:
    from qkeras_networks import deep_sets

    model = deep_sets("average", constituents=10)
    v = ff.verify(ff.lower(model), keras_model=model, random_events=200)
    assert not v.passed
    assert any("nothing is proven" in r for r in v.remarks)


@pytest.mark.keras
@pytest.mark.cpp
@pytest.mark.parametrize("name", ["average", "sum", "interaction", "interaction, stream"])
def test_keras_program_and_csim_agree_on_sets(name: str, tmp_path: Any) -> None:
    from qkeras_networks import deep_sets, interaction_network

    model = interaction_network(8) if "interaction" in name else deep_sets(name)
    program = ff.lower(model)
    project = ff.hls.write_project(program, tmp_path / "hls", io="stream" if "stream" in name else "parallel")
    project.compile()
    x = np.random.default_rng(1).normal(0, 2, (500, 8, 3))
    v = ff.verify(program, x, keras_model=model, project=project, random_events=3000)
    assert v.passed
    compared = {f.name: f.compared for f in v.forms}
    assert compared["HLS C++"] == compared["Keras"] == sum(v.groups.values())
