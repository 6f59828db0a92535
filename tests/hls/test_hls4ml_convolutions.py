"""Convolutions that hls4ml itself computes wrongly or not at all: why ours reach it in another form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.keras]

EVENT = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)


def _ramp(shape: tuple[int, ...], dtype: Any = None) -> Any:
    return 10 ** np.arange(np.prod(shape), dtype=np.float32).reshape(shape)


def _graph(model: Any, io: str, directory: Path) -> Any:
    """As a user of hls4ml alone converts it."""
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision="ap_fixed<48,32>")
    return hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend="Vitis", io_type=io
    )


def _network(*layers: Any) -> Any:
    import keras

    x = keras.Input((4, 4, 1), name="x")
    return keras.Model(x, [layer(x) for layer in layers])


def _convolution(name: str, kernel: tuple[int, int], **options: Any) -> Any:
    import keras

    return keras.layers.Conv2D(1, kernel, kernel_initializer=_ramp, use_bias=False, name=name, **options)


@pytest.mark.cpp
@pytest.mark.slow
def test_hls4mls_streams_leave_out_dilation_and_steps_of_one_row(tmp_path: Path) -> None:
    """Why ours are dilated by zeros, and a kernel of one row gets another.

    Kernels of 1, 10, ... on the numbers 0 to 15: hls4ml takes neighbours where Keras takes every other element, and
    rows 0 and 1 where Keras takes 0 and 2.
    """
    dilated = _convolution("dilated", (2, 2), dilation_rate=(2, 2))
    model = _network(dilated, _convolution("row", (1, 2), strides=(2, 2)))
    graph = _graph(model, "io_stream", tmp_path)
    graph.compile()
    hls = [np.ravel(y).tolist() for y in graph.predict(EVENT)]
    keras_own = [np.ravel(np.asarray(y)).tolist() for y in model(EVENT)]
    assert keras_own == [[10820, 11931, 15264, 16375], [10, 32, 98, 120]]
    assert hls == [[5410, 6521, 7632, 9854], [10, 32, 54, 76]]


def test_hls4mls_parallel_form_has_no_dilation(tmp_path: Path) -> None:
    """It counts the windows of the kernel without dilation, and cannot write them."""
    with pytest.raises(ValueError, match="array split does not result in an equal division"):
        _graph(_network(_convolution("dilated", (2, 2), dilation_rate=(2, 2))), "io_parallel", tmp_path)


def test_hls4mls_parallel_form_has_no_depthwise_resource_strategy() -> None:
    """Its C++ ends the process there: why such a kernel becomes one over all channels, mostly zeros."""
    import hls4ml

    headers = Path(hls4ml.__file__).parent / "templates/vivado/nnet_utils"
    for rank in (1, 2):
        text = (headers / f"nnet_sepconv{rank}d.h").read_text(encoding="utf-8")
        assert f'assert("Resource strategy for DepthwiseConv{rank}D is not supported." && false);' in text


def test_hls4mls_depthwise_headers_of_one_and_two_axes_exclude_each_other() -> None:
    """The second one that is included is empty."""
    import hls4ml

    headers = Path(hls4ml.__file__).parent / "templates/vivado/nnet_utils"
    for rank in (1, 2):
        text = (headers / f"nnet_sepconv{rank}d_latency.h").read_text(encoding="utf-8")
        assert text.startswith("#ifndef NNET_SEPARABLE_CONV2D_LATENCY_H_")


@pytest.mark.cpp
@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_depthwise_convolutions_of_one_and_two_axes_in_one_network(io: str, tmp_path: Path) -> None:
    """Separable ones are depthwise ones, too. Fails where both reach hls4ml as depthwise: it does not compile."""
    import keras
    from qkeras import QActivation

    import firmware_flows as ff

    layers = keras.layers
    x = keras.Input((4, 4, 2), name="x")
    q = QActivation("quantized_bits(6,2,alpha=1)", name="q")(x)
    line = layers.Reshape((4, 8), name="line")(q)
    one = layers.SeparableConv1D(2, 2, name="one")(line)
    two = layers.DepthwiseConv2D(2, name="two")(q)
    model = keras.Model(x, [one, two], name="both")
    rng = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(rng.integers(-8, 8, weight.shape) / 8)
    program = ff.lower(model)
    project = ff.hls.write_project(program, tmp_path / "project", io=io)
    found = ff.verify(program, keras_model=model, project=project, random_events=100)
    assert found.passed
    assert all(form.compared for form in found.forms)
