"""Devices, boards and budgets: part numbers, units, sources, a user's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from firmware_flows.cli.main import run
from firmware_flows.targets import (
    RESOURCES,
    TargetFileError,
    UnknownTargetError,
    catalogue,
    device_of,
    find_target,
    why_no_part,
)
from firmware_flows.targets.reading import read_targets
from firmware_flows.targets.units import bram18_from, lut_from
from firmware_flows.yaml_file import YamlError

PARTS = {
    "xcvu13p": "xcvu13p",
    "xcvu13p-2": "xcvu13p",
    "XCVU13P-FLGA2577-2-E": "xcvu13p",
    "xcu250-figd2104-2L-e": "xcu250",
    "xc7vx690tffg1927-2": "xc7vx690t",
    "xc7z020clg400-1": "xc7z020",
    "xc7z007s-clg225-2": "xc7z007s",
    "xczu7ev-ffvc1156-2-e": "xczu7ev",
    "AGFB027R24C2E2V": "agf027",
    "1SG280LN2F43E1VG": "1sg280",
    "LFE5UM5G-85F-8BG381": "lfe5u-85",
}


@pytest.mark.parametrize(("part", "name"), PARTS.items())
def test_part_numbers_resolve_to_devices(part: str, name: str) -> None:
    assert device_of(part).name == name


@pytest.mark.parametrize("part", ["xcvu13", "xcku0355", "", "vu13p"])
def test_other_part_numbers_are_refused_with_the_nearest(part: str) -> None:
    with pytest.raises(UnknownTargetError, match="no known device"):
        device_of(part)


def test_a_misspelt_target_names_the_nearest() -> None:
    with pytest.raises(UnknownTargetError, match="did you mean 'serenity'"):
        find_target("Serenty")


def test_every_number_has_a_source_and_every_file_reads_with_its_checks() -> None:
    folder = Path(str(__import__("firmware_flows.targets", fromlist=["DATA"]).DATA))
    known = None
    for name in ("devices", "boards", "budgets"):
        known = read_targets(folder / f"{name}.yaml", known)
    assert known == catalogue()
    for group in (catalogue().devices, catalogue().boards, catalogue().budgets):
        assert group
        assert all(len(entry.source) > 10 for entry in group.values())


def test_resources_of_a_region() -> None:
    device = device_of("xcvu13p")  # the report of a vu13p prints these for one super logic region
    assert {name: device.region(name) for name in RESOURCES} == {
        "lut": 432_000,
        "ff": 864_000,
        "dsp": 3072,
        "bram18": 1344,
    }


def test_units_are_converted_in_one_place() -> None:
    assert bram18_from(3, "bram36") == 6
    assert device_of("xcvp1802").bram18 == 2 * 4941
    assert lut_from(5, "alm") == 10
    assert device_of("agf027").lut == 2 * 912_800
    assert dict(device_of("agf027").given) == {"alm": 912_800, "m20k": 13_272}
    with pytest.raises(ValueError, match="unknown unit of memory 'bram'"):
        bram18_from(1, "bram")
    with pytest.raises(ValueError, match="unknown unit of logic"):
        lut_from(1, "le")


def test_budgets_count_whole_cycles() -> None:
    target = find_target("omtf-phase1")
    assert target.budget is not None
    assert target.device.name == "xc7vx690t"
    assert target.budget.latency_cycles == 16
    assert target.budget.interval_cycles == 4
    lar = find_target("LAr-energy-8").budget
    assert lar is not None
    assert (lar.latency_cycles, lar.interval_cycles) == (40, 1)
    jets = find_target("jet-constituents").budget
    assert jets is not None
    assert jets.interval_cycles == 4  # 54 frames for 12 jets


DEVICE = (
    "devices:\n  mine: {vendor: AMD, technology: ultrascale+, lut: 100, ff: 200, dsp: 3, bram36: 4, uram: 0,"
    " source: my data sheet}\n"
)


def test_own_targets_are_added_and_may_name_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        DEVICE + "boards:\n  my-board: {device: mine, clocks_mhz: [100], description: a board, source: us}\n"
        "budgets:\n  my-budget: {board: my-board, clock_mhz: 100, latency_ns: 50, description: b, source: us}\n"
    )
    target = find_target("my-budget", path)
    assert (target.device.name, target.device.bram18, target.clock_mhz) == ("mine", 8, 100.0)
    assert find_target("X2O", path).device.name == "xcvu13p"


MISTAKES = {
    DEVICE.replace("lut: 100", "lut: -1"): ("line 2: devices.mine.lut = -1", "1 or more"),
    DEVICE.replace("lut: 100", "luts: 100"): ("devices.mine.luts = 100", "did you mean 'lut'"),
    DEVICE.replace(", source: my data sheet", ""): ("devices.mine.source = None", "data sheet"),
    DEVICE.replace("bram36: 4", "bram36: 4, bram18: 8"): ("devices.mine", "exactly one of bram18, bram36, m20k"),
    DEVICE.replace("ultrascale+", "ultrascale++"): ("technology = 'ultrascale++'", "wanted one of 7series"),
    "device: {}\n": ("device = {}", "did you mean 'devices'"),
    "boards:\n  b: {device: xcvu31p, description: x, source: y}\n": ("line 2: boards.b.device", "did you mean 'xcvu"),
    "budgets:\n  b: {board: X20, clock_mhz: 1, latency_ns: 1, description: x, source: y}\n": (
        "budgets.b.board = 'X20'",
        "x2o",
    ),
    "budgets:\n  b: {board: X2O, clock_mhz: 1, latency_ns: 1, share: 2, description: x, source: y}\n": (
        "budgets.b.share = 2",
        "at most 1",
    ),
    "devices:\n  mine: 3\n": ("devices.mine = 3", "wanted the keys"),
    "[]\n": ("= []", "wanted a mapping"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items())
def test_mistakes_name_file_key_value_and_remedy(tmp_path: Path, text: str, said: tuple[str, str]) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(TargetFileError) as caught:
        find_target("mine", path)
    assert str(path) in str(caught.value)
    assert all(part in str(caught.value) for part in said)


@pytest.mark.parametrize("name", ["xcvu13p-flga2577-2-e", "xcvu13p", "a-part-of-tomorrow"])
def test_parts_may_stand_where_tools_want_one(name: str) -> None:
    assert why_no_part(name) is None


@pytest.mark.parametrize("name", [*catalogue().boards, *catalogue().budgets])
def test_boards_and_budgets_are_no_parts(name: str) -> None:
    reason = why_no_part(name) or ""
    assert find_target(name).part in reason or find_target(name).device.name in reason


def test_a_users_device_is_listed_with_its_own_source(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(
        "devices:\n  mine: {vendor: AMD, technology: ultrascale+, lut: 1, ff: 1, dsp: 1, bram36: 1, uram: 0,"
        " regions: 1, source: our data sheet}\n"
    )
    assert run(["targets", "--file", str(path)]) == 0
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("mine "))
    assert line.endswith("(our data sheet)")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(YamlError, match="does not exist"):
        find_target("X2O", tmp_path / "none.yaml")


def test_the_example_of_the_documentation_is_valid(tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "docs" / "targets.md").read_text(encoding="utf-8")
    path = tmp_path / "ours.yaml"
    path.write_text(text.split("```yaml\n")[1].split("```")[0], encoding="utf-8")
    target = find_target("my-trigger", path)
    assert target.budget is not None
    assert (target.device.bram18, target.budget.latency_cycles, target.budget.interval_cycles) == (300, 24, 6)
    assert device_of("xcmy1-fbga-1", path).name == "my-fpga"


def test_what_is_from_memory_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert not device_of("xcvu13p").from_memory
    assert device_of("xcvp1802").from_memory
    assert run(["targets"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "from memory" in lines["xcvp1802"]
    assert "from memory" not in lines["xcvu13p"]
