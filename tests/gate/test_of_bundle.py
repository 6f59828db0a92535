"""`check` on bundles: every way to fail, its exit code and its one line."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from firmware_flows.cli.main import run
from firmware_flows.files import hash_file
from firmware_flows.handoff.archive import write_archive
from firmware_flows.handoff.bundle import from_program, write_bundle
from firmware_flows.handoff.lock import lock_of, write_lock
from firmware_flows.program import Program
from firmware_flows.serialization import load_program

Captured = pytest.CaptureFixture[str]
QUICK = "--no-compile"


@pytest.fixture
def bundle(pristine: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(pristine, tmp_path / "bundle"))


@pytest.fixture
def check(capsys: Captured) -> Callable[..., tuple[int, str, list[str]]]:
    """Exit code, standard output, and the lines of standard error."""

    def call(*arguments: object) -> tuple[int, str, list[str]]:
        code = run(["check", *map(str, arguments)])
        found = capsys.readouterr()
        return code, found.out, found.err.splitlines()

    return call


Check = Callable[..., tuple[int, str, list[str]]]


def resign(root: Path) -> None:
    manifest = json.loads((root / "manifest.json").read_text())
    manifest["files"] = {name: hash_file(root / name) for name in manifest["files"] if (root / name).exists()}
    (root / "manifest.json").write_text(json.dumps(manifest))
    sums = {**manifest["files"], "manifest.json": hash_file(root / "manifest.json")}
    (root / "SHA256SUMS").write_text("".join(f"{h}  {n}\n" for n, h in sums.items()))


def with_weight(program: Program, change: int) -> Program:
    """The same network, one weight of the last layer changed, in the instruction and in the layer."""
    instructions, layers = list(program.instructions), list(program.layers)
    k = layers[-1].value
    weights = np.array(instructions[k].weights)
    weights[0, 0] += change
    instructions[k] = replace(instructions[k], weights=weights)
    layers[-1] = replace(layers[-1], arrays={**layers[-1].arrays, "weight": weights})
    return replace(program, instructions=tuple(instructions), layers=tuple(layers))


def with_narrower_relu(program: Program) -> Program:
    """The same network, its activation without the highest bit."""
    instructions, layers = list(program.instructions), list(program.layers)
    k = layers[2].value
    t = replace(instructions[k].type, width=5, integer=1)
    instructions[k] = replace(instructions[k], type=t)
    layers[2] = replace(layers[2], types={**layers[2].types, "result": t})
    return replace(program, instructions=tuple(instructions), layers=tuple(layers))


@pytest.mark.cpp
def test_a_whole_bundle_passes_as_directory_and_as_archive(pristine: Path, check: Check, tmp_path: Path) -> None:
    archive = write_archive(pristine, tmp_path / "bundle.tar.gz")
    code, out, errors = check(archive, "--junit", tmp_path / "junit.xml")
    assert (code, errors) == (0, [])
    for text in ("benches: HLS C++:", "drift: Program", "bits: output 'y'", "bundle:", "budget: LUT"):
        assert f"ok      {text}" in out
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root.get("failures") == "0"
    assert {s.get("name") for s in root} == {"bundle", "bits", "drift", "budget", "benches"}
    assert (
        sum(int(str(s.get("tests"))) for s in root) == int(str(root.get("tests"))) == len(root.findall(".//testcase"))
    )
    code, out, _ = check(pristine, "--json", QUICK)
    assert code == 0
    assert json.loads(out)["passed"] is True


def test_a_changed_file_and_a_missing_golden_file_are_named(bundle: Path, check: Check, tmp_path: Path) -> None:
    content = bytearray((bundle / "rtl/README.txt").read_bytes())
    content[5] ^= 4
    (bundle / "rtl/README.txt").write_bytes(bytes(content))
    (bundle / "vectors/outputs_y.hex").unlink()
    code, _, errors = check(bundle, QUICK, "--junit", tmp_path / "junit.xml")
    assert code == 1
    assert errors == [
        "A check failed: bundle: rtl/README.txt is not the file that was handed off",
        "A check failed: bundle: vectors/outputs_y.hex is missing",
        "A check failed: bits: golden file vectors/outputs_y.hex is missing",
    ]
    root = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert root.get("failures") == "3"
    assert sorted(f"A check failed: {f.get('message')}" for f in root.iter("failure")) == sorted(
        e.replace("bundle: ", "").replace("bits: ", "") for e in errors
    )


def test_a_golden_answer_that_is_wrong_is_located(bundle: Path, check: Check) -> None:
    path = bundle / "vectors/outputs_y.hex"
    lines = path.read_text().splitlines()
    lines[7] = lines[7][:-1] + f"{int(lines[7][-1], 16) ^ 1:x}"
    path.write_text("\n".join(lines) + "\n")
    resign(bundle)
    code, _, errors = check(bundle, QUICK)
    assert code == 1
    assert len(errors) == 1
    assert "golden output 'y': event 7, element 0 is" in errors[0]


@pytest.mark.parametrize(("change", "phrase"), [("weight", "weight changed"), ("type", "type of result was ")])
def test_a_changed_weight_or_type_is_drift_whatever_the_checksums_say(
    bundle: Path, check: Check, change: str, phrase: str
) -> None:
    program = load_program(bundle / "program.ffp")
    if change == "weight":
        changed, layer = with_weight(program, 1), "dense_1"
    else:
        changed, layer = with_narrower_relu(program), "relu_0"
    changed.save(bundle / "program.ffp")
    resign(bundle)
    code, _, errors = check(bundle, QUICK)
    assert code == 1
    (drift,) = [e for e in errors if "drift: Program" in e]
    assert f"layer {layer!r}: {phrase}" in drift
    assert any("bits: program.ffp is Program" in e for e in errors)


def test_a_lock_kept_elsewhere_is_what_counts(pristine: Path, check: Check, tmp_path: Path) -> None:
    program = load_program(pristine / "program.ffp")
    write_lock(tmp_path / "good.lock.json", lock_of(program))
    write_lock(tmp_path / "old.lock.json", lock_of(with_weight(program, -1)))
    assert check(pristine, QUICK, "--lock", tmp_path / "good.lock.json")[0] == 0
    code, _, errors = check(pristine, QUICK, "--lock", tmp_path / "old.lock.json")
    assert code == 1
    assert any("layer 'dense_1': weight changed" in e for e in errors)
    code, _, errors = check(pristine, QUICK, "--lock", tmp_path / "none.lock.json")
    assert code == 2
    assert "none.lock.json cannot be read" in errors[0]


def test_a_truncated_archive_and_one_that_climbs_out_end_with_2(pristine: Path, check: Check, tmp_path: Path) -> None:
    content = write_archive(pristine, tmp_path / "b.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    code, _, errors = check(tmp_path / "cut.tar.gz")
    assert (code, len(errors)) == (2, 1)
    assert "cut.tar.gz is truncated or no archive" in errors[0]
    with tarfile.open(tmp_path / "evil.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("bundle/../../evil.txt")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    code, _, errors = check(tmp_path / "evil.tar.gz")
    assert (code, len(errors)) == (2, 1)
    assert "'bundle/../../evil.txt' climbs out of its folder; nothing was unpacked" in errors[0]


def test_what_is_no_bundle_ends_with_2(bundle: Path, check: Check, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, phrase in ((tmp_path / "empty", "is no bundle"), (tmp_path / "none", "does not exist")):
        code, _, errors = check(path)
        assert (code, len(errors)) == (2, 1)
        assert phrase in errors[0]
    (bundle / "manifest.json").write_text((bundle / "manifest.json").read_text()[:300])
    code, _, errors = check(bundle, QUICK)
    assert (code, len(errors)) == (2, 1)
    assert "manifest.json is damaged" in errors[0]
    assert check(bundle, "--update")[0] == 2


def test_a_manifest_that_says_something_else_is_never_a_trace(bundle: Path, check: Check) -> None:
    whole = json.loads((bundle / "manifest.json").read_text())
    for key, value, code, phrase in (
        ("files", [], 2, "manifest.json is damaged (files: Input should be a valid dictionary)"),
        ("program", {}, 2, "manifest.json is damaged (program.sha256: Field required)"),
        ("forms", {"hls": {}, "rtl": None}, 1, "does not state the firmware's settings"),
        ("recipe", {"floors": {}, "max_loss": {}}, 1, "report/report.json cannot be read"),
    ):
        (bundle / "manifest.json").write_text(json.dumps({**whole, key: value}))
        found, _, errors = check(bundle, QUICK)
        assert found == code
        assert phrase in errors[-1]
    (bundle / "manifest.json").write_text(json.dumps(whole))
    (bundle / "SHA256SUMS").unlink()
    assert check(bundle, QUICK)[::2] == (1, ["A check failed: bundle: SHA256SUMS is missing"])


def test_files_that_no_manifest_names(bundle: Path, check: Check, tmp_path: Path) -> None:
    """A header that lies beside the others could stand in for one of them; what builds leave could not."""
    for name in ("rtl/build_vivado/a.dcp", "hls/firmware_prj/x/y", "cmssw/lib64/a.so", ".Xil/a", "vivado.log"):
        (bundle / name).parent.mkdir(parents=True, exist_ok=True)
        (bundle / name).touch()
    assert check(bundle, QUICK)[0] == 0
    (bundle / "hls/ap_fixed.h").write_text("#define evil")
    for subject in (bundle, write_archive(bundle, tmp_path / "b.tar.gz")):
        code, _, errors = check(subject, QUICK)
        assert code == 1
        assert errors == ["A check failed: bundle: hls/ap_fixed.h is no file of this bundle"]
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["../outside"] = hashlib.sha256(b"").hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    assert check(bundle, QUICK)[0] == 2


def verification(compared: int, differing: int) -> dict[str, object]:
    return {
        "passed": bool(compared and not differing),
        "forms": [{"name": "HLS C++", "compared": compared, "differing": differing, "reason": ""}],
        "divergences": [{"form": "HLS C++", "layer": "hidden", "event": 3}] if differing else [],
    }


def test_promises_of_the_recipe_are_kept_or_named(small_program: Program, check: Check, tmp_path: Path) -> None:
    """A metric under its floor and a budget exceeded, in a bundle that was made of a recipe's run."""
    facts = {
        "verification": verification(10, 0),
        "metrics": {"forms": {"bit-accurate": {"accuracy": 0.7}}, "checks": []},
        "rtl": None,
        "synthesis": None,
    }
    hls = {"target": "xcvu13p-2", "clock_mhz": 360.0, "strategy": "latency", "reuse_factor": 1, "io": "parallel"}
    recipe = {
        "hls": {**hls, "backend": "Vitis"},
        "rtl": None,
        "floors": {"bit-accurate.accuracy": 0.6},
        "max_loss": {},
        "budget": {"lut": 10**6},
    }
    root = write_bundle(from_program(small_program, None, None), tmp_path / "bundle", random_events=20)

    def told(**changes: object) -> tuple[int, list[str]]:
        (root / "report").mkdir(exist_ok=True)
        (root / "report/report.json").write_text(json.dumps(facts))
        manifest = json.loads((root / "manifest.json").read_text())
        manifest["files"]["report/report.json"] = ""
        manifest["recipe"] = {**recipe, **changes}
        (root / "manifest.json").write_text(json.dumps(manifest))
        resign(root)
        code, _, errors = check(root, QUICK)
        return code, errors

    assert told() == (0, [])
    assert told(floors={"bit-accurate.accuracy": 0.71}) == (
        1,
        ["A check failed: metrics: bit-accurate accuracy is 0.7, wanted at least 0.71"],
    )
    code, errors = told(budget={"lut": 3})
    assert (code, len(errors)) == (1, 1)
    assert errors[0].startswith("A check failed: budget: LUT ")
    assert errors[0].endswith("exceeds 3 (the recipe's budget)")
    facts["verification"] = verification(10, 2)
    assert told() == (
        1, ["A check failed: bits: HLS C++: 2 of 10 events differ from the Program, first: layer hidden, event 3"]
    )  # fmt: skip
    facts["verification"] = verification(0, 0)
    assert told() == (1, ["A check failed: bits: no form of the network was compared with the Program"])


@pytest.mark.cpp
def test_a_difference_that_only_the_benches_see(bundle: Path, check: Check) -> None:
    (header,) = bundle.glob("emulator/*.hpp")
    text = header.read_text()
    header.write_text(text.replace("bias_1[6] = {", "bias_1[6] = {64+"))
    assert header.read_text() != text
    for name in ("hls", "weights"):
        (bundle / f"benches/{name}_bench.cpp").write_text("int main() { return 0; }\n")
    shutil.rmtree(bundle / "cmssw")
    resign(bundle)
    code, _, errors = check(bundle)
    assert code == 1
    assert any(e.startswith("A check failed: benches: emulator header: event ") for e in errors)
    assert any(e.startswith("A check failed: benches: CMSSW emulator: does not compile") for e in errors)


def test_a_missing_compiler_ends_with_3(pristine: Path, check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    code, _, errors = check(pristine)
    assert code == 3
    assert "no-such-compiler is needed to run the bundle's test benches" in errors[0]
