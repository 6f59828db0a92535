"""Facts about size and speed before synthesis: the estimates of every form, advice, budgets of the experiments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.estimation import Estimate, estimate
from firmware_flows.program import Program
from firmware_flows.reporting.advice import advice_facts
from firmware_flows.reporting.size import NO_LATENCY_NS
from firmware_flows.targets import RESOURCES, Budget, Target, catalogue, find_target

Facts = Mapping[str, Any]

TOOLS = {"Vitis": "vitis_hls", "Vivado": "vivado_hls"}
"""hls4ml's back end -> the tool that the estimator knows; for the others it answers as for Vitis HLS, and says so."""


def estimate_facts(
    program: Program, recipe: Facts, reuse_factor: Any = None, budget: Sequence[Facts] = ()
) -> list[dict[str, Any]]:
    """One entry for the HLS project, one for the RTL where there is some; JSON values.

    recipe: as `Recipe.to_dict` gives it. reuse_factor: as the written project has them, where it differs from the
    recipe's. budget: what `firmware-flows check` finds, by form: where it passes by measured numbers, no advice is
    needed. An entry has the facts of `Estimate`, `form`, `budgets` and `advice`; or `form` and `refused`, the reason
    why there is no estimate (a part that no target describes, for example).
    """
    hls, rtl = recipe["hls"], recipe.get("rtl")
    backend = str(hls["backend"])
    settings: dict[str, Any] = {
        "strategy": hls["strategy"],
        "reuse_factor": reuse_factor or hls["reuse_factor"],
        "io": hls["io"],
        "tool": TOOLS.get(backend, TOOLS["Vitis"]),
    }
    wanted = recipe.get("budget") or {}
    passed = {b["form"] for b in budget if all(c["status"] != "failed" for c in b["checks"])}
    found = [_entry("hls", program, str(hls["target"]), float(hls["clock_mhz"]), wanted, settings, "hls" in passed)]
    if backend not in TOOLS:
        found[0].setdefault("remarks", []).append(
            f"The project is for {backend}; the estimator knows Vivado HLS and Vitis HLS, and answers as for Vitis."
        )
    if rtl is not None:
        target, clock = rtl.get("target") or hls["target"], rtl.get("clock_mhz") or hls["clock_mhz"]
        found.append(_entry("rtl", program, str(target), float(clock), wanted, {"strategy": "rtl"}, "rtl" in passed))
    return found


def _entry(
    form: str, program: Program, target: str, clock_mhz: float, wanted: Facts, settings: Facts, passed: bool
) -> dict[str, Any]:
    try:
        place = place_of(target, clock_mhz, wanted)
        answer = estimate(program, target=place, clock_mhz=clock_mhz, **settings)
        # Where the recipe names a budget, that one counts; else those of the boards with this device are shown.
        budgets = [] if place.budget else list(_budgets(program, place, settings))
    except FirmwareFlowsError as error:
        return {"form": form, "refused": str(error)}
    facts = answer.facts()
    return {
        "form": form,
        **facts,
        "target": target,
        "widened": answer.widened,
        "budgets": budgets,
        **advice_facts(program, answer, wanted, settings, passed),
    }


def place_of(target: str, clock_mhz: float, wanted: Facts) -> Target:
    """The recipe's target with the budget of its section `budget`: a named one, the recipe's own numbers in it."""
    place = find_target(target)
    named = find_target(wanted["name"]).budget if wanted.get("name") else None
    latency_ns, interval_ns = wanted.get("latency_ns"), None
    if wanted.get("latency_cycles") is not None:
        latency_ns = wanted["latency_cycles"] * 1e3 / clock_mhz
    if wanted.get("interval_cycles"):
        interval_ns = wanted["interval_cycles"] * 1e3 / clock_mhz
    counts = {name: int(wanted[name]) for name in RESOURCES if wanted.get(name) is not None}
    if named is not None:
        own = replace(
            named,
            latency_ns=latency_ns or named.latency_ns,
            interval_ns=interval_ns or named.interval_ns,
            counts=counts,
        )
        return replace(place, budget=own)
    if latency_ns is None and interval_ns is None and not counts:
        return place
    text = "the recipe's budget"
    limit = NO_LATENCY_NS if latency_ns is None else latency_ns
    return replace(place, budget=Budget(text, "", clock_mhz, limit, text, "the recipe", interval_ns, counts=counts))


def _budgets(program: Program, place: Target, settings: Facts) -> Iterator[dict[str, Any]]:
    """The design at the clock of every budget that is laid down for this device."""
    known = catalogue()
    for budget in known.budgets.values():
        board = known.boards[budget.board.lower()]
        if board.device.lower() == place.device.name.lower():
            target = Target(place.device, board, budget, place.part)
            yield _against(estimate(program, target=target, clock_mhz=budget.clock_mhz, **settings))


def _against(found: Estimate) -> dict[str, Any]:
    budget = found.target.budget
    assert budget is not None
    return {
        "budget": budget.facts(),
        "latency": found.synthesis.latency.facts(),
        "latency_ns": found.latency_ns,
        "interval": found.synthesis.interval.facts(),
        "region_shares": {name: q.facts() for name, q in found.shares(of_region=True).items()},
        "fits": found.fits,
        "problems": list(found.problems()),
    }
