"""The emulator package: two models in one process, every bit, and no symbol shared between them."""

from __future__ import annotations

import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from firmware_flows.builder import Builder
from firmware_flows.errors import InputError
from firmware_flows.fixed_point import FixedPoint
from firmware_flows.handoff.cmssw import Model, write_package
from firmware_flows.program import Program

pytestmark = pytest.mark.cpp


def network(seed: int, sizes: tuple[int, ...] = (6, 9, 4)) -> Program:
    """Layers and values of the same names, other weights."""
    random = np.random.default_rng(seed)
    b = Builder("tagger")
    b.begin_layer("x", "Input")
    value = b.input("x", (sizes[0],), FixedPoint.parse("ap_fixed<9,4,AP_RND_CONV,AP_SAT>"))
    b.end_layer(value)
    for k, (n_in, n_out) in enumerate(pairwise(sizes)):
        b.begin_layer(f"dense_{k}", "Dense", ["x"])
        value = b.affine(value, random.integers(-15, 16, (n_in, n_out)), 4, random.integers(-9, 9, n_out), 4)
        value = b.cast(value, FixedPoint.parse("ap_fixed<8,4,AP_RND,AP_SAT>"))
        b.end_layer(value)
    return b.build({"y": value})


def two_inputs() -> Program:
    b = Builder("pair")
    values = []
    for name in ("a", "b"):
        b.begin_layer(name, "Input")
        values.append(b.input(name, (3,), FixedPoint(7, 3)))
        b.end_layer(values[-1])
    b.begin_layer("all", "Concatenate", ["a", "b"])
    joined = b.rearrange(values, np.arange(6))
    b.end_layer(joined)
    b.begin_layer("y", "Dense", ["all"])
    y = b.affine(joined, np.arange(12).reshape(6, 2) - 5, 2, np.array([3, -7]), 2)
    b.end_layer(y)
    return b.build({"y": y, "all": joined})


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("package")
    random = np.random.default_rng(0)
    events = random.normal(0, 4, (200, 6)).astype(np.float32)
    pairs = [random.normal(0, 4, (50, 3)).astype(np.float32) for _ in range(2)]
    write_package(
        [
            Model("Tagger", network(1), events),
            Model("Tagger", network(2), events, "v1"),
            Model("Pair", two_inputs(), tuple(pairs)),
        ],
        directory,
    )
    subprocess.run(["make", "-s", "all"], cwd=directory, check=True, timeout=200)
    return directory


