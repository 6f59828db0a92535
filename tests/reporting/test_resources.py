"""The section on resources: every number with where it comes from."""

from __future__ import annotations

from typing import Any

from firmware_flows.published import PublishedDesign
from firmware_flows.reporting.document import Items, Table, Text
from firmware_flows.reporting.resources import resources
from firmware_flows.synthesis import Clock, Latency, Origin, Quantity, SynthesisResult

RTL: dict[str, Any] = {
    "target": "xcvu13p-2",
    "clock_mhz": 200.0,
    "estimated": {"lut": 1439.2, "register_bits": 859, "source": "estimated (alkaid 0.8.2)"},
    "measured": {
        "latency_cycles": 6,
        "latency_ns": 30.0,
        "initiation_interval": 1,
        "source": "measured in simulation (Verilator 5.048)",
    },
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


VENDOR = SynthesisResult(
    origin=Origin("vendor", "Vitis HLS", "2023.2", "HLS estimate"),
    design="firmware",
    target="xcvu13p-2",
    quantities=(Quantity("LUT", 5000, "LUT"), Quantity("DSP", 3, "DSP48E2")),
    latency=Latency(8, 9, 1, 1),
)

ESTIMATE: dict[str, Any] = {
    "form": "hls",
    "target": "xcvu13p-2",
    "clock_mhz": 200.0,
    "coverage": 0.8,
    "stages": [
        {
            "stage": "hls",
            **{key: {"value": 4900.0, "low": 4000.0, "high": 6000.0} for key in ("lut", "ff", "dsp", "bram18")},
            "latency": {"value": 9.0, "low": 8.0, "high": 11.0},
            "interval": {"value": 1.0, "low": 1.0, "high": 1.0},
        }
    ],
}


def test_nothing_synthesised_or_estimated_no_section() -> None:
    assert resources(None, RTL, []) is None
    assert resources(None, RTL, [], [{"form": "hls", "refused": "unknown part"}]) is None


def test_measured_estimated_and_published_stand_side_by_side_with_their_sources() -> None:
    results = [r.to_json() for r in (YOSYS, ROUTED, VENDOR)]
    section = resources({"results": results}, RTL, [PAPER.to_json()], [ESTIMATE])
    assert section is not None
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert tables[0].rows == (
        ("estimated: what the HLS report will say, 80% interval", "this network, HLS", "xcvu13p-2",
         *["4,900 [4,000, 6,000]"] * 4, "200.0", "9 [8, 11]", "45.0 [40.0, 55.0]", "1"),
        ("estimated (alkaid 0.8.2)", "this network, RTL", "xcvu13p-2", "1,439", "859", "", "", "200.0", "", "", ""),
        ("measured in simulation (Verilator 5.048)", "this network, RTL", "xcvu13p-2", "", "", "", "", "200.0", "6",
         "30.0", "1"),
        ("measured: synthesised (Yosys 0.70)", "this network, RTL", YOSYS.target, "1,653 (packed 1,249)", "835", "",
         "0.5", "", "", "", ""),
        ("measured: placed and routed (nextpnr-ecp5 0.11.1)", "this network, RTL", ROUTED.target, "2,787", "", "", "",
         "76.6, 76.6", "", "", ""),
        ("estimated by the vendor: vendor (Vitis HLS, 2023.2: HLS estimate)", "this network, HLS", "xcvu13p-2",
         "5,000", "", "3", "", "", "9", "", "1"),
        ("published: their paper (HLS estimate)", "their net", "VU9P", "39,782", "8,128", "124", "", "200.0", "",
         "55.0", ""),
    )  # fmt: skip
    assert Items(("their net: 8 bits",)) in section.blocks


def test_every_tool_has_its_own_tables() -> None:
    section = resources({"results": [YOSYS.to_json(), ROUTED.to_json()]}, None, [])
    assert section is not None
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [t.source for t in tables[1:]] == ["synthesised (Yosys 0.70)"] + [
        "placed and routed (nextpnr-ecp5 0.11.1)"
    ] * 2
    assert tables[2].rows == (("LUT", "2,787", "24,288", "11.5%", "LUT4 sites", ""),)
    assert [row[2:4] for row in tables[3].rows] == [("76.6", "NOT reached"), ("76.6", "reached"), ("", "")]
    assert Items(("A remark.",)) in section.blocks
    assert Text("net on Lattice ECP5 LFE5U-25F, placed and routed (nextpnr-ecp5 0.11.1):") in section.blocks
