"""Stage `rtl`: the Program as Verilog or VHDL, its latency and interval measured in simulation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from firmware_flows.flow.observer import Observer
from firmware_flows.flow.stage import RTL, Outcome, Run, Stage
from firmware_flows.recipe import Recipe
from firmware_flows.recipe_schema import RtlSettings
from firmware_flows.reporting.numbers import cycles_of

if TYPE_CHECKING:
    from firmware_flows.rtl import Design


def _inputs(run: Run) -> dict[str, Any]:
    return {"rtl": settings_of(run.recipe).model_dump(mode="json", exclude={"timeout"})}


def settings_of(recipe: Recipe) -> RtlSettings:
    """The section `rtl`, with the target and the clock of `hls` where it names none."""
    settings, hls = recipe.rtl or RtlSettings(), recipe.hls
    return settings.model_copy(
        update={"target": settings.target or hls.target, "clock_mhz": settings.clock_mhz or hls.clock_mhz}
    )


def _perform(run: Run) -> Outcome:
    import firmware_flows as ff

    settings, observer = settings_of(run.recipe), run.observer
    if settings.simulate:
        require_simulator(settings.language)  # before minutes are spent on writing
    design = ff.rtl.write_design(
        run.program(),
        run.path(RTL),
        target=str(settings.target),
        clock_mhz=float(settings.clock_mhz or 0.0),
        language=settings.language,
        progress=lambda done, total: observer.progress("writing RTL, instructions", done, total),
    )
    if settings.simulate:
        compile_rtl(design, run.recipe, observer)
        observer.progress("measuring latency and interval", 0, 1)
    facts = design_facts(design, measured=settings.simulate)
    return Outcome(outputs=(RTL,), summary=summary_of(facts), results={"rtl": facts})


def require_simulator(language: str) -> None:
    """Raises MissingToolError where the language's simulator is not here."""
    if language == "vhdl":
        from firmware_flows.rtl.ghdl import find_ghdl

        find_ghdl()
    else:
        from firmware_flows.hls.compiler import find_compiler
        from firmware_flows.rtl.verilator import find_verilator

        find_verilator()
        find_compiler("to compile the simulation of RTL")


def compile_rtl(design: Design, recipe: Recipe, observer: Observer) -> Path:
    """Compile the simulation, with the recipe's timeout."""
    from firmware_flows.rtl.simulation import compile_design

    return compile_design(
        design,
        lambda done, total: observer.progress("compiling the RTL's simulation", done, total),
        settings_of(recipe).timeout,
    )


def design_facts(design: Design, *, measured: bool) -> dict[str, Any]:
    """What a report says of a design, as JSON values: measured and estimated figures, each with its source."""
    period = 1e3 / design.clock_mhz
    alkaid = f"estimated (alkaid {design.versions.get('alkaid', '')})".replace(" )", ")")
    facts: dict[str, Any] = {
        "language": design.language,
        "top": design.top,
        "target": design.target,
        "clock_mhz": design.clock_mhz,
        "estimated": {"lut": design.cost, "register_bits": design.register_bits, "source": alkaid},
        "stated": {"latency_cycles": design.pipeline_depth, "source": "the generator's pipeline"},
        "measured": None,
    }
    if measured:
        cycles, interval = design.latency_cycles, design.initiation_interval
        facts["measured"] = {
            "latency_cycles": cycles,
            "latency_ns": cycles * period,
            "initiation_interval": interval,
            "events_per_us": design.clock_mhz / interval,
            "source": f"measured in simulation ({_simulator(design)})",
        }
    return facts


def _simulator(design: Design) -> str:
    if design.language == "vhdl":
        from firmware_flows.rtl.ghdl import find_ghdl, ghdl_version

        return ghdl_version(find_ghdl())
    from firmware_flows.rtl.verilator import find_verilator

    return f"Verilator {find_verilator().version_text}"


def summary_of(facts: dict[str, Any]) -> str:
    """One line of `design_facts`."""
    measured, estimated = facts["measured"], facts["estimated"]
    cost = f"about {estimated['lut']:,.0f} LUT, {estimated['register_bits']:,} flip-flops {estimated['source']}"
    if measured is None:
        cycles = facts["stated"]["latency_cycles"]
        return f"{facts['language']}, {cycles_of(cycles)} as the generator states, not simulated; {cost}"
    return (
        f"{facts['language']}, latency {cycles_of(measured['latency_cycles'])} = {measured['latency_ns']:.1f} ns at "
        f"{facts['clock_mhz']:g} MHz, interval {measured['initiation_interval']}, {measured['source']}; {cost}"
    )


def _capabilities(recipe: Recipe) -> tuple[str, ...]:
    settings = settings_of(recipe)
    simulators = {"verilog": "rtl simulation", "vhdl": "vhdl simulation"}
    return ("rtl", simulators[settings.language]) if settings.simulate else ("rtl",)


STAGE = Stage("rtl", ("convert",), _inputs, _perform, _capabilities, wanted=lambda recipe: recipe.rtl is not None)
