"""The gate of a bundle, a directory or an archive: is it whole, is it what it says, does it still compute its bits?"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows.budgets import Firmware, budget_checks, firmware_of
from firmware_flows.checks import Check, Gate, check, skipped
from firmware_flows.emulator import emulate
from firmware_flows.errors import FirmwareFlowsError, InputError, MissingToolError
from firmware_flows.files import hash_file
from firmware_flows.gate.drift import drift
from firmware_flows.gate.of_recipe import bit_checks, metric_checks
from firmware_flows.handoff.archive import extract_archive
from firmware_flows.handoff.bundle.manifest import MANIFEST, SUMS, BundleError, read_manifest, unlisted
from firmware_flows.handoff.golden import read_hex
from firmware_flows.handoff.lock import read_lock
from firmware_flows.processes import TimeIsOverError, run_limited
from firmware_flows.program import Program
from firmware_flows.reporting.metrics import check_metrics
from firmware_flows.rtl.ports import Port, ports_of
from firmware_flows.serialization import load_program

GROUP = "bundle"
BENCHES = "benches"
TIMEOUT = 3600.0
_MALFORMED = (OSError, ValueError, KeyError, TypeError, AttributeError)


def check_bundle(path: Path, *, lock: Path | None = None, compile_benches: bool = True) -> Gate:
    """Check a bundle. lock: one kept elsewhere, in place of the bundle's own. Raises ArchiveError, BundleError.

    compile_benches: run the bundle's CHECK.sh, that is, execute what it brings; MissingToolError without bash or g++.
    """
    with _opened(path) as root:
        manifest = read_manifest(root)
        checks = list(_files(root, manifest))
        # what is damaged may say anything: its own lines say so, and the rest is looked at as far as it can be read
        checks += _answers(root, manifest, lock)
        if compile_benches:
            checks += list(_benches(root))
        # an archive's files lie in a folder that is gone after this
        return Gate.of(
            str(manifest["name"]), (replace(c, message=c.message.replace(f"{root}{os.sep}", "")) for c in checks)
        )


@contextmanager
def _opened(path: Path) -> Iterator[Path]:
    """The bundle's directory; an archive is unpacked for the time of the check."""
    if path.is_dir():
        yield path
        return
    if not path.exists():
        raise BundleError(f"{path} does not exist")
    with tempfile.TemporaryDirectory(prefix="firmware-flows-") as directory:
        root = extract_archive(path, Path(directory))
        try:
            yield root
        except BundleError as error:
            raise BundleError(str(error).replace(str(root), str(path))) from None


def _files(root: Path, manifest: Mapping[str, Any]) -> Iterator[Check]:
    """Every file by its checksum, and nothing else but what builds leave."""
    wanted = {str(name): str(digest) for name, digest in manifest["files"].items()}
    outside = [n for n in wanted if n.startswith("/") or ".." in Path(n).parts]
    if outside:
        raise BundleError(f"{root / MANIFEST} names {outside[0]!r}, which is no file of the bundle")
    bad = 0
    if not (root / SUMS).is_file():
        bad += 1
        yield check(GROUP, f"file {SUMS}", False, f"{SUMS} is missing")
        sums = {**wanted, MANIFEST: hash_file(root / MANIFEST)}
    else:
        sums = _sums(root / SUMS)
    for name, digest in sorted({**wanted, MANIFEST: sums.get(MANIFEST, "")}.items()):
        path = root / name
        reason = None
        if not path.is_file():
            reason = "is missing"
        elif hash_file(path) != digest:
            reason = "is not the file that was handed off"
        elif sums.get(name) != digest:
            reason = f"has another checksum in {SUMS}"
        if reason is not None:
            bad += 1
            yield check(GROUP, f"file {name}", False, f"{name} {reason}")
    for name in unlisted(root, wanted):
        bad += 1
        yield check(GROUP, f"file {name}", False, f"{name} is no file of this bundle")
    if not bad:
        yield check(GROUP, "files", True, f"{len(wanted) + 1} files have their checksums")


