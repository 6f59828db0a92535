"""What is wrong is told before a tool starts: one that is not there, a setting that is not valid."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from firmware_flows.errors import MissingToolError
from firmware_flows.synthesis import Source, SynthesisSettingsError, synthesize, tools


@pytest.mark.parametrize(
    ("tool", "target", "missing"),
    [
        ("vivado", "xcvu13p-flga2577-2-e", "vivado"),
        ("quartus", "10AX115N2F45E1SG", "quartus_sh"),
        ("yosys", "xcvu13p-flga2577-2-e", "yosys"),
        ("nextpnr", "LFE5U-25F", "yosys"),
    ],
)
def test_a_missing_tool_is_named(
    tool: str, target: str, missing: str, source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(tools.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingToolError, match=f"^{missing} is needed") as caught:
        synthesize(replace(source, target=target), tmp_path / "out", tool=tool)
    assert caught.value.exit_code == 3


def test_settings_are_checked_before_a_tool_starts(source: Source, tmp_path: Path) -> None:
    with pytest.raises(SynthesisSettingsError, match="did you mean 'yosys'"):
        synthesize(source, tmp_path, tool="yosis")
    with pytest.raises(SynthesisSettingsError, match="did you mean 'xcup'"):
        synthesize(source, tmp_path, tool="yosys", family="xcupp")
    with pytest.raises(SynthesisSettingsError, match="no tool is known for it"):
        synthesize(replace(source, target="iCE40HX8K"), tmp_path)
    with pytest.raises(SynthesisSettingsError, match="positive number of seconds"):
        synthesize(source, tmp_path, timeout=0)
    with pytest.raises(SynthesisSettingsError, match="write the design in Verilog"):
        synthesize(replace(source, language="vhdl"), tmp_path, tool="yosys")
    with pytest.raises(SynthesisSettingsError, match="RTL, not C"):
        synthesize(source, tmp_path, tool="vitis")
    with pytest.raises(SynthesisSettingsError, match="valid names: LFE5U-25F, LFE5U-45F"):
        synthesize(source, tmp_path, tool="nextpnr", device="nothing")
    with pytest.raises(SynthesisSettingsError, match="Nexus"):
        synthesize(replace(source, target="LIFCL-40-9BG400C"), tmp_path)
