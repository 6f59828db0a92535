"""Budgets: what the firmware may take, against what it was measured or is estimated to take.

A measured number counts where there is one (RTL: cycles from simulation, resources from the synthesis of its RTL,
registers from the RTL itself; HLS: the vendor's report). Otherwise the estimate counts, by default with the upper end
of its interval: a design passes only if it fits even when the estimate errs on the small side. `budget.estimate` of the
recipe chooses another end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from firmware_flows.checks import Check, check, skipped
from firmware_flows.errors import FirmwareFlowsError
from firmware_flows.program import Program

if TYPE_CHECKING:
    from firmware_flows.estimation import Estimate
    from firmware_flows.targets import Target

GROUP = "budget"

NAMES = {
    "latency": "latency (cycles)",
    "interval": "initiation interval (cycles)",
    "lut": "LUT",
    "ff": "FF",
    "dsp": "DSP",
    "bram18": "BRAM18",
}
"""Quantity -> what people call it."""

ENDS: dict[str, tuple[str, Callable[[float], int], str]] = {
    "high": ("high", floor, "upper end"),
    "middle": ("value", round, "middle"),
    "low": ("low", ceil, "lower end"),
}
"""`budget.estimate` -> the field of an estimated quantity, the whole number that it stands for, and its name."""

_COUNTS = {"lut": ("LUT packed", "LUT"), "ff": ("FF",), "dsp": ("DSP",), "bram18": ("BRAM18",)}
"""Quantity -> its names in a synthesis result, the better one first."""


@dataclass(frozen=True)
class Limit:
    """The largest allowed value, and who says so."""

    value: float
    source: str


@dataclass(frozen=True)
class Found:
    """A value, and where it comes from; the upper end of its interval if it was estimated."""

    value: float
    source: str
    upper: float | None = None


@dataclass(frozen=True)
class Firmware:
    """What decides the numbers of one form: settings of the recipe, facts of its stages, all JSON values.

    form: "hls" or "rtl". rtl: `design_facts` of the stage, or None. synthesis: results of the stage.
    """

    form: str
    target: str
    clock_mhz: float
    strategy: str = "latency"
    reuse_factor: Any = 1
    io: str = "parallel"
    backend: str = "Vitis"
    rtl: Mapping[str, Any] | None = None
    synthesis: Sequence[Mapping[str, Any]] = ()


def firmware_of(recipe: Mapping[str, Any], rtl: Mapping[str, Any] | None, synthesis: Any) -> Firmware:
    """From a recipe's settings (`Recipe.to_dict`) and what its stages reported."""
    hls, settings = recipe["hls"], recipe.get("budget") or {}
    form = settings.get("form") or ("rtl" if recipe.get("rtl") is not None else "hls")
    own = (recipe.get("rtl") or {}) if form == "rtl" else {}
    return Firmware(
        form=form,
        target=own.get("target") or hls["target"],
        clock_mhz=float(own.get("clock_mhz") or hls["clock_mhz"]),
        strategy=hls["strategy"],
        reuse_factor=hls["reuse_factor"],
        io=hls["io"],
        backend=hls["backend"],
        rtl=rtl,
        synthesis=tuple((synthesis or {}).get("results", ())),
    )


def budget_checks(program: Program, firmware: Firmware, settings: Mapping[str, Any] | None) -> list[Check]:
    """One check a quantity. `settings`: section `budget` of the recipe."""
    wanted = dict(settings or {})
    place: Target | str
    try:
        place = _target(wanted.get("name") or firmware.target)
    except FirmwareFlowsError as error:
        if wanted.get("name"):
            raise
        place = str(error)
    limits = dict(limits_of(place, wanted, firmware.clock_mhz))
    measured = dict(_measured(firmware, place))
    end = ENDS[wanted.get("estimate") or "high"]
    missing = [name for name in limits if name not in measured]
    estimated = _estimated(program, firmware, place, end) if missing else {}
    checks = list(_device(place, firmware))
    for name, label in NAMES.items():
        limit = limits.get(name)
        found = measured.get(name) or (estimated.get(name) if isinstance(estimated, dict) else None)
        if limit is None:
            reason = place if isinstance(place, str) else "the recipe names no budget for it"
            checks.append(skipped(GROUP, label, f"{label}: no limit, since {reason}"))
        elif found is None:
            reason = estimated if isinstance(estimated, str) else "nothing states it"
            checks.append(skipped(GROUP, label, f"{label}: not compared with {limit.value:,.10g}, since {reason}"))
        else:
            holds = found.value <= limit.value + 1e-9
            verb = "within" if holds else "exceeds"
            text = f"{label} {found.value:,.10g} ({found.source}) {verb} {limit.value:,.10g} ({limit.source})"
            if holds and found.upper is not None and found.upper > limit.value + 1e-9:
                text += "; the upper end exceeds it"
            checks.append(check(GROUP, label, holds, text))
    return checks


def _target(name: str) -> Target:
    from firmware_flows.targets import find_target

    return find_target(name)


def _device(place: Target | str, firmware: Firmware) -> Iterator[Check]:
    """A budget is that of a board: firmware written for another device does not keep it."""
    if isinstance(place, str) or place.budget is None:
        return
    try:
        device = _target(firmware.target).device.name
    except FirmwareFlowsError:
        device = firmware.target
    holds = device == place.device.name
    text = f"the firmware is for {device}, budget {place.budget.name} for {place.device.name}"
    yield check(GROUP, "device", holds, text + ("" if holds else ": change target or budget"))


