"""The stage `rtl`: there when the recipe has the section, skipped when current, compared in `verify`, in the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from firmware_flows.errors import FirmwareFlowsError, MissingToolError
from firmware_flows.flow import run_flow, status
from firmware_flows.flow.observer import Silent
from firmware_flows.recipe import RecipeError, load_recipe
from firmware_flows.rtl.verilator import find_verilator

SOURCE = """
import numpy as np
from pydantic import BaseModel
import firmware_flows as ff

class DataOptions(BaseModel, extra="forbid"): ...
class NetworkOptions(BaseModel, extra="forbid"): ...

def load_data(options, directory, seed, progress):
    x = np.random.default_rng(seed).normal(size=(400, 3))
    s = ff.Split(x, x[:, 0] > x[:, 1])
    return ff.Dataset(s, s, s)

def build_network(options, dataset, seed):
    import keras
    from qkeras import QActivation, QDense, quantized_bits
    bits = quantized_bits(6, 1, alpha=1)
    x = inputs = keras.Input((3,), name="x")
    x = QActivation(quantized_bits(8, 2, alpha=1), name="rounded")(x)
    x = QDense(2, kernel_quantizer=bits, bias_quantizer=bits, name="out")(x)
    return keras.Model(inputs, x)

def evaluate(test, outputs, directory):
    return ff.Evaluation({form: {"accuracy": float(np.mean(y.argmax(1) == test.y))} for form, y in outputs.items()})
"""

RECIPE = """
name: tiny
model: tiny_source.py
training: {epochs: 2, batch_size: 100}
hls: {csim: false, clock_mhz: 250}
verification: {random_events: 500}
"""


class Log(Silent):
    """Names of the stages that were done."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def stage_started(self, name: str, reason: str) -> None:
        self.done.append(name)


def written(directory: Path, more: str = "") -> Any:
    (directory / "tiny_source.py").write_text(SOURCE)
    (directory / "tiny.yaml").write_text(RECIPE + more)
    return load_recipe(directory / "tiny.yaml")


def test_without_the_section_there_is_no_such_stage(tmp_path: Path) -> None:
    recipe = written(tmp_path)
    assert recipe.rtl is None
    assert "rtl" not in [s.name for s in status(recipe, tmp_path / "run")]
    with pytest.raises(FirmwareFlowsError, match=r"no section 'rtl'.*add a line `rtl:`"):
        run_flow(recipe, tmp_path / "run", last="rtl")


def test_a_section_that_is_only_named_has_its_defaults(tmp_path: Path) -> None:
    recipe = written(tmp_path, "rtl:\n")
    assert recipe.rtl is not None
    assert (recipe.rtl.language, recipe.rtl.simulate) == ("verilog", True)
    assert [s.name for s in status(recipe, tmp_path / "run")][2:4] == ["convert", "rtl"]


@pytest.mark.parametrize("tool", ["yosys", "nextpnr", "auto"])
def test_vhdl_for_a_tool_that_reads_verilog_is_refused_before_the_run(
    tool: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")  # where `auto` finds no vendor's tool
    recipe = written(tmp_path, f"rtl: {{language: vhdl, simulate: false}}\nsynthesize: {{tools: [{tool}]}}\n")
    log = Log()
    with pytest.raises(FirmwareFlowsError, match=r"rtl.language = 'vhdl' is not valid: (yosys|nextpnr) reads Verilog"):
        run_flow(recipe, tmp_path / "run", observer=log)
    assert log.done == []


@pytest.mark.parametrize("wrong", ["language: vhd", "clock_mhz: 0", "timeout: 0", "latency: 3"])
def test_a_wrong_key_or_value_is_named(wrong: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=f"rtl.{wrong.split(':')[0]}"):
        written(tmp_path, f"rtl: {{{wrong}}}\n")


@pytest.mark.keras
@pytest.mark.cpp
@pytest.mark.slow
def test_the_stage_runs_once_is_compared_and_reported(tmp_path: Path) -> None:
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
    recipe, run = written(tmp_path, "rtl:\n"), tmp_path / "run"
    first, second, third = Log(), Log(), Log()
    result = run_flow(recipe, run, observer=first)
    assert result.passed, result.failures
    assert first.done == ["data", "train", "convert", "rtl", "emulate", "verify", "report"]
    facts = result.stages["rtl"].results["rtl"]
    assert facts["measured"]["latency_cycles"] == facts["stated"]["latency_cycles"] > 0
    assert facts["measured"]["latency_ns"] == facts["measured"]["latency_cycles"] * 4.0
    assert (facts["target"], facts["clock_mhz"]) == ("xcvu13p-flga2577-2-e", 250.0)

    verification = json.loads((run / "verification.json").read_text())
    forms = {f["name"]: f for f in verification["forms"]}
    assert forms["RTL"]["compared"] == sum(verification["groups"].values())
    assert forms["RTL"]["differing"] == 0
    report = (run / "report.md").read_text()
    cycles = facts["measured"]["latency_cycles"]
    assert f"{cycles} cycles, {cycles * 4:.1f} ns at the clock wanted" in report
    assert "measured in simulation (Verilator" in report
    assert "estimated (alkaid" in report

    assert run_flow(recipe, run, observer=second).passed
    assert second.done == []
    written(tmp_path, "rtl: {simulate: false}\n")
    recipe = load_recipe(tmp_path / "tiny.yaml")
    assert run_flow(recipe, run, observer=third).passed
    assert third.done == ["rtl", "verify", "report"]
    assert "stated by the generator" in (run / "report.md").read_text()
