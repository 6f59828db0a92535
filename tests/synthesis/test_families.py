"""Which family a part belongs to, and which tool serves it."""

from __future__ import annotations

import pytest

from firmware_flows.synthesis import SynthesisSettingsError
from firmware_flows.synthesis.families import AMD_GROUPS, amd_family, count_cells, unknown_cells
from firmware_flows.synthesis.synthesize import choose_tool


@pytest.mark.parametrize(
    ("part", "family"),
    [("xc7vx690t-ffg1927-2", "xc7"), ("xcku115-flvb2104-2-e", "xcu"), ("xcvu13p-flga2577-2-e", "xcup")],
)
def test_family_of_a_part(part: str, family: str) -> None:
    assert amd_family(None, part).name == family
    assert choose_tool(part) == "yosys"


def test_tools_of_other_parts() -> None:
    assert choose_tool("LFE5U-85F-8BG756C") == "nextpnr"
    assert choose_tool("10AX115N2F45E1SG") == "quartus"
    assert choose_tool("AGFB014R24B2E2V") == "quartus"
    assert choose_tool("5CSEBA6U23I7") == "quartus"
    assert choose_tool("anything", "ecp5") == "nextpnr"
    with pytest.raises(SynthesisSettingsError, match="--family"):
        amd_family(None, "LFE5U-25F")


def test_cells_are_counted_in_one_unit_and_none_goes_missing() -> None:
    cells = {
        "LUT2": 3,
        "INV": 1,
        "RAMB36E2": 2,
        "RAMB18E2": 1,
        "SRL16E": 3,
        "CARRY4": 4,
        "FDRE": 5,
        "FDSE": 1,
        "ODD": 7,
    }
    counts = count_cells(cells, AMD_GROUPS)
    assert counts["LUT"] == 4
    assert counts["BRAM18"] == 5
    assert counts["SRL"] == 1.5
    assert (counts["CARRY"], counts["FF"]) == (4, 6)
    assert unknown_cells(cells, AMD_GROUPS) == {"ODD": 7}
