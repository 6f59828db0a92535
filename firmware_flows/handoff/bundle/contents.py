"""Writing a bundle: every part into a temporary directory, then checksums, then its final name."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from math import ceil, floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_flows import __version__
from firmware_flows.errors import InputError
from firmware_flows.files import write_json, write_text
from firmware_flows.handoff.bench import emulator_bench, hls_bench, vendor_bench, weights_bench
from firmware_flows.handoff.bench.sources import FLOAT_BITS
from firmware_flows.handoff.bundle.check_script import Bench, check_script, cmssw_text
from firmware_flows.handoff.bundle.copies import copy_design, copy_project
from firmware_flows.handoff.bundle.manifest import MANIFEST, SUMS, files_below, read_manifest, write_manifest
from firmware_flows.handoff.bundle.pattern_files import write_patterns
from firmware_flows.handoff.bundle.readme import readme
from firmware_flows.handoff.bundle.source import BundleSource
from firmware_flows.handoff.cmssw import Model, write_package
from firmware_flows.handoff.cmssw.package import FLAGS
from firmware_flows.handoff.cpp import header_text, namespace_of
from firmware_flows.handoff.golden import Golden, golden_vectors, write_hex
from firmware_flows.handoff.interface import (
    Interface,
    Stated,
    hls_interface,
    rtl_interface,
    to_ipxact,
    to_markdown,
)
from firmware_flows.handoff.interface.from_hls import AMD, top_variables
from firmware_flows.handoff.lock import RANDOM_EVENTS, SEED, lock_of

if TYPE_CHECKING:
    from firmware_flows.hls import Project
    from firmware_flows.rtl import Design

INCLUDES = ("ap_types", "ac_types", "ac_types/include", "ac_math/include", "ac_simutils/include", "nnet_utils")
"""Folders of headers that the backends bring, below hls/firmware."""

WEIGHTS = '-DWEIGHTS_DIR="\\"$root/hls/firmware/weights\\""'


def write_bundle(
    source: BundleSource,
    directory: Path,
    *,
    random_events: int = RANDOM_EVENTS,
    seed: int = SEED,
    version: str = "v0",
) -> Path:
    """Write everything; nothing is left behind if that fails, and equal sources give equal bytes.

    version: of the CMSSW emulator. An existing bundle in `directory` is replaced; any other non-empty directory is
    refused with InputError.
    """
    path = directory.resolve()
    _check_directory(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        temporary.chmod(0o755)
        _fill(source, temporary, random_events, seed, version)
        if path.exists():
            shutil.rmtree(path)
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def _check_directory(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; choose another directory")
    if path.is_dir() and any(path.iterdir()):
        if not (path / MANIFEST).is_file():
            raise InputError(f"{path} holds something else than a bundle: choose another directory")
        read_manifest(path)


def _fill(source: BundleSource, root: Path, random_events: int, seed: int, version: str) -> None:
    program = source.program
    golden = golden_vectors(program, source.data, random_events, seed)
    vectors = [p.relative_to(root).as_posix() for p in write_hex(golden, root / "vectors")]
    write_patterns(golden, root / "patterns")
    program.save(root / "program.ffp")
    write_text(root / "program.txt", program.to_text())
    write_json(root / "lock.json", lock_of(program, random_events, seed))
    paragraphs = _emulator(source, root, golden, version)
    if source.project is not None:
        paragraphs += _hls(source.project, root, golden)
        cycles = _vendor_cycles(source.facts) or _estimated_cycles(source.project)
        _interface(hls_interface(source.project, *cycles), root, "hls")
    if source.design is not None:
        copy_design(source.design, root / "rtl")
        interface = rtl_interface(source.design, *_measured(source.facts))
        _interface(interface, root, "rtl")
        sources = [f"../rtl/{s.as_posix()}" for s in source.design.sources]
        xml = to_ipxact(interface, source.design.language, sources, program.digest[:12])
        write_text(root / "interface" / "rtl.xml", xml)
    _report(source, root)
    cmssw = any(p.startswith('\nif build "CMSSW') for p in paragraphs)
    write_text(root / "README.md", readme(source, golden, namespace_of(program), cmssw=cmssw))
    # one line of SHA256SUMS for each file that is there now, for CHECK.sh itself and for the manifest
    script = check_script(paragraphs, vectors, len(files_below(root)) + 2)
    write_text(root / "CHECK.sh", script)
    (root / "CHECK.sh").chmod(0o755)
    write_manifest(root, _facts(source, golden, random_events, seed))
    assert len((root / SUMS).read_text(encoding="utf-8").splitlines()) == len(files_below(root)) - 1


def _emulator(source: BundleSource, root: Path, golden: Golden, version: str) -> list[str]:
    """The header, its test bench, and the package for CMSSW; paragraphs of CHECK.sh."""
    program = source.program
    header, namespace = header_text(program), namespace_of(program)
    write_text(root / "emulator" / f"{namespace}.hpp", header)
    write_text(root / "benches" / "emulator_bench.cpp", emulator_bench(program, f"../emulator/{namespace}.hpp"))
    paragraphs = [Bench("emulator header", "emulator", "-std=c++17 -O1 benches/emulator_bench.cpp").text()]
    if "inline void emulate(" not in header:  # outputs that no double holds: the interface could not give them
        return paragraphs
    name = re.sub(r"\W+", "_", source.name, flags=re.ASCII).strip("_") or "network"
    model = Model(name if name[0].isalpha() else f"n_{name}", program, _events(golden), version)
    write_package([model], root / "cmssw")
    paragraphs.append(cmssw_text(f"cmssw/{model.name}/{model.library}", model.library, FLAGS))
    return paragraphs


def _events(golden: Golden) -> Any:
    return tuple(golden.inputs) if len(golden.inputs) > 1 else golden.inputs[0]


def _hls(project: Project, root: Path, golden: Golden) -> list[str]:
    """The project, its test benches and script; paragraphs of CHECK.sh."""
    from firmware_flows.hls.bridge import can_simulate

    copy_project(project, root / "hls", golden)
    includes = ["-Ihls", *(f"-Ihls/firmware/{n}" for n in INCLUDES if (root / "hls/firmware" / n).is_dir())]
    flags = " ".join(["-std=c++17 -O1 -pthread", *includes, WEIGHTS])
    paragraphs, settings = [], project.settings
    read = [port.name for port in project.plan.inputs]
    narrow = all(p.type.width - p.type.signed <= FLOAT_BITS for p in project.program.inputs)
    if can_simulate(settings) and narrow:
        text = hls_bench(project.program, "../hls/simulation/simulation.cpp", read)
        write_text(root / "benches" / "hls_bench.cpp", text)
        paragraphs.append(Bench("HLS C++", "hls", f"{flags} benches/hls_bench.cpp").text())
    if any((root / "hls/firmware/weights").glob("*.txt")):
        write_text(root / "benches" / "weights_bench.cpp", weights_bench())
        options = "-std=c++17 -O1 benches/weights_bench.cpp"
        paragraphs.append(Bench("HLS weights", "weights", options, "hls/firmware/weights/*.h").text())
    if settings.backend in AMD:
        text = vendor_bench(
            project.program, f"../hls/firmware/{settings.project_name}.h", settings.project_name,
            top_variables(project), stream=settings.io == "stream", read=read,
        )  # fmt: skip
        write_text(root / "benches" / "hls_top_bench.cpp", text)
        if not narrow:  # the bridge takes float32; this bench takes mantissas
            options = f"{flags} benches/hls_top_bench.cpp hls/firmware/{settings.project_name}.cpp"
            paragraphs.append(Bench("HLS top function", "hls_top", options).text())
        script = files("firmware_flows.handoff.bundle").joinpath("hls.tcl").read_text(encoding="utf-8")
        write_text(root / "scripts" / "hls.tcl", script.replace("@top@", settings.project_name))
    return paragraphs


def _interface(interface: Interface, root: Path, form: str) -> None:
    write_json(root / "interface" / f"{form}.json", interface.to_json())
    write_text(root / "interface" / f"{form}.md", to_markdown(interface))


def _measured(facts: Mapping[str, Any] | None) -> tuple[Any, ...]:
    """Latency and interval from simulation, and the simulator, where the run measured them."""
    found = (facts or {}).get("rtl") and (facts or {})["rtl"]["measured"]
    if not found:
        return ()
    return (found["latency_cycles"], found["initiation_interval"]), found["source"]


def _vendor_cycles(facts: Mapping[str, Any] | None) -> tuple[Stated, ...]:
    """Latency and interval as a vendor's HLS report states them."""
    for result in ((facts or {}).get("synthesis") or {}).get("results", ()):
        latency = result.get("latency")
        if latency and result["origin"].get("stage") == "HLS estimate" and latency["maximum"] is not None:
            source = result["origin"]["text"]
            return Stated(latency["maximum"], source), Stated(latency["interval_maximum"], source)
    return ()


