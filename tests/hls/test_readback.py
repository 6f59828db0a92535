"""What hls4ml holds and writes is compared with the Program: a difference anywhere is found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from firmware_flows.hls import HlsTypeError
from firmware_flows.hls.graph import build_graph
from firmware_flows.hls.plan import Plan
from firmware_flows.hls.planner import make_plan, multiplying_layers
from firmware_flows.hls.quiet import quiet
from firmware_flows.hls.readback import check_files, check_graph
from firmware_flows.hls.settings import check_settings


@pytest.fixture
def built(net: Any, tmp_path: Path) -> tuple[Any, Plan, Path]:
    """hls4ml's graph of a small network, its plan, and the directory it was written to."""
    n = net()
    hidden = n.relu(
        n.dense(n.input((3,), "ap_fixed<8,3,AP_RND,AP_SAT>"), 4, "hidden"), "ap_ufixed<5,2,AP_RND,AP_SAT>", "r"
    )
    program = n.build(n.dense(hidden, 2, "y"))
    settings = check_settings(
        target="xcvu13p-2", backend="Vitis", clock_mhz=None, clock_period=None, io="parallel", strategy="latency",
        reuse_factor=1, project_name="firmware", multiplying_layers=multiplying_layers(program),
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


@pytest.mark.parametrize("field", ["accum_t", "weight_t", "bias_t", "result_t"])
@pytest.mark.parametrize("change", [("width", 11), ("integer", 7), ("rounding_mode", "RND_ZERO"), ("signed", False)])
def test_a_changed_type_in_the_graph(built: Any, field: str, change: tuple[str, Any]) -> None:
    graph, plan, _ = built
    setattr(graph.graph["hidden"].attributes[field].precision, *change)
    with pytest.raises(HlsTypeError, match="layer 'hidden'") as caught:
        check_graph(graph, plan)
    assert caught.value.field == field.removesuffix("_t")
    assert caught.value.exit_code == 1


def test_changed_weights_and_layers_in_the_graph(built: Any) -> None:
    graph, plan, _ = built
    graph.graph["y"].weights["weight"].data[0, 0] += 2.0**-5
    with pytest.raises(HlsTypeError, match="layer 'y', values of weight"):
        check_graph(graph, plan)
    graph.graph["y"].weights["weight"].data[0, 0] -= 2.0**-5
    check_graph(graph, plan)
    removed = graph.graph.pop("r")
    with pytest.raises(HlsTypeError, match=r"layer 'r', layer: .*the layer is gone"):
        check_graph(graph, plan)
    graph.graph["r"] = removed
    graph.graph["extra"] = type(removed)(graph, "extra", dict(removed.attributes), ["r"], ["extra"])
    with pytest.raises(HlsTypeError, match="layer 'extra', layer: the Program says no such layer"):
        check_graph(graph, plan)


@pytest.mark.parametrize(
    ("file", "pattern", "replacement", "message"),
    [
        ("defines.h", r"ap_ufixed<5,2,AP_RND,AP_SAT,0> layer3_t", "ap_ufixed<5,2> layer3_t", "layer 'r', result"),
        ("defines.h", r"(typedef ap_fixed<)\d+(,\d+> hidden_accum_t)", r"\g<1>9\g<2>", "layer 'hidden', accum"),
        ("defines.h", r"typedef (\S+ y_weight_t)", r"typedef int z;\ntypedef \1", "layer 'z', typedef"),
        ("defines.h", r"typedef (\S+ y_weight_t)", r"typedef ap_int<3> z;\ntypedef \1", "layer 'z', typedef"),
        ("parameters.h", r"typedef hidden_accum_t accum_t", "typedef hidden_bias_t accum_t", "layer 'hidden', accum"),
        ("parameters.h", r"typedef y_accum_t accum_t;", "", "layer 'y', accum: .* hls4ml says no typedef"),
        ("parameters.h", r"product::mult<", "product::weight_binary<", "layer 'hidden', product"),
        ("weights/w2.h", r"= \{-?[0-9.]+", "= {0.03126", "layer 'hidden', values of weight"),
        ("weights/w2.txt", r"^[^,]+", "9.5", "layer 'hidden', values of weight"),
        ("weights/b4.txt", r"^[^,]+,", "", "layer 'y', values of bias"),
    ],
)
def test_a_changed_file(built: Any, file: str, pattern: str, replacement: str, message: str) -> None:
    graph, plan, directory = built
    path = directory / "firmware" / file
    text, count = re.subn(pattern, replacement, path.read_text(), count=1)
    assert count == 1
    path.write_text(text)
    with pytest.raises(HlsTypeError, match=message):
        check_files(graph, plan, directory)