def limits_of(place: Target | str, wanted: Mapping[str, Any], clock_mhz: float) -> Iterator[tuple[str, Limit]]:
    """What the recipe says itself comes first, then its named budget, then what the device has."""
    from firmware_flows.targets import RESOURCES
    from firmware_flows.targets.units import cycles_between, cycles_within

    named = None if isinstance(place, str) else place.budget
    nanoseconds = wanted.get("latency_ns") or (named.latency_ns if named else None)
    if wanted.get("latency_cycles") is not None:
        yield "latency", Limit(wanted["latency_cycles"], "the recipe's budget")
    elif nanoseconds:
        source = f"{nanoseconds:g} ns at {clock_mhz:g} MHz, "
        source += "the recipe's budget" if wanted.get("latency_ns") else f"budget {named.name}" if named else ""
        yield "latency", Limit(cycles_within(nanoseconds, clock_mhz), source)
    if wanted.get("interval_cycles"):
        yield "interval", Limit(wanted["interval_cycles"], "the recipe's budget")
    elif named is not None and named.interval_ns is not None:
        cycles = cycles_between(named.interval_ns, clock_mhz)
        yield "interval", Limit(cycles, f"{named.interval_ns:g} ns at {clock_mhz:g} MHz, budget {named.name}")
    for name in RESOURCES:
        if wanted.get(name) is not None:
            yield name, Limit(wanted[name], "the recipe's budget")
        elif not isinstance(place, str):
            device = place.device
            if named is not None and named.share is not None:
                text = f"{named.share:.3g} of a region of {device.name}, budget {named.name}"
                yield name, Limit(floor(named.share * device.region(name)), text)
            else:
                yield name, Limit(getattr(device, name), f"all of {device.name}")


def _measured(firmware: Firmware, place: Target | str) -> Iterator[tuple[str, Found]]:
    results = [r for r in firmware.synthesis if _concerns(r, firmware, place)]
    if firmware.form == "rtl" and firmware.rtl is not None:
        found = firmware.rtl.get("measured")
        if found:
            yield "latency", Found(found["latency_cycles"], found["source"])
            yield "interval", Found(found["initiation_interval"], found["source"])
        else:
            yield "latency", Found(firmware.rtl["stated"]["latency_cycles"], firmware.rtl["stated"]["source"])
            yield "interval", Found(1, "every design takes an event a clock")
    for result in results:
        latency = result.get("latency")
        if firmware.form == "hls" and latency:
            for name, key in (("latency", "maximum"), ("interval", "interval_maximum")):
                if latency.get(key) is not None:
                    yield name, Found(latency[key], result["origin"]["text"])
    for name, labels in _COUNTS.items():
        counted = _count(results, labels)
        if counted is None and name == "ff" and firmware.form == "rtl" and firmware.rtl is not None:
            # the written RTL's own registers; how many LUT its logic takes is less certain, and left to the estimate
            own = firmware.rtl.get("estimated")
            counted = Found(own["register_bits"], "registers of the written RTL") if own else None
        if counted is not None:
            yield name, counted


def _count(results: Iterable[Mapping[str, Any]], labels: Sequence[str]) -> Found | None:
    """The last result is the farthest stage of a tool."""
    for result in reversed(list(results)):
        for label in labels:
            for quantity in result["quantities"]:
                if quantity["name"] == label:
                    return Found(quantity["count"], quantity["origin"])
    return None


def _concerns(result: Mapping[str, Any], firmware: Firmware, place: Target | str) -> bool:
    """Whether a result counts this form, in units of this target's family."""
    of_hls = str(result["origin"].get("stage", "")) == "HLS estimate"
    if of_hls != (firmware.form == "hls"):
        return False
    units = {q["unit"] for q in result["quantities"] if q["name"] == "LUT"}
    return not any("LUT4" in unit for unit in units) or (
        not isinstance(place, str) and place.device.vendor.lower() == "lattice"
    )


def estimate_of(program: Program, firmware: Firmware, place: Target) -> Estimate:
    """What the estimator says of one form."""
    from firmware_flows.estimation import estimate

    hls = firmware.form == "hls"
    return estimate(
        program,
        target=place,
        clock_mhz=firmware.clock_mhz,
        strategy=firmware.strategy if hls else "rtl",
        reuse_factor=firmware.reuse_factor if hls else 1,
        io=firmware.io if hls else "parallel",
        tool="vivado_hls" if firmware.backend == "Vivado" else "vitis_hls",
    )


def _estimated(
    program: Program, firmware: Firmware, place: Target | str, end: tuple[str, Callable[[float], int], str]
) -> dict[str, Found] | str:
    """By quantity, or why there is none."""
    if isinstance(place, str):
        return place
    answer, found = estimate_of(program, firmware, place), {}
    for name in NAMES:
        quantity = answer.judged(name)
        field, whole, words = end
        interval = f"{ceil(quantity.low):,} to {floor(quantity.high):,}"
        value = whole(getattr(quantity, field))
        found[name] = Found(value, f"{words} of the estimate {interval}, {answer.coverage:.0%}", floor(quantity.high))
    return found