def _estimated_cycles(project: Project) -> tuple[Stated, ...]:
    """Latency and interval as estimated; nothing for a device that the estimator does not know."""
    from firmware_flows.budgets import Firmware, estimate_of
    from firmware_flows.targets import UnknownTargetError, find_target

    s = project.settings
    try:
        place = find_target(s.target)
    except UnknownTargetError:
        return ()
    firmware = Firmware("hls", s.target, 1e3 / s.clock_period, s.strategy, s.reuse_factor or 1, s.io, s.backend)
    answer = estimate_of(project.program, firmware, place)
    return tuple(
        Stated(
            round(quantity.value),
            f"estimated, {ceil(quantity.low)} to {floor(quantity.high)} with {answer.coverage:.0%}; "
            "the tool's report states it",
        )
        for quantity in (answer.synthesis.latency, answer.synthesis.interval)
    )


def _report(source: BundleSource, root: Path) -> None:
    if source.recipe_text is not None:
        write_text(root / "recipe.yaml", source.recipe_text)
    if source.facts is not None:
        write_json(root / "report" / "report.json", source.facts)
    for name, content in source.report.items():
        path = root / "report" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            shutil.copyfile(content, path)
        else:
            write_text(path, content)


def _facts(source: BundleSource, golden: Golden, random_events: int, seed: int) -> dict[str, Any]:
    project, design = source.project, source.design
    return {
        "name": source.name,
        "written_by": f"firmware-flows {__version__}",
        "program": {"name": source.program.name, "sha256": source.program.digest},
        "forms": {
            "hls": None if project is None else project.settings.to_json(),
            "rtl": None if design is None else _design_facts(design),
        },
        "vectors": {
            "random_events": random_events,
            "seed": seed,
            "events": golden.events,
            "groups": golden.groups,
        },
        "recipe": None if source.recipe is None else dict(source.recipe),
        "provenance": dict(source.provenance),
    }


def _design_facts(design: Design) -> dict[str, Any]:
    return {
        "top": design.top,
        "language": design.language,
        "target": design.target,
        "clock_mhz": design.clock_mhz,
        "pipeline_depth": design.pipeline_depth,
        "versions": design.versions,
    }
