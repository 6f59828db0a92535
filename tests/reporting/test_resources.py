"""The section on resources: every number with where it comes from."""

from __future__ import annotations

from typing import Any

from firmware_flows.published import PublishedDesign
from firmware_flows.reporting.document import Items, Table, Text
from firmware_flows.reporting.resources import resources
from firmware_flows.synthesis import Clock, Origin, Quantity, SynthesisResult

RTL: dict[str, Any] = {
    "target": "xcvu13p-2",
    "estimated": {"lut": 1439.2, "register_bits": 859, "source": "estimated (alkaid 0.8.2)"},
    "measured": {"latency_ns": 30.0},
}

YOSYS = SynthesisResult(
    origin=Origin("synthesised", "Yosys", "0.70"),
    design="net",
    target="AMD UltraScale+ (xcvu13p-2)",
    quantities=(
        Quantity("LUT", 1653, "functions"),
        Quantity("LUT packed", 1249, "LUT6 sites", note="estimate"),
        Quantity("FF", 835, "flip-flops"),
        Quantity("BRAM18", 0.5, "block RAMs"),
    ),
)

ROUTED = SynthesisResult(
    origin=Origin("placed and routed", "nextpnr-ecp5", "0.11.1"),
    design="net",
    target="Lattice ECP5 LFE5U-25F",
    quantities=(Quantity("LUT", 2787, "LUT4 sites", 24288),),
    clocks=(Clock("clk", 200.0, 76.6), Clock("slow", 10.0, 76.6), Clock("idle", 10.0, None)),
    remarks=("A remark.",),
)

PAPER = PublishedDesign(
    "their net", "their paper", "VU9P", "HLS estimate", 200.0, 55.0, 39782, 8128, 124, note="8 bits"
)


def test_nothing_synthesised_no_section() -> None:
    assert resources(None, RTL, []) is None


def test_measured_estimated_and_published_stand_side_by_side_with_their_sources() -> None:
    section = resources({"results": [YOSYS.to_json(), ROUTED.to_json()]}, RTL, [PAPER.to_json()])
    assert section is not None
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [t.source for t in tables[:3]] == ["synthesised (Yosys 0.70)"] + [
        "placed and routed (nextpnr-ecp5 0.11.1)"
    ] * 2
    assert tables[1].rows == (("LUT", "2,787", "24,288", "11.5%", "LUT4 sites", ""),)
    assert [row[2:4] for row in tables[2].rows] == [("76.6", "NOT reached"), ("76.6", "reached"), ("", "")]
    assert tables[3].rows == (
        ("this network", YOSYS.target, "1,653 (packed 1,249)", "835", "", "0.5", "", "", "synthesised (Yosys 0.70)"),
        (
            "this network", ROUTED.target, "2,787", "", "", "", "76.6, 76.6", "",
            "placed and routed (nextpnr-ecp5 0.11.1)",
        ),
        ("this network", "xcvu13p-2", "1,439", "859", "", "", "", "30", "estimated (alkaid 0.8.2)"),
        (
            "their net", "VU9P", "39,782", "8,128", "124", "", "200.0", "55.0",
            "published: their paper (HLS estimate)",
        ),
    )  # fmt: skip
    assert Items(("A remark.",)) in section.blocks
    assert Items(("their net: 8 bits",)) in section.blocks
    assert Text("net on Lattice ECP5 LFE5U-25F, placed and routed (nextpnr-ecp5 0.11.1):") in section.blocks
