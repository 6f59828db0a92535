"""Writing a design: trace, check, pipeline, and files."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from firmware_flows import __version__
from firmware_flows.files import replace_directory
from firmware_flows.program import Program
from firmware_flows.rtl.alkaid_library import alkaid_version
from firmware_flows.rtl.delays import delay_model
from firmware_flows.rtl.design import DESIGN_FILE, SIMULATION, Design, Language
from firmware_flows.rtl.errors import RtlCheckError, RtlSettingsError
from firmware_flows.rtl.hdl import PRIMITIVES, SUFFIX, hdl_files
from firmware_flows.rtl.logic_cache import FILE, load_logic, logic_key, save_logic
from firmware_flows.rtl.matrices import Effort
from firmware_flows.rtl.pipeline import pipelined
from firmware_flows.rtl.ports import KEYWORDS, RESERVED, Mantissas, identifier, ports_of
from firmware_flows.rtl.prediction import MOST_COST, MOST_SECONDS, require_affordable
from firmware_flows.rtl.scripts import script_files
from firmware_flows.rtl.support import obstacles
from firmware_flows.rtl.testbench import DIRECTORY, Vectors, hex_lines, make_vectors, testbench_text
from firmware_flows.rtl.tracing import Logic, trace
from firmware_flows.targets import why_no_part

DEFAULT_TARGET = "xcvu13p-flga2577-2-e"

Progress = Callable[[int, int], None]

NOTICE = """{top}: RTL of the network {name!r}, written by firmware-flows {version} with alkaid {alkaid}.

src          {language}; {top}{suffix} is the top module. Its first lines say what lies where in its ports.
testbench    Self-checking, ends with an error if a bit differs. Run in this directory, with any simulator, e.g.
             {command}
constraints  For Vivado (.xdc) and Quartus (.sdc), {clock:g} MHz, {target}
scripts      vivado -mode batch -source scripts/vivado_out_of_context.tcl; quartus_sh -t scripts/quartus.tcl

An event enters with every clock edge; its result leaves {depth} edges later. There is no reset and no valid signal.

