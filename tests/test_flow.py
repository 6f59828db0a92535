"""Running stages: skipping, resuming, damage, force, locks. Small stages stand in for the real ones."""

from pathlib import Path
from typing import Any

import pytest

from firmware_flows.errors import FirmwareFlowsError, MissingToolError
from firmware_flows.flow import runner
from firmware_flows.flow.evaluation import headline
from firmware_flows.flow.observer import Silent
from firmware_flows.flow.stage import Outcome, Run, Stage
from firmware_flows.recipe import Recipe, load_recipe

SOURCE = """
from pydantic import BaseModel
class DataOptions(BaseModel, extra="forbid"):
    events: int = 100
class NetworkOptions(BaseModel, extra="forbid"):
    units: int = 8
def load_data(options, directory, seed, progress): ...
def build_network(options, dataset, seed): ...
def evaluate(test, outputs, directory): ...
"""


class Log(Silent):
    """Remembers what was done and why."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def stage_started(self, name: str, reason: str) -> None:
        self.done.append(f"{name}: {reason}")


class Stages:
    """Three stages; the second reads the first's output and can be made to die in the middle."""

    def __init__(self) -> None:
        self.die = False
        self.failures: tuple[str, ...] = ()
        self.needs: tuple[str, ...] = ()

    def all(self) -> tuple[Stage, ...]:
        return (
            Stage("one", (), lambda run: {"events": run.recipe.settings.data.get("events")}, self._one),
            Stage(
                "two",
                ("one",),
                lambda run: {"units": run.recipe.settings.network.get("units")},
                self._two,
                scratch=("scratch",),
            ),
            Stage("three", ("two",), lambda run: {}, self._three, lambda recipe: self.needs),
        )

    def _one(self, run: Run) -> Outcome:
        run.path("one.txt").write_text(str(run.recipe.settings.data.get("events")))
        return Outcome(("one.txt",), "first")

    def _two(self, run: Run) -> Outcome:
        run.path("scratch").mkdir(exist_ok=True)
        with (run.path("scratch") / "checkpoint").open("a") as stream:
            stream.write("x")
        run.path("two.txt").write_text("half")
        if self.die:
            raise KeyboardInterrupt
        run.path("two.txt").write_text(run.path("one.txt").read_text() + "!")
        return Outcome(("two.txt",), "second", failures=self.failures)

    def _three(self, run: Run) -> Outcome:
        run.path("three.txt").write_text(run.path("two.txt").read_text() + "?")
        return Outcome(("three.txt",), "third", {"n": 3})


@pytest.fixture
def stages(monkeypatch: pytest.MonkeyPatch) -> Stages:
    made = Stages()
    monkeypatch.setattr(runner, "STAGES", made.all())
    monkeypatch.setattr(runner, "STAGE_NAMES", tuple(s.name for s in made.all()))
    return made


@pytest.fixture
def recipe(tmp_path: Path):
    (tmp_path / "source.py").write_text(SOURCE)

    def make(events: int = 5, units: int = 8) -> Recipe:
        path = tmp_path / "recipe.yaml"
        path.write_text(f"name: r\nmodel: source.py\ndata: {{events: {events}}}\nnetwork: {{units: {units}}}\n")
        return load_recipe(path)

    return make


def _run(recipe: Recipe, directory: Path, **options: Any) -> tuple[list[str], runner.FlowResult]:
    log = Log()
    result = runner.run_flow(recipe, directory / "run", observer=log, **options)
    return log.done, result


def test_stages_run_once(stages: Stages, recipe, tmp_path: Path) -> None:
    done, result = _run(recipe(), tmp_path)
    assert done == ["one: missing", "two: missing", "three: missing"]
    assert result.passed
    assert result.stages["three"].results["n"] == 3
    assert (tmp_path / "run" / "three.txt").read_text() == "5!?"
    assert _run(recipe(), tmp_path)[0] == []


def test_only_what_a_change_touches_is_done_again(stages: Stages, recipe, tmp_path: Path) -> None:
    _run(recipe(), tmp_path)
    assert _run(recipe(units=9), tmp_path)[0] == ["two: outdated"]  # its output is the same, so `three` is current
    assert _run(recipe(units=9, events=6), tmp_path)[0] == ["one: outdated", "two: outdated", "three: outdated"]


def test_a_damaged_output_is_made_again(stages: Stages, recipe, tmp_path: Path) -> None:
    _run(recipe(), tmp_path)
    (tmp_path / "run" / "two.txt").write_text("bit rot")
    assert _run(recipe(), tmp_path)[0] == ["two: damaged"]
    (tmp_path / "run" / "one.txt").unlink()
    assert _run(recipe(), tmp_path)[0] == ["one: damaged"]


def test_an_interrupted_stage_is_not_finished_and_the_run_goes_on_there(stages: Stages, recipe, tmp_path: Path) -> None:
    stages.die = True
    with pytest.raises(KeyboardInterrupt):
        _run(recipe(), tmp_path)
    stages.die = False
    assert _run(recipe(), tmp_path)[0] == ["two: missing", "three: missing"]
    assert (tmp_path / "run" / "three.txt").read_text() == "5!?"