def _test(directory: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", "-s", "test"], cwd=directory, capture_output=True, text=True, check=False)


def test_models_loaded_together_compute_their_own_bits(package: Path) -> None:
    done = _test(package)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 3
    assert "PASS Tagger_v1: 200 events" in done.stdout


def test_only_the_two_names_of_the_interface_are_exported(package: Path) -> None:
    for library in sorted((package / "lib64").glob("*.so")):
        listed = subprocess.run(
            ["nm", "-D", "-C", "--defined-only", str(library)], capture_output=True, text=True, check=True
        )
        names = {line.split(maxsplit=2)[2] for line in listed.stdout.splitlines()}
        assert names == {"create_model", "destroy_model"}, library.name


def test_models_that_do_answer_for_each_other_are_noticed(package: Path, tmp_path: Path) -> None:
    """What the clash of symbols did: one model's answers under the other's name."""
    mixed = tmp_path / "mixed"
    shutil.copytree(package, mixed)
    shutil.copy(mixed / "lib64/Tagger_v0.so", mixed / "lib64/Tagger_v1.so")
    vectors = "Tagger/Tagger"
    done = subprocess.run(
        ["./host", "lib64/Tagger_v0", f"{vectors}_v0/vectors.txt", "lib64/Tagger_v1", f"{vectors}_v1/vectors.txt"],
        cwd=mixed, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "FAIL Tagger_v1: event 0, output 0, element" in done.stdout


def test_one_flipped_bit_of_the_vectors_fails(package: Path, tmp_path: Path) -> None:
    flipped = tmp_path / "flipped"
    shutil.copytree(package, flipped)
    vectors = flipped / "Tagger/Tagger_v0/vectors.txt"
    lines = vectors.read_text().splitlines()
    words = lines[100].split()
    words[-1] = (float.fromhex(words[-1]) + 2.0**-4).hex()
    lines[100] = " ".join(words)
    vectors.write_text("\n".join(lines) + "\n")
    done = _test(flipped)
    assert done.returncode != 0
    assert "FAIL Tagger_v0: event 99, output 0, element 3" in done.stdout


def test_a_missing_model_and_cut_vectors_are_errors(package: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.txt"
    cut.write_text("\n".join((package / "Tagger/Tagger_v0/vectors.txt").read_text().splitlines()[:2])[:-20])
    for model, vectors, message in (("lib64/None", cut, "cannot load"), ("lib64/Tagger_v0", cut, "event 0 has")):
        done = subprocess.run(["./host", model, str(vectors)], cwd=package, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert message in done.stderr


@pytest.mark.parametrize(("name", "version"), [("a-b", "v0"), ("9a", "v0"), ("a", "0")])
def test_names_that_no_library_can_have(name: str, version: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="names no emulator"):
        write_package([Model(name, network(1), np.zeros((1, 6), np.float32), version)], tmp_path)


def test_ap_types_and_mantissas_pass_through_any(package: Path, tmp_path: Path) -> None:
    """As an experiment calls it: ap_fixed arrays, and mantissas, in std::any."""
    hls4ml = pytest.importorskip("hls4ml")
    ap_types = Path(hls4ml.__file__).parent / "templates/vivado/ap_types"
    directory = tmp_path / "ap"
    shutil.copytree(package, directory)
    (directory / "lib64/Tagger_v0.so").unlink()
    subprocess.run(["make", "-s", "-C", "Tagger/Tagger_v0", f"AP_TYPES={ap_types}"], cwd=directory, check=True)
    (directory / "call.cpp").write_text(_CALL)
    subprocess.run(
        ["g++", "-std=c++17", "-Iinclude", f"-I{ap_types}", "call.cpp", "-o", "call", "-ldl"], cwd=directory, check=True
    )
    done = subprocess.run(["./call"], cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_interface_and_loader_of_an_experiment_do_as_well(package: Path, tmp_path: Path) -> None:
    """Theirs includes nothing but <any>, and their loader closes the library when it goes."""
    directory = tmp_path / "theirs"
    shutil.copytree(package, directory)
    ours = (directory / "include/hls4ml/emulator.h").read_text()
    interface = ours[ours.index("namespace") : ours.index("typedef")]
    bare = directory / "bare/hls4ml/emulator.h"
    bare.parent.mkdir(parents=True)
    bare.write_text(f"#pragma once\n#include <any>\n{interface}}}\n")
    (directory / "lib64/Tagger_v0.so").unlink()
    subprocess.run(["make", "-s", "-C", "Tagger/Tagger_v0", f"EXTRAS={directory}/bare"], cwd=directory, check=True)
    closing = directory / "closing/hls4ml/emulator.h"
    closing.parent.mkdir(parents=True)
    closing.write_text(f"#pragma once\n{_CLOSING}{interface}{_LOADER}}}\n")
    subprocess.run(
        ["g++", "-std=c++17", "-Iclosing", "host.cpp", "-o", "host", "-ldl"], cwd=directory, check=True, timeout=100
    )
    done = subprocess.run(
        ["./host", "lib64/Tagger_v0", "Tagger/Tagger_v0/vectors.txt"],
        cwd=directory, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


_CLOSING = "#include <any>\n#include <dlfcn.h>\n#include <memory>\n#include <string>\n"
_LOADER = """
class ModelLoader {
  public:
    ModelLoader(std::string const& name) : name_(name) {}
    ModelLoader(ModelLoader const&) = delete;
    ~ModelLoader() { dlclose(library_); }
    std::shared_ptr<Model> load_model() {
        library_ = dlopen((name_ + ".so").c_str(), RTLD_LAZY | RTLD_LOCAL);
        auto create = (Model* (*)()) dlsym(library_, "create_model");
        auto destroy = (void (*)(Model*)) dlsym(library_, "destroy_model");
        return std::shared_ptr<Model>(create(), destroy);
    }

  private:
    std::string name_;
    void* library_ = nullptr;
};
"""

_CALL = """
#include "ap_fixed.h"
#include "hls4ml/emulator.h"
#include <cstdint>
#include <cstdio>
int main() {
    hls4mlEmulator::ModelLoader loader("lib64/Tagger_v0");
    auto model = loader.load_model();
    for (int event = 0; event < 100; ++event) {
        ap_fixed<9, 4, AP_RND_CONV, AP_SAT> x[6];  // input_t and result_t of the HLS project
        ap_fixed<8, 4, AP_RND, AP_SAT> y[4];
        ap_fixed<9, 4> bits[6];
        ap_fixed<8, 4> same[4];
        float real[6];
        std::int64_t mantissas[6], found[4];
        double wanted[4];
        for (int k = 0; k < 6; ++k) {
            mantissas[k] = (event * 37 + k * 101) % 512 - 256;
            x[k].range() = bits[k].range() = mantissas[k];
            real[k] = float(mantissas[k]) / 32;
        }
        model->prepare_input(static_cast<float*>(real));
        model->predict();
        model->read_result(static_cast<double*>(wanted));
        model->prepare_input(&x[0]);
        model->predict();
        model->read_result(&y[0]);
        model->prepare_input(&bits[0]);
        model->predict();
        model->read_result(&same[0]);
        model->prepare_input(static_cast<std::int64_t*>(mantissas));
        model->predict();
        model->read_result(static_cast<std::int64_t*>(found));
        for (int k = 0; k < 4; ++k)
            for (double got : {double(y[k]), double(same[k]), double(found[k]) / 16})
                if (got != wanted[k]) return 1;
    }
    try {
        model->prepare_input(3);
    } catch (const std::invalid_argument&) {
        return 0;
    }
    return 1;
}
"""
