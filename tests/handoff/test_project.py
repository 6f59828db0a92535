"""`init` starts a project that runs as it is; `check` of its recipe fails on all that it is there for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from firmware_flows import __version__
from firmware_flows.cli.main import run
from firmware_flows.errors import InputError
from firmware_flows.flow.bundle_source import from_run
from firmware_flows.handoff.archive import write_archive
from firmware_flows.handoff.bundle import read_manifest, write_bundle
from firmware_flows.handoff.project import start_project
from firmware_flows.recipe import load_recipe

Captured = pytest.CaptureFixture[str]


def test_every_file_is_written_and_names_the_project(tmp_path: Path) -> None:
    written = start_project("muon_tagger", tmp_path / "here")
    names = {p.relative_to(tmp_path / "here").as_posix() for p in written}
    assert names == {
        "muon_tagger.yaml", "muon_tagger.py", "README.md", "requirements.txt", ".gitignore",
        ".github/workflows/firmware.yml", ".gitlab-ci.yml",
    }  # fmt: skip
    for path in written:
        text = path.read_text()
        assert not re.search(r"@\w+@", text), path
    assert f"firmware-flows[train,hls,rtl,plots]=={__version__}" in (tmp_path / "here/requirements.txt").read_text()
    recipe = load_recipe(tmp_path / "here/muon_tagger.yaml")
    assert recipe.settings.budget.latency_ns == 100


def test_workflows_are_what_their_machines_read(tmp_path: Path) -> None:
    start_project("net", tmp_path)
    github = yaml.safe_load((tmp_path / ".github/workflows/firmware.yml").read_text())
    steps = github["jobs"]["check"]["steps"]
    commands = [s["run"] for s in steps if "run" in s]
    assert "firmware-flows check net.yaml --junit check.xml" in commands
    assert all(s.get("run") or re.fullmatch(r"actions/[\w-]+@v\d+", s["uses"]) for s in steps)
    gitlab = yaml.safe_load((tmp_path / ".gitlab-ci.yml").read_text())
    assert gitlab["firmware"]["stage"] in gitlab["stages"]
    assert [c for c in gitlab["firmware"]["script"] if "doctor" not in c] == [c for c in commands if "doctor" not in c]
    assert gitlab["firmware"]["artifacts"]["reports"]["junit"] == "check.xml"


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a b", "../x", "class", "é"])
def test_names_that_no_python_file_can_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be the name of a project"):
        start_project(name, tmp_path)


def test_nothing_that_exists_is_touched(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(InputError, match=r"README\.md exists"):
        start_project("net", tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    (tmp_path / "other").mkdir()
    assert {p.name for p in start_project("net", tmp_path / "other", "none")} == {
        "net.yaml", "net.py", "README.md", "requirements.txt", ".gitignore",
    }  # fmt: skip


class Project:
    """A started project, small; its recipe can be edited, its commands called."""

    def __init__(self, directory: Path, capsys: Captured) -> None:
        self.directory, self.capsys = directory, capsys
        self.recipe = directory / "net.yaml"

    def edit(self, old: str, new: str) -> None:
        text = self.recipe.read_text()
        assert old in text
        self.recipe.write_text(text.replace(old, new))

    def __call__(self, *arguments: str) -> tuple[int, str, list[str]]:
        """Exit code, standard output, and the failed checks on standard error."""
        command, *more = arguments
        code = run([command, str(self.recipe), "--run-dir", str(self.directory / "run"), *more])
        found = self.capsys.readouterr()
        return code, found.out, [line for line in found.err.splitlines() if line.startswith(("A check", "Error"))]


@pytest.fixture
def project(tmp_path: Path, capsys: Captured) -> Callable[[], Project]:
    def start() -> Project:
        start_project("net", tmp_path / "project", "none")
        made = Project(tmp_path / "project", capsys)
        made.edit("events: 40_000", "events: 6_000")
        made.edit("epochs: 15", "epochs: 2")
        made.edit("random_events: 20_000", "random_events: 500")
        made.edit("accuracy: 0.85", "accuracy: 0.4")
        made.edit("  clock_mhz: 360", "  clock_mhz: 360\n  csim: false")
        return made

    return start


@pytest.mark.keras
def test_a_started_project_runs_and_its_gate_fails_on_all_that_it_is_for(project: Callable[[], Project]) -> None:
    net = project()
    code, out, errors = net("run")
    assert (code, errors) == (0, [])
    assert "Report: " in out

    # no lock yet
    code, _, errors = net("check")
    assert code == 1
    assert errors == [
        "A check failed: drift: net.lock.json is missing: write it with `firmware-flows check RECIPE --update` "
        "and commit it"
    ]
    code, out, _ = net("check", "--update")
    assert code == 0
    assert "there was no lock" in out
    junit = net.directory / "check.xml"
    code, out, errors = net("check", "--junit", str(junit))
    assert (code, errors) == (0, [])
    assert "ok      drift: golden outputs are the locked ones" in out
    assert "net.lock.json: nothing changed" in net("check", "--update")[1]
    assert ElementTree.parse(junit).getroot().get("failures") == "0"

    # a bundle of the run, twice, and the gate of the bundle
    first = write_bundle(from_run(net.directory / "run"), net.directory / "a" / "bundle", random_events=10)
    code, out, errors = net("handoff", "-o", str(net.directory / "b" / "bundle"), "--random-events", "10", "--archive")
    assert (code, errors) == (0, [])
    assert (net.directory / "b/bundle.tar.gz").read_bytes() == (
        write_archive(first, net.directory / "a.tar.gz").read_bytes()
    )
    assert read_manifest(first)["recipe"]["name"] == "net"
    assert (first / "recipe.yaml").read_text() == net.recipe.read_text()
    interface = json.loads((first / "interface/hls.json").read_text())
    elements = next(p for p in interface["ports"] if p["source"] == "muon")["elements"]
    assert [(e["name"], e["unit"]) for e in elements][1] == ("position at 1.5 m", "m")
    assert "estimated" in interface["latency_cycles"]["source"]
    for path in (p for p in first.rglob("*") if p.is_file()):
        assert str(net.directory).encode() not in path.read_bytes(), path
    assert run(["check", str(first), "--no-compile", "--lock", str(net.directory / "net.lock.json")]) == 0

    # a metric under its floor
    net.edit("accuracy: 0.4", "accuracy: 0.9999")
    code, _, errors = net("check", "--json")
    assert code == 1
    assert len(errors) == 1
    assert re.fullmatch(r"A check failed: metrics: bit-accurate accuracy is 0\.\d+, wanted at least 0\.9999", errors[0])
    code, _, errors = net("handoff", "-o", str(net.directory / "c"))
    assert code == 1
    assert not (net.directory / "c").exists()
    net.edit("accuracy: 0.9999", "accuracy: 0.4")

    # a budget exceeded
    net.edit("latency_ns: 100", "latency_ns: 3")
    code, _, errors = net("check")
    assert (code, len(errors)) == (1, 1)
    assert errors[0].startswith("A check failed: budget: latency (cycles) ")
    assert "exceeds 1 (3 ns at 360 MHz, the recipe's budget)" in errors[0]
    net.edit("latency_ns: 3", "latency_ns: 100")

    # changed weights
    net.edit("seed: 1", "seed: 2")
    code, _, errors = net("check")
    assert code == 1
    assert "layer 'hidden': weight changed" in errors[0]
    assert errors[-1] == "A check failed: drift: golden outputs of 'logits' are not the locked ones"
    assert len(errors) == 3

    # a changed type
    net.edit("bits: 6", "bits: 7")
    code, _, errors = net("check")
    assert code == 1
    assert re.search(r"layer 'relu': type of result was ap_ufixed<6,2\S*, is ap_ufixed<7,2", errors[0])
    code, out, _ = net("check", "--update")
    assert code == 0
    assert "type of result was" in out
    assert re.search(r"^  bit-accurate accuracy was 0\.\d+, is 0\.\d+$", out, re.MULTILINE)
    assert net("check")[0] == 0

    # a lock that is none
    (net.directory / "net.lock.json").write_text("<<<<<<< HEAD\n")
    code, _, errors = net("check")
    assert (code, len(errors)) == (2, 1)
    assert "net.lock.json is no lock file" in errors[0]


def test_a_run_that_is_not_finished_or_was_touched_is_not_handed_off(tmp_path: Path, capsys: Captured) -> None:
    assert run(["handoff", str(tmp_path), "-o", str(tmp_path / "b")]) == 2
    assert "is no run directory" in capsys.readouterr().err
    (tmp_path / "manifest.json").write_text('{"version": 1, "stages": {}}')
    assert run(["handoff", str(tmp_path), "-o", str(tmp_path / "b")]) == 2
    assert "is not finished" in capsys.readouterr().err
    assert run(["handoff", str(tmp_path / "x.txt"), "-o", str(tmp_path / "b")]) == 2
