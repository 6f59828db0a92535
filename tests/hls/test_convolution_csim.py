"""Convolutions, pooling, padding: hls4ml's compiled C++ agrees with the Program, many layers to one project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import window_networks as networks

import firmware_flows as ff

pytestmark = [pytest.mark.cpp, pytest.mark.keras]

IMAGE, ROW = (5, 6, 2), (9, 2)


def _agrees(model: Any, directory: Path, **settings: Any) -> ff.hls.Project:
    program = ff.lower(model)
    project = ff.hls.write_project(program, directory / "p", **settings)
    verification = ff.verify(program, project=project, random_events=300)
    assert verification.passed, verification.summary()
    x = np.random.default_rng(3).normal(0, 2, (40, *program.inputs[0].shape))
    traced = project.trace(x)
    for name, values in ff.trace(program, x).items():
        np.testing.assert_array_equal(traced[name], values, err_msg=name)
    return project


def test_every_layer_in_parallel_form(tmp_path: Path) -> None:
    _agrees(networks.branches(IMAGE, networks.image_layers()), tmp_path / "image")
    _agrees(networks.branches(ROW, networks.row_layers()), tmp_path / "row")


@pytest.mark.parametrize("rank", [1, 2])
def test_every_layer_in_streaming_form(rank: int, tmp_path: Path) -> None:
    layers = networks.image_layers() if rank == 2 else networks.row_layers()
    for name in networks.NOT_STREAMED[rank]:
        del layers[name]
    _agrees(networks.branches(IMAGE if rank == 2 else ROW, layers), tmp_path, io="stream")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_resource_strategy_with_reuse(io: str, tmp_path: Path) -> None:
    chosen = ("same", "strided", "pointwise", "depthwise", "separable")
    layers = {name: layer for name, layer in networks.image_layers().items() if name in chosen}
    _agrees(networks.branches(IMAGE, layers), tmp_path, io=io, strategy="resource", reuse_factor=2)


@pytest.mark.parametrize(
    ("name", "field", "reason"),
    [
        ("maximum of other steps", "strides", "streams pooling of"),
        ("maximum same of signed", "padding", "larger than negative values"),
        ("average same", "padding", "divide by positions outside"),
    ],
)
def test_what_hls4ml_does_not_stream_is_refused(name: str, field: str, reason: str, tmp_path: Path) -> None:
    program = ff.lower(networks.branches(IMAGE, {name: networks.image_layers()[name]}))
    with pytest.raises(ff.hls.HlsConversionError, match=reason) as caught:
        ff.hls.write_project(program, tmp_path / "p", io="stream")
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["same", "maximum", "zeros"])
def test_other_backends_are_refused(name: str, tmp_path: Path) -> None:
    program = ff.lower(networks.branches(IMAGE, {name: networks.image_layers()[name]}))
    with pytest.raises(ff.hls.HlsConversionError, match="verified with Vitis and Vivado only"):
        ff.hls.write_project(program, tmp_path / "p", backend="Quartus")


def test_streams_of_windows_run_one_block_at_a_time(tmp_path: Path) -> None:
    """Their C++ keeps lines in static variables: two threads at once left values in streams."""
    program = ff.lower(networks.branches(ROW, {"valid": networks.row_layers()["valid"]}))
    project = ff.hls.write_project(program, tmp_path / "p", io="stream")
    x = np.random.default_rng(4).normal(0, 2, (4000, *ROW))
    np.testing.assert_array_equal(project.simulate(x, workers=4), ff.emulate(program, x))
