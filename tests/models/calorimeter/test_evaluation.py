"""The numbers by which a form of the network is judged, the plots, and the channels of an FPGA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import models.calorimeter as calorimeter
from firmware_flows.model_source import Split
from firmware_flows.recipe_schema import FORMS
from firmware_flows.reporting.metrics import check_metrics
from models.calorimeter.channels import plan
from models.calorimeter.errors import SettingError
from models.calorimeter.evaluation import BASELINE, binned, measure, measure_all, resolution
from models.calorimeter.truth import COLUMNS, Truth
from models.calorimeter.windows import MEV_PER_UNIT, UNKNOWN_GAP


def truth(events: int = 20_000, seed: int = 1) -> Truth:
    """Pulses in a third of the crossings, nothing in another third, pile-up in the rest."""
    rng = np.random.default_rng(seed)
    kind = np.arange(events) % 3
    injected = np.where(kind == 0, rng.uniform(0.0, 5000.0, events), 0.0)
    energy = injected + np.where(kind == 1, rng.exponential(50.0, events), 0.0)
    gap = rng.integers(1, 60, events).astype(float)
    gap[:5] = UNKNOWN_GAP
    filtered = energy + rng.normal(0.0, np.where(gap < 20, 200.0, 100.0), events) - 40.0
    series = np.full(events, -1.0)
    series[100:400] = np.arange(300)
    return Truth(
        target=energy / MEV_PER_UNIT,
        energy=energy,
        injected=injected,
        gap=gap,
        filled=(kind > 0).astype(float),
        adc=energy / 4.0,
        optimal_filter=filtered,
        optimal_filter_maximum=np.where(filtered > 0.0, filtered, 0.0),
        series=series,
    )


def output(true: Truth, sigma: float, bias: float = 0.0, seed: int = 5) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(bias, sigma, true.energy.size)
    return ((true.energy + noise) / MEV_PER_UNIT)[:, None]


def test_resolution_and_bias_are_those_put_in() -> None:
    true = truth()
    found = measure(output(true, 60.0, 7.0)[:, 0] * MEV_PER_UNIT, true)
    assert found["resolution"] == pytest.approx(60.0, abs=3 * found["resolution_uncertainty"])
    assert found["core"] == pytest.approx(60.0, rel=0.05)
    assert found["bias"] == pytest.approx(7.0, abs=3.0)
    for name in ("overlapping", "isolated"):
        assert found[name]["resolution"] == pytest.approx(60.0, abs=4 * found[name]["resolution_uncertainty"])
    assert found["empty"]["rms"] == pytest.approx((60.0**2 + 7.0**2) ** 0.5, rel=0.03)
    # 240 MeV are 3.9 sigma.
    assert found["empty"]["fakes_per_million"] < 500.0
    assert found["efficiency"] == pytest.approx(1.0, abs=0.02)


def test_the_uncertainty_of_a_resolution_is_its_spread_over_repetitions() -> None:
    rng = np.random.default_rng(1)
    found = np.array([resolution(rng.laplace(0.0, 50.0, 2000)) for _ in range(200)])
    assert found[:, 1].mean() == pytest.approx(found[:, 0].std(), rel=0.2)
    assert resolution(np.array([3.0, 3.0])) == (0.0, 0.0)
    assert np.isnan(resolution(np.array([3.0]))[0])


def test_a_lost_pulse_counts_at_most_2_gev() -> None:
    true = truth()
    lost = measure(np.zeros(true.energy.size), true)
    assert lost["bias"] > -2000.0
    assert lost["efficiency"] == 0.0
    assert lost["empty"]["fakes_per_million"] == 0.0


def test_improvement_is_over_the_filter_with_maximum_finder_and_floors_apply() -> None:
    true = truth()
    outputs = dict(zip(FORMS, (output(true, 60.0), output(true, 61.0), output(true, 61.0)), strict=True))
    metrics = measure_all(outputs, true)
    baseline = metrics[BASELINE]
    found = metrics["bit-accurate"]
    assert found["improvement"]["overall"] == pytest.approx(baseline["resolution"] / found["resolution"])
    assert found["improvement"]["overlapping"] == pytest.approx(
        baseline["overlapping"]["resolution"] / found["overlapping"]["resolution"]
    )
    assert metrics["float"]["resolution_kept"] == 1.0
    assert found["resolution_kept"] == pytest.approx(60.0 / 61.0, rel=1e-6)
    floors = {"bit-accurate.improvement.overall": 1.8, "bit-accurate.improvement.overlapping": 3.5}
    checks = check_metrics(metrics, {**floors, "bit-accurate.resolution_kept": 0.97}, {})
    assert [check["passed"] for check in checks] == [True, False, True]


def test_resolution_kept_needs_the_float_network() -> None:
    true = truth()
    assert "resolution_kept" not in measure_all({"bit-accurate": output(true, 60.0)}, true)["bit-accurate"]


def test_bins_hold_their_own_events() -> None:
    off = np.concatenate([np.full(30, 1.0), np.tile([4.0, 6.0], 20), np.full(5, 9.0)])
    by = np.concatenate([np.full(30, 0.5), np.full(40, 1.0), np.full(5, 2.5)])
    bias, width, error = binned(off, by, np.array([0.0, 1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(bias, [1.0, 5.0, np.nan])
    np.testing.assert_array_equal(width, [0.0, 1.0, np.nan])
    assert error[0] == 0.0


def test_evaluation_writes_its_plots_and_the_same_numbers_the_same_files(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the plots extra")
    true = truth()
    split = Split(np.zeros((true.energy.size, 9)), true.table())
    outputs = {form: output(true, 60.0) for form in FORMS}
    first = calorimeter.evaluate(split, outputs, tmp_path / "one")
    second = calorimeter.evaluate(split, outputs, tmp_path / "two")
    assert [plot.path.name for plot in first.plots] == [
        "energy.svg",
        "gap.svg",
        "overlapping.svg",
        "fakes.svg",
        "series.svg",
    ]
    for one, two in zip(first.plots, second.plots, strict=True):
        assert one.path.read_bytes() == two.path.read_bytes()
    assert set(first.metrics) == {*FORMS, "optimal filter", BASELINE}
    assert any("320 MHz" in remark for remark in first.remarks)
    assert any("0 at most" in remark for remark in first.remarks)


def test_the_table_of_truth_keeps_its_columns() -> None:
    true = truth(500)
    again = Truth.of(true.table())
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(again, name), getattr(true, name))


# ---- channels of an FPGA


@pytest.mark.parametrize(
    ("multiplexing", "copies", "clock", "cycles"), [(8, 48, 320.0, 40), (12, 32, 480.0, 60), (14, 28, 560.0, 70)]
)
def test_384_cells_need_these_copies_and_clocks(multiplexing: int, copies: int, clock: float, cycles: int) -> None:
    (option,) = plan([multiplexing])
    assert (option.copies, option.clock_mhz, option.latency_budget_cycles) == (copies, clock, cycles)
    assert option.in_time is None
    assert option.multiplier_share is None
    assert option.latency_ns is None


def test_copies_are_whole_and_serve_all_cells() -> None:
    for option in plan(range(1, 50)):
        assert option.copies * option.multiplexing >= 384 > (option.copies - 1) * option.multiplexing


def test_latency_is_held_against_125_ns() -> None:
    assert [option.in_time for option in plan([8, 12], latency_cycles=41)] == [False, True]
    (late,) = plan([8], latency_cycles=41)
    assert late.latency_ns == pytest.approx(128.125)
    assert "too late" in late.describe()
    (just,) = plan([8], latency_cycles=40)
    assert just.in_time
    assert "in time" in just.describe()


def test_multipliers_of_all_copies_are_counted() -> None:
    (option,) = plan([12], multiplications=9 * 16 + 16 * 8 + 8)
    # 140 blocks of two a copy, of 266 that there are: 53 %.
    assert option.multiplier_share == pytest.approx(280 * 32 / 17_056)
    assert "53%" in option.describe()


@pytest.mark.parametrize(
    "wrong", [{"cells": 0}, {"latency_cycles": 0}, {"multiplications": -3}, {"multiplexing": [8, 0]}]
)
def test_plans_without_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingError):
        plan(**wrong)


def test_a_sample_without_pulses_is_evaluated_all_the_same(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="needs the plots extra")
    true = truth(600)
    quiet = Truth.of(np.where(np.array(list(COLUMNS)) == "injected", 0.0, true.table()))
    found = calorimeter.evaluate(
        Split(np.zeros((600, 9)), quiet.table()), {"bit-accurate": output(quiet, 50.0)}, tmp_path
    )
    assert np.isnan(found.metrics["bit-accurate"]["resolution"])
    assert np.isnan(found.metrics["bit-accurate"]["improvement"]["overall"])
    assert len(found.plots) == 5