These parametrised modules in src are alkaid's, under the LGPL-3.0-or-later, renamed so that several networks fit into
one firmware: {primitives}.
"""


def write_design(
    program: Program,
    directory: str | Path,
    *,
    target: str = DEFAULT_TARGET,
    clock_mhz: float = 360.0,
    language: Language = "verilog",
    top: str | None = None,
    nanoseconds_per_unit: float | None = None,
    effort: Effort | None = None,
    max_cost: float = MOST_COST,
    max_seconds: float = MOST_SECONDS,
    vectors: int = 2000,
    seed: int = 0,
    cache: str | Path | None = None,
    progress: Progress | None = None,
) -> Design:
    """Write the RTL of a Program; nothing is left behind if that fails, and equal arguments give equal bytes.

    target: part number, for the scripts and the model of its delays (see `delays`; `nanoseconds_per_unit` overrides
    it). top: name of the top module, by default the Program's. effort: how hard to look for small adder trees.
    max_cost (alkaid's units, about one LUT6) and max_seconds limit what is predicted before anything is done.
    vectors: events of the test bench, adversarial and random by `seed`; all are also run through alkaid's interpreter
    and compared with the Program. cache: a directory that keeps traced logic, by default the design's own, so that
    writing again for another clock or language is quick. `progress` gets (instructions done, instructions in all).

    An existing design in `directory` is replaced, but for what its simulation has compiled; any other non-empty
    directory is refused. Raises RtlSettingsError, RtlError (an instruction that alkaid cannot carry, a Program too
    large), MissingToolError (no alkaid).
    """
    name = _check_settings(program, language, top, clock_mhz, vectors)
    if reason := why_no_part(target):
        raise RtlSettingsError("target", target, reason)
    path = Path(directory).resolve()
    _check_directory(path)
    alkaid_version()
    ports = ports_of(program, reserved=(*RESERVED, name))
    chosen = effort or Effort()
    delays = delay_model(target, nanoseconds_per_unit)
    logic, key = _logic(program, chosen, (max_cost, max_seconds), path, cache, progress)
    tested = make_vectors(program, vectors, seed)
    check_logic(program, logic, tested)
    pipeline = pipelined(logic.combinational, delays, clock_mhz)
    files = hdl_files(pipeline, logic.outputs, ports, name, language)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        temporary.chmod(0o755)
        design = Design(
            directory=temporary, program=program, language=language, top=name, sources=tuple(files),
            inputs=ports[0], outputs=ports[1], target=target, clock_mhz=clock_mhz, pipeline_depth=pipeline.depth,
            cost=round(pipeline.cost, 3), register_bits=pipeline.register_bits,
            longest_path=round(pipeline.longest_path, 4),
            versions={"firmware-flows": __version__, "alkaid": alkaid_version()},
        )  # fmt: skip
        _fill(design, {**files, **script_files(design)}, tested)
        save_logic(logic, key, temporary / FILE)
        design.save()
        if (path / SIMULATION).is_dir():  # named by content: what is still valid need not be compiled again
            (path / SIMULATION).rename(temporary / SIMULATION)
        replace_directory(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return Design.load(path)


def _check_settings(program: Program, language: str, top: str | None, clock_mhz: float, vectors: int) -> str:
    if language not in SUFFIX:
        raise RtlSettingsError("language", language, f"give one of {', '.join(SUFFIX)}")
    if not 1 <= clock_mhz <= 2000:
        raise RtlSettingsError("clock_mhz", clock_mhz, "give megahertz, 1 to 2000")
    if vectors < 2:
        raise RtlSettingsError("vectors", vectors, "give at least 2 events for the test bench")
    if top is None:
        return identifier(program.name, {"work", "clk"})
    if not re.fullmatch(r"[A-Za-z]([A-Za-z0-9]|_(?!_|$))*", top) or top.lower() in KEYWORDS | {"work", "clk"}:
        raise RtlSettingsError("top", top, "give letters, digits and single _, and no keyword of Verilog or VHDL")
    return top


def _check_directory(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise RtlSettingsError("directory", str(path), "it is a file")
    if path.is_dir() and any(path.iterdir()) and not (path / DESIGN_FILE).exists():
        raise RtlSettingsError("directory", str(path), "it holds something else than a design: choose another")


def _logic(
    program: Program,
    effort: Effort,
    limits: tuple[float, float],
    path: Path,
    cache: str | Path | None,
    progress: Progress | None,
) -> tuple[Logic, str]:
    key = logic_key(program, effort)
    places = [path / FILE] if cache is None else [path / FILE, Path(cache) / f"{key[:32]}.json.gz"]
    for place in places:
        found = load_logic(key, place)
        if found is not None:
            return found, key
    for obstacle in obstacles(program).values():  # before minutes are spent on the layers in front of it
        raise obstacle
    require_affordable(program, effort.seconds, *limits)
    logic = trace(program, effort, progress)
    if cache is not None:
        save_logic(logic, key, places[-1])
    return logic, key


def run_logic(program: Program, logic: Logic, mantissas: Sequence[Mantissas]) -> tuple[Mantissas, ...]:
    """The logic on mantissas of the input ports, by alkaid's interpreter: mantissas of the output ports."""
    real = [
        np.ldexp(m.reshape(m.shape[0], -1).astype(np.float64), -p.type.fractional)
        for m, p in zip(mantissas, program.inputs, strict=True)
    ]
    computed = np.asarray(logic.combinational.predict(np.concatenate(real, axis=1)))
    results, remaining = [], iter(logic.outputs)
    for output in program.outputs:
        instruction = program.instructions[output.value]
        size = int(np.prod(instruction.shape, dtype=np.int64))
        columns = [_column(next(remaining), computed, instruction.type.fractional) for _ in range(size)]
        results.append(np.stack(columns, axis=1).reshape(-1, *instruction.shape))
    return tuple(results)


def _column(output: int | Fraction, computed: Any, fractional: int) -> Mantissas:
    if isinstance(output, Fraction):
        return np.full(computed.shape[0], int(output * Fraction(2) ** fractional), dtype=np.int64)
    return np.asarray(np.ldexp(computed[:, output], fractional).astype(np.int64))


def check_logic(program: Program, logic: Logic, vectors: Vectors) -> None:
    """Raises RtlCheckError unless alkaid's interpreter gives the Program's outputs on every vector."""
    found = run_logic(program, logic, vectors.inputs)
    for output, wanted, got in zip(program.outputs, vectors.outputs, found, strict=True):
        if not np.array_equal(wanted, got):
            flat, other = wanted.reshape(len(wanted), -1), got.reshape(len(got), -1)
            event, element = (int(k) for k in np.argwhere(flat != other)[0])
            raise RtlCheckError(output.name, event, element, int(flat[event, element]), int(other[event, element]))


def _fill(design: Design, files: dict[Path, str], vectors: Vectors) -> None:
    texts = dict(files)
    bench = "sv" if design.language == "verilog" else "vhd"
    ports = (design.inputs, design.outputs)
    texts[Path(DIRECTORY) / f"{design.top}_testbench.{bench}"] = testbench_text(
        design.language, design.top, ports, design.pipeline_depth, vectors.events, design.clock_mhz
    )
    texts[Path(DIRECTORY) / "inputs.hex"] = hex_lines(design.inputs, vectors.inputs)
    texts[Path(DIRECTORY) / "outputs.hex"] = hex_lines(design.outputs, vectors.outputs)
    texts[Path("README.txt")] = _readme(design)
    for file, text in texts.items():
        (design.directory / file).parent.mkdir(parents=True, exist_ok=True)
        (design.directory / file).write_text(text, encoding="utf-8")


def _readme(design: Design) -> str:
    name = f"{design.top}_testbench"
    commands = {
        "verilog": f"iverilog -g2012 -s {name} -o sim src/*.v testbench/{name}.sv && ./sim\n"
        f"             verilator --binary -CFLAGS -std=c++20 -Wno-fatal --top-module {name} src/*.v testbench/{name}.sv"
        f" && obj_dir/V{name}",
        "vhdl": f"ghdl -a --std=08 {' '.join(s.as_posix() for s in design.sources)} testbench/{name}.vhd && "
        f"ghdl -r --std=08 {name} --ieee-asserts=disable-at-0",
    }
    primitives = sorted({s.stem for s in design.sources if _is_primitive(s.stem, design.top)})
    return NOTICE.format(
        top=design.top, name=design.program.name, version=__version__, alkaid=design.versions["alkaid"],
        language=design.language, suffix=SUFFIX[design.language], command=commands[design.language],
        clock=design.clock_mhz, target=design.target, depth=design.pipeline_depth, primitives=", ".join(primitives),
    )  # fmt: skip


def _is_primitive(stem: str, top: str) -> bool:
    return stem.removeprefix(f"{top}_") in PRIMITIVES
