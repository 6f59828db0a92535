"""What advice promises of pruning and of shorter weights, against the network with those weights, lowered again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.estimation import Advice, Estimate, advise, estimate
from firmware_flows.program import Program

pytestmark = pytest.mark.keras

SETTINGS: dict[str, Any] = {"clock_mhz": 200}

TIGHT = """\
devices:
  tight: {{vendor: AMD, technology: ultrascale+, lut: {lut}, ff: 10000000, dsp: 10000, bram36: 100, uram: 0, regions: 1,
    source: made up for this test}}
"""


def network(kind: str, bits: int) -> Any:
    """The same weights whatever their bits."""
    import keras
    from qkeras import QActivation, QConv2D, QDense

    keras.utils.set_random_seed(4)
    quantizers = {
        "kernel_quantizer": f"quantized_bits({bits},0,alpha=1)",
        "bias_quantizer": f"quantized_bits({bits},0,alpha=1)",
    }
    x = keras.layers.Input((40,) if kind == "dense" else (6, 6, 3), name="x")
    h = QActivation("quantized_bits(10,3,alpha=1)", name="q")(x)
    first = QDense(48, name="first", **quantizers) if kind == "dense" else QConv2D(12, 3, name="first", **quantizers)
    h = first(h)
    h = QActivation("quantized_relu(8,2)", name="relu")(h)
    h = keras.layers.Flatten(name="flat")(h)
    return keras.Model(x, QDense(10, name="out", **quantizers)(h))


def prune(model: Any, kept: float) -> Program:
    """Zero the smallest of the quantized weights of every layer."""
    for layer in model.layers:
        if hasattr(layer, "kernel"):
            kernel, bias = layer.get_weights()
            rounded = np.abs(np.asarray(layer.kernel_quantizer_internal(kernel)))
            least = np.quantile(rounded[rounded > 0], 1 - kept)
            layer.set_weights([np.where(rounded >= least, kernel, 0.0), bias])
    return ff.lower(model)


@pytest.fixture(scope="module", params=["dense", "convolution"])
def advised(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Advice]]:
    """Advice, by kind, for a device with 45 % of the LUT that the network takes."""
    program = ff.lower(network(request.param, 9))
    file = tmp_path_factory.mktemp("target") / "tight.yaml"
    needs = estimate(program, target="xcvu13p", **SETTINGS).synthesis.lut.value
    file.write_text(TIGHT.format(lut=round(0.45 * needs)))
    found = estimate(program, target="tight", target_files=[file], **SETTINGS)
    return request.param, {a.kind: a for a in advise(program, found, most=99)}


def near(promised: Estimate, found: Estimate) -> None:
    assert promised.hls is not None
    assert found.hls is not None
    for stage, again in ((promised.hls, found.hls), (promised.synthesis, found.synthesis)):
        assert again.latency.value == pytest.approx(stage.latency.value, abs=1)
        assert again.lut.value == pytest.approx(stage.lut.value, rel=0.03)
        # A bit of the sums, which are taken as narrower by whole bits, is 6 % of their registers.
        assert again.ff.value == pytest.approx(stage.ff.value, rel=0.08)
        assert again.dsp.value == pytest.approx(stage.dsp.value, rel=0.05, abs=20)


def test_pruning_brings_what_was_promised(advised: tuple[str, dict[str, Advice]]) -> None:
    kind, advice = advised
    proposal = advice["pruning"]
    assert proposal.fits
    pruned = prune(network(kind, 9), float(proposal.value))
    near(proposal.estimate, estimate(pruned, target=proposal.estimate.target, **SETTINGS))


def test_shorter_weights_bring_what_was_promised(advised: tuple[str, dict[str, Advice]]) -> None:
    kind, advice = advised
    proposal = advice["weight_bits"]
    assert proposal.fits
    shorter = ff.lower(network(kind, 9 - int(proposal.value)))
    near(proposal.estimate, estimate(shorter, target=proposal.estimate.target, **SETTINGS))
