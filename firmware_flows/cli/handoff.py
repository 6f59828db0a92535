"""`handoff`, `check` and `init`: what leaves the house, the gate for continuous integration, a project of one's own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from firmware_flows.cli.console import say, say_json, watching
from firmware_flows.cli.options import is_recipe, refuse
from firmware_flows.environment import require
from firmware_flows.errors import CheckFailedError, InputError
from firmware_flows.files import hash_file, write_text

_SOURCE = click.argument("source", metavar="RECIPE|RUN_DIR|PROGRAM", type=click.Path(path_type=Path))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; no progress is shown.")
_RUN_DIR = click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where a recipe is run.  [default: runs/<name of the recipe>]",
)
_MARKS = {"passed": "ok     ", "failed": "FAILED ", "skipped": "skipped"}
_OF_HLS = ("backend", "io", "strategy", "reuse_factor")
_FOR_PROGRAMS = (*_OF_HLS, "target", "clock_mhz", "language", "no_hls", "no_rtl", "no_verify")


@click.command(short_help="Write the bundle for firmware engineers and experiments.")
@_SOURCE
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), required=True, help="The bundle.")
@click.option("--archive", is_flag=True, help="Also write OUTPUT.tar.gz; equal inputs give equal bytes.")
@click.option("--random-events", type=click.IntRange(0), default=1000, show_default=True, help="Golden vectors.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the golden vectors.")
@click.option("--emulator-version", default="v0", show_default=True, help="Of the emulator for CMSSW.")
@click.option("--backend", default="Vitis", show_default=True, help="hls4ml's back end, for a Program.")
@click.option("--target", default="xcvu13p-flga2577-2-e", show_default=True, help="FPGA part, for a Program.")
@click.option("--clock-mhz", type=float, default=360.0, show_default=True, help="Clock, for a Program.")
@click.option("--io", type=click.Choice(["parallel", "stream"]), default="parallel", show_default=True)
@click.option("--strategy", type=click.Choice(["latency", "resource"]), default="latency", show_default=True)
@click.option("--reuse-factor", type=click.IntRange(1), default=1, show_default=True)
@click.option("--language", type=click.Choice(["verilog", "vhdl"]), default="verilog", show_default=True)
@click.option("--no-hls", is_flag=True, help="No HLS project, for a Program.")
@click.option("--no-rtl", is_flag=True, help="No RTL, for a Program.")
@click.option("--no-verify", is_flag=True, help="Do not compare the C++ of a Program's HLS project first.")
@_RUN_DIR
@_JSON
@click.pass_context
def handoff(
    context: click.Context,
    /,
    source: Path,
    output: Path,
    archive: bool,
    random_events: int,
    seed: int,
    emulator_version: str,
    run_dir: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Write one directory that a firmware engineer and an experiment can use without Python.

    HLS project, RTL with its test bench, interface documents, golden vectors (hex, tb_data, EMP and APx patterns), C++
    test benches, emulators (one header; a CMSSW package), scripts, the report, and CHECK.sh, which verifies all of it
    with bash, coreutils and g++. Takes a recipe (run first where it is not current), the directory of a finished run,
    or a Program (.ffp). Nothing is handed off of a run in which a check failed.

    \b
    Examples:
        firmware-flows handoff models/jet_tagger/fast.yaml -o jet_tagger_v0 --archive
        firmware-flows handoff runs/my_network -o bundle
        firmware-flows handoff net.ffp -o bundle --no-rtl --clock-mhz 320
    """
    from firmware_flows.handoff.archive import SUFFIX, write_archive
    from firmware_flows.handoff.bundle import write_bundle

    if source.suffix != ".ffp":
        refuse(context, _FOR_PROGRAMS, "is for Program files; a recipe says it itself")
    if not is_recipe(source):
        refuse(context, ("run_dir",), "is for recipes")
    if options["no_hls"]:
        refuse(context, _OF_HLS, "is of the HLS project, which --no-hls leaves out")
    with watching(quiet=as_json) as observer, _bundle_source(source, run_dir, observer, options) as found:
        observer.progress("writing the bundle", 0, 1)
        written = write_bundle(found, output, random_events=random_events, seed=seed, version=emulator_version)
        observer.progress("writing the bundle", 1, 1)
        packed = write_archive(written, written.with_name(written.name + SUFFIX)) if archive else None
    files = sum(1 for p in written.rglob("*") if p.is_file())
    if as_json:
        digest = None if packed is None else hash_file(packed)
        facts = {"bundle": str(written), "files": files, "program": found.program.digest}
        say_json({**facts, "archive": None if packed is None else {"path": str(packed), "sha256": digest}})
        return
    say(f"Bundle: {written} ({files} files, Program {found.program.digest[:16]})")
    if packed is not None:
        say(f"Archive: {packed} (sha256 {hash_file(packed)})")
    say(f"Verify it anywhere: bash {written / 'CHECK.sh'}")


