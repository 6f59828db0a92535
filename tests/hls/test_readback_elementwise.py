"""Types and entries of tables, scales, slopes and softmax are read back from hls4ml's graph and from its files."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.hls import HlsTypeError
from firmware_flows.hls.graph import build_graph
from firmware_flows.hls.plan import Plan
from firmware_flows.hls.planner import make_plan
from firmware_flows.hls.quiet import quiet
from firmware_flows.hls.readback import check_files, check_graph
from firmware_flows.hls.settings import check_settings


@pytest.fixture
def built(tmp_path: Path) -> tuple[Any, Plan, Path]:
    """A scale, PReLU, a table and a softmax in a row."""
    from random_elementwise import MAKERS

    from firmware_flows.lowering import tables
    from firmware_flows.lowering.context import Context, Signal
    from firmware_flows.lowering.softmax import softmax

    b, rng = Builder("elementwise"), np.random.default_rng(2)
    context: Any = Context(None, b, softmax="stable")  # type: ignore[arg-type]
    b.begin_layer("x", "Input")
    value = b.input("x", (3,), FixedPoint.parse("ap_fixed<8,3,AP_RND,AP_SAT>"))
    b.end_layer(value)
    signal = MAKERS["scale"](context, "scaled", Signal(value, "x"), rng)
    signal = MAKERS["prelu"](context, "sloped", signal, rng)
    signal = tables.table(context, "looked_up", "tanh", signal)
    node: Any = SimpleNamespace(name="soft", operation=None)
    signal = softmax(context, node, "activation", "softmax", signal)
    program = b.build({signal.layer: signal.value})
    settings = check_settings(
        target="xcvu13p-2", backend="Vitis", clock_mhz=None, clock_period=None, io="parallel", strategy="latency",
        reuse_factor=1, project_name="firmware", multiplying_layers=[],
    )  # fmt: skip
    plan = make_plan(program, settings)
    with quiet():
        graph = build_graph(plan, settings, tmp_path)
        graph.config.backend.writer.write_yml = lambda model: None
        graph.write()
        del graph.config.backend.writer.write_yml
    check_graph(graph, plan)
    check_files(graph, plan, tmp_path)
    return graph, plan, tmp_path


TYPES = [
    ("scaled", "scale"), ("scaled", "bias"), ("sloped", "param"), ("looked_up", "table"), ("soft", "exp_table"),
    ("soft", "inv_table"), ("soft", "inv_inp"), ("soft", "inp_norm"), ("soft", "accum"), ("soft", "result"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "field"), TYPES)
def test_a_changed_type(built: Any, layer: str, field: str) -> None:
    graph, plan, directory = built
    precision = graph.graph[layer].attributes[f"{field}_t"].precision
    width = precision.width
    precision.width = width + 1
    with pytest.raises(HlsTypeError, match=f"layer {layer!r}") as caught:
        check_graph(graph, plan)
    assert caught.value.field == field
    precision.width = width
    check_graph(graph, plan)
    named = str(graph.graph[layer].attributes[f"{field}_t"].name)
    path = directory / "firmware" / "defines.h"
    text, count = re.subn(rf"<\d+(,.*> {named};)", r"<63\1", path.read_text())
    assert count == 1
    path.write_text(text)
    with pytest.raises(HlsTypeError, match=f"layer {layer!r}, {field}"):
        check_files(graph, plan, directory)


SETTINGS = [("implementation", "latency"), ("exp_table_size", 512), ("inv_table_size", 2048), ("n_in", 4)]


@pytest.mark.parametrize(("name", "value"), SETTINGS)
def test_a_changed_setting_of_the_softmax(built: Any, name: str, value: object) -> None:
    """hls4ml takes another softmax, or tables of other sizes, with the same types."""
    graph, plan, directory = built
    attributes = graph.graph["soft"].attributes
    wanted = plan.node("soft").attributes[name]
    assert wanted != value
    attributes[name] = value
    with pytest.raises(HlsTypeError, match="layer 'soft'") as caught:
        check_graph(graph, plan)
    assert caught.value.field == name
    attributes[name] = wanted
    check_graph(graph, plan)
    path = directory / "firmware" / "parameters.h"
    struct = path.read_text().partition("struct softmax_config")
    text, count = re.subn(rf"( {name} = (?:\w+::)*){wanted};", rf"\g<1>{value};", struct[2], count=1)
    assert count == 1
    path.write_text(struct[0] + struct[1] + text)
    with pytest.raises(HlsTypeError, match=f"layer 'soft', {name}"):
        check_files(graph, plan, directory)


@pytest.mark.parametrize(("layer", "name"), [("scaled", "scale"), ("sloped", "param"), ("looked_up", "table")])
def test_changed_numbers(built: Any, layer: str, name: str) -> None:
    graph, plan, _ = built
    graph.graph[layer].weights[name].data[1] += 2.0**-12
    with pytest.raises(HlsTypeError, match=f"layer {layer!r}, values of {name}"):
        check_graph(graph, plan)
