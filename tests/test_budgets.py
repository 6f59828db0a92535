"""Budgets: measured numbers before estimates, the recipe's limits before named ones before the device's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.networks import dense_network
from firmware_flows.budgets import NAMES, Firmware, budget_checks
from firmware_flows.checks import Check
from firmware_flows.errors import FirmwareFlowsError

PROGRAM = dense_network("small", (6, 8, 3))
HLS = Firmware("hls", "xcvu13p-flga2577-2-e", 360.0)
MEASURED = {"latency_cycles": 30, "initiation_interval": 2, "source": "measured in simulation (Verilator)"}
RTL = replace(HLS, form="rtl", rtl={"measured": MEASURED, "stated": {"latency_cycles": 30, "source": "generator"}})


def result(stage: str, lut: float, unit: str = "LUT6 sites", **more: Any) -> dict[str, Any]:
    quantity = {"name": "LUT", "count": lut, "unit": unit, "origin": f"some tool, {stage}"}
    return {"origin": {"stage": stage, "text": f"some tool, {stage}"}, "quantities": [quantity], **more}


def by_name(firmware: Firmware, **settings: Any) -> dict[str, Check]:
    return {c.name: c for c in budget_checks(PROGRAM, firmware, settings)}


def test_without_a_budget_the_device_is_the_limit() -> None:
    checks = by_name(HLS)
    assert checks[NAMES["lut"]].status == "passed"
    assert "within 1,728,000 (all of xcvu13p)" in checks[NAMES["lut"]].message
    assert checks[NAMES["latency"]].status == "skipped"


@pytest.mark.parametrize("name", ["lut", "ff", "bram18", "latency"])
def test_one_less_than_the_upper_end_is_exceeded(name: str) -> None:
    """The upper end is what counts, and the message says so and names both numbers."""
    key = "latency_cycles" if name == "latency" else name
    generous = by_name(HLS, **{key: 10**6})[NAMES[name]]
    assert generous.status == "passed"
    upper = int(generous.message.split(" (upper end")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert by_name(HLS, **{key: upper})[NAMES[name]].status == "passed"
    if upper:
        tight = by_name(HLS, **{key: upper - 1})[NAMES[name]]
        assert tight.status == "failed"
        assert f"exceeds {upper - 1:,} (the recipe's budget)" in tight.message


def test_the_end_of_the_estimate_can_be_chosen() -> None:
    values = {}
    for end, words in (("high", "upper end"), ("middle", "middle"), ("low", "lower end")):
        message = by_name(HLS, estimate=end)[NAMES["lut"]].message
        assert f"({words} of the estimate" in message
        values[end] = int(message.split(" (")[0].rsplit(" ", 1)[1].replace(",", ""))
    assert values["low"] < values["middle"] < values["high"]


def test_nanoseconds_become_whole_cycles_of_this_clock() -> None:
    checks = by_name(RTL, latency_ns=100.0, interval_cycles=1)
    assert "30 (measured in simulation (Verilator)) within 36 (100 ns at 360 MHz" in checks[NAMES["latency"]].message
    assert by_name(RTL, latency_ns=83.0)[NAMES["latency"]].status == "failed"
    assert by_name(RTL, latency_ns=83.4)[NAMES["latency"]].status == "passed"
    interval = checks[NAMES["interval"]]
    assert (interval.status, "2 (measured in simulation" in interval.message) == ("failed", True)


def test_measured_resources_come_before_estimates_and_only_of_the_right_form() -> None:
    synthesis = (result("synthesised", 4000), result("routed", 5000), result("HLS estimate", 9000))
    assert "LUT 5,000 (some tool, routed) exceeds 4,999" in by_name(
        replace(RTL, synthesis=synthesis), lut=4999
    )[NAMES["lut"]].message  # fmt: skip
    vendor = result("HLS estimate", 9000, latency={"maximum": 12, "interval_maximum": 1})
    checks = by_name(replace(HLS, synthesis=(*synthesis, vendor)), lut=9000, latency_cycles=11)
    assert "LUT 9,000 (some tool, HLS estimate) within 9,000" in checks[NAMES["lut"]].message
    assert checks[NAMES["latency"]].status == "failed"
    written = {**(RTL.rtl or {}), "estimated": {"lut": 9.5, "register_bits": 1284, "source": "alkaid"}}
    checks = by_name(replace(RTL, rtl=written), ff=1283)
    assert "FF 1,284 (registers of the written RTL) exceeds 1,283" in checks[NAMES["ff"]].message
    ecp5 = replace(RTL, synthesis=(result("", 4000, "LUT4 sites (a bit of a carry chain takes one)"),))
    assert "of the estimate" in by_name(ecp5)[NAMES["lut"]].message


def test_a_named_budget_gives_cycles_and_a_share_of_a_region() -> None:
    checks = by_name(replace(HLS, clock_mhz=200.0), name="jet-features")
    assert checks["device"].status == "passed"
    assert "within 20 (100 ns at 200 MHz, budget jet-features)" in checks[NAMES["latency"]].message
    assert "(0.25 of a region of xcvu13p, budget jet-features)" in checks[NAMES["lut"]].message
    other = by_name(replace(HLS, target="xc7vx690tffg1927-2"), name="jet-features")["device"]
    assert (other.status, other.message) == (
        "failed",
        "the firmware is for xc7vx690t, budget jet-features for xcvu13p: change target or budget",
    )


def test_unknown_names() -> None:
    with pytest.raises(FirmwareFlowsError, match="did you mean 'jet-features'"):
        by_name(HLS, name="jet-featurs")
    checks = by_name(replace(HLS, target="nobodys-part"), lut=5)
    assert {c.status for c in checks.values()} == {"skipped"}
    assert "is no known device" in checks[NAMES["ff"]].message
