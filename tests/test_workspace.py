"""The run directory: lock, manifest, content hashes, atomic files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from firmware_flows.files import atomic_path, hash_value, write_json
from firmware_flows.workspace import MANIFEST, Workspace, WorkspaceError


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "run")


def _finish(workspace: Workspace, outputs: list[str], key: str = "k") -> None:
    workspace.finish("stage", key=key, outputs=outputs, results={"n": 1}, seconds=0.5, provenance={"seed": 1})


def test_a_finished_stage_is_current_until_key_or_content_change(workspace: Workspace) -> None:
    with workspace.lock():
        workspace.path("a.txt").write_text("one")
        (workspace.path("folder") / "deep").mkdir(parents=True)
        (workspace.path("folder") / "deep" / "b.txt").write_text("two")
        _finish(workspace, ["a.txt", "folder"])
    again = Workspace(workspace.directory)
    assert again.is_current("stage", "k")
    assert not again.is_current("stage", "other key")
    (again.path("folder") / "deep" / "b.txt").write_text("changed")
    assert again.damaged("stage") == ["folder/deep/b.txt"]
    assert not again.is_current("stage", "k")
    again.path("a.txt").unlink()
    assert set(again.damaged("stage")) == {"a.txt", "folder/deep/b.txt"}


def test_files_added_later_beside_outputs_do_not_damage_them(workspace: Workspace) -> None:
    with workspace.lock():
        workspace.path("folder").mkdir()
        (workspace.path("folder") / "b.txt").write_text("two")
        _finish(workspace, ["folder"])
    (workspace.path("folder") / "compiled.so").write_text("later")
    assert workspace.is_current("stage", "k")


def test_a_forgotten_stage_is_unknown(workspace: Workspace) -> None:
    with workspace.lock():
        _finish(workspace, [])
        workspace.forget(["stage"])
    assert Workspace(workspace.directory).record("stage") is None


def test_two_runs_cannot_hold_one_directory(workspace: Workspace) -> None:
    program = (
        "import sys; from firmware_flows.workspace import Workspace\n"
        f"with Workspace({str(workspace.directory)!r}).lock(): pass"
    )
    with workspace.lock():
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "is in use by process" in done.stderr
    assert done.returncode != 0
    after = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert after.returncode == 0, after.stderr


def test_what_a_killed_run_left_half_written_is_swept(workspace: Workspace) -> None:
    with workspace.lock():
        workspace.path("dataset.npz").write_text("whole")
        workspace.path(".dataset-abc123.npz").write_text("half")
        workspace.path("program.ffp1a2b.part").write_text("half")
        (workspace.path(".hls-xyz") / "firmware").mkdir(parents=True)
    with workspace.lock():
        names = {p.name for p in workspace.directory.iterdir()}
    assert names == {".lock", MANIFEST, "dataset.npz"}


def test_a_directory_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(WorkspaceError, match="not a run directory"), Workspace(tmp_path).lock():
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(WorkspaceError, match="is a file"), Workspace(tmp_path / "thesis.tex").lock():
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 1}', '{"version": 1, "stages": {"data": {"key": 1}}}'])
def test_a_damaged_manifest_is_an_error_with_its_remedy(workspace: Workspace, content: str) -> None:
    with workspace.lock():
        pass
    workspace.path(MANIFEST).write_text(content)
    with pytest.raises(WorkspaceError, match=r"manifest\.json is damaged .*delete it"):
        Workspace(workspace.directory).record("data")


def test_a_manifest_of_another_version_is_an_error(workspace: Workspace) -> None:
    with workspace.lock():
        pass
    workspace.path(MANIFEST).write_text(json.dumps({"version": 99, "stages": {}}))
    with pytest.raises(WorkspaceError, match="has version 99"):
        Workspace(workspace.directory).record("data")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    write_json(path, {"old": True})

    def fail() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half of the new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert json.loads(path.read_text()) == {"old": True}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"new": float("nan")})
    assert [p.name for p in tmp_path.iterdir()] == ["result.json"]


def test_the_hash_of_a_value_does_not_depend_on_the_order_of_its_keys() -> None:
    assert hash_value({"a": 1, "b": [1, 2]}) == hash_value({"b": [1, 2], "a": 1})
    assert hash_value({"a": 1}) != hash_value({"a": 2})
