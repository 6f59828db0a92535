"""Placed and routed on an ECP5: the calorimeter network, and a report's reading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import firmware_flows as ff
from firmware_flows.builder import Builder
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.program import Program
from firmware_flows.synthesis import ReportError, Source, SynthesisSettingsError
from firmware_flows.synthesis.harness import harness
from firmware_flows.synthesis.nextpnr import ECP5, clocks, utilisation

TRAINED = (
    (
        [[-219, 262, -240, 73, -80, -157, -164, 295],
         [-624, -552, -384, -24, -69, 264, -25, -389],
         [-225, 207, 823, -254, 139, 50, -76, 469],
         [150, -151, -342, 685, -358, -1107, -223, 105],
         [-103, -193, 52, -27, 85, 492, 391, 304]],
        [-11, -115, -11, -3, -98, 25, -10, 8],
    ),
    (
        [[229, -285, -128, -134], [-197, -57, 359, -256], [-210, 17, -15, 44], [519, 109, -482, 235],
         [90, -186, -78, -155], [-450, -108, -458, -579], [-341, 159, 520, 188], [-7, -129, -161, -260]],
        [5, -75, -76, 7],
    ),
    ([[464], [-312], [637], [-213]], [1]),
)  # fmt: skip
"""Weights and biases, times 2^9, of the network that models/calorimeter/small.yaml trains."""


def calorimeter_network() -> Program:
    """The calorimeter's 5-8-4-1 as trained and converted: input, weights and activations in the recipe's types."""
    b = Builder("calorimeter")
    b.begin_layer("samples", "Input")
    x = b.input("samples", (5,), FixedPoint.parse("ap_fixed<15,5,AP_RND_CONV,AP_SAT>"))
    b.end_layer(x)
    previous = "samples"
    for k, (weights, bias) in enumerate(TRAINED):
        result = "ap_ufixed<12,2,AP_RND_CONV,AP_SAT>" if k < 2 else "ap_fixed<18,6,AP_RND_CONV,AP_SAT>"
        b.begin_layer(f"dense_{k}", "Dense", (previous,))
        x = b.cast(b.affine(x, weights, 9, bias, 9), FixedPoint.parse(result))
        b.end_layer(x)
        previous = f"dense_{k}"
    return b.build({"energy": x})


@pytest.mark.slow
def test_the_calorimeter_network_placed_and_routed(tmp_path: Path) -> None:
    program = calorimeter_network()
    design = ff.rtl.write_design(program, tmp_path / "rtl", target="LFE5U-25F", clock_mhz=80.0, vectors=50)
    (result,) = ff.synthesis.synthesize(design, tmp_path / "out")
    assert str(result.origin).startswith("placed and routed (nextpnr-ecp5 0.")
    assert result.target == "Lattice ECP5 LFE5U-25F"
    lut, ff_ = result.quantity("LUT"), result.quantity("FF")
    assert lut is not None
    assert ff_ is not None
    assert (lut.available, ff_.available) == (24_288, 24_288)
    # Of the design's register bits a few are constant or doubled; the frame's shift registers come on top.
    frame = design.inputs[0].width + 2 * design.outputs[0].width
    assert 0.9 * design.register_bits <= ff_.count - frame <= 1.05 * design.register_bits
    # A carry bit takes a LUT4, where alkaid's unit is a LUT6 with a carry bit.
    assert 1.0 < lut.count / design.cost < 3.0
    (clock,) = result.clocks
    assert (clock.name, clock.wanted_mhz) == ("clk", 80.0)
    assert clock.achieved_mhz is not None
    assert 20 < clock.achieved_mhz < 600
    assert f"{frame} TRELLIS_FF" in result.remarks[1]
    summary = result.summary()
    assert "of 24,288" in summary
    assert f"clock clk: {clock.achieved_mhz:.1f} MHz, wanted 80.0 MHz" in summary


REPORT: dict[str, Any] = {
    "utilization": {
        "TRELLIS_COMB": {"used": 10, "available": 100},
        "TRELLIS_FF": {"used": 0, "available": 100},
        "ALU54B": {"used": 0, "available": 14},
        "DP16KD": {"used": 2, "available": 56},
    },
    "fmax": {
        "$glbnet$clk$TRELLIS_IO_IN": {"achieved": 76.5, "constraint": 200.0},
        "$glbnet$slow": {"achieved": 12.0, "constraint": 200.0},
    },
}


def test_utilisation_and_every_clock_of_a_report() -> None:
    found = utilisation(REPORT, ECP5)
    assert [(q.name, q.count, q.available) for q in found] == [("LUT", 10, 100), ("FF", 0, 100), ("BRAM18", 2, 56)]
    assert [(c.name, c.achieved_mhz, c.wanted_mhz) for c in clocks(REPORT, 90.0)] == [
        ("clk", 76.5, 90.0),
        ("slow", 12.0, 90.0),
    ]
    with pytest.raises(ReportError, match="frequency of any clock"):
        clocks({**REPORT, "fmax": {}}, 90.0)


def test_the_frame_connects_every_port_once(source: Source) -> None:
    text = harness(source)
    assert ".x(shifted[15:0])" in text
    assert ".y(answer[7:0])" in text
    assert ".clk(clk)" in text


def test_a_design_larger_than_the_family_is_refused_before_it_is_placed() -> None:
    from firmware_flows.synthesis.nextpnr import _smallest_device

    def device(**cells: int) -> str:
        return _smallest_device(ECP5, {"top": cells}).name

    assert device(LUT4=20_000) == "LFE5U-25F"
    assert device(LUT4=20_000, CCU2C=1_000) == "LFE5U-45F"
    assert device(TRELLIS_FF=60_000) == "LFE5U-85F"
    with pytest.raises(SynthesisSettingsError, match=r"76,000 LUT4.*--family xcup"):
        device(LUT4=70_000, CCU2C=3_000)
