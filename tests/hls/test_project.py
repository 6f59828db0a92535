"""Settings, files on disk, backends, missing tools: each mistake ends in one clear error, with nothing half-written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import firmware_flows as ff
from firmware_flows.errors import MissingToolError
from firmware_flows.hls import HlsConversionError, HlsSettingsError, ProjectError
from firmware_flows.program import Program


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "Vitiss"}, "backend = 'Vitiss' is not valid, did you mean 'Vitis'"),
        ({"io": "streaming"}, "io = 'streaming' is not valid, did you mean 'stream'"),
        ({"strategy": "fast"}, "strategy = 'fast' is not valid, valid names: latency, resource"),
        ({"reuse_factor": {"Y": 2}}, "reuse_factor = 'Y' is not valid, no such layer with multipliers"),
        ({"reuse_factor": 0}, "reuse_factor.* = 0 is not valid, it must be 1 or more"),
        ({"reuse_factor": {"y": 2.5}}, "reuse_factor of 'y' = 2.5 is not valid"),
        ({"clock_mhz": 0}, "clock_mhz = 0 is not valid, it must be a positive number"),
        ({"clock_mhz": 100, "clock_period": 10}, "give either clock_mhz or clock_period"),
        ({"project_name": "my project"}, "it must be a C\\+\\+ identifier"),
        ({"target": "xc vu13p"}, "it must be the name of a part"),
        ({"target": "X2O"}, "target = 'X2O' is not valid, it is a board, .* give for example 'xcvu13p-flga2577-2-e'"),
        (
            {"reuse_factor": {"y": 4}, "strategy": "resource"},
            "reuse_factor of 'y' = 4 is not valid, the nearest possible",
        ),
    ],
)
def test_settings(options: dict[str, Any], message: str, small_program: Program, tmp_path: Path) -> None:
    with pytest.raises(HlsSettingsError, match=message):
        ff.hls.write_project(small_program, tmp_path / "p", **options)
    assert os.listdir(tmp_path) == []


def test_a_reuse_factor_for_all_moves_to_the_nearest(
    small_program: Program, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    project = ff.hls.write_project(small_program, tmp_path / "p", reuse_factor=4, strategy="resource")
    assert project.settings.reuse_factor == {"y": 3}
    assert "reuse factor 4 is not possible, 3 is used" in caplog.text
    text = (project.directory / "firmware" / "parameters.h").read_text()
    assert "reuse_factor = 3;" in text


def test_settings_reach_the_files(small_program: Program, tmp_path: Path) -> None:
    project = ff.hls.write_project(
        small_program, tmp_path / "p", target="xcvu9p-flga2104-2L-e", clock_mhz=360, reuse_factor={"y": 2},
        project_name="tagger",
    )  # fmt: skip
    tcl = (project.directory / "project.tcl").read_text()
    assert 'set part "xcvu9p-flga2104-2L-e"' in tcl
    assert "set clock_period 2.777778" in tcl
    assert (project.directory / "firmware" / "tagger.cpp").exists()
    description = json.loads((project.directory / "project.json").read_text())
    assert description["settings"]["reuse_factor"] == {"y": 2}
    assert description["program"]["sha256"] == small_program.digest
    everything = b"".join(p.read_bytes() for p in project.directory.rglob("*") if p.is_file())
    assert b"/.p-" not in everything  # the temporary directory's name is nowhere


def test_load(small_project: ff.hls.Project, small_program: Program, tmp_path: Path) -> None:
    loaded = ff.hls.Project.load(small_project.directory)
    assert loaded.settings == small_project.settings
    assert loaded.program.digest == small_program.digest
    with pytest.raises(ProjectError, match=r"is not an HLS project: it has no project\.json"):
        ff.hls.Project.load(tmp_path)
    (tmp_path / "project.json").write_text('{"format": 1, "settings": {"io": "parallel"}}')
    with pytest.raises(ProjectError, match="is damaged"):
        ff.hls.Project.load(tmp_path)
    (tmp_path / "project.json").write_text('{"format": 99}')
    with pytest.raises(ProjectError, match="newer version"):
        ff.hls.Project.load(tmp_path)


def test_a_directory_of_something_else_is_not_replaced(small_program: Program, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("precious")
    with pytest.raises(HlsSettingsError, match="holds something else than an HLS project"):
        ff.hls.write_project(small_program, tmp_path / "thesis")
    ff.hls.write_project(small_program, tmp_path / "p")
    ff.hls.write_project(small_program, tmp_path / "p", io="stream")
    assert sorted(os.listdir(tmp_path)) == ["p", "thesis"]
    assert "nnet::array" in (tmp_path / "p" / "firmware" / "defines.h").read_text()


def test_a_failure_while_writing_leaves_the_old_project(
    small_program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ff.hls.write_project(small_program, tmp_path / "p")
    before = (tmp_path / "p" / "project.json").read_text()

    def fail(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("firmware_flows.hls.project.check_files", fail)
    with pytest.raises(KeyboardInterrupt):
        ff.hls.write_project(small_program, tmp_path / "p", io="stream")
    assert os.listdir(tmp_path) == ["p"]
    assert (tmp_path / "p" / "project.json").read_text() == before


@pytest.mark.parametrize(
    ("backend", "io"),
    [("Quartus", "stream"), ("oneAPI", "parallel"), ("oneAPI", "stream"), ("Catapult", "stream")],
)
def test_backends_that_are_written_only(backend: str, io: str, net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((6, 4), "ap_fixed<8,3,AP_RND,AP_SAT>")
    phi = n.relu(n.dense(x, 70, "phi"), "ap_ufixed<6,2,AP_RND,AP_SAT>", "r")
    total = n.leaky(n.pool(phi, "sum", "total"), "ap_fixed<9,5,AP_RND,AP_SAT>", 3, "leaky")
    program = n.build(n.dense(n.merge(total, n.pool(phi, "maximum", "m"), "add", "both"), 40, "y"))
    project = ff.hls.write_project(program, tmp_path / "p", backend=backend, io=io, reuse_factor=35)
    with pytest.raises(HlsSettingsError, match="its C\\+\\+ is written but not compiled here"):
        project.simulate(np.zeros((1, 6, 4)))
    with pytest.raises(MissingToolError, match=f"to synthesise a {backend} project"):
        project.build()
    for refused, message in (
        (n.quantize("y", "ap_fixed<1,1,AP_TRN,AP_SAT>", "bit"), "one bit as two"),
        (n.pool("r", "average", "mean"), "averages without the accumulator's type"),
        (n.merge("total", "m", "average", "half"), None if backend == "Quartus" else "does not halve exactly"),
    ):
        if message is None:
            continue
        with pytest.raises(HlsConversionError, match=message):
            ff.hls.write_project(n.build(refused), tmp_path / "q", backend=backend, io=io)


def test_a_layer_that_is_not_known(small_program: Program, tmp_path: Path) -> None:
    from dataclasses import replace

    layers = (small_program.layers[0], replace(small_program.layers[1], kind="Dnse"))
    with pytest.raises(HlsConversionError, match=r"layer 'y', kind = Dnse: .*did you mean 'Dense'"):
        ff.hls.write_project(replace(small_program, layers=layers), tmp_path / "p")


@pytest.mark.parametrize("kind", ["quantize", "relu", "leaky", "hard_sigmoid"])
def test_a_rounding_that_ends_the_vendors_simulation(kind: str, net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((3,), "ap_fixed<4,-1,AP_RND,AP_SAT>")
    t = "ap_fixed<4,12,AP_RND,AP_SAT>"
    make = {
        "quantize": lambda: n.quantize(x, t, "y"),
        "relu": lambda: n.relu(x, t, "y"),
        "leaky": lambda: n.leaky(x, t, 2, "y"),
        "hard_sigmoid": lambda: n.hard_sigmoid(x, t, "y"),
    }
    program = n.build(make[kind]())
    with pytest.raises(
        HlsConversionError, match=r"layer 'y', result = ap_fixed<4,12,AP_RND,AP_SAT>: .*give the result"
    ):
        ff.hls.write_project(program, tmp_path / "p")


@pytest.mark.parametrize("io", ["parallel", "stream"])
def test_a_number_without_an_axis(io: str, net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((), "ap_fixed<8,3,AP_RND,AP_SAT>")
    with pytest.raises(HlsConversionError, match=r"shape = \(\): .*\(1,\)"):
        ff.hls.write_project(n.build(n.relu(x, "ap_ufixed<8,3,AP_RND,AP_SAT>", "y")), tmp_path / "p", io=io)


def test_too_many_readers_of_a_stream(net: Any, tmp_path: Path) -> None:
    n = net()
    x = n.input((3,), "ap_fixed<8,3,AP_RND,AP_SAT>")
    program = n.build(*(n.dense(x, 2, f"y{i}") for i in range(8)))
    with pytest.raises(HlsConversionError, match="readers = 8: a stream feeds at most 7"):
        ff.hls.write_project(program, tmp_path / "p", io="stream")


def test_no_compiler(small_program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = ff.hls.write_project(small_program, tmp_path / "p")
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(MissingToolError, match=r"g\+\+ is needed to compile the HLS project") as caught:
        project.simulate(np.zeros((1, 3)))
    assert caught.value.exit_code == 3
    assert ff.hls.capabilities().compiler is None


@pytest.mark.cpp
def test_the_compilers_first_error_is_shown(small_program: Program, tmp_path: Path) -> None:
    project = ff.hls.write_project(small_program, tmp_path / "p")
    path = project.directory / "firmware" / "parameters.h"
    path.write_text(path.read_text().replace("typedef y_accum_t accum_t;", "typedef y_acum_t accum_t;"))
    with pytest.raises(ff.hls.CompileError) as caught:
        project.compile()
    assert caught.value.file == os.path.join("firmware", "parameters.h")
    assert "y_acum_t" in caught.value.message
    assert f"{caught.value.file}:{caught.value.line}: " in str(caught.value)
    assert list((project.directory / "simulation").glob("*.so")) == []


@pytest.mark.cpp
def test_missing_weights_do_not_end_the_process(small_project: ff.hls.Project, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(small_project.directory, copy)
    (copy / "firmware" / "weights" / "w2.txt").unlink()
    with pytest.raises(ProjectError, match=r"w2.txt is missing"):
        ff.hls.Project.load(copy).simulate(np.zeros((1, 3)))


@pytest.mark.cpp
def test_an_assert_in_the_cpp_does_not_end_the_process(small_program: Program, tmp_path: Path) -> None:
    project = ff.hls.write_project(small_program, tmp_path / "p")
    path = project.directory / "firmware" / "nnet_utils" / "nnet_dense_latency.h"
    path.write_text(path.read_text().replace("    data_T cache;", "    data_T cache; assert(data[0] == 7);", 1))
    with pytest.raises(
        ProjectError, match=r"refused its own configuration: .*nnet_dense_latency.h:\d+: data\[0\] == 7"
    ):
        project.simulate(np.zeros((1, 3)))


def test_capabilities() -> None:
    found = ff.hls.capabilities()
    assert found.can_write
    assert found.hls4ml
    assert set(found.vendor_tools) >= {"vitis-run", "vivado_hls"}


def test_import_is_light() -> None:
    code = "import sys, firmware_flows.hls; print([m for m in ('hls4ml','tensorflow','keras') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_writing_needs_no_tensorflow(small_project: ff.hls.Project, tmp_path: Path) -> None:
    code = (
        "import sys, firmware_flows as ff\n"
        f"ff.hls.write_project(ff.load_program({str(small_project.directory / 'program.ffp')!r}), sys.argv[1])\n"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "p")], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
