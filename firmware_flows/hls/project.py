"""An HLS project on disk: writing it, compiling it, running it."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from firmware_flows import __version__
from firmware_flows.events import Events
from firmware_flows.files import replace_directory, write_json
from firmware_flows.hls import bridge, simulation, vendor
from firmware_flows.hls.compiler import compile_library
from firmware_flows.hls.errors import HlsConversionError, HlsSettingsError, ProjectError
from firmware_flows.hls.graph import build_graph, possible_reuse_factors, require_hls4ml
from firmware_flows.hls.plan import AP_BACKENDS, Plan
from firmware_flows.hls.planner import make_plan, multiplying_layers
from firmware_flows.hls.quiet import logger, quiet
from firmware_flows.hls.readback import check_files, check_graph
from firmware_flows.hls.settings import Settings, check_settings
from firmware_flows.program import Program
from firmware_flows.serialization import load_program

FORMAT = 1
"""Version of project.json."""

PROGRAM_FILE = "program.ffp"
PROJECT_FILE = "project.json"
BRIDGE_FILE = Path("simulation") / "simulation.cpp"

DOUBLE_BITS = 53
"""Integers up to 2**53 are exact in a float64."""

Floats = npt.NDArray[np.float64]
Mantissas = npt.NDArray[np.int64]
Progress = simulation.Progress

_write_lock = threading.Lock()


@dataclass(frozen=True, eq=False)
class Project:
    """A written project. `settings.reuse_factor` holds the factors as hls4ml uses them."""

    directory: Path
    program: Program
    settings: Settings
    plan: Plan = field(repr=False)

    @classmethod
    def load(cls, directory: str | Path) -> Project:
        """Open a project written before. Raises ProjectError."""
        path = Path(directory).resolve()
        try:
            document = json.loads((path / PROJECT_FILE).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ProjectError(f"{path} is not an HLS project: it has no {PROJECT_FILE}") from None
        except (OSError, ValueError) as error:
            raise ProjectError(f"{path / PROJECT_FILE} cannot be read: {error}") from None
        if document.get("format", 0) > FORMAT:
            raise ProjectError(f"{path} was written by a newer version: upgrade firmware-flows")
        try:
            settings = Settings.from_json(document["settings"])
        except (KeyError, TypeError) as error:
            raise ProjectError(f"{path / PROJECT_FILE} is damaged: {error!r}") from None
        program = load_program(path / PROGRAM_FILE)
        return cls(path, program, settings, make_plan(program, settings))

    # ---- compiling

    def compile(self, progress: Progress | None = None) -> Path:
        """Compile the C++ with g++, unless that was done; returns the library.

        Raises MissingToolError (no g++), CompileError (the compiler's first error), HlsSettingsError (a backend
        whose C++ needs its vendor's compiler).
        """
        self._require_simulation()
        source = self.directory / BRIDGE_FILE
        if not source.exists():
            raise ProjectError(f"{source} is missing: write the project again")
        if progress:
            progress(0, 1)
        library = compile_library(self.directory, source)
        if progress:
            progress(1, 1)
        return library

    def _require_simulation(self) -> None:
        if not bridge.can_simulate(self.settings):
            raise HlsSettingsError(
                "backend", f"{self.settings.backend} ({self.settings.io})",
                "its C++ is written but not compiled here: to simulate, write a second project with "
                f"{' or '.join(AP_BACKENDS)}",
            )  # fmt: skip

    def _library(self) -> simulation.Library:
        self._require_simulation()
        self._check_weight_files()
        sizes = tuple(self.plan.node(port.node).size for port in self.plan.outputs)
        stateful = self.settings.io == "stream" and any(node.has_line_buffer for node in self.plan.nodes)
        return simulation.load(self.compile(), self.plan.input_size, sizes, bridge.trace_size(self.plan), stateful)

    def _check_weight_files(self) -> None:
        """hls4ml's C++ ends the process when one is missing."""
        directory = self.directory / "firmware" / "weights"
        for header in directory.glob("*.h"):
            if self.settings.backend != "Quartus" and not header.with_suffix(".txt").exists():
                raise ProjectError(f"{header.with_suffix('.txt')} is missing: write the project again")

    # ---- running

    def simulate(
        self,
        x: Events,
        raw: bool = False,
        workers: int | None = None,
        progress: Progress | None = None,
    ) -> Any:
        """hls4ml's C++ on events (events, ...): exact float64 values, or int64 mantissas if `raw`.

        x: as `firmware_flows.emulate` takes it: a sequence or a mapping by port name where the Program has several
        inputs. A tuple when the network has several outputs. Events become float32 once; `workers` threads (default:
        all cores). Raises InputError, and ProjectError for outputs too wide for the result.
        """
        library = self._library()
        for port in self.plan.outputs:
            self._check_width(port.name, port.type, 64 if raw else DOUBLE_BITS)
        events = simulation.check_events(x, self.program.inputs, self.plan.inputs)
        parts = simulation.simulate_blocks(library, events, workers, progress)
        results = tuple(
            part.reshape(len(part), *port.shape) if raw else port.type.to_float(part).reshape(len(part), *port.shape)
            for part, port in zip(parts, self.plan.outputs, strict=True)
        )
        return results[0] if len(results) == 1 else results

    def trace(self, x: Events, raw: bool = False, progress: Progress | None = None) -> dict[str, Any]:
        """Every layer of the Program that is in the C++: name -> exact float64 values, or mantissas if `raw`."""
        library = self._library()
        for traced in self.plan.traced:
            self._check_width(traced.layer, traced.type, 64 if raw else DOUBLE_BITS)
        events = simulation.check_events(x, self.program.inputs, self.plan.inputs)
        offsets = bridge.trace_offsets(self.plan)
        recorded = np.empty((len(events), bridge.trace_size(self.plan)), np.int64)
        for start in range(0, len(events), simulation.BLOCK_EVENTS):
            stop = min(start + simulation.BLOCK_EVENTS, len(events))
            library.run(events[start:stop], recorded[start:stop])
            if progress:
                progress(stop, len(events))
        result: dict[str, Any] = {}
        for traced in self.plan.traced:
            first = offsets[traced.node]
            part = recorded[:, first : first + self.plan.node(traced.node).size]
            values = part.copy() if raw else traced.type.to_float(part)
            result[traced.layer] = values.reshape(len(events), *traced.shape)
        return result

    def _check_width(self, name: str, t: Any, bits: int) -> None:
        if t.width - t.signed > min(bits, 63):
            kind = "int64" if bits > DOUBLE_BITS else "float64"
            remedy = "" if bits > DOUBLE_BITS or t.width - t.signed > 63 else ": ask for mantissas with raw=True"
            raise ProjectError(f"values of {name!r} ({t}) do not fit {kind}{remedy}")

    # ---- vendor synthesis

    def build(self, **options: Any) -> dict[str, Any]:
        """Run the vendor's tool through hls4ml's `build`; options are hls4ml's (csim, synth, cosim, export, ...).

        Returns hls4ml's report. Raises MissingToolError when the tool is not on PATH.
        """
        vendor.require_vendor_tool(self.settings.backend)
        with quiet():
            graph = build_graph(self.plan, self.settings, self.directory)
            check_graph(graph, self.plan)
            return vendor.run_build(graph, options)


def write_project(
    program: Program,
    directory: str | Path,
    *,
    target: str = "xcvu13p-flga2577-2-e",
    backend: str = "Vitis",
    clock_mhz: float | None = None,
    clock_period: float | None = None,
    io: str = "parallel",
    strategy: str = "latency",
    reuse_factor: int | Mapping[str, int] = 1,
    project_name: str = "firmware",
) -> Project:
    """Write the hls4ml project of a Program; nothing is left behind if that fails.

    The clock is 200 MHz unless given, by `clock_mhz` or `clock_period` (ns). `reuse_factor` is one number, or one
    by layer name. An existing project in `directory` is replaced; any other non-empty directory is refused.
    Raises HlsSettingsError, HlsConversionError (a layer that this form cannot express exactly), HlsTypeError
    (hls4ml did something else than the Program says), MissingToolError (no hls4ml).
    """
    settings = check_settings(
        target=target, backend=backend, clock_mhz=clock_mhz, clock_period=clock_period, io=io, strategy=strategy,
        reuse_factor=reuse_factor, project_name=project_name, multiplying_layers=multiplying_layers(program),
    )  # fmt: skip
    path = Path(directory).resolve()
    _check_target_directory(path)
    require_hls4ml()
    settings = _with_possible_reuse(program, settings, explicit=isinstance(reuse_factor, Mapping))
    plan = make_plan(program, settings)
    _check_backend(plan, settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        temporary.chmod(0o755)
        _write(program, plan, settings, temporary, path)
        replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Project(path, program, settings, plan)


def _with_possible_reuse(program: Program, settings: Settings, *, explicit: bool) -> Settings:
    """A factor given for all layers is moved to the nearest possible one; one given by name is refused."""
    changes = possible_reuse_factors(make_plan(program, settings), settings)
    for name, found in changes.items():
        wanted = settings.reuse_factor[name]
        if explicit:
            raise HlsSettingsError(f"reuse_factor of {name!r}", wanted, f"the nearest possible one is {found}")
        logger.warning("layer %r: reuse factor %d is not possible, %d is used", name, wanted, found)
    return replace(settings, reuse_factor={**settings.reuse_factor, **changes})


def _check_target_directory(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise HlsSettingsError("directory", str(path), "it is a file")
    if path.is_dir() and any(path.iterdir()) and not (path / PROJECT_FILE).exists():
        raise HlsSettingsError("directory", str(path), "it holds something else than an HLS project: choose another")


def _check_backend(plan: Plan, settings: Settings) -> None:
    for node in plan.nodes:
        for name in node.weights:
            t = node.types[name]
            if t.width - t.signed > DOUBLE_BITS:
                raise HlsConversionError(
                    node.layer, name, t, "hls4ml carries weights as float64", f"use at most {DOUBLE_BITS} bits"
                )
        if settings.backend in AP_BACKENDS:
            continue
        for name, t in node.types.items():
            if t.width == 1:
                raise HlsConversionError(
                    node.layer, name, t, f"hls4ml writes one bit as two for {settings.backend}",
                    "use two bits, or Vitis or Vivado",
                )  # fmt: skip


def _write(program: Program, plan: Plan, settings: Settings, directory: Path, final: Path) -> None:
    """Fill `directory`, which will be renamed to `final`."""
    with _write_lock, quiet():
        graph = build_graph(plan, settings, directory)
        check_graph(graph, plan)
        _write_files(graph, final)
    check_files(graph, plan, directory)
    if bridge.can_simulate(settings):
        (directory / BRIDGE_FILE).parent.mkdir()
        (directory / BRIDGE_FILE).write_text(bridge.bridge_source(plan, settings, _ports(graph)))
    program.save(directory / PROGRAM_FILE)
    write_json(directory / PROJECT_FILE, _description(program, plan, settings))


def _ports(graph: Any) -> bridge.Ports:
    outputs = graph.get_output_variables()
    return bridge.Ports(
        tuple(str(variable.type.name) for variable in graph.get_input_variables()),
        tuple(str(variable.type.name) for variable in outputs),
        tuple(str(variable.name).rpartition(".")[2] for variable in outputs),
        tuple(str(variable.definition_cpp()) for variable in graph.get_weight_variables()),
    )


def _write_files(graph: Any, final: Path) -> None:
    """hls4ml's writer, without its YAML part, which imports TensorFlow to look for a Keras model that is not there."""
    import yaml

    directory = Path(graph.config.get_output_dir())
    writer = graph.config.backend.writer
    writer.write_yml = lambda model: None
    try:
        # the writer's flow requires the backend's, which has been applied
        graph.write()
    finally:
        del writer.write_yml
    document = {**graph.config.config, "OutputDir": str(final)}
    text = yaml.safe_dump(json.loads(json.dumps(document, default=str)), sort_keys=True)
    (directory / "hls4ml_config.yml").write_text(text)


def _description(program: Program, plan: Plan, settings: Settings) -> dict[str, Any]:
    import hls4ml

    return {
        "format": FORMAT,
        "firmware_flows": __version__,
        "hls4ml": str(hls4ml.__version__),
        "program": {"name": program.name, "sha256": program.digest},
        "settings": settings.to_json(),
        "inputs": [port.name for port in plan.inputs],
        "outputs": [port.name for port in plan.outputs],
        "layers": {traced.layer: traced.node for traced in plan.traced},
    }
