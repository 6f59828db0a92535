"""Calling the vendors' tools: stand-ins on PATH that keep the script they are given and write reports in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from vendor_reports import FIT, STA, TIMING, UTILISATION

from firmware_flows.errors import MissingToolError
from firmware_flows.hls.settings import Settings
from firmware_flows.synthesis import Source, SynthesisSettingsError, ToolFailedError, choose_tool, synthesize
from firmware_flows.synthesis.vitis import synthesize_hls

CSYNTH = """<profile><ReportVersion><Version>2023.2</Version></ReportVersion>
<UserAssignments><Part>xcvu13p-flga2577-2-e</Part><TopModelName>net</TopModelName>
<TargetClockPeriod>2.78</TargetClockPeriod></UserAssignments>
<PerformanceEstimates><SummaryOfTimingAnalysis><EstimatedClockPeriod>2.028</EstimatedClockPeriod>
</SummaryOfTimingAnalysis><SummaryOfOverallLatency><Best-caseLatency>7</Best-caseLatency>
<Worst-caseLatency>undef</Worst-caseLatency><Interval-min>1</Interval-min><Interval-max>1</Interval-max>
</SummaryOfOverallLatency></PerformanceEstimates>
<AreaEstimates><Resources><DSP>3</DSP><FF>20</FF><LUT>400</LUT></Resources></AreaEstimates></profile>
"""


def test_vivado_out_of_context(source: Source, tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    reports = {
        "utilisation_synthesised.rpt": UTILISATION.format(state="Synthesized", luts=20),
        "utilisation_routed.rpt": UTILISATION.format(state="Routed", luts=18),
        "timing_routed.rpt": TIMING,
    }
    stand_in("vivado", reports)
    place = tmp_path / "out"
    synthesised, routed = synthesize(source, place)  # "auto" prefers Vivado for this part
    assert str(synthesised.origin) == "vendor (Vivado, 2022.2: synthesised)"
    assert str(routed.origin) == "vendor (Vivado, 2022.2: routed)"
    assert (synthesised.count("LUT"), routed.count("LUT")) == (20, 18)
    assert routed.quantity("LUT").available == 1728000  # type: ignore[union-attr]
    assert routed.clocks[0].achieved_mhz == pytest.approx(1000 / 3.0)
    assert (place / "arguments").read_text() == "-mode batch -nojournal -nolog -source synthesis.tcl"
    script = (place / "synthesis.tcl").read_text()
    assert "-part {xcvu13p-flga2577-2-e} -mode out_of_context" in script
    (line,) = (line for line in script.splitlines() if line.startswith("read_verilog"))
    # a Tcl list of one path, which holds a space
    assert (place / line.partition("{{")[2].removesuffix("}}")).resolve() == source.directory / "clipped_sum.v"
    assert (place / "clock.xdc").read_text() == "create_clock -name clk -period 10.0000 [get_ports clk]\n"
    steps = ("synth_design", "place_design", "route_design", "report_timing_summary")
    assert [script.index(s) for s in steps] == sorted(script.index(s) for s in steps)


def test_vivado_serves_versal_which_yosys_does_not(stand_in) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SynthesisSettingsError, match="no tool is known"):
        choose_tool("xcvc1902-vsva2197-2MP-e-S")
    stand_in("vivado", {})
    assert choose_tool("xcvc1902-vsva2197-2MP-e-S") == "vivado"


def test_vivado_that_fails_shows_its_first_error(source: Source, tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    stand_in("vivado", {}, code=1, says="INFO: hello\nERROR: [Common 17-345] A valid license was not found\nERROR: 2")
    with pytest.raises(ToolFailedError, match=r"Vivado: ERROR: \[Common 17-345\] A valid license.*licence"):
        synthesize(source, tmp_path / "out", tool="vivado")


def test_quartus_with_virtual_pins(source: Source, tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    stand_in("quartus_sh", {"output_files/clipped_sum.fit.summary": FIT, "output_files/clipped_sum.sta.rpt": STA})
    (result,) = synthesize(replace(source, target="5CEBA4F23C8"), tmp_path / "out")
    assert str(result.origin) == "vendor (Quartus, 20.1.1: placed and routed)"
    assert result.count("ALM") == 6280
    assert result.clocks[0].achieved_mhz == 130.10
    script = (tmp_path / "out" / "synthesis.tcl").read_text()
    assert "-part $part clipped_sum" in script
    assert "VIRTUAL_PIN ON -to {x[*]}" in script
    assert "VIRTUAL_PIN ON -to {y[*]}" in script
    assert (tmp_path / "out" / "arguments").read_text() == "-t synthesis.tcl"


@dataclass(frozen=True)
class HlsProject:
    """What `synthesize_hls` reads of a project."""

    directory: Path
    settings: Settings


def _project(tmp_path: Path, backend: str) -> HlsProject:
    settings = Settings("xcvu13p-flga2577-2-e", backend, 2.78, "parallel", "latency", {}, "net")
    return HlsProject(tmp_path / "project", settings)


@pytest.mark.parametrize(
    ("program", "arguments"), [("vitis-run", "--mode hls --tcl csynth.tcl"), ("vitis_hls", "-f csynth.tcl")]
)
def test_vitis_hls_by_its_old_and_its_new_name(  # type: ignore[no-untyped-def]
    program: str, arguments: str, tmp_path: Path, stand_in
) -> None:
    stand_in(program, {"net_prj/solution1/syn/report/csynth.xml": CSYNTH})
    result = synthesize_hls(_project(tmp_path, "Vitis"), tmp_path / "out", 60)  # type: ignore[arg-type]
    assert str(result.origin) == "vendor (Vitis HLS, 2023.2: HLS estimate)"
    assert [result.count(n) for n in ("LUT", "FF", "DSP", "BRAM18")] == [400, 20, 3, None]
    assert result.latency is not None
    assert (result.latency.minimum, result.latency.maximum) == (7, None)
    assert (tmp_path / "out" / "arguments").read_text() == arguments
    script = (tmp_path / "out" / "csynth.tcl").read_text()
    assert "add_files {../project/firmware/net.cpp} -cflags {-std=c++0x -I../project/firmware}" in script
    assert "open_solution -reset -flow_target vivado {solution1}" in script


def test_vivado_hls_has_no_flow_target(tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    stand_in("vivado_hls", {"net_prj/solution1/syn/report/csynth.xml": CSYNTH.replace("2023.2", "2020.1")})
    result = synthesize_hls(_project(tmp_path, "Vivado"), tmp_path / "out", 60)  # type: ignore[arg-type]
    assert str(result.origin) == "vendor (Vivado HLS, 2020.1: HLS estimate)"
    assert "flow_target" not in (tmp_path / "out" / "csynth.tcl").read_text()


def test_hls_without_its_compiler(tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(MissingToolError, match="vitis-run or vitis_hls is needed"):
        synthesize_hls(_project(tmp_path, "Vitis"), tmp_path / "out", 60)  # type: ignore[arg-type]
