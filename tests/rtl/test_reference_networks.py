"""The reference models' networks: Keras, Program, compiled C++ and Verilog in simulation agree in every bit.

The small ones always; the full-size ones with FIRMWARE_FLOWS_EXHAUSTIVE=1. `-s` prints the figures.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import reference_networks

import firmware_flows as ff
from firmware_flows.errors import MissingToolError
from firmware_flows.rtl.verilator import find_verilator
from firmware_flows.stimulus import random_stimulus

pytestmark = [pytest.mark.keras, pytest.mark.cpp, pytest.mark.slow]

RANDOM_EVENTS = 10_000


@pytest.fixture(autouse=True)
def _tools() -> None:
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))


@pytest.mark.timeout(3000)
@pytest.mark.parametrize("name", reference_networks.NETWORKS)
def test_all_forms_agree_in_every_bit(name: str, tmp_path: Path) -> None:
    if name not in reference_networks.SMALL and not os.environ.get("FIRMWARE_FLOWS_EXHAUSTIVE"):
        pytest.skip("compiles for minutes: set FIRMWARE_FLOWS_EXHAUSTIVE=1")
    network = reference_networks.build(name)
    program = ff.lower(network)
    project = ff.hls.write_project(program, tmp_path / "hls")
    project.compile()

    begun = time.monotonic()
    design = ff.rtl.write_design(program, tmp_path / "rtl", clock_mhz=320)
    written = time.monotonic()
    design.compile()
    compiled = time.monotonic()
    assert (design.latency_cycles, design.initiation_interval) == (design.pipeline_depth, 1)
    assert design.latency_cycles > 0

    v = ff.verify(program, keras_model=network, project=project, design=design, random_events=RANDOM_EVENTS)
    assert v.passed, v.summary()
    compared = {f.name: f.compared for f in v.forms}
    assert compared["RTL"] == compared["HLS C++"] == sum(v.groups.values())
    assert v.groups["random"] == RANDOM_EVENTS
    assert {"input extremes", "rounding ties", "accumulator ends", "cast edges"} <= set(v.groups)
    assert compared["Keras"] > 1000

    x = next(random_stimulus(program, 16_384, 3))[0]
    mantissas = design.mantissas(x)
    started = time.monotonic()
    design.simulate_mantissas(mantissas)
    rate = len(x) / (time.monotonic() - started)
    print(
        f"| {name} | {design.cost:,.0f} | {design.register_bits:,} | {design.latency_cycles} | {written - begun:.0f} s "
        f"| {compiled - written:.0f} s | {rate:,.0f} | {compared['Keras']:,} | 0 of {compared['RTL']:,} |"
    )
