"""Yosys for AMD devices, on a small design."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from firmware_flows.synthesis import Source, SynthesisResult, ToolFailedError, load_results, synthesize


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "family"),
    [
        ("xc7vx690t-ffg1927-2", "AMD 7-series"),
        ("xcku115-flvb2104-2-e", "AMD UltraScale"),
        ("xcvu13p-flga2577-2-e", "AMD UltraScale+"),
    ],
)
def test_cells_of_a_small_design(part: str, family: str, source: Source, tmp_path: Path) -> None:
    (result,) = synthesize(replace(source, target=part), tmp_path / "out", tool="yosys")
    assert str(result.origin).startswith("synthesised (Yosys 0.")
    assert result.target == f"{family} ({part})"
    # The design is known: 16 + 9 + 8 registers, at most one more or less where Yosys shares or drops one.
    assert result.count("FF") == 33
    assert (result.count("DSP"), result.count("BRAM18")) == (0, 0)
    # A sum of 9 bits: at least its two-input functions, at most three for each bit.
    functions, sites = result.count("LUT"), result.count("LUT packed")
    assert functions is not None
    assert sites is not None
    assert 8 <= functions <= 27
    assert functions / 2 <= sites <= functions + 9
    assert functions == sum(n for cell, n in result.cells.items() if cell.startswith("LUT") or cell == "INV")
    assert result.remarks == ()
    assert all((tmp_path / "out" / name).stat().st_size for name in result.files)
    assert load_results(tmp_path / "out") == (result,)
    document = json.loads((tmp_path / "out" / "synthesis.json").read_text())["results"][0]
    assert {entry["origin"] for entry in document["quantities"]} == {str(result.origin)}
    assert SynthesisResult.from_json(document) == result


@pytest.mark.slow
def test_bad_verilog_shows_its_first_error_and_a_short_time_is_kept(source: Source, tmp_path: Path) -> None:
    (tmp_path / "bad.v").write_text("module bad (input wire clk);\n  wire [3:0 x;\nendmodule\n")
    bad = replace(source, directory=tmp_path, files=(Path("bad.v"),), top="bad")
    with pytest.raises(ToolFailedError, match=r"^Yosys: \.\./bad\.v:2: ERROR: syntax error") as caught:
        synthesize(bad, tmp_path / "out", tool="yosys")
    assert caught.value.log == tmp_path / "out" / "yosys.log"
    with pytest.raises(ToolFailedError, match=r"did not end within 0\.1 s"):
        synthesize(source, tmp_path / "short", tool="yosys", timeout=0.1)
