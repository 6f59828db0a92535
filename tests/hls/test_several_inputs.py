"""Networks with several inputs: hls4ml's C++ in every form that is compiled here, outputs and layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.errors import InputError
from firmware_flows.program import Program

pytestmark = pytest.mark.cpp

FORMS = [("Vitis", "parallel"), ("Vivado", "stream"), ("Quartus", "parallel"), ("Catapult", "parallel")]


def three_inputs(net: Any) -> Program:
    """Inputs of different shapes and types: one read twice and an output too, one entered late, one read by none."""
    n = net()
    n.input((2,), "ap_fixed<6,2,AP_TRN,AP_WRAP>", "spare")
    hits = n.input((4, 3), "ap_fixed<9,3,AP_RND_CONV,AP_SAT>", "hits")
    deep = n.dense(hits, 2, "deep")
    met = n.input((5,), "ap_ufixed<7,4,AP_RND,AP_SAT>", "met")
    flat = n.reshape(deep, (8,), "flat")  # in a stream the dense layers behind it read `deep` itself
    first = n.dense(flat, 3, "first")
    widest = n.pool(deep, "maximum", "widest")
    bias = n.input((3,), "ap_fixed<6,2,AP_TRN,AP_WRAP>", "bias")
    second = n.dense(met, 3, "second")
    both = n.merge(n.merge(first, second, "add", "both"), bias, "maximum", "limited")
    column, row = n.reshape(first, (3, 1), "column"), n.reshape(met, (1, 5), "row")
    outer = n.merge(column, row, "minimum", "outer")  # both repeated: wires, in every backend
    return n.build(n.concatenate([both, bias], 0, "joined"), bias, widest, outer)


def events(program: Program, number: int = 800, seed: int = 3) -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(seed)
    result = {}
    for port in program.inputs:
        limit = float(port.type.maximum + 1) * port.type.lsb
        x = rng.uniform(-1.5 * limit, 1.5 * limit, (number, *port.shape))
        half = np.round(x / port.type.lsb * 2) / 2 * port.type.lsb
        result[port.port] = np.where(rng.random(x.shape) < 0.4, half, x).astype(np.float32)
    return result


@pytest.mark.parametrize(("backend", "io"), FORMS)
def test_outputs_and_layers(backend: str, io: str, net: Any, tmp_path: Path) -> None:
    program = three_inputs(net)
    x = events(program)
    project = ff.hls.write_project(program, tmp_path / "p", backend=backend, io=io)
    for wanted, found in zip(ff.emulate(program, x, raw=True), project.simulate(x, raw=True), strict=True):
        np.testing.assert_array_equal(found, wanted)
    layers, traced = ff.trace(program, x), project.trace(x)
    assert set(traced) == set(layers) - {"spare"}
    for name, values in traced.items():
        np.testing.assert_array_equal(values, layers[name], err_msg=name)
    if io == "parallel":
        return
    result = ff.verify(program, x, project=project, random_events=2000)
    assert result.passed
    assert {form.name: form.differing for form in result.forms}["HLS C++"] == 0


def test_events_are_given_by_name_or_in_order_and_checked(net: Any, tmp_path: Path) -> None:
    program = three_inputs(net)
    x = events(program, 40)
    project = ff.hls.write_project(program, tmp_path / "p")
    assert [port.name for port in project.plan.inputs] == ["hits", "met", "bias"]  # those that outputs need
    reopened = ff.hls.Project.load(project.directory)
    by_name = project.simulate(dict(reversed(x.items())))
    for a, b in zip(by_name, reopened.simulate([x["spare"], x["hits"], x["met"], x["bias"]], workers=3), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(InputError, match=r"inputs \['hits', 'met'\] given, but"):
        project.simulate({name: x[name] for name in ("hits", "met")})
    with pytest.raises(InputError, match="has 4 inputs: give one array for each"):
        project.simulate(x["hits"])
    with pytest.raises(InputError, match=r"events of 'met' must have the shape \(events, 5\)"):
        project.simulate({**x, "met": x["bias"]})
    with pytest.raises(InputError, match="different numbers of events"):
        project.trace({**x, "met": x["met"][:7]})
    bad = x["bias"].copy()
    bad[3, 1] = np.inf
    with pytest.raises(InputError, match=r"'bias' hold NaN or infinity \(first: event 3, element 1\)"):
        project.simulate({**x, "bias": bad})


def test_outputs_that_depend_on_no_input_are_refused(net: Any, tmp_path: Path) -> None:
    n = net()
    n.input((2,), "ap_fixed<6,2,AP_TRN,AP_WRAP>", "unread")
    n.builder.begin_layer("c", "Constant")
    value = n.builder.constant([1, 2], 0)
    n.builder.end_layer(value)
    with pytest.raises(ff.hls.HlsConversionError, match="at least one input"):
        ff.hls.write_project(n.builder.build({"c": value}), tmp_path / "p")
