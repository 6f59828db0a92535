"""The command `synthesize`, and the section of a recipe."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hand_written_rtl import write
from processes_of_tests import ended
from pydantic import ValidationError
from vendor_reports import TIMING, UTILISATION

from firmware_flows.cli.main import run
from firmware_flows.flow import STAGE_NAMES
from firmware_flows.flow.synthesis import STAGE
from firmware_flows.recipe_schema import RecipeSettings, SynthesisSettings
from firmware_flows.reporting.document import Table
from firmware_flows.reporting.resources import resources
from firmware_flows.synthesis import load_results
from models.jet_tagger import NetworkOptions, published


@pytest.mark.slow
def test_a_design_by_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    design = write(tmp_path / "design").directory
    assert run(["synthesize", str(design), "--tool", "yosys", "--family", "xc7", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["directory"] == str(tmp_path / "design_yosys")
    (result,) = document["results"]
    assert result["origin"]["text"].startswith("synthesised (Yosys ")
    counts = {q["name"]: q["count"] for q in result["quantities"]}
    assert counts["FF"] > 0
    assert (tmp_path / "design_yosys" / "yosys.log").exists()


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(["synthesize", str(tmp_path)]) == 2
    assert "neither an RTL design" in capsys.readouterr().err
    assert run(["synthesize", str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err
    design = str(write(tmp_path / "design").directory)
    assert run(["synthesize", design, "--tool", "yosys", "--family", "xc77"]) == 2
    assert "did you mean 'xc7'?" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(["synthesize", design, "--tool", "vivado"]) == 3
    assert "vivado is needed" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_ends_the_tool_too(number: signal.Signals, tmp_path: Path) -> None:
    """Yosys went on for an hour after a batch system had ended the command."""
    design = write(tmp_path / "design").directory
    (tmp_path / "vivado").write_text(f"#!/bin/sh\nsleep 100 &\necho $! > {tmp_path}/child\nwait\n")
    (tmp_path / "vivado").chmod(0o755)
    # under nohup it would begin with SIGHUP ignored, and rightly go on
    program = f"import signal; signal.signal({number}, signal.SIG_DFL); "
    program += "from firmware_flows.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "synthesize", str(design), "--tool", "vivado"],
        cwd=Path(__file__).parents[2], env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    begun = time.monotonic()
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text().strip():
        assert time.monotonic() - begun < 60
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert "Traceback" not in said
    assert ended(int((tmp_path / "child").read_text()))


def test_the_stage_needs_rtl() -> None:
    assert STAGE_NAMES.index("synthesize") == STAGE_NAMES.index("rtl") + 1
    settings = RecipeSettings.model_validate({"name": "n", "model": "m", "rtl": {}, "synthesize": {"tools": ["yosys"]}})
    assert settings.synthesize is not None
    assert settings.synthesize.tools == ("yosys",)
    with pytest.raises(ValidationError, match="synthesize needs RTL: add the section rtl"):
        RecipeSettings.model_validate({"name": "n", "model": "m", "synthesize": {}})
    hls_only = RecipeSettings.model_validate({"name": "n", "model": "m", "synthesize": {"tools": ["vitis"]}})
    assert hls_only.rtl is None


def test_published_designs_are_of_the_networks_class() -> None:
    benchmark = NetworkOptions(architecture="dense")
    assert len(published(benchmark, (16,))) == 4
    assert published(NetworkOptions(architecture="dense", hidden=(8,)), (16,)) == ()
    (invariant,) = published(NetworkOptions(), (16, 3))
    assert invariant.lut == 136_440
    (plain,) = published(benchmark, (16, 3))
    assert plain.latency_ns == pytest.approx(19 * 2.822)
    assert published(NetworkOptions(), (13, 3)) == ()
    assert all(design.source and design.stage for design in published(benchmark, (16,)))


def test_the_stage_leaves_results_for_the_report(tmp_path: Path, stand_in) -> None:  # type: ignore[no-untyped-def]
    reports = {
        "utilisation_synthesised.rpt": UTILISATION.format(state="Synthesized", luts=20),
        "utilisation_routed.rpt": UTILISATION.format(state="Routed", luts=18),
        "timing_routed.rpt": TIMING,
    }
    stand_in("vivado", reports)
    write(tmp_path / "rtl")
    recipe = SimpleNamespace(synthesize=SynthesisSettings(tools=("vivado",)))
    observer = SimpleNamespace(progress=lambda *facts: None)
    run_of_recipe: Any = SimpleNamespace(recipe=recipe, observer=observer, path=lambda name: tmp_path / name)
    outcome = STAGE.perform(run_of_recipe)
    assert outcome.outputs == ("synthesis",)
    assert "vendor (Vivado, 2022.2: routed), xcvu13p-flga2577-2-e: 18 LUT, 333.3 MHz" in outcome.summary
    kept = load_results(tmp_path / "synthesis" / "vivado")
    assert outcome.results["results"] == [result.to_json() for result in kept]
    section = resources(outcome.results, None, [])
    assert section is not None
    sources = [block.source for block in section.blocks if isinstance(block, Table)]
    assert sources[0].startswith("as each row says")
    assert sources[1:4] == ["vendor (Vivado, 2022.2: synthesised)"] + ["vendor (Vivado, 2022.2: routed)"] * 2
