"""Stage `synthesize`: how large the design is and how fast it runs, by the tools that are here."""

from __future__ import annotations

from typing import Any

from firmware_flows.flow.stage import HLS, RTL, SYNTHESIS, Outcome, Run, Stage
from firmware_flows.recipe import Recipe
from firmware_flows.recipe_schema import SynthesisSettings

HLS_TOOL = "vitis"
"""The tool that reads the HLS project; all others read the RTL."""


def _inputs(run: Run) -> dict[str, Any]:
    # On which tools are installed depends what "auto" takes.
    return {"synthesize": _settings(run.recipe).model_dump(mode="json", exclude={"timeout"})}


def _settings(recipe: Recipe) -> SynthesisSettings:
    return recipe.synthesize or SynthesisSettings()


def _perform(run: Run) -> Outcome:
    import firmware_flows as ff
    from firmware_flows.synthesis import SynthesisResult, synthesize

    settings = _settings(run.recipe)
    results: list[SynthesisResult] = []
    for tool in settings.tools:
        design: Any = ff.hls.Project.load(run.path(HLS)) if tool == HLS_TOOL else ff.rtl.Design.load(run.path(RTL))
        results += synthesize(
            design,
            run.path(SYNTHESIS) / tool,
            tool=tool,
            family=settings.family if tool == "yosys" else None,
            device=settings.device if tool == "nextpnr" else None,
            timeout=settings.timeout,
            progress=run.observer.progress,
        )
    return Outcome(
        outputs=(SYNTHESIS,),
        summary="; ".join(summary_of(result) for result in results),
        results={"results": [result.to_json() for result in results]},
    )


def summary_of(result: Any) -> str:
    """One line of a result."""
    counts = ", ".join(f"{q.count:,.10g} {q.name}" for q in result.quantities if q.count)
    clocks = ", ".join(f"{c.achieved_mhz:.1f} MHz" for c in result.clocks if c.achieved_mhz is not None)
    return f"{result.origin}, {result.target}: {counts}{', ' + clocks if clocks else ''}"


_CAPABILITIES = {"yosys": ("synthesis",), "nextpnr": ("synthesis", "place and route")}


def _capabilities(recipe: Recipe) -> tuple[str, ...]:
    """Of the open tools; whether a vendor's is here is seen when it is called.

    Raises SynthesisSettingsError for VHDL, which they do not read: before the run, not after its training.
    """
    from firmware_flows.flow.rtl import settings_of
    from firmware_flows.synthesis import SynthesisSettingsError, choose_tool

    rtl, needed = settings_of(recipe), dict[str, None]()
    for tool in _settings(recipe).tools:
        chosen = choose_tool(str(rtl.target)) if tool == "auto" else tool
        if chosen in _CAPABILITIES and rtl.language != "verilog":
            remedy = f"{chosen} reads Verilog: write `language: verilog` in the section rtl, or name a vendor's tool"
            raise SynthesisSettingsError("rtl.language", rtl.language, remedy)
        needed.update(dict.fromkeys(_CAPABILITIES.get(chosen, ())))
    return tuple(needed)


STAGE = Stage(
    "synthesize",
    ("convert", "rtl"),
    _inputs,
    _perform,
    _capabilities,
    wanted=lambda recipe: recipe.synthesize is not None,
)
