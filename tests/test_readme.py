"""The model of the user's own in the README: extracted as a user would, and run small."""

import json
import re
from pathlib import Path

import pytest

from firmware_flows.cli.main import run

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
@pytest.mark.keras
@pytest.mark.cpp
def test_the_readme_model_runs_outside_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = dict(
        re.findall(r"^```\w+ (\S+)\n(.*?)^```$", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    )
    recipe = blocks["displaced_muons.yaml"]
    for old, new in (
        ("events: 60000", "events: 4000"),
        ("epochs: 20", "epochs: 2"),
        ("random_events: 100000", "random_events: 2000"),
        ("accuracy: 0.9", "accuracy: 0.3"),
    ):
        assert old in recipe
        recipe = recipe.replace(old, new)
    (tmp_path / "displaced_muons.py").write_text(blocks["displaced_muons.py"])
    (tmp_path / "displaced_muons.yaml").write_text(recipe)
    monkeypatch.chdir(tmp_path)

    assert run(["run", "displaced_muons.yaml"]) == 0, capsys.readouterr().err
    directory = Path("runs/displaced_muons")
    assert f"Report: {directory}/report.html" in capsys.readouterr().out
    verification = json.loads((directory / "verification.json").read_text())
    assert verification["passed"]
    compared = {form["name"]: form["compared"] for form in verification["forms"]}
    assert compared["HLS C++"] == sum(verification["groups"].values())
    assert compared["Keras"] > 2000
    report = json.loads((directory / "report.json").read_text())
    assert report["failures"] == []
    assert report["metrics"]["forms"]["quantized"] == report["metrics"]["forms"]["bit-accurate"]
    assert "<script" not in (directory / "report.html").read_text()

    # A floor that does not hold ends with 1, and only the report is made again.
    (tmp_path / "displaced_muons.yaml").write_text(recipe.replace("accuracy: 0.3", "accuracy: 0.9999"))
    assert run(["run", "displaced_muons.yaml"]) == 1
    error = capsys.readouterr().err
    assert "wanted at least 0.9999" in error
    assert "verify is current" in error

    # The Program alone emulates what the run found.
    import numpy as np

    import firmware_flows as ff

    x = ff.Dataset.load(directory / "dataset.npz").test.x
    np.save("x.npy", x)
    assert run(["emulate", str(directory / "program.ffp"), "--input", "x.npy", "--output", "y.npy"]) == 0
    with np.load(directory / "outputs.npz") as outputs:
        np.testing.assert_array_equal(np.load("y.npy"), outputs["bit-accurate"])
        np.testing.assert_array_equal(np.load("y.npy"), outputs["quantized"])
    assert (
        run(["verify", str(directory / "program.ffp"), "--hls", str(directory / "hls"), "--random-events", "500"]) == 0
    )
    converted = ["convert", str(directory / "quantized.keras"), "-o", "again.ffp", "--json"]
    assert run(converted) == 0
    assert ff.load_program("again.ffp").digest == ff.load_program(directory / "program.ffp").digest
