"""What the stages do with Keras networks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from firmware_flows.errors import LoweringError
from firmware_flows.flow import run_flow
from firmware_flows.flow.emulation import logits_of
from firmware_flows.hls import HlsSettingsError
from firmware_flows.recipe import load_recipe

pytestmark = pytest.mark.keras


@pytest.mark.parametrize("where", ["layer", "activation", "inside", "none"])
def test_a_softmax_at_the_end_is_left_out(where: str) -> None:
    import keras

    inputs = keras.Input((3,))
    dense = keras.layers.Dense(4, activation="softmax" if where == "inside" else None)
    x: Any = dense(inputs)
    x = {"layer": keras.layers.Softmax(), "activation": keras.layers.Activation("softmax")}.get(where, lambda y: y)(x)
    network = keras.Model(inputs, x)
    events = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32)
    expected = events @ dense.kernel.numpy() + dense.bias.numpy()
    found = logits_of(network).predict_on_batch(events)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)  # Keras in float32, not fixed point


SOURCE = """
import numpy as np
from pydantic import BaseModel
import firmware_flows as ff

class DataOptions(BaseModel, extra="forbid"): ...
class NetworkOptions(BaseModel, extra="forbid"):
    alpha: str | int = 1

def load_data(options, directory, seed, progress):
    x = np.random.default_rng(seed).normal(size=(4000, 3))
    s = ff.Split(x, x[:, 0] > x[:, 1])
    return ff.Dataset(s, s, s)

def build_network(options, dataset, seed):
    import keras
    from qkeras import QActivation, QDense, quantized_bits
    alpha = "auto" if options.alpha == "auto" else 1
    bits = quantized_bits(6, 1, alpha=alpha)
    x = inputs = keras.Input((3,))
    x = QActivation(quantized_bits(8, 2, alpha=1))(x)
    x = QDense(2, kernel_quantizer=bits, bias_quantizer=quantized_bits(6, 1, alpha=1), name="out")(x)
    return keras.Model(inputs, x)

def evaluate(test, outputs, directory):
    return ff.Evaluation({form: {"accuracy": float(np.mean(y.argmax(1) == test.y))} for form, y in outputs.items()})
"""

RECIPE = "name: tiny\nmodel: tiny_source.py\ntraining: {epochs: 60, batch_size: 100}\n"


def test_what_cannot_be_converted_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "tiny_source.py").write_text(SOURCE)
    (tmp_path / "tiny.yaml").write_text(RECIPE + "network: {alpha: auto}\n")
    with pytest.raises(LoweringError, match="out"):
        run_flow(load_recipe(tmp_path / "tiny.yaml"), tmp_path / "run", last="train")
    (tmp_path / "tiny.yaml").write_text(RECIPE + "hls: {reuse_factor: {outt: 2}}\n")
    with pytest.raises(HlsSettingsError, match="did you mean 'out'"):
        run_flow(load_recipe(tmp_path / "tiny.yaml"), tmp_path / "run", last="train")
    assert not (tmp_path / "run" / "training").exists()


@pytest.mark.slow
def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(tmp_path: Path) -> None:
    (tmp_path / "tiny_source.py").write_text(SOURCE)
    (tmp_path / "tiny.yaml").write_text(RECIPE)
    command = [sys.executable, "-m", "firmware_flows.cli.main", "-v", "train", "tiny.yaml", "--run-dir"]
    where = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}}
    killed = subprocess.Popen([*command, "killed"], stderr=subprocess.DEVNULL, **where)
    begun = time.monotonic()
    while not (tmp_path / "killed/training/quantized/checkpoint.npz").exists() and time.monotonic() - begun < 100:
        time.sleep(0.02)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "killed/quantized.keras").exists()
    again = subprocess.run([*command, "killed"], capture_output=True, text=True, check=True, **where)
    assert "training goes on after epoch" in again.stderr
    subprocess.run([*command, "whole"], capture_output=True, check=True, **where)
    rows = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("killed", "whole")]
    losses = [[row["loss"] for row in r["stages"]["train"]["results"]["quantized"]["epochs"]] for r in rows]
    assert losses[0] == losses[1]
