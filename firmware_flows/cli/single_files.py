"""`convert`, `rtl`, `emulate` and `verify` on single files, without a recipe."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click

from firmware_flows.cli.arrays import check_results_path, read_events, write_results
from firmware_flows.cli.console import say, say_json, watching
from firmware_flows.environment import load_tensorflow, require
from firmware_flows.errors import CheckFailedError, InputError
from firmware_flows.flow.observer import Observer
from firmware_flows.flow.rtl import design_facts, require_simulator, summary_of
from firmware_flows.flow.verify import failure_of

_NETWORKS = (".keras", ".h5", ".hdf5", ".json")


def convert(
    source: Path,
    *,
    output: Path | None,
    input_type: str | None,
    quantize: int | None,
    calibration: Path | None,
    hls: Path | None,
    as_json: bool,
    **settings: Any,
) -> None:
    """A network file as a Program, and as an HLS project where `hls` names one."""
    import firmware_flows as ff

    _expect(source, _NETWORKS, "a network (.keras, .h5, .json) or a recipe (.yaml)")
    if output is None:
        raise click.UsageError("a network file needs -o PROGRAM.ffp")
    if output.suffix.lower() != ".ffp":
        raise click.UsageError(f"-o {output} must end in .ffp")
    if (quantize is None) != (calibration is None):
        raise click.UsageError("--quantize and --calibration go together")
    require("train", *(("convert",) if hls else ()))
    quantization = _quantization()
    network = quantization.load_keras(source)
    if quantize is not None and calibration is not None:
        network = quantization.quantize_after_training(network, read_events(calibration, ("x",)), quantize)
    program = ff.lower(network, input_type)
    if hls is not None:
        ff.hls.write_project(program, hls, **settings)
    program.save(output)
    if as_json:
        say_json(
            {
                "program": str(output),
                "sha256": program.digest,
                "layers": len(program.layers),
                "hls": None if hls is None else str(hls),
            }
        )
        return
    say(f"Program: {output} ({len(program.layers)} layers, sha256 {program.digest[:16]})")
    if hls is not None:
        say(f"HLS project: {hls}")
    for layer in program.layers:
        for remark in layer.remarks:
            say(f"  {layer.name}: {remark}")


def rtl(
    source: Path,
    *,
    output: Path | None,
    language: Literal["verilog", "vhdl"],
    target: str,
    clock_mhz: float,
    top: str | None,
    no_simulate: bool,
    random_events: int,
    timeout: float,
    as_json: bool,
) -> None:
    """A Program as an RTL design; measured, and compared with the Program, unless `no_simulate`."""
    import firmware_flows as ff
    from firmware_flows.reporting.metrics import plain
    from firmware_flows.rtl.simulation import compile_design

    _expect(source, (".ffp",), "a Program (.ffp) or a recipe (.yaml)")
    if output is None:
        raise click.UsageError("a Program needs -o DIRECTORY")
    require("rtl")
    if not no_simulate:
        require_simulator(language)
    program = ff.load_program(source)
    verification = None
    with watching(quiet=as_json) as observer:
        design = ff.rtl.write_design(
            program,
            output,
            target=target,
            clock_mhz=clock_mhz,
            language=language,
            top=top,
            progress=_counter(observer, "writing RTL, instructions"),
        )
        if not no_simulate:
            compile_design(design, _counter(observer, "compiling the RTL's simulation"), timeout)
            verification = ff.verify(
                program,
                design=design,
                random_events=random_events,
                progress=lambda group, done, total: observer.progress("comparing, events", done, total, group),
            )
    facts = design_facts(design, measured=not no_simulate)
    if as_json:
        found = None if verification is None else plain(verification.to_dict())
        say_json({"design": str(output), **facts, "verification": found})
    else:
        say(f"RTL design: {output}")
        say(f"  {summary_of(facts)}")
        if verification is not None:
            say(verification.summary())
    if verification is not None and not verification.passed:
        raise CheckFailedError(f"A check failed: {failure_of(verification)}")


def emulate(
    source: Path, *, events: Path | None, output: Path | None, raw: bool, threads: int | None, as_json: bool
) -> None:
    """A Program on events from a file."""
    import firmware_flows as ff

    _expect(source, (".ffp",), "a Program (.ffp) or a recipe (.yaml)")
    if events is None or output is None:
        raise click.UsageError("a Program needs --input EVENTS.npy and --output RESULTS.npy")
    program = ff.load_program(source)
    names = [port.name for port in program.outputs]
    check_results_path(output, events, names)
    x = read_events(events, [port.port for port in program.inputs])
    with watching(quiet=as_json) as observer:
        results = ff.emulate(program, x, raw=raw, threads=threads, progress=_counter(observer, "emulating, events"))
    write_results(output, results, names)
    count = len(results[0] if isinstance(results, tuple) else results)
    if as_json:
        say_json({"events": count, "output": str(output), "raw": raw})
    else:
        say(f"{count:,} events: {output}")


def verify(
    source: Path,
    *,
    events: Path | None,
    network: Path | None,
    hls: Path | None,
    design: Path | None,
    no_csim: bool,
    random_events: int,
    no_adversarial: bool,
    seed: int,
    as_json: bool,
) -> None:
    """A Program against its C++, and against a Keras network where one is given."""
    import firmware_flows as ff
    from firmware_flows.reporting.metrics import plain

    _expect(source, (".ffp",), "a Program (.ffp) or a recipe (.yaml)")
    if no_csim and (hls is not None or (network is None and design is None)):
        raise click.UsageError("--no-csim leaves nothing to compare with: give --keras or --design, and no --hls")
    require(*(() if network is None else ("train",)), *(() if no_csim else ("convert", "csim")))
    program = ff.load_program(source)
    x = None if events is None else read_events(events, [port.port for port in program.inputs])
    loaded = None if design is None else _design(design, program)
    keras_model = None if network is None else _quantization().load_keras(network)
    with _project(program, hls, no_csim) as project, watching(quiet=as_json) as observer:
        if project is not None:
            project.compile(_counter(observer, "compiling the C++ of the HLS project"))
        if loaded is not None:
            loaded.compile(_counter(observer, "compiling the RTL's simulation"))
        verification = ff.verify(
            program,
            x,
            keras_model=keras_model,
            project=project,
            design=loaded,
            random_events=random_events,
            adversarial=not no_adversarial,
            seed=seed,
            progress=lambda group, done, total: observer.progress("comparing, events", done, total, group),
        )
    if as_json:
        say_json(plain(verification.to_dict()))
    else:
        say(verification.summary())
    if not verification.passed:
        raise CheckFailedError(f"A check failed: {failure_of(verification)}")


def synthesize(
    source: Path,
    *,
    output: Path | None,
    tool: str,
    family: str | None,
    device: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """A design or an HLS project through a tool."""
    from firmware_flows import synthesis

    design = synthesis.open_design(source)
    chosen = synthesis.resolve_tool(design, tool, family)
    place = output or source.resolve().parent / f"{source.resolve().name}_{chosen}"
    with watching(quiet=as_json) as observer:
        results = synthesis.synthesize(
            design, place, tool=chosen, family=family, device=device, timeout=timeout, progress=observer.progress
        )
    if as_json:
        say_json({"directory": str(place), "results": [result.to_json() for result in results]})
        return
    for result in results:
        say(result.summary())
    say(f"Logs and reports: {place}")


@contextmanager
def _project(program: Any, hls: Path | None, no_csim: bool) -> Iterator[Any]:
    """The project to simulate: the one given, or one that lives as long as the comparison."""
    import firmware_flows as ff

    if no_csim:
        yield None
    elif hls is not None:
        project = ff.hls.Project.load(hls)
        _same_program(hls, "the HLS project", "convert", project.program, program)
        yield project
    else:
        with tempfile.TemporaryDirectory(prefix="firmware-flows-") as directory:
            yield ff.hls.write_project(program, Path(directory) / "hls")


def _design(directory: Path, program: Any) -> Any:
    """The design to simulate; one of another network is refused."""
    import firmware_flows as ff

    design = ff.rtl.Design.load(directory)
    _same_program(directory, "the RTL", "rtl", design.program, program)
    return design


def _same_program(directory: Path, what: str, command: str, written: Any, program: Any) -> None:
    """Refuse what was written for another network."""
    if written.digest != program.digest:
        raise InputError(
            f"{directory} holds {what} of {written.name!r} (sha256 {written.digest[:16]}), not of this "
            f"Program ({program.digest[:16]}): write it again with `firmware-flows {command}`"
        )


def _quantization() -> Any:
    load_tensorflow()
    return importlib.import_module("quantization")


def _counter(observer: Observer, step: str) -> Any:
    return lambda done, total: observer.progress(step, done, total)


def _expect(path: Path, suffixes: tuple[str, ...], wanted: str) -> None:
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(f"{path} is not {wanted}")
    if not path.exists():
        raise InputError(f"{path} does not exist")