def _sums(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return {}
    return {name: digest for digest, _, name in (line.partition("  ") for line in lines)}


def _answers(root: Path, manifest: Mapping[str, Any], lock: Path | None) -> Iterator[Check]:
    """The Program, its golden vectors, the lock, the report's promises, the budget."""
    try:
        program = load_program(root / "program.ffp")
    except FirmwareFlowsError as error:
        yield check("bits", "Program", False, str(error))
        return
    stated = manifest["program"]["sha256"]
    same = program.digest == stated
    text = f"program.ffp computes what the manifest says ({stated[:16]})"
    yield check(
        "bits", "Program", same, text if same else f"program.ffp is Program {program.digest[:16]}, not {stated[:16]}"
    )
    yield from _golden(root, program)
    try:
        yield from drift(program, read_lock(lock or root / "lock.json"))
    except InputError as error:
        if lock is not None:
            raise
        yield check("drift", "lock file", False, str(error))
    recipe, facts = manifest.get("recipe"), None
    if recipe is not None:
        try:
            facts = json.loads((root / "report" / "report.json").read_text(encoding="utf-8"))
            yield from bit_checks(facts["verification"])
            yield from metric_checks(check_metrics(facts["metrics"]["forms"], recipe["floors"], recipe["max_loss"]))
        except FirmwareFlowsError as error:
            yield check("metrics", "report", False, str(error))
        except _MALFORMED as error:
            yield check("metrics", "report", False, f"report/report.json cannot be read: {error!r}")
            facts = None
    try:
        firmware = _firmware(manifest, facts)
        if firmware is None:
            yield skipped("budget", "all", "neither HLS nor RTL is in the bundle")
        else:
            yield from budget_checks(program, firmware, (recipe or {}).get("budget"))
    except _MALFORMED as error:
        yield check("budget", "settings", False, f"{MANIFEST} does not state the firmware's settings: {error!r}")


def _golden(root: Path, program: Program) -> Iterator[Check]:
    """The Program on the vectors of the bundle gives the answers of the bundle."""
    inputs, outputs = ports_of(program)
    arrays: dict[str, list[Any]] = {"inputs": [], "outputs": []}
    for side, ports in (("inputs", inputs), ("outputs", outputs)):
        for port in ports:
            path = root / "vectors" / f"{side}_{port.name}.hex"
            if not path.is_file():
                yield check("bits", f"golden {port.name}", False, f"golden file vectors/{path.name} is missing")
                return
            try:
                arrays[side].append(read_hex(port, path.read_text(encoding="ascii")))
            except (InputError, ValueError) as error:
                yield check("bits", f"golden {port.name}", False, f"golden file vectors/{path.name}: {error}")
                return
    counts = {len(a) for a in (*arrays["inputs"], *arrays["outputs"])}
    if len(counts) != 1 or counts == {0}:
        yield check("bits", "golden vectors", False, f"golden files hold different numbers of events: {sorted(counts)}")
        return
    x = [p.type.to_float(m).astype(np.float32) for p, m in zip(inputs, arrays["inputs"], strict=True)]
    found = emulate(program, tuple(x) if len(x) > 1 else x[0], raw=True)
    results = found if isinstance(found, tuple) else (found,)
    for port, wanted, got in zip(outputs, arrays["outputs"], results, strict=True):
        yield _compared(port, wanted, got)


def _compared(port: Port, wanted: Any, got: Any) -> Check:
    flat, other = wanted.reshape(len(wanted), -1), np.asarray(got).reshape(len(got), -1)
    differing = np.argwhere(flat != other)
    if not len(differing):
        text = f"output {port.name!r}: {len(flat):,} golden events, every bit as the Program computes it"
        return check("bits", f"golden {port.name}", True, text)
    event, element = (int(k) for k in differing[0])
    text = (
        f"golden output {port.name!r}: event {event}, element {element} is {flat[event, element]} in the bundle and "
        f"{other[event, element]} by the Program"
    )
    return check("bits", f"golden {port.name}", False, text)


def _firmware(manifest: Mapping[str, Any], facts: Mapping[str, Any] | None) -> Firmware | None:
    if manifest.get("recipe") is not None and facts is not None:
        return firmware_of(manifest["recipe"], facts["rtl"], facts["synthesis"])
    rtl, hls = manifest["forms"]["rtl"], manifest["forms"]["hls"]
    if hls is not None:
        return Firmware(
            "hls", hls["target"], round(1e3 / hls["clock_period"], 6), hls["strategy"], hls["reuse_factor"] or 1,
            hls["io"], hls["backend"],
        )  # fmt: skip
    if rtl is not None:
        stated = {"stated": {"latency_cycles": rtl["pipeline_depth"], "source": "the generator's pipeline"}}
        return Firmware("rtl", rtl["target"], rtl["clock_mhz"], rtl=stated)
    return None


_LINE = re.compile(r"(PASS|FAIL) ([^:]*): (.*)")


def _benches(root: Path) -> Iterator[Check]:
    """The lines of CHECK.sh about test benches; what it says of checksums has been said."""
    for tool in ("bash", os.environ.get("CXX") or "g++"):
        if shutil.which(tool) is None:
            raise MissingToolError(tool, "to run the bundle's test benches", "install it, or give --no-compile")
    script = root / "CHECK.sh"
    if not script.is_file():
        return
    try:
        with tempfile.TemporaryFile() as output:
            code = run_limited(["bash", script], output, TIMEOUT)
            output.seek(0)
            lines = output.read().decode("utf-8", errors="replace").splitlines()
    except TimeIsOverError:
        yield check(BENCHES, "CHECK.sh", False, f"CHECK.sh was stopped after {TIMEOUT:g} s")
        return
    failed = 0
    for line in lines:
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        failed += found[1] == "FAIL"
        if not found[2].startswith("checksum"):
            yield check(BENCHES, found[2], found[1] == "PASS", f"{found[2]}: {found[3]}")
    if code not in (0, 1) or (code == 1) != bool(failed):
        last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
        yield check(BENCHES, "CHECK.sh", False, f"CHECK.sh ended with {code}: {last}")
