"""Registers: every path between two of them fits the clock, and no more of them than that needs."""

from __future__ import annotations

import numpy as np
import pytest
from rtl_programs import Net

from firmware_flows.fixed_point import FixedPoint
from firmware_flows.rtl.delays import delay_model
from firmware_flows.rtl.pipeline import pipelined
from firmware_flows.rtl.tracing import Logic, trace


@pytest.fixture(scope="module")
def logic() -> Logic:
    rng = np.random.default_rng(1)
    net = Net()
    value = net.input("x", (8,), FixedPoint(8, 3))
    for _ in range(3):
        value = net.affine(value, rng.integers(-31, 32, (8, 8)), 5)
        value = net.cast(value, FixedPoint(8, 3, False, "RND", "SAT"))
    return trace(net.build(value))


def test_every_path_fits_the_budget(logic: Logic) -> None:
    model = delay_model("xcvu13p-flga2577-2-e")
    depths = []
    for clock in (50, 100, 200, 300, 400):
        pipeline = pipelined(logic.combinational, model, clock)
        assert pipeline.longest_path <= model.budget(clock) + 1e-9
        depths.append(pipeline.depth)
        stages = pipeline.depth - 1
        assert stages <= 1.6 * logic.delay / model.budget(clock) + 1
    assert depths == sorted(depths)
    assert depths[0] < depths[-1]


def test_an_operation_slower_than_the_clock_stands_alone(logic: Logic) -> None:
    pipeline = pipelined(logic.combinational, delay_model("xcvu13p"), 900)
    assert pipeline.longest_path > delay_model("xcvu13p").budget(900)
    assert pipeline.longest_path < 2.5  # one adder


@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("xcvu13p-flga2577-2-e", "AMD UltraScale+"),
        ("xcku115-flvb2104-2-e", "AMD UltraScale"),
        ("xc7vx690tffg1927-2", "AMD 7 series"),
        ("LFE5U-85F-8BG381C", "Lattice ECP5"),
        ("1SG280HU1F50E2VG", "Altera"),
        ("unheard of", "AMD UltraScale+"),
    ],
)
def test_parts_have_families(part: str, family: str) -> None:
    assert delay_model(part).family == family


def test_the_speed_can_be_given() -> None:
    assert delay_model("xcvu13p", 2.0).budget(200) == pytest.approx(delay_model("xcvu13p").budget(200) / 2)
