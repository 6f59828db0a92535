"""Two runs beside each other."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_networks import dense_network

from firmware_flows.cli.main import run
from firmware_flows.errors import InputError
from firmware_flows.reporting import to_markdown
from firmware_flows.reporting.compare import compare
from firmware_flows.reporting.compare_page import arrange_comparison
from firmware_flows.reporting.estimates import estimate_facts
from firmware_flows.reporting.network import network_facts

HLS: dict[str, Any] = {
    "backend": "Vitis", "target": "xcvu13p-2", "clock_mhz": 200.0, "io": "parallel", "strategy": "latency",
    "reuse_factor": 1,
}  # fmt: skip


def write_run(directory: Path, facts: dict[str, Any], bits: int, outputs: np.ndarray, data: str = "same") -> Path:
    """A run directory with a report of a small network with weights of `bits` bits."""
    recipe = {"name": directory.name, "network": {"bits": bits}, "hls": HLS}
    program = dense_network([4, 8, 3], bits=bits)
    report = copy.deepcopy(facts) | {
        "network": network_facts(program),
        "estimates": estimate_facts(program, recipe),
        "synthesis": None,
        "rtl": None,
    }
    report["recipe"]["name"] = directory.name
    report["provenance"] |= {"recipe": recipe, "data_sha256": data}
    report["metrics"]["forms"]["bit-accurate"]["accuracy"] += 0.01 * bits
    directory.mkdir()
    (directory / "report.json").write_text(json.dumps(report))
    np.savez(directory / "outputs.npz", **{"bit-accurate": outputs})
    return directory


@pytest.fixture
def outputs() -> np.ndarray:
    return np.arange(30.0).reshape(10, 3)


def test_bits_metrics_types_costs_and_settings_that_differ(
    tmp_path: Path, facts: dict[str, Any], outputs: np.ndarray
) -> None:
    other = outputs.copy()
    other[2, 1] += 0.25  # another answer
    other[5] = [99.0, 1.0, 1.0]  # another class
    a, b = write_run(tmp_path / "a", facts, 6, outputs), write_run(tmp_path / "b", facts, 4, other)
    found = compare(a, b)
    assert found["bits"] == {"events": 10, "differing": 2, "largest": 84.0, "largest_element_differs": 1}
    accuracy = next(m for m in found["metrics"] if (m["form"], m["metric"]) == ("bit-accurate", "accuracy"))
    assert accuracy["difference"] == pytest.approx(-0.02)
    assert {"layer": "relu0", "name": "result"} in [{k: t[k] for k in ("layer", "name")} for t in found["types"]]
    assert found["settings"] == [{"name": "network.bits", "a": 6, "b": 4}]
    lut = next(e for e in found["estimates"] if (e["stage"], e["quantity"]) == ("synthesis", "lut"))
    assert lut["b"]["value"] < lut["a"]["value"]
    assert {x["layer"] for x in found["layers"]} == {"dense0", "relu0", "dense1"}
    text = to_markdown(arrange_comparison(found))
    assert "**OTHER BITS**: the Programs differ; 2 of 10 test events have another answer, 1 another largest" in text
    assert "| accuracy | 0.8500 | 0.8300 | -0.0200 |" in text
    assert "| network.bits | 6 | 4 |" in text
    assert f"{lut['b']['value'] / lut['a']['value']:.2f}" in text
    json.dumps(found, allow_nan=False)


def test_the_same_program_says_so(tmp_path: Path, facts: dict[str, Any], outputs: np.ndarray) -> None:
    a, b = (write_run(tmp_path / name, facts, 6, outputs) for name in "ab")
    text = to_markdown(arrange_comparison(compare(a, b / "report.json")))
    assert "**SAME BITS**" in text
    assert text.count("Nothing differs.") == 3  # types, settings, versions
    assert "metrics are the same and not shown" in text


def test_other_events_are_not_compared_and_the_reason_is_given(
    tmp_path: Path, facts: dict[str, Any], outputs: np.ndarray
) -> None:
    a = write_run(tmp_path / "a", facts, 6, outputs)
    b = write_run(tmp_path / "b", facts, 4, outputs, data="other")
    found = compare(a, b)
    assert found["bits"] == {"reason": "the runs have different test events"}
    assert "The runs have different data" in to_markdown(arrange_comparison(found))
    (a / "outputs.npz").unlink()
    c = write_run(tmp_path / "c", facts, 4, outputs)
    assert "no outputs.npz" in compare(a, c)["bits"]["reason"]
    d = write_run(tmp_path / "d", facts, 5, outputs[:, :2])
    assert "the shapes (3,) and (2,)" in compare(c, d)["bits"]["reason"]


def test_numbers_of_different_tools_never_stand_in_one_row(
    tmp_path: Path, facts: dict[str, Any], outputs: np.ndarray
) -> None:
    def result(tool: str, count: int) -> dict[str, Any]:
        return {
            "origin": {"text": tool, "stage": ""}, "target": "ECP5", "latency": None,
            "quantities": [{"name": "LUT", "count": count}], "clocks": [{"name": "clk", "achieved_mhz": 76.6}],
        }  # fmt: skip

    paths = [write_run(tmp_path / name, facts, 6, outputs) for name in "ab"]
    for path, results in zip(
        paths, ([result("one 1.0", 100)], [result("one 2.0", 80), result("one 1.0", 90)]), strict=True
    ):
        report = json.loads((path / "report.json").read_text())
        (path / "report.json").write_text(json.dumps({**report, "synthesis": {"results": results}}))
    found = [(m["origin"], m["quantity"], m["a"], m["b"]) for m in compare(*paths)["measured"]]
    assert ("one 1.0", "LUT", 100, 90) in found
    assert ("one 2.0", "LUT", None, 80) in found
    assert ("one 1.0", "clock clk, MHz", 76.6, 76.6) in found


def test_command(
    tmp_path: Path, facts: dict[str, Any], outputs: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = write_run(tmp_path / "a", facts, 6, outputs), write_run(tmp_path / "b", facts, 4, outputs)
    out = tmp_path / "out"
    assert run(["report", "--compare", str(a), str(b), "-o", str(out)]) == 0
    assert "1 settings differ" in capsys.readouterr().out.replace("setting ", "settings ")
    assert {path.name for path in out.iterdir()} == {"comparison.html", "comparison.md", "comparison.json"}
    assert run(["report", "--compare", str(a), str(b), "-o", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "comparison.json").read_text())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a recipe, or two run directories"),
        (["r.yaml", "--compare", "a", "b"], "makes no sense together with --compare"),
        (["r.yaml", "-o", "x"], "is for --compare"),
        (["--compare", "nowhere", "b"], "nowhere holds no report"),
    ],
)
def test_wrong_usage_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["report", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_something_else_than_a_report_is_refused(tmp_path: Path) -> None:
    for content in ("{}", "[]", "no json", '{"network": {"digest": ""}, "recipe": {"name": ""}, "provenance": 1}'):
        (tmp_path / "report.json").write_text(content)
        with pytest.raises(InputError, match="is not the report of a run"):
            compare(tmp_path, tmp_path)
