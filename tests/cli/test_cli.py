"""The command line: help that teaches, one sentence for a mistake, the documented exit codes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import firmware_flows as ff
from benchmarks.networks import dense_network
from firmware_flows.builder import Builder
from firmware_flows.cli import main as main_module
from firmware_flows.cli.main import cli, run
from firmware_flows.fixed_point import FixedPoint

Captured = pytest.CaptureFixture[str]

SLOW_SOURCE = """
import time
from pydantic import BaseModel
class DataOptions(BaseModel, extra="forbid"): ...
class NetworkOptions(BaseModel, extra="forbid"): ...
def load_data(options, directory, seed, progress):
    (directory / "begun").write_text("")
    for second in range(60):
        progress("waiting", second, 60)
        time.sleep(1)
def build_network(options, dataset, seed): ...
def evaluate(test, outputs, directory): ...
"""


@pytest.fixture
def ffp(tmp_path: Path) -> Path:
    b = Builder("double")
    b.begin_layer("x", "Input")
    x = b.input("x", (2,), FixedPoint.parse("ap_fixed<8,4,AP_RND_CONV,AP_SAT>"))
    b.end_layer(x)
    b.begin_layer("sum", "Dense", ("x",))
    y = b.affine(x, np.array([[2, 1], [0, 1]]), 0)
    b.end_layer(y)
    return b.build({"sum": y}).save(tmp_path / "double.ffp")


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_every_command_explains_itself_with_an_example(command: str, capsys: Captured) -> None:
    assert run([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"firmware-flows {command}".rstrip() in text
    assert not command or "Example" in text


def test_commands_are_listed_in_the_order_of_use(capsys: Captured) -> None:
    run(["--help"])
    text = capsys.readouterr().out
    order = [text.index(f"\n  {name} ") for name in ("run", "data", "train", "convert", "emulate", "verify", "report")]
    assert order == sorted(order)
    assert "Exit codes" in text


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "none.yaml"], "none.yaml does not exist"),
        (["rum"], "No such command 'rum'"),
        (["run", "none.yaml", "--until", "trian"], "'trian' is not one of"),
        (["show", "none.ffp"], "none.ffp"),
        (["convert", "net.txt", "-o", "net.ffp"], "net.txt is not a network (.keras, .h5, .json)"),
        (["emulate", "x.txt"], "x.txt is not a Program"),
        (["emulate", "none.ffp", "-i", "x.npy", "-o", "y.npy"], "none.ffp does not exist"),
        (["emulate", "none.yaml", "-i", "x.npy"], "--input is for Program files"),
        (["convert", "x.onnx", "-o", "x.ffp"], "x.onnx is not a network"),
        (["convert", "none.keras"], "none.keras does not exist"),
        (["verify", "none.ffp", "--run-dir", "x"], "--run-dir is for recipes"),
        (["convert", "none.keras", "-o", "x.ffp", "--clock-mhz", "100"], "--clock-mhz is of the HLS project: name its"),
        (["handoff", "none", "-o", "bundle"], "none does not exist"),
        (["check", "net.ffp"], "net.ffp is a Program: name its recipe (.yaml) or a bundle"),
        (["models", "copy", "jet_taggr"], "there is no reference recipe 'jet_taggr'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_2(
    arguments: list[str], expected: str, capsys: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    captured = capsys.readouterr()
    assert expected in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_misspelt_key_of_a_recipe(tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("r.yaml").write_text("name: r\nmodle: x.py\n")
    assert run(["run", "r.yaml"]) == 2
    error = capsys.readouterr().err
    assert "r.yaml, line 2: modle: unknown key; did you mean 'model'?" in error
    assert not Path("runs").exists()


def test_debug_shows_the_trace(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "firmware_flows.cli.main", "run", "none.yaml", "--debug"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" in done.stderr


def test_an_unforeseen_error_keeps_its_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(main_module.cli, "main", fail)
    with pytest.raises(ZeroDivisionError):
        run(["doctor"])


def test_emulate_writes_exact_numbers(ffp: Path, tmp_path: Path, capsys: Captured) -> None:
    x = np.array([[1.0, 0.5], [100.0, -100.0], [0.03125, 0.09375]])
    np.save(tmp_path / "x.npy", x)
    given = ["emulate", str(ffp), "--input", str(tmp_path / "x.npy"), "--output", str(tmp_path / "y.npy")]
    assert run(given) == 0
    assert "3 events" in capsys.readouterr().out
    expected = [[2.0, 1.5], [15.875, -0.0625], [0.0, 0.125]]
    assert np.load(tmp_path / "y.npy").tolist() == expected
    assert run([*given, "--raw", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"events": 3, "output": str(tmp_path / "y.npy"), "raw": True}
    assert np.load(tmp_path / "y.npy").tolist() == [[int(v * 16) for v in row] for row in expected]


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([[1.0, np.nan]]), "event 0"),
        (np.array([[1.0, np.inf]]), "event 0"),
        (np.zeros((4, 3)), "shape (4, 3)"),
        (np.array([["a", "b"]]), "real numbers"),
    ],
)
def test_bad_events_leave_no_output(ffp: Path, tmp_path: Path, capsys: Captured, x: np.ndarray, expected: str) -> None:
    np.save(tmp_path / "x.npy", x)
    assert run(["emulate", str(ffp), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert "Traceback" not in error
    assert sorted(p.name for p in tmp_path.iterdir()) == ["double.ffp", "x.npy"]


def test_a_project_of_another_network_is_not_compared(ffp: Path, tmp_path: Path, capsys: Captured) -> None:
    ff.hls.write_project(dense_network("other", (2, 2)), tmp_path / "other_hls")
    assert run(["verify", str(ffp), "--hls", str(tmp_path / "other_hls")]) == 2
    assert "holds the HLS project of 'other'" in capsys.readouterr().err


def test_events_are_never_overwritten_by_the_results(ffp: Path, tmp_path: Path, capsys: Captured) -> None:
    np.save(tmp_path / "x.npy", np.ones((3, 2)))
    before = (tmp_path / "x.npy").read_bytes()
    assert run(["emulate", str(ffp), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "." / "x.npy")]) == 2
    assert "the events are read from" in capsys.readouterr().err
    assert (tmp_path / "x.npy").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"not numbers", b"\x93NUMPY\x01", b"PK\x03\x04"])
def test_files_that_hold_no_events(ffp: Path, tmp_path: Path, capsys: Captured, content: bytes) -> None:
    (tmp_path / "x.npy").write_bytes(content)
    assert run(["emulate", str(ffp), "-i", str(tmp_path / "x.npy"), "-o", str(tmp_path / "y.npy")]) == 2
    assert "not a NumPy file" in capsys.readouterr().err


def test_events_may_come_as_npz(ffp: Path, tmp_path: Path, capsys: Captured) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((5, 2)), other=np.zeros(3))
    assert run(["emulate", str(ffp), "-i", str(tmp_path / "x.npz"), "-o", str(tmp_path / "y.npy")]) == 0
    np.savez(tmp_path / "x.npz", a=np.zeros((5, 2)), b=np.zeros(3))
    assert run(["emulate", str(ffp), "-i", str(tmp_path / "x.npz"), "-o", str(tmp_path / "y.npy")]) == 2
    assert "holds a, b; wanted arrays named x" in capsys.readouterr().err


def test_a_damaged_program_is_one_sentence(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "bad.ffp").write_bytes(b"PK\x03\x04 broken")
    assert run(["show", str(tmp_path / "bad.ffp")]) == 2
    assert "bad.ffp" in capsys.readouterr().err


def test_show(ffp: Path, capsys: Captured) -> None:
    assert run(["show", str(ffp)]) == 0
    assert "affine" in capsys.readouterr().out
    assert run(["show", str(ffp), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [layer["name"] for layer in found["layers"]] == ["x", "sum"]
    assert found["ports"]["inputs"][0]["type"] == "ap_fixed<8,4,AP_RND_CONV,AP_SAT>"


def test_doctor(capsys: Captured) -> None:
    assert run(["doctor"]) == 0
    assert "What works here" in capsys.readouterr().out
    assert run(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["numpy"] == np.__version__
    assert {c["name"] for c in found["capabilities"]} >= {"train", "convert", "csim"}


def test_doctor_names_the_remedy_for_what_is_missing(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert run(["doctor"]) == 0
    assert "missing: g++; install a C++ compiler" in capsys.readouterr().out


def test_models_copy_never_overwrites(tmp_path: Path, capsys: Captured) -> None:
    assert run(["models", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    if not found:
        pytest.skip("no reference recipes yet")
    target = tmp_path / "mine.yaml"
    assert run(["models", "copy", found[0]["name"], str(target)]) == 0
    assert target.read_text() == Path(found[0]["recipe"]).read_text()
    assert run(["models", "copy", found[0]["name"], str(target)]) == 2
    assert "exists" in capsys.readouterr().err


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW_SOURCE)
    (tmp_path / "slow.yaml").write_text("name: slow\nmodel: slow.py\n")
    # a shell's background job begins with Ctrl-C ignored, and so would its children
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    program += "from firmware_flows.cli.main import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "data", "slow.yaml", "--run-dir", str(tmp_path / "run")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    )
    begun = time.monotonic()
    while not (tmp_path / "run" / "data" / "begun").exists() and time.monotonic() - begun < 60:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=150)
    assert process.returncode == 130
    assert "the same command goes on from there" in error
    assert "Traceback" not in error
