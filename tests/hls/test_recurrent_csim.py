"""Recurrent layers: hls4ml's compiled C++ agrees with the Program, many layers to one project."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import recurrent_networks as networks

import firmware_flows as ff

pytestmark = [pytest.mark.cpp, pytest.mark.keras]


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


def test_cells_in_parallel_form(tmp_path: Path) -> None:
    real = {"activation": "quantized_tanh(5,use_real_tanh=True)", "recurrent_activation": "hard_sigmoid"}
    layers = {
        "simple": networks.cell("QSimpleRNN", 3, return_sequences=True, go_backwards=True),
        "tables": networks.plain("SimpleRNN"),
        "lstm": networks.cell("QLSTM", **real),
        "before": networks.cell("QGRU", return_sequences=True, activation="quantized_relu(4,1)"),
        "after": networks.cell("QGRU", reset_after=True, recurrent_activation="quantized_sigmoid(4)"),
        "both": networks.both(networks.cell("QSimpleRNN", return_sequences=True), "concat"),
    }
    _agrees(networks.network((2, 2), layers), tmp_path)


def test_cells_in_streaming_form(tmp_path: Path) -> None:
    layers = {
        "simple": networks.cell("QSimpleRNN", 3, return_sequences=True),
        "lstm": networks.cell("QLSTM", go_backwards=True, activation="quantized_tanh(4)"),
        "gru": networks.cell("QGRU", return_sequences=True),
        "both": networks.both(networks.cell("QSimpleRNN", return_sequences=True), "ave"),
    }
    _agrees(networks.network((2, 2), layers), tmp_path, io="stream")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_layers_at_every_time_step(io: str, tmp_path: Path) -> None:
    import keras
    import qkeras

    layers = {
        "dense": qkeras.QDense(3, **networks.DENSE),
        "convolution": qkeras.QConv1D(2, 3, activation="quantized_relu(4,1)", **networks.DENSE),
        "largest": keras.layers.MaxPooling1D(2),
        "flat": keras.layers.Flatten(),
    }
    _agrees(networks.network((2, 4, 2), {n: networks.each(x) for n, x in layers.items()}), tmp_path, io=io)


def test_a_long_sequence_streams(tmp_path: Path) -> None:
    """Halves of halves: no stream has more readers than the seven that hls4ml copies for."""
    layer = networks.cell("QSimpleRNN", 1, return_sequences=True)
    _agrees(networks.network((9, 1), {"y": layer}), tmp_path, io="stream")


def test_other_backends_are_refused(tmp_path: Path) -> None:
    program = ff.lower(networks.network((3, 2), {"y": networks.cell("QGRU")}))
    with pytest.raises(ff.hls.HlsConversionError, match="verified with Vitis and Vivado only"):
        ff.hls.write_project(program, tmp_path / "p", backend="Quartus")


def _small_gru(reset_after: bool) -> Any:
    import keras

    def eighths(shape: tuple[int, ...], dtype: Any = None) -> Any:
        return np.random.default_rng(sum(shape)).integers(-7, 8, tuple(shape)).astype(np.float32) / 8

    x = keras.Input((2, 2), name="x")
    words = {"kernel_initializer": eighths, "recurrent_initializer": eighths, "use_bias": False}
    return keras.Model(x, keras.layers.GRU(2, reset_after=reset_after, name="gru", **words)(x))


def _own_files_of_hls4ml(model: Any, directory: Path) -> dict[str, str]:
    import hls4ml

    config = hls4ml.utils.config_from_keras_model(model, granularity="name", default_precision="ap_fixed<32,12>")
    graph = hls4ml.converters.convert_from_keras_model(
        model, hls_config=config, output_dir=str(directory), backend="Vitis", io_type="io_parallel"
    )
    graph.write()
    return {str(p.relative_to(directory)): p.read_text() for p in (directory / "firmware").rglob("*.*") if p.is_file()}


def test_hls4mls_own_gru_ignores_reset_after(tmp_path: Path) -> None:
    """Its C++ is the same for both, and computes reset_after=True: why our GRU is written out in other layers.

    For this network and event, hls4ml 1.3.0, compiled, gives 0.3002 and -0.1160 whatever reset_after is.
    """
    models = {value: _small_gru(value) for value in (False, True)}
    before, after = (_own_files_of_hls4ml(model, tmp_path / str(value)) for value, model in models.items())
    assert "firmware/parameters.h" in before
    assert before == after
    x = np.array([[[2, 1], [-1, 0.25]]], np.float32)
    assert [np.round(np.asarray(model(x)), 4).tolist() for model in models.values()] == [
        [[pytest.approx(0.2369), pytest.approx(-0.1009)]],
        [[pytest.approx(0.3011), pytest.approx(-0.1153)]],
    ]


def test_hls4mls_own_cells_know_three_activations() -> None:
    """None of those that QKeras' cells have by default: why our cells are written out in other layers."""
    import hls4ml

    header = Path(hls4ml.__file__).parent / "templates/vivado/nnet_utils/nnet_recr_activations.h"
    assert set(re.findall(r"class (\w+) : public Activation", header.read_text())) == {"relu", "sigmoid", "tanh"}
