"""`rtl`, and `verify --design`: what is written, measured and compared, and how each ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from small_networks import dense_network

from firmware_flows.cli.main import run
from firmware_flows.errors import MissingToolError
from firmware_flows.rtl.verilator import find_verilator


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return dense_network([4, 3, 2]).save(tmp_path / "net.ffp")


def test_written_only(program: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "rtl"
    assert run(["rtl", str(program), "-o", str(out), "--no-simulate", "--language", "vhdl", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["measured"] is None
    assert document["verification"] is None
    assert document["estimated"]["source"].startswith("estimated (alkaid")
    assert document["stated"]["latency_cycles"] > 0
    assert list((out / "src").glob("*.vhd"))
    assert not (out / "simulation").exists()
    assert run(["rtl", str(program), "-o", str(out), "--no-simulate", "--top", "other_name"]) == 0
    assert "as the generator states, not simulated" in capsys.readouterr().out
    assert (out / "src" / "other_name.v").exists()


@pytest.mark.cpp
def test_measured_compared_and_compared_again(program: Path, tmp_path: Path, capsys: Any) -> None:
    try:
        find_verilator()
    except MissingToolError as error:
        pytest.skip(str(error))
    out = tmp_path / "rtl"
    command = ["rtl", str(program), "-o", str(out), "--clock-mhz", "320", "--random-events", "300", "--json"]
    assert run(command) == 0
    document = json.loads(capsys.readouterr().out)
    measured = document["measured"]
    assert measured["latency_cycles"] == document["stated"]["latency_cycles"]
    assert measured["latency_ns"] == pytest.approx(measured["latency_cycles"] * 3.125)
    assert measured["initiation_interval"] == 1
    assert measured["source"].startswith("measured in simulation (Verilator 5.")
    forms = {f["name"]: f for f in document["verification"]["forms"]}
    assert forms["RTL"]["compared"] == sum(document["verification"]["groups"].values())

    again = ["verify", str(program), "--design", str(out), "--no-csim", "--random-events", "200"]
    assert run(again) == 0
    assert "RTL: 0 of" in capsys.readouterr().out

    other = dense_network([4, 3, 2], bits=5).save(tmp_path / "other.ffp")
    assert run(["verify", str(other), "--design", str(out), "--no-csim"]) == 2
    assert "holds the RTL of" in capsys.readouterr().err

    top = next(p for p in (out / "src").glob("*.v") if "core_output[" in p.read_text())
    lines = top.read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if line.strip().startswith("assign y["))
    lines[at] = lines[at].replace("= ", "= ~", 1)
    top.write_text("\n".join(lines) + "\n")
    assert run(again) == 1
    captured = capsys.readouterr()
    assert "first difference: layer 'y'" in captured.out
    assert "no inner layers" in captured.out
    assert "A check failed" in captured.err


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["rtl", "PROGRAM"], 2, "needs -o"),
        (["rtl", "PROGRAM", "-o", "out", "--clock-mhz", "0"], 2, "clock_mhz"),
        (["rtl", "PROGRAM", "-o", "out", "--top", "module"], 2, "top"),
        (["rtl", "missing.ffp", "-o", "out"], 2, "does not exist"),
        (["rtl", "net.keras", "-o", "out"], 2, "is not a Program"),
        (["verify", "PROGRAM", "--no-csim"], 2, "leaves nothing to compare with"),
        (["verify", "PROGRAM", "--no-csim", "--design", "nowhere"], 2, "is not an RTL design"),
    ],
)
def test_wrong_use_says_what_is_wrong(words: list[str], code: int, text: str, program: Path, capsys: Any) -> None:
    assert run([str(program) if word == "PROGRAM" else word for word in words]) == code
    assert text in capsys.readouterr().err


def test_a_missing_simulator_is_told_before_anything_is_written(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr("firmware_flows.rtl.ghdl.shutil.which", lambda name: None)
    assert run(["rtl", str(program), "-o", str(tmp_path / "rtl"), "--language", "vhdl"]) == 3
    assert "GHDL is needed" in capsys.readouterr().err
    assert not (tmp_path / "rtl").exists()


def test_a_recipe_without_the_section_says_what_to_add(tmp_path: Path, capsys: Any) -> None:
    recipe = Path(__file__).parents[2] / "models" / "jet_tagger" / "fast.yaml"
    shutil.copy(recipe, tmp_path / "fast.yaml")
    assert run(["rtl", str(tmp_path / "fast.yaml"), "--run-dir", str(tmp_path / "run")]) == 2
    assert "add a line `rtl:`" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
