"""`estimate`: how big and how fast a Program will be, before synthesis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware_flows.cli.console import say, say_json

if TYPE_CHECKING:
    from firmware_flows.estimation import Advice


@click.command(short_help="Estimate latency and resources of a Program before synthesis.")
@click.argument("program", type=click.Path(path_type=Path))
@click.option("--target", default="xcvu13p-flga2577-2-e", show_default=True, help="Budget, board, device or part.")
@click.option("--clock-mhz", type=float, help="Clock.  [default: that of the budget or board, else 200]")
@click.option("--strategy", default="latency", show_default=True, help="latency, resource, resource_unrolled, ...")
@click.option(
    "--reuse-factor", "reuse", multiple=True, metavar="N|LAYER=N", help="For all layers, or for one; several times."
)
@click.option("--io", type=click.Choice(["parallel", "stream"]), default="parallel", show_default=True)
@click.option("--tool", type=click.Choice(["vitis_hls", "vivado_hls"]), default="vitis_hls", show_default=True)
@click.option("--target-file", "files", multiple=True, type=click.Path(path_type=Path), help="Targets of your own.")
@click.option("--layers/--no-layers", default=True, help="With one line for each layer.")
@click.option("--check", is_flag=True, help="Exit with 1 where the design does not fit.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def estimate(
    program: Path,
    target: str,
    clock_mhz: float | None,
    strategy: str,
    reuse: tuple[str, ...],
    io: str,
    tool: str,
    files: tuple[Path, ...],
    layers: bool,
    check: bool,
    as_json: bool,
) -> int:
    """Estimate a Program as firmware: latency, interval, LUT, FF, DSP, BRAM, each with an interval of 80 %.

    Where it does not fit, the changes that would make it fit follow, the fastest first.

    \b
    Examples:
        firmware-flows estimate runs/jet-tagger-fast/program.ffp --target X2O
        firmware-flows estimate program.ffp --target omtf-phase1 --reuse-factor 4 --reuse-factor dense_1=8
    """
    from firmware_flows.estimation import advise
    from firmware_flows.estimation import estimate as answer
    from firmware_flows.estimation.text import to_text
    from firmware_flows.serialization import load_program

    loaded = load_program(program)
    found = answer(
        loaded,
        target=target,
        clock_mhz=clock_mhz,
        strategy=strategy,
        reuse_factor=_reuse(reuse, [layer.name for layer in loaded.layers if "weight" in layer.arrays]),
        io=io,
        tool=tool,
        target_files=files,
    )
    advice = advise(loaded, found)
    if as_json:
        say_json({**found.facts(), "advice": [a.facts() for a in advice]})
    else:
        say(to_text(found, layers))
        if advice:
            _say_advice(advice)
    return 1 if check and not found.fits else 0


def _reuse(given: tuple[str, ...], names: list[str]) -> int | dict[str, int]:
    """`4`, or `4` for all and `layer=8` for one."""
    common, special = 1, {}
    for text in given:
        name, _, value = text.rpartition("=")
        if not value.isdigit() or int(value) < 1:
            raise click.UsageError(f"--reuse-factor {text}: wanted a whole number of 1 or more, or LAYER=NUMBER")
        if name:
            special[name] = int(value)
        else:
            common = int(value)
    return {**dict.fromkeys(names, common), **special} if special else common


def _say_advice(advice: list[Advice]) -> None:
    say("what would:" if advice[0].fits else "nothing tried makes it fit; nearest:")
    for proposal in advice:
        s = proposal.estimate.synthesis
        say(
            f"  {proposal.text}: {s.latency.value:.0f} cycles ({proposal.estimate.latency_ns:.0f} ns), "
            f"interval {s.interval.value:.0f}, {s.lut.value:,.0f} LUT, {s.dsp.value:,.0f} DSP"
            + ("" if not proposal.estimate.outside else "  (outside the calibrated domain)")
        )


COMMANDS: tuple[click.Command, ...] = (estimate,)