@contextmanager
def _bundle_source(source: Path, run_dir: Path | None, observer: Any, options: dict[str, Any]) -> Iterator[Any]:
    """What to bundle; for a Program, its forms live as long as the bundle is written."""
    from firmware_flows.flow.bundle_source import from_run
    from firmware_flows.handoff.bundle import from_program

    if is_recipe(source):
        yield from_run(_run(source, run_dir, observer))
    elif source.is_dir():
        yield from_run(source)
    elif source.suffix.lower() == ".ffp":
        with tempfile.TemporaryDirectory(prefix="firmware-flows-") as directory:
            yield from_program(*_forms(source, Path(directory), observer, **options))
    elif not source.exists():
        raise InputError(f"{source} does not exist")
    else:
        raise click.UsageError(f"{source} is not a recipe (.yaml), a run directory or a Program (.ffp)")


def _run(path: Path, run_dir: Path | None, observer: Any) -> Path:
    """A recipe's run directory, brought up to date. A failed check is told by `from_run`."""
    from firmware_flows.flow import run_flow
    from firmware_flows.recipe import load_recipe

    recipe = load_recipe(path)
    directory = run_dir if run_dir is not None else Path("runs") / recipe.name
    run_flow(recipe, directory, observer=observer)
    return directory


def _forms(
    source: Path, directory: Path, observer: Any, *, target: str, clock_mhz: float, language: Any,
    no_hls: bool, no_rtl: bool, no_verify: bool, **of_hls: Any,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """A Program with its HLS project and its RTL, the former's C++ compared with it."""
    import firmware_flows as ff
    from firmware_flows.flow.verify import failure_of
    from firmware_flows.hls.bridge import can_simulate

    require(*(() if no_hls else ("convert",)), *(() if no_rtl else ("rtl",)))
    program = ff.load_program(source)
    project = design = None
    if not no_hls:
        observer.progress("writing the HLS project", 0, 1)
        project = ff.hls.write_project(program, directory / "hls", target=target, clock_mhz=clock_mhz, **of_hls)
        if not no_verify and can_simulate(project.settings):
            project.compile(lambda done, total: observer.progress("compiling its C++", done, total))
            verification = ff.verify(program, project=project, random_events=10_000)
            if not verification.passed:
                raise CheckFailedError(f"Nothing is handed off: {failure_of(verification)}")
    if not no_rtl:
        design = ff.rtl.write_design(
            program,
            directory / "rtl",
            target=target,
            clock_mhz=clock_mhz,
            language=language,
            progress=lambda done, total: observer.progress("writing RTL, instructions", done, total),
        )
    return program, project, design


@click.command(short_help="The gate for continuous integration.")
@click.argument("subject", metavar="RECIPE|BUNDLE", type=click.Path(path_type=Path))
@click.option("--update", is_flag=True, help="Renew the lock file after a deliberate change; says what changed.")
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML, too.")
@click.option("--lock", type=click.Path(path_type=Path, dir_okay=False), help="For a bundle: a lock kept elsewhere.")
@click.option("--no-compile", is_flag=True, help="For a bundle: run none of the test benches that it brings.")
@_RUN_DIR
@_JSON
@click.pass_context
def check(
    context: click.Context,
    /,
    subject: Path,
    update: bool,
    junit: Path | None,
    lock: Path | None,
    no_compile: bool,
    run_dir: Path | None,
    as_json: bool,
) -> None:
    """Check a recipe or a bundle as continuous integration should; one line a check.

    A recipe: its run is brought up to date, then bits of all forms, metrics against floors, the budget (section
    `budget`; measured numbers where there are any, else the upper end of the estimate), and drift from the lock file
    <recipe>.lock.json, which is committed with it. A bundle (directory or .tar.gz): checksums, golden vectors, drift,
    metrics, budget, and its C++ test benches, that is, it compiles and runs what the bundle brings.

    Ends with 1 when a check fails, 2 when the subject cannot be read (no bundle, a truncated archive, one with names
    that climb out of its folder), 3 when a tool is missing.

    \b
    Examples:
        firmware-flows check my.yaml --junit check.xml
        firmware-flows check my.yaml --update
        firmware-flows check my_bundle.tar.gz --lock my.lock.json
    """
    from firmware_flows.gate import check_bundle, to_junit

    if is_recipe(subject):
        refuse(context, ("lock", "no_compile"), "is for bundles")
        gate = _check_recipe(subject, run_dir, update, as_json)
        if gate is None:
            return
    elif subject.suffix.lower() == ".ffp":
        raise click.UsageError(f"{subject} is a Program: name its recipe (.yaml) or a bundle (directory or .tar.gz)")
    else:
        refuse(context, ("update", "run_dir"), "is for recipes: a bundle is never changed, write it again")
        gate = check_bundle(subject, lock=lock, compile_benches=not no_compile)
    if junit is not None:
        write_text(junit, to_junit(gate))
    if as_json:
        say_json(gate.to_json())
    else:
        for entry in gate.checks:
            if entry.status != "failed":
                say(f"{_MARKS[entry.status]} {entry}")
        say(f"{gate.subject}: {len(gate.checks)} checks, {len(gate.failures)} failed")
    if gate.failures:
        raise CheckFailedError("\n".join(f"A check failed: {entry}" for entry in gate.failures))


def _check_recipe(path: Path, run_dir: Path | None, update: bool, as_json: bool) -> Any:
    """The gate, or None where the lock was renewed."""
    from firmware_flows.gate import check_recipe, lock_path, update_lock
    from firmware_flows.recipe import load_recipe

    recipe = load_recipe(path)
    directory = run_dir if run_dir is not None else Path("runs") / recipe.name
    with watching(quiet=as_json) as observer:
        if not update:
            return check_recipe(recipe, directory, observer)
        changes = update_lock(recipe, directory, observer)
    if as_json:
        say_json({"lock": str(lock_path(recipe)), "changes": changes})
    else:
        say(f"{lock_path(recipe)}: {'renewed' if changes else 'nothing changed'}")
        for text in changes:
            say(f"  {text}")
        if changes:
            say("Commit it together with the change that it records.")
    return None


@click.command(short_help="Start a project of your own.")
@click.argument("name")
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), help="[default: NAME]")
@click.option(
    "--ci", type=click.Choice(["github", "gitlab", "both", "none"]), default="both", show_default=True,
    help="Workflow files for continuous integration.",
)  # fmt: skip
@_JSON
def init(name: str, directory: Path | None, ci: Any, as_json: bool) -> None:
    """Start a project: a recipe and a model file that run, a README, workflow files for GitHub and GitLab.

    \b
    Example:
        firmware-flows init muon_tagger
        cd muon_tagger && firmware-flows run muon_tagger.yaml
    """
    from firmware_flows.handoff.project import start_project

    place = directory or Path(name)
    written = start_project(name, place, ci)
    if as_json:
        say_json({"directory": str(place), "files": [str(p) for p in written]})
        return
    for path in written:
        say(f"{path}")
    say(f"Next: cd {place} && firmware-flows run {name}.yaml")


COMMANDS: tuple[click.Command, ...] = (handoff, check, init)
