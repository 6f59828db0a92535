"""`ff.estimate`: stages, intervals, settings, the domain; `advise`."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from small_networks import dense_network

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.cli.main import run
from firmware_flows.estimation import EstimateError, advise, estimate
from firmware_flows.estimation.building_blocks import nearest_reuse
from firmware_flows.estimation.multipliers import blocks_per_multiplier, limit
from firmware_flows.estimation.parameters import calibration
from firmware_flows.estimation.schedule import schedule
from firmware_flows.estimation.work import Conditions
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.targets import UnknownTargetError

STRATEGIES = ("latency", "resource", "resource_unrolled", "distributed_arithmetic", "rtl")


@pytest.fixture(scope="module")
def jets() -> Program:
    return dense_network([16, 64, 32, 32, 5], bits=6)


def test_two_stages_with_intervals(jets: Program) -> None:
    found = ff.estimate(jets, target="xcvu13p-flga2577-2-e", clock_mhz=200)
    assert [s.name for s in found.stages] == ["hls", "synthesis"]
    assert found.coverage == 0.8
    assert found.outside == ()
    for stage in found.stages:
        for name in ("latency", "interval", "lut", "ff", "dsp", "bram18"):
            quantity = getattr(stage, name)
            assert 0 <= quantity.low <= quantity.value <= quantity.high, name
    assert found.hls is not None
    assert found.synthesis.lut.value < found.hls.lut.value
    assert found.synthesis.interval.value == 1
    # Published reports of this network with 6-bit weights and no pruning: 9 to 15 cycles at 200 MHz.
    assert 7 <= found.synthesis.latency.value <= 18


def test_layers_add_up_to_the_design_but_for_what_lies_between(jets: Program) -> None:
    found = estimate(jets, clock_mhz=200)
    assert found.hls is not None
    assert sum(x.hls["dsp"] for x in found.layers) == found.hls.dsp.value
    assert sum(x.hls["lut"] for x in found.layers) == pytest.approx(found.hls.lut.value)
    assert sum(x.latency for x in found.layers) <= found.hls.latency.value
    assert [x.name for x in found.layers if x.strategy] == ["dense0", "dense1", "dense2", "dense3"]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_answers(jets: Program, strategy: str) -> None:
    found = estimate(jets, clock_mhz=200, strategy=strategy, reuse_factor=4)
    assert found.synthesis.lut.value > 1000
    assert bool(found.outside) == (strategy != "latency")
    assert (found.hls is None) == (strategy == "rtl")
    if strategy in ("distributed_arithmetic", "rtl"):
        assert found.synthesis.dsp.value == 0
        assert found.synthesis.interval.value == 1
    json.dumps(found.facts())


def test_adders_alone_need_less_than_the_latency_strategy(jets: Program) -> None:
    # Published: distributed arithmetic takes a fifth to a half of the LUT of the latency strategy, and no DSP.
    rtl, hls = (estimate(jets, clock_mhz=200, strategy=s).synthesis.lut.value for s in ("rtl", "latency"))
    assert 0.2 * hls < rtl < 0.95 * hls


def test_slower_silicon_takes_more_cycles_and_a_slower_clock_fewer(jets: Program) -> None:
    def cycles(target: str, clock: float) -> float:
        return estimate(jets, target=target, clock_mhz=clock).synthesis.latency.value

    assert cycles("xc7z020", 200) > 1.5 * cycles("xcvu13p", 200)
    assert cycles("xcvu13p", 100) < cycles("xcvu13p", 300)


def test_pruning_makes_it_smaller() -> None:
    def network(density: float) -> Program:
        random = np.random.default_rng(1)
        weights = random.integers(-31, 32, (32, 32)) * (random.random((32, 32)) < density)
        b = Builder("pruned")
        b.begin_layer("x", "Input")
        value = b.input("x", (32,), FixedPoint.parse("ap_fixed<8,3>"))
        b.end_layer(value)
        b.begin_layer("d", "Dense", ["x"])
        value = b.affine(value, weights, 5, np.zeros(32, np.int64), 5)
        b.end_layer(value, arrays={"weight": weights})
        return b.build({"y": value})

    full, quarter = (estimate(network(d), clock_mhz=200).synthesis.lut.value for d in (1.0, 0.25))
    assert 0.1 * full < quarter < 0.4 * full


def test_reuse_in_strategy_resource(jets: Program) -> None:
    one = estimate(jets, clock_mhz=200, strategy="resource", reuse_factor=16)
    assert one.synthesis.interval.value == 16
    assert one.synthesis.latency.value > 4 * 16
    by_layer = estimate(jets, clock_mhz=200, strategy={"dense1": "resource"}, reuse_factor={"dense1": 64})
    assert {x.name: x.interval for x in by_layer.layers if x.strategy}["dense1"] == 64


def test_strategy_resource_is_calibrated_for_single_layers() -> None:
    single = dense_network([64, 32], bits=8, input_type="ap_fixed<16,6>")
    assert estimate(single, clock_mhz=200, strategy="resource", reuse_factor=1024).outside == ()
    small = estimate(single, clock_mhz=200, strategy="resource", reuse_factor=4)
    assert any("reuse factor below" in reason for reason in small.outside)
    several = dense_network([64, 32, 32], bits=8, input_type="ap_fixed<16,6>")
    found = estimate(several, clock_mhz=200, strategy="resource", reuse_factor=1024)
    assert any("single layers" in reason for reason in found.outside)


def test_shared_multipliers_follow_the_limit_of_hls4ml() -> None:
    from firmware_flows.estimation.constants import from_summary
    from firmware_flows.estimation.work import Kind, Work

    # A published report: 196 x 56 constants, 5,100 zeros, reuse 100: 59 DSP.
    matrix = from_summary(196, 56, 5876, 3524, 8369, 45, 8)
    work = Work("fc1", Kind.PRODUCT, 56, 8, 16, 16, 8, matrix, reuse_factor=100)
    assert limit(work) == 59


@pytest.mark.parametrize(
    ("inputs", "outputs", "wanted", "valid"),
    [(16, 64, 1, 1), (16, 64, 5, 4), (16, 64, 16, 16), (16, 64, 40, 32), (64, 32, 10_000, 2048)],
)
def test_reuse_factors_that_the_template_can_build(inputs: int, outputs: int, wanted: int, valid: int) -> None:
    assert nearest_reuse(inputs, outputs, wanted) == valid


def test_wide_multipliers_take_several_blocks() -> None:
    assert blocks_per_multiplier(16, 16, "7series") == 1
    assert blocks_per_multiplier(28, 18, "ultrascale+") == 2
    assert blocks_per_multiplier(26, 18, "7series") == 2
    assert blocks_per_multiplier(18, 26, "ultrascale+") == 1


def test_a_schedule_chains_what_fits_in_a_cycle() -> None:
    delays = {**calibration().delays, "adder": 2.0, "adder_bit": 0.0, "dsp": 3.0}

    def made(clock: float, terms: float, first: str = "") -> tuple[int, int]:
        plan = schedule(terms, 16, first, Conditions(clock, "7series", uncertainty=0.0), delays)
        return plan.latency, plan.levels

    assert made(100.0, 16) == (0, 4)
    assert made(4.0, 16) == (1, 4)  # two additions a cycle
    assert made(2.0, 16) == (3, 4)
    assert made(4.0, 16, "dsp") == (2, 4)  # the product alone, then two and two
    assert made(4.0, 1) == (0, 0)


def test_the_first_answer_and_the_next_come_at_once() -> None:
    program = dense_network([44, *[128] * 10, 43], bits=8)  # the largest reference network has these layers
    estimate(dense_network([4, 2]))  # reads the catalogue and the calibration
    begin = time.process_time()
    estimate(program, target="xc7vx690t", clock_mhz=160)
    assert time.process_time() - begin < 0.1


def test_ten_layers_of_128_do_not_fit_a_690t_and_the_advice_does() -> None:
    program = dense_network([44, *[128] * 10, 43], bits=8)
    found = estimate(program, target="xc7vx690tffg1927-2", clock_mhz=160)
    assert not found.fits
    assert any(p.startswith("LUT") for p in found.problems())
    assert any("16,384 products" in reason for reason in found.outside)
    advice = advise(program, found)
    assert advice
    assert all(a.fits for a in advice)
    kinds = {a.kind for a in advice}
    assert {"reuse_factor", "pruning"} <= kinds
    reuse = next(a for a in advice if a.kind == "reuse_factor")
    assert reuse.estimate.synthesis.interval.value > 1
    assert reuse.estimate.latency_ns > found.latency_ns
    cycles = [a.estimate.synthesis.latency.value for a in advice]
    assert cycles == sorted(cycles)
    # The proposal is what the estimator itself answers for these settings.
    again = estimate(
        program,
        target="xc7vx690tffg1927-2",
        clock_mhz=160,
        strategy=reuse.estimate.settings["strategy"],
        reuse_factor=reuse.estimate.settings["reuse_factor"],
    )
    assert again.synthesis == reuse.estimate.synthesis
    json.dumps([a.facts() for a in advice])


def test_a_design_that_fits_needs_no_advice(jets: Program) -> None:
    found = estimate(jets, target="xcvu13p", clock_mhz=200)
    assert found.fits
    assert advise(jets, found) == []


def test_a_design_without_multipliers_is_estimated_and_not_advised() -> None:
    b = Builder("casts")
    b.begin_layer("x", "Input")
    value = b.input("x", (4000,), FixedPoint.parse("ap_fixed<16,6>"))
    b.end_layer(value)
    b.begin_layer("d", "Dense", ["x"])  # written by hand: without its weights
    value = b.affine(value, np.ones((4000, 1), np.int64), 0, np.zeros(1, np.int64), 0)
    b.end_layer(value)
    b.begin_layer("r", "Quantize", ["d"])
    value = b.cast(value, FixedPoint.parse("ap_fixed<8,6,RND,SAT>"))
    b.end_layer(value)
    b.begin_layer("n", "Novelty", ["r"])
    value = b.combine("add", value, value)
    b.end_layer(value)
    program = b.build({"y": value})
    found = estimate(program, target="xc7z007s", clock_mhz=200)
    assert sum("one operation per element" in reason for reason in found.outside) == 2
    assert advise(program, found) == []


def test_budgets_are_judged(jets: Program) -> None:
    found = estimate(jets, target="omtf-phase1", reuse_factor=64, strategy="resource")
    assert found.clock_mhz == 160
    assert any("latency" in p and "16 (100 ns)" in p for p in found.problems())
    assert any(p.startswith("interval") for p in found.problems())


def test_outside_the_domain_it_says_so_and_widens(jets: Program) -> None:
    inside = estimate(jets, target="xcvu13p", clock_mhz=200)
    other = estimate(jets, target="xcvc1902", clock_mhz=200)
    assert "technology versal" in other.outside[0]
    assert other.widened > inside.widened == 1.0
    assert any("clock 500 MHz" in r for r in estimate(jets, clock_mhz=500).outside)
    assert any("io_stream" in r for r in estimate(jets, clock_mhz=200, io="stream").outside)


def test_as_text_it_says_totals_layers_and_whether_it_fits(jets: Program) -> None:
    found = estimate(jets, target="xcvu13p", clock_mhz=200)
    lines = str(found).splitlines()
    assert lines[0].startswith(f"{found.program} for xcvu13p (xcvu13p), 200 MHz, latency")
    latency = found.synthesis.latency
    assert f"  latency {latency.value:.0f} [{latency.low:.0f}, {latency.high:.0f}] cycles" in str(found)
    assert {line.split()[0] for line in lines} >= {layer.name for layer in found.layers}
    assert lines[-1] == "fits, by the middle values of the intervals"


def test_more_multipliers_than_blocks_spill_into_lut() -> None:
    wide = dense_network([32, 32], bits=14)
    found = estimate(wide, target="xc7z020", clock_mhz=100)
    assert found.hls is not None
    assert found.hls.dsp.value > 220
    assert found.synthesis.dsp.value <= 220
    assert any("220" in r for r in found.remarks)
    assert any(p.startswith("DSP") for p in found.problems())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"strategy": "latncy"}, "did you mean 'latency'"),
        ({"strategy": {"dense9": "latency"}}, "no such layer"),
        ({"reuse_factor": 0}, "1 or more"),
        ({"reuse_factor": True}, "1 or more"),
        ({"reuse_factor": {"dense": 2}}, "did you mean 'dense"),
        ({"reuse_factor": {"dense0": 0}}, "1 or more"),
        ({"io": "serial"}, "io = 'serial'"),
        ({"clock_mhz": 0}, "wanted a number from 1 to 2000"),
        ({"tool": "vivado"}, "did you mean 'vivado_hls'"),
        ({"multiplier": "dsps"}, "did you mean 'dsp'"),
    ],
)
def test_wrong_settings_name_the_remedy(jets: Program, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(EstimateError) as caught:
        estimate(jets, **settings)
    assert said in str(caught.value)


def test_an_unknown_target_is_refused(jets: Program) -> None:
    with pytest.raises(UnknownTargetError, match="no known device, board or budget"):
        estimate(jets, target="xcvu99p")


def test_commands(jets: Program, tmp_path: Any, capsys: Any) -> None:
    path = str(jets.save(tmp_path / "jets.ffp"))
    assert run(["estimate", path, "--target", "omtf-phase1", "--reuse-factor", "2", "--reuse-factor", "dense1=4"]) == 0
    text = capsys.readouterr().out
    assert "HLS report" in text
    assert "after logic synthesis" in text
    assert "dense1" in text
    assert run(["estimate", path, "--target", "xc7z020", "--clock-mhz", "100", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["source"] == "estimated"
    assert document["fits"] == (not document["problems"])
    assert run(["estimate", path, "--target", "xc7z007s", "--check", "--no-layers"]) == 1
    assert "does not fit" in capsys.readouterr().out
    assert run(["estimate", path, "--reuse-factor", "x"]) == 2
    assert run(["targets"]) == 0
    listing = capsys.readouterr().out
    assert all(name in listing for name in ("xcvu13p", "Serenity", "lar-energy-8"))
    assert run(["targets", "X2O"]) == 0
    assert "xcvu13p" in capsys.readouterr().out
    assert run(["targets", "xc7vx690tffg1927-2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["device"]["lut"] == 433_200
    assert run(["targets", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {"devices", "boards", "budgets"}
    assert run(["targets", "nothing"]) == 2


@pytest.mark.parametrize(
    ("technology", "part"),
    [
        ("7series", "xc7vx690t"),
        ("ultrascale", "xcku115"),
        ("ultrascale+", "xcvu13p"),
        ("versal", "xcvc1902"),
        ("stratix10", "1sg280"),
        ("agilex", "agf027"),
        ("ecp5", "lfe5u-85"),
    ],
)
def test_delays_of_our_rtl_are_those_that_its_generator_takes(technology: str, part: str) -> None:
    from firmware_flows.estimation.adder_graphs import NANOSECONDS, OVERHEAD_NS
    from firmware_flows.rtl import delays

    assert NANOSECONDS[technology] == delays.delay_model(part).nanoseconds_per_unit
    assert OVERHEAD_NS == delays.OVERHEAD_NS


def test_rtl_has_no_reuse_factor_to_advise() -> None:
    program = dense_network([30, 40, 10], bits=8)
    found = estimate(program, target="xc7z007s", clock_mhz=200, strategy="rtl")
    assert not found.fits
    assert {a.kind for a in advise(program, found)} <= {"pruning", "weight_bits"}
    assert {a.estimate.strategy for a in advise(program, found)} == {"rtl"}
