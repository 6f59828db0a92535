"""`estimate`: how big and how fast a Program will be, before synthesis."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from firmware_flows.cli.console import say, say_json

if TYPE_CHECKING:
    from firmware_flows.estimation import Advice, Estimate, Quantity

STAGES = {"hls": "HLS report", "synthesis": "after logic synthesis"}


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
        _say(found, advice, layers)
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


def _say(found: Estimate, advice: list[Advice], layers: bool) -> None:
    device = found.target.device
    say(
        f"{found.program} for {found.target.name} ({device.name}), {found.clock_mhz:g} MHz, "
        f"{found.strategy}, io {found.io}"
    )
    say(f"estimated; the true value lies in the brackets in {found.coverage:.0%} of the cases")
    for reason in found.outside:
        say(f"  outside the calibrated domain: {reason}")
    for stage in found.stages:
        say(STAGES[stage.name])
        say(f"  latency {_q(stage.latency)} cycles = {1000 * stage.latency.value / found.clock_mhz:.0f} ns")
        say(f"  interval {_q(stage.interval)} cycles")
        for label, name in (("LUT", "lut"), ("FF", "ff"), ("DSP", "dsp"), ("BRAM18", "bram18")):
            quantity, there = getattr(stage, name), max(getattr(device, name), 1)
            region = f", {quantity.value / max(device.region(name), 1):.1%} of a region" if device.regions > 1 else ""
            say(f"  {label:<7} {_q(quantity)}  {quantity.value / there:.1%} of the device{region}")
    if layers:
        say(
            f"{'layer':<28} {'kind':<14} {'reuse':>5} {'cycles':>6} "
            f"{'LUT':>9} {'FF':>9} {'DSP':>7} {'BRAM18':>6}  (HLS)"
        )
        for x in found.layers:
            h = x.hls
            reuse = str(x.reuse_factor) if x.strategy else ""
            say(
                f"{x.name:<28} {x.kind:<14} {reuse:>5} {x.latency:>6.0f} {h['lut']:>9,.0f} {h['ff']:>9,.0f} "
                f"{h['dsp']:>7,.0f} {h['bram18']:>6,.0f}"
            )
    for remark in found.remarks:
        say(remark)
    problems = found.problems()
    if not problems:
        say("fits, by the middle values of the intervals")
        return
    say("does not fit, by the middle values of the intervals:")
    for problem in problems:
        say(f"  {problem}")
    if not advice:
        return
    say("what would:" if advice[0].fits else "nothing tried makes it fit; nearest:")
    for proposal in advice:
        s = proposal.estimate.synthesis
        say(
            f"  {proposal.text}: {s.latency.value:.0f} cycles ({proposal.estimate.latency_ns:.0f} ns), "
            f"interval {s.interval.value:.0f}, {s.lut.value:,.0f} LUT, {s.dsp.value:,.0f} DSP"
            + ("" if not proposal.estimate.outside else "  (outside the calibrated domain)")
        )


def _q(quantity: Quantity) -> str:
    return f"{quantity.value:,.0f} [{quantity.low:,.0f}, {quantity.high:,.0f}]"


COMMANDS: tuple[click.Command, ...] = (estimate,)
