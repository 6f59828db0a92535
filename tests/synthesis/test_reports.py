"""Vendor reports: real ones of other people's networks, and the forms of which there is no real one here."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from vendor_reports import FIT, STA, TIMING

from firmware_flows.synthesis import (
    ReportError,
    SynthesisResult,
    read_csynth_text,
    read_csynth_xml,
    read_fit,
    read_fmax,
    read_timing,
    read_utilisation,
)

REAL = pytest.mark.shared_data

# Vivado HLS 2019.1 states 354 and 353 cycles in the text and one more in the XML, of the same run
UNLIKE = {"v_a38a4b73", "v_32ff804a"}


def _row_id(path: Path) -> str:
    return path.parent.name.split("__")[1]


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["row_id"]: row for row in csv.DictReader(stream)}


def _counts(result: SynthesisResult) -> tuple[float | None, ...]:
    return tuple(result.count(name) for name in ("LUT", "FF", "DSP", "BRAM18"))


@REAL
def test_csynth_reports_are_read_as_others_have_read_them(shared_data: Path) -> None:
    known = _table(shared_data / "vendor_reports.csv")
    compared = 0
    for path in sorted((shared_data / "reports").glob("*/myproject_csynth.xml")):
        row = known.get(_row_id(path))
        if row is None:
            continue
        result = read_csynth_xml(path)
        assert _counts(result) == tuple(float(row[name]) for name in ("lut", "ff", "dsp", "bram"))
        assert result.target == row["part"]
        assert result.origin.version == row["tool_version"]
        assert result.origin.tool.replace(" ", "_").lower() == row["tool"]
        assert result.latency is not None
        if _row_id(path) not in UNLIKE:
            cycles = (result.latency.minimum, result.latency.maximum, result.latency.interval_maximum)
            assert cycles == tuple(int(row[n]) for n in ("latency_min_cc", "latency_max_cc", "ii_max"))
        (clock,) = result.clocks
        assert clock.wanted_mhz == pytest.approx(1000 / float(row["clock_ns_target"]))
        assert clock.achieved_mhz == pytest.approx(1000 / float(row["clock_ns_est"]))
        compared += 1
    assert compared >= 25


@REAL
def test_text_and_xml_of_one_run_say_the_same(shared_data: Path) -> None:
    unlike = set()
    paths = sorted((shared_data / "reports").glob("*/myproject_csynth.rpt"))
    for path in paths:
        text, xml = read_csynth_text(path), read_csynth_xml(path.with_suffix(".xml"))
        if replace(text, files=()) != replace(xml, files=()):
            unlike.add(_row_id(path))
            assert replace(text, files=(), latency=None) == replace(xml, files=(), latency=None)
    assert unlike == UNLIKE
    assert len(paths) >= 25


@REAL
def test_utilisation_after_logic_synthesis(shared_data: Path) -> None:
    known = _table(shared_data / "csynth_vs_logic_synthesis.csv")
    compared = 0
    for path in sorted((shared_data / "reports").glob("*/vivado_synth.rpt")):
        row = known[_row_id(path)]
        result = read_utilisation(path)
        assert _counts(result) == tuple(float(row[f"{name}_synth"]) for name in ("lut", "ff", "dsp", "bram18"))
        assert result.origin.kind == "vendor"
        assert result.origin.stage == "synthesised"
        compared += 1
    assert compared >= 15


@REAL
def test_utilisation_as_placed_with_units_and_primitives(shared_data: Path) -> None:
    folder = shared_data / "reports" / "CestMerNeil_LeNet_LeNet_PYNQ__v_b33991e0"
    result = read_utilisation(folder / "design_1_wrapper_utilization_placed.rpt")
    assert str(result.origin) == "vendor (Vivado, 2019.2: placed)"
    assert result.target == "7z020clg400-1"
    blocks = result.quantity("BRAM18")
    assert blocks is not None
    assert (blocks.count, blocks.available) == (61, 280)  # 30.5 tiles of 36 Kbit
    assert result.count("SRL") == 1056
    assert result.cells["LUT2"] == 14521
    # what shares a site, as Vivado placed it: 49,573 functions in 38,718 sites
    functions = sum(n for cell, n in result.cells.items() if cell.startswith("LUT"))
    assert functions - 10_855 == 38_718
    assert result.remarks == ()
    boxes = read_utilisation(folder / "design_1_wrapper_utilization_synth.rpt")
    assert boxes.count("LUT") == 0
    assert "design_1_myproject_axi_0_0" in boxes.remarks[0]


@REAL
def test_a_report_of_another_kind_is_refused(shared_data: Path) -> None:
    folder = shared_data / "reports" / "CestMerNeil_LeNet_LeNet_PYNQ__v_b33991e0"
    for read, name in (
        (read_utilisation, "design_1_wrapper_clock_utilization_routed.rpt"),
        (read_utilisation, "csynth.xml"),
        (read_csynth_xml, "design_1_wrapper_utilization_placed.rpt"),
        (read_csynth_text, "design_1_wrapper_utilization_placed.rpt"),
        (read_timing, "design_1_wrapper_utilization_placed.rpt"),
        (read_fit, "csynth.xml"),
        (read_fmax, "csynth.xml"),
        (read_csynth_xml, "absent.xml"),
    ):
        with pytest.raises(ReportError, match="does not say"):
            read(folder / name)


@REAL
def test_a_truncated_report_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "reports" / "Hector_Plata_model_1__v_ef411906"
    for name, read in (("myproject_csynth.xml", read_csynth_xml), ("myproject_csynth.rpt", read_csynth_text)):
        text = (folder / name).read_text()
        (tmp_path / name).write_text(text[:900])
        with pytest.raises(ReportError):
            read(tmp_path / name)


def test_timing_summary(tmp_path: Path) -> None:
    (tmp_path / "timing.rpt").write_text(TIMING)
    clock, idle = read_timing(tmp_path / "timing.rpt")
    assert (clock.name, clock.slack_ns) == ("clk", -0.222)
    assert clock.wanted_mhz == pytest.approx(1000 / 2.778)
    assert clock.achieved_mhz == pytest.approx(1000 / 3.0)
    assert (idle.name, idle.achieved_mhz) == ("idle", None)


def test_fit_in_both_forms(tmp_path: Path) -> None:
    (tmp_path / "net.fit.summary").write_text(FIT)
    rows = "".join(f"; {' ; '.join(line.split(' : ', 1))} ;\n" for line in FIT.splitlines())
    (tmp_path / "net.fit.rpt").write_text("; Fitter Summary ;\n" + rows)
    summary = read_fit(tmp_path / "net.fit.summary")
    assert replace(read_fit(tmp_path / "net.fit.rpt"), files=()) == replace(summary, files=())
    assert str(summary.origin) == "vendor (Quartus, 20.1.1: placed and routed)"
    modules = summary.quantity("ALM")
    assert modules is not None
    assert (modules.count, modules.available) == (6280, 18480)
    assert [summary.count(n) for n in ("FF", "memory bits", "RAM blocks", "DSP")] == [14006, 1824256, 240, 8]
    assert summary.count("LUT") is None


def test_a_failed_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.fit.summary").write_text(FIT.replace("Successful", "Failed"))
    with pytest.raises(ReportError, match="status: Failed"):
        read_fit(tmp_path / "net.fit.summary")


def test_fmax_is_the_least_of_the_slow_corners(tmp_path: Path) -> None:
    (tmp_path / "net.sta.rpt").write_text(STA)
    (clock,) = read_fmax(tmp_path / "net.sta.rpt", 200.0)
    assert (clock.name, clock.wanted_mhz, clock.achieved_mhz) == ("clk", 200.0, 130.10)
