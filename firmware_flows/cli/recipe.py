"""`run`, and one command a stage. `convert`, `emulate` and `verify` also take single files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from firmware_flows.cli import single_files
from firmware_flows.cli.comparison import compare_runs
from firmware_flows.cli.options import is_recipe, recipe_options, refuse
from firmware_flows.cli.stages import every_stage, run_recipe
from firmware_flows.flow import STAGE_NAMES

_RECIPE = click.argument("recipe", type=click.Path(path_type=Path))
_STAGE = click.Choice(STAGE_NAMES)


@click.command(short_help="Run all stages of a recipe, or some of them.")
@_RECIPE
@click.option("--from", "first", type=_STAGE, help="First stage to run; earlier ones must be current.")
@click.option("--until", "last", type=_STAGE, help="Last stage to run.")
@recipe_options
def run(recipe: Path, first: str | None, last: str | None, run_dir: Path | None, force: bool, as_json: bool) -> None:
    """Run all stages of a recipe: data, train, convert, rtl and synthesize (if it has those
    sections), emulate, verify, report.

    A stage whose result is current is skipped; a run that was killed goes on where it was. Ends with 1 when the forms
    of the network differ in a bit, or a metric is below the recipe's floor.

    \b
    Examples:
        firmware-flows run models/jet_tagger/fast.yaml
        firmware-flows run my.yaml --until convert
        firmware-flows run my.yaml --from verify --force
    """
    forced = every_stage(first, last) if force else ()
    run_recipe(recipe, run_dir, first=first, last=last, force=forced, as_json=as_json)


@click.command(short_help="Generate or load the events.")
@_RECIPE
@recipe_options
def data(recipe: Path, **given: Any) -> None:
    """Generate or load the events.

    \b
    Example:
        firmware-flows data models/jet_tagger/fast.yaml
    """
    _until("data", recipe, **given)


@click.command(short_help="Train the network, and its float reference.")
@_RECIPE
@recipe_options
def train(recipe: Path, **given: Any) -> None:
    """Train the quantized network, and the float reference if the recipe wants one.

    The untrained network is lowered first: what cannot be converted exactly is refused before any time is spent.

    \b
    Example:
        firmware-flows train models/jet_tagger/fast.yaml
    """
    _until("train", recipe, **given)


@click.command(short_help="Turn a network into a Program and an HLS project.")
@click.argument("source", metavar="RECIPE|NETWORK", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Program to write (.ffp), for a network file.")
@click.option("--input-type", help="Type of the input where the network states none, e.g. 'ap_fixed<16,6,RND,SAT>'.")
@click.option(
    "--quantize", type=click.IntRange(2, 24), help="Quantize a float network after training, to this many bits."
)
@click.option("--calibration", type=click.Path(path_type=Path), help="Events (.npy) that --quantize takes ranges from.")
@click.option("--hls", "hls", type=click.Path(path_type=Path, file_okay=False), help="HLS project to write, too.")
@click.option("--backend", default="Vitis", show_default=True, help="hls4ml's back end.")
@click.option("--target", default="xcvu13p-flga2577-2-e", show_default=True, help="FPGA part.")
@click.option("--clock-mhz", type=float, default=360.0, show_default=True, help="Clock of the firmware.")
@click.option("--io", type=click.Choice(["parallel", "stream"]), default="parallel", show_default=True)
@click.option("--strategy", type=click.Choice(["latency", "resource"]), default="latency", show_default=True)
@click.option("--reuse-factor", type=click.IntRange(1), default=1, show_default=True)
@recipe_options
@click.pass_context
def convert(context: click.Context, /, **given: Any) -> None:
    """Turn a network into an exact Program and an HLS project.

    Takes a recipe, or a network file (.keras, .h5) together with -o.

    \b
    Examples:
        firmware-flows convert models/jet_tagger/fast.yaml
        firmware-flows convert tagger.keras -o tagger.ffp --hls tagger_hls
        firmware-flows convert float.h5 -o tagger.ffp --quantize 8 --calibration x.npy
    """
    if given["hls"] is None and not is_recipe(given["source"]):
        of_hls = ("backend", "target", "clock_mhz", "io", "strategy", "reuse_factor")
        refuse(context, of_hls, "is of the HLS project: name its directory with --hls")
    _either(context, single_files.convert, "is for network files; with a recipe, write it there", **given)


@click.command(short_help="Write Verilog or VHDL, and measure its latency.")
@click.argument("source", metavar="RECIPE|PROGRAM", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="Directory of the design.")
@click.option("--language", type=click.Choice(["verilog", "vhdl"]), default="verilog", show_default=True)
@click.option("--target", default="xcvu13p-flga2577-2-e", show_default=True, help="FPGA part.")
@click.option("--clock-mhz", type=float, default=360.0, show_default=True, help="Clock of the firmware.")
@click.option("--top", help="Name of the top module.  [default: the network's]")
@click.option("--no-simulate", is_flag=True, help="Write only: measure no latency, compare no bits.")
@click.option("--random-events", type=click.IntRange(0), default=10_000, show_default=True, help="To compare on.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=3600.0, show_default=True,
              help="Seconds that a single call of a tool may take.")  # fmt: skip
@recipe_options
@click.pass_context
def rtl(context: click.Context, /, **given: Any) -> None:
    """Write the network as Verilog or VHDL, pipelined for a clock, and check it.

    Takes a recipe with a section `rtl`, or a Program (.ffp) together with -o. The design comes with constraints, build
    scripts and a self-checking test bench. It is compiled with Verilator (VHDL: GHDL); latency and interval are
    measured from its outputs; these are compared with the Program in every bit. Ends with 1 when one differs.

    \b
    Examples:
        firmware-flows rtl models/calorimeter/recipe.yaml
        firmware-flows rtl jet.ffp -o jet_rtl --clock-mhz 320
        firmware-flows rtl jet.ffp -o jet_vhdl --language vhdl --no-simulate
    """
    _either(context, single_files.rtl, "is for Program files; with a recipe, write it there", **given)


@click.command(short_help="Say how large the design is and how fast it runs.")
@click.argument("source", metavar="RECIPE|DESIGN|PROJECT", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where everything is kept.  [default: <DESIGN>_<tool> beside it]",
)
@click.option(
    "--tool",
    type=click.Choice(["auto", "yosys", "nextpnr", "vivado", "quartus", "vitis"]),
    default="auto",
    show_default=True,
    help="auto: by the target; a vendor's where it is on PATH, else an open one.",
)
@click.option("--family", help="xc7, xcu or xcup for yosys, ecp5 for nextpnr.  [default: the target's]")
@click.option("--device", help="For nextpnr.  [default: the smallest that fits]")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    default=3600.0,
    show_default=True,
    help="Seconds that a single call of a tool may take.",
)
@recipe_options
@click.pass_context
def synthesize(context: click.Context, /, **given: Any) -> None:
    """Synthesise RTL or an HLS project: resources, and the clock where it is placed and routed.

    Takes a recipe with a section `synthesize`, the directory of an RTL design (as `rtl` writes it), or that of an HLS
    project. Yosys counts cells for AMD devices; nextpnr places and routes on a Lattice ECP5; Vivado, Vitis HLS and
    Quartus are called where they are installed. Every number says which tool it comes from.

    \b
    Examples:
        firmware-flows synthesize models/jet_tagger/high_level.yaml
        firmware-flows synthesize jet_rtl
        firmware-flows synthesize jet_rtl --family ecp5
        firmware-flows synthesize jet_hls --tool vitis --timeout 7200
    """
    _either(context, single_files.synthesize, "is for designs; with a recipe, write it there", **given)


@click.command(short_help="Compute what the firmware answers, bit for bit.")
@click.argument("source", metavar="RECIPE|PROGRAM", type=click.Path(path_type=Path))
@click.option("-i", "--input", "events", type=click.Path(path_type=Path), help="Events: .npy (events, ...) or .npz.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where the outputs go: .npy, .npz for several.")
@click.option("--raw", is_flag=True, help="Write integers (mantissas) in place of real numbers.")
@click.option("--threads", type=click.IntRange(1), help="Threads.  [default: all cores]")
@recipe_options
@click.pass_context
def emulate(context: click.Context, /, **given: Any) -> None:
    """Compute what the firmware answers, bit for bit.

    Takes a recipe (its test events), or a Program (.ffp) together with --input and --output; the latter needs neither
    TensorFlow nor a compiler.

    \b
    Examples:
        firmware-flows emulate models/jet_tagger/fast.yaml
        firmware-flows emulate jet.ffp --input x.npy --output y.npy
    """
    _either(context, single_files.emulate, "is for Program files", **given)


@click.command(short_help="Show that all forms agree in every bit.")
@click.argument("source", metavar="RECIPE|PROGRAM", type=click.Path(path_type=Path))
@click.option("-i", "--input", "events", type=click.Path(path_type=Path), help="Events of yours to compare on, too.")
@click.option("--keras", "network", type=click.Path(path_type=Path), help="Network (.keras, .h5) to compare with.")
@click.option(
    "--hls", "hls", type=click.Path(path_type=Path), help="HLS project to compare with.  [default: a new one]"
)
@click.option(
    "--design", type=click.Path(path_type=Path, file_okay=False), help="RTL design to compare with, as `rtl` writes it."
)
@click.option("--no-csim", is_flag=True, help="Compile no C++ of an HLS project.")
@click.option("--random-events", type=click.IntRange(0), default=100_000, show_default=True)
@click.option("--no-adversarial", is_flag=True, help="Leave out the events built from the Program.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@recipe_options
@click.pass_context
def verify(context: click.Context, /, **given: Any) -> None:
    """Show that all forms of a network agree in every bit; ends with 1 when they do not.

    Takes a recipe, or a Program (.ffp).

    \b
    Examples:
        firmware-flows verify models/jet_tagger/fast.yaml
        firmware-flows verify jet.ffp --keras jet.keras --input x.npy
        firmware-flows verify jet.ffp --design jet_rtl --no-csim
    """
    _either(context, single_files.verify, "is for Program files; with a recipe, write it there", **given)


@click.command(short_help="Evaluate all forms and write the report, or compare two runs.")
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option(
    "--compare",
    "runs",
    nargs=2,
    metavar="RUN_A RUN_B",
    type=click.Path(path_type=Path),
    help="Two run directories: what differs between them.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory of the comparison.  [default: comparison]",
)
@recipe_options
@click.pass_context
def report(
    context: click.Context, /, recipe: Path | None, runs: tuple[Path, Path] | None, output: Path | None,
    run_dir: Path | None, force: bool, as_json: bool,
) -> None:  # fmt: skip
    """Evaluate all forms on the test events and write report.html, report.md and report.json.

    With --compare: write what differs between two runs (bits, metrics, types, costs, settings) as comparison.html,
    comparison.md and comparison.json.

    \b
    Examples:
        firmware-flows report models/jet_tagger/fast.yaml
        firmware-flows report --compare runs/jet-tagger runs/jet-tagger-6-bits -o six_bits
    """
    if runs is not None:
        refuse(context, ("recipe", "run_dir", "force"), "makes no sense together with --compare")
        compare_runs(*runs, output or Path("comparison"), as_json=as_json)
    elif recipe is None:
        raise click.UsageError("name a recipe, or two run directories with --compare", context)
    else:
        refuse(context, ("output",), "is for --compare; a report is written into the run directory")
        _until("report", recipe, run_dir, force, as_json)


def _either(
    context: click.Context, alone: Callable[..., None], reason: str, *,
    source: Path, run_dir: Path | None, force: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """The stage that bears the command's name, of a recipe, which takes no `options`; or `alone`, of another source."""
    if is_recipe(source):
        refuse(context, tuple(options), reason)
        _until(str(context.command.name), source, run_dir, force, as_json)
    else:
        refuse(context, ("run_dir", "force"), "is for recipes")
        alone(source, as_json=as_json, **options)


def _until(stage: str, recipe: Path, run_dir: Path | None, force: bool, as_json: bool) -> None:
    """Run one stage, and before it those that are not current."""
    run_recipe(recipe, run_dir, last=stage, force=(stage,) if force else (), as_json=as_json)


COMMANDS: tuple[click.Command, ...] = (run, data, train, convert, rtl, synthesize, emulate, verify, report)