def test_an_interrupted_repetition_does_not_pass_for_the_old_result(stages: Stages, recipe, tmp_path: Path) -> None:
    _run(recipe(), tmp_path)
    stages.die = True
    with pytest.raises(KeyboardInterrupt):
        _run(recipe(), tmp_path, force=("two",))
    stages.die = False
    assert _run(recipe(), tmp_path)[0] == ["two: missing"]


def test_until_from_and_force(stages: Stages, recipe, tmp_path: Path) -> None:
    assert _run(recipe(), tmp_path, last="one")[0] == ["one: missing"]
    with pytest.raises(FirmwareFlowsError, match="stage 'two' is missing"):
        _run(recipe(), tmp_path, first="three")
    assert _run(recipe(), tmp_path)[0] == ["two: missing", "three: missing"]
    assert _run(recipe(), tmp_path, first="three", force=("three",))[0] == ["three: missing"]
    with pytest.raises(FirmwareFlowsError, match="'thre' is not a stage; did you mean 'three'"):
        _run(recipe(), tmp_path, last="thre")
    with pytest.raises(FirmwareFlowsError, match="comes after"):
        _run(recipe(), tmp_path, first="two", last="one")


def test_only_force_throws_away_what_an_interrupted_stage_goes_on_from(stages: Stages, recipe, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run" / "scratch" / "checkpoint"
    stages.die = True
    with pytest.raises(KeyboardInterrupt):
        _run(recipe(), tmp_path)
    stages.die = False
    _run(recipe(), tmp_path)
    assert checkpoint.read_text() == "xx"
    _run(recipe(), tmp_path, force=("two",))
    assert checkpoint.read_text() == "x"


def test_a_failed_check_is_remembered_and_does_not_stop_the_flow(stages: Stages, recipe, tmp_path: Path) -> None:
    stages.failures = ("bits differ",)
    done, result = _run(recipe(), tmp_path)
    assert done[-1] == "three: missing"
    assert not result.passed
    again, result = _run(recipe(), tmp_path)
    assert again == []
    assert result.failures == ("bits differ",)


def test_a_missing_tool_is_told_before_anything_is_done(
    stages: Stages, recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.needs = ("csim",)
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MissingToolError, match=r"g\+\+ is needed to compile") as caught:
        _run(recipe(), tmp_path)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "run").exists()


def test_the_manifest_says_what_a_result_depends_on(stages: Stages, recipe, tmp_path: Path) -> None:
    provenance = _run(recipe(), tmp_path)[1].stages["one"].provenance
    assert provenance["seed"] == 1
    assert provenance["recipe"]["data"] == {"events": 5}
    assert {"python", "numpy"} <= set(provenance["versions"])
    states = [s.state for s in runner.status(recipe(units=1), tmp_path / "run")]
    assert states == ["current", "outdated", "current"]


def test_a_source_that_changes_its_data_has_its_data_made_again(recipe, tmp_path: Path) -> None:
    """With the real stage `data`, on pure NumPy."""
    source = SOURCE.replace(
        "def load_data(options, directory, seed, progress): ...",
        "import numpy as np\nimport firmware_flows as ff\n"
        "def load_data(options, directory, seed, progress):\n"
        "    progress('drawing', options.events, options.events)\n"
        "    x = np.random.default_rng(seed).normal(size=(options.events, 2))\n"
        "    s = ff.Split(x, x[:, 0] > 0)\n"
        "    return ff.Dataset(s, s, s, {'classes': ['low', 'high']})\n",
    )
    (tmp_path / "numpy_source.py").write_text(source)
    path = tmp_path / "numpy.yaml"
    path.write_text("name: n\nmodel: numpy_source.py\n")
    done, result = _run(load_recipe(path), tmp_path, last="data")
    assert done == ["data: missing"]
    assert result.stages["data"].results["metadata"] == {"classes": ["low", "high"]}
    assert _run(load_recipe(path), tmp_path, last="data")[0] == []
    (tmp_path / "numpy_source.py").write_text(source + "# changed\n")
    assert _run(load_recipe(path), tmp_path, last="data")[0] == ["data: outdated"]


def test_the_headline_is_the_accuracy_and_of_a_regression_what_its_recipe_limits() -> None:
    forms = {"quantized": {"accuracy": 0.75}, "bit-accurate": {"accuracy": 0.7}}
    assert headline(forms, []) == ["accuracy: quantized 0.7500, bit-accurate 0.7000"]
    checks = [{"check": "bit-accurate resolution_kept", "value": 1.0202, "at_least": 0.97, "passed": True}]
    assert headline({"bit-accurate": {"resolution": 54.3}}, checks) == ["bit-accurate resolution_kept 1.02"]
    assert headline({"bit-accurate": {}}, []) == []
