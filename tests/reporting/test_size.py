"""The report's sections on size and speed: estimates beside device and budget, advice, what was measured."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from small_networks import dense_network

import firmware_flows as ff
from firmware_flows.estimation import advise
from firmware_flows.program import Program
from firmware_flows.reporting import arrange, to_markdown
from firmware_flows.reporting.costs_plot import costs_svg
from firmware_flows.reporting.estimates import estimate_facts
from firmware_flows.reporting.numbers import estimated, nanoseconds, rounded, signed

HLS: dict[str, Any] = {
    "backend": "Vitis", "target": "xcvu13p-2", "clock_mhz": 200.0, "io": "parallel", "strategy": "latency",
    "reuse_factor": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def jets() -> Program:
    return dense_network([16, 64, 32, 32, 5], bits=6)


@pytest.fixture(scope="module")
def deep() -> Program:
    """10 x 128, as the reference problem has it."""
    return dense_network([44, *[128] * 10, 43], bits=8)


def text_of(facts: dict[str, Any], program: Program, **recipe: Any) -> str:
    """The report of facts with the estimates of a Program."""
    settings = {"hls": {**HLS, **recipe.pop("hls", {})}, **recipe}
    return to_markdown(arrange({**facts, "estimates": estimate_facts(program, settings)}))


def section(text: str, title: str) -> str:
    return text.split(f"## {title}")[1].split("\n## ")[0]


def test_numbers_are_rounded_to_what_they_mean() -> None:
    assert [rounded(x) for x in (0.0, 0.4, 7.0, 1234.0, 172_819.15)] == ["0", "0", "7", "1,230", "173,000"]
    assert estimated({"value": 1.0, "low": 1.0, "high": 1.08}) == "1"
    assert nanoseconds({"value": 10.0, "low": 8.0, "high": 40.0}, 200.0) == "50.0 [40.0, 200]"
    assert [signed(x) for x in (-0.00001, 0.00001, -0.5)] == ["0.0000", "0.0000", "-0.5000"]


def test_totals_stand_with_stage_interval_and_shares(facts: dict[str, Any], jets: Program) -> None:
    found = ff.estimate(jets, target="xcvu13p-2", clock_mhz=200)
    text = section(text_of(facts, jets), "Size and speed: HLS project, estimated")
    assert "the HLS report will say | logic synthesis will leave" in text
    assert found.hls is not None
    lut = next(line for line in text.splitlines() if line.startswith("| LUT |"))
    for quantity in (found.hls.lut, found.synthesis.lut):
        assert estimated(quantity.facts()).replace("[", "\\[").replace("]", "\\]") in lut
    assert f"{found.shares()['lut'].value:.1%}" in lut
    assert f"{found.shares(of_region=True)['lut'].value:.1%}" in lut
    assert "1,728,000" in lut
    assert "432,000" in lut
    assert "in 80% of the cases" in text
    latency = next(line for line in text.splitlines() if line.startswith("| latency, ns |"))
    assert f"{found.latency_ns:.1f}" in latency


def test_without_a_budget_those_of_the_boards_with_this_device_are_shown(facts: dict[str, Any], jets: Program) -> None:
    text = section(text_of(facts, jets), "Size and speed")
    rows = [line for line in text.splitlines() if line.startswith("| jet-")]
    assert {row.split(":")[0] for row in rows} == {"| jet-features", "| jet-constituents", "| jet-sc4"}
    features = next(row for row in rows if row.startswith("| jet-features"))
    assert " of 20 |" in features  # cycles of 5 ns in 100 ns
    assert " of 5 |" in features  # an event a crossing of 25 ns
    assert "lar-energy" not in text  # another device


def test_a_named_budget_is_judged_with_the_recipes_own_numbers_in_it(facts: dict[str, Any], jets: Program) -> None:
    recipe = {"hls": HLS, "budget": {"name": "jet-features", "latency_cycles": 3}}
    entry = estimate_facts(jets, recipe)[0]
    assert entry["budget"]["latency_ns"] == 15.0
    assert entry["budget"]["interval_ns"] == 25
    assert entry["budgets"] == []
    text = to_markdown(arrange({**facts, "estimates": [entry]}))
    assert "**DOES NOT FIT**" in text
    assert "cycles of 3 (15 ns)" in text
    assert "jet-features allows 3 cycles, 15 ns" in section(text, "At a glance")
    assert "jet-features brings an event every 5" in section(text, "At a glance")
    interval = estimate_facts(jets, {"hls": HLS, "budget": {"interval_cycles": 2}})[0]
    assert interval["budget"]["interval_cycles"] == 2
    assert interval["fits"]
    assert "allows" not in section(to_markdown(arrange({**facts, "estimates": [interval]})), "At a glance")


def test_ten_layers_of_128_do_not_fit_a_690t_and_the_report_says_what_would(
    facts: dict[str, Any], deep: Program
) -> None:
    text = text_of(facts, deep, hls={"target": "xc7vx690tffg1927-2", "clock_mhz": 160.0})
    found = section(text, "Size and speed")
    assert "**DOES NOT FIT**: xc7vx690t, by the middle of the estimate: LUT: " in found
    advice = [line for line in found.splitlines() if "| fits, " in line]
    assert advice
    assert "layers dense1, dense2, dense3, dense4, dense5, dense6, dense7, dense8, dense9: 16,384 products" in found
    reuse = next(line for line in advice if "reuse factor" in line)
    pruning = next(line for line in advice if "pruned" in line)
    # Each row: rank, change, latency in cycles and ns, interval, LUT, DSP, "fits": the numbers of that very estimate.
    proposals = advise(deep, ff.estimate(deep, target="xc7vx690tffg1927-2", clock_mhz=160))
    for line in (reuse, pruning):
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        proposal = next(p for p in proposals if cells[1].startswith(p.text))
        assert cells[2].startswith(f"{proposal.estimate.synthesis.latency.value:.0f} ")
        assert float(cells[3].replace(",", "")) == pytest.approx(proposal.estimate.latency_ns, abs=0.06)
    assert "HLS project: fits with" in section(text, "At a glance")


def test_what_is_outside_the_calibrated_domain_is_said(facts: dict[str, Any], jets: Program) -> None:
    text = text_of(facts, jets, hls={"clock_mhz": 500.0, "backend": "Catapult"})
    assert "Outside what the estimator was calibrated with" in text
    assert "500 MHz" in text
    assert "The project is for Catapult" in text
    assert "outside the calibrated domain" in section(text, "At a glance")


def test_an_unknown_part_gets_no_estimate_and_the_reason(facts: dict[str, Any], jets: Program) -> None:
    text = text_of(facts, jets, hls={"target": "no-such-part"})
    assert "There is no estimate: target = 'no-such-part' is no known device" in text
    assert "no estimate" in section(text, "At a glance")


def test_rtl_has_a_section_of_its_own(facts: dict[str, Any], jets: Program) -> None:
    text = text_of(facts, jets, rtl={"target": None, "clock_mhz": 320.0})
    assert "at 320 MHz; every multiplication unrolled" in section(text, "Size and speed: RTL, estimated")
    assert "the HLS report will say" not in section(text, "Size and speed: RTL, estimated")


def test_a_design_whose_upper_end_exceeds_the_budget_may_not_fit(facts: dict[str, Any], jets: Program) -> None:
    from firmware_flows.flow.evaluation import budget_facts

    found = ff.estimate(jets, target="xcvu13p-2", clock_mhz=200).synthesis.lut
    recipe = {"hls": HLS, "budget": {"lut": round((found.value + found.high) / 2)}}
    checks = budget_facts(jets, recipe, None, None)
    assert [c["name"] for c in checks[0]["checks"] if c["status"] == "failed"] == ["LUT"]
    document: dict[str, Any] = {**facts, "estimates": estimate_facts(jets, recipe), "budget": checks}
    report = to_markdown(arrange(document))
    assert "every check of this run holds, but not what the recipe allows: LUT." in report.split("##")[0]
    assert "| HLS project: what the recipe allows | EXCEEDED: LUT |" in section(report, "At a glance")
    text = section(report, "Size and speed")
    assert "**MAY NOT FIT**: xcvu13p and the recipe's budget, by the middle of every estimate, but not by" in text
    assert "| LUT | FAILS |" in text
    assert "What would make it pass firmware-flows check, by the upper end of the estimate" in text
    entry = document["estimates"][0]
    assert entry["advice_by"] == "high"
    inside = [a for a in entry["advice"] if a["fits"]]
    assert inside
    assert all(a["lut"]["high"] <= recipe["budget"]["lut"] for a in inside)
    assert all(a["beyond"] == [] for a in inside)
    assert "passes the check with" in to_markdown(arrange(document))
    # Where the check passes, by a measured number, nothing is advised.
    passing = [{"form": "hls", "checks": [{"status": "passed"}]}]
    assert estimate_facts(jets, recipe, None, passing)[0]["advice"] == []


def test_what_the_recipe_compares_by_the_middle_fits_and_the_report_says_that_the_end_exceeds(
    facts: dict[str, Any], jets: Program
) -> None:
    from firmware_flows.flow.evaluation import budget_facts

    found = ff.estimate(jets, target="xcvu13p-2", clock_mhz=200).synthesis.lut
    limit = round((found.value + found.high) / 2)
    recipe = {"hls": HLS, "budget": {"lut": limit, "estimate": "middle"}}
    entry, checks = estimate_facts(jets, recipe)[0], budget_facts(jets, recipe, None, None)
    assert all(c["status"] != "failed" for c in checks[0]["checks"])
    assert entry["advice"] == []
    report = to_markdown(arrange({**facts, "estimates": [entry], "budget": checks}))
    assert "every check of this run holds." in report.split("##")[0]
    assert "| HLS project: what the recipe allows | holds |" in section(report, "At a glance")
    text = section(report, "Size and speed")
    assert (
        "**FITS**: xcvu13p and the recipe's budget, by the middle of every estimate, which is what the recipe" in text
    )
    exceeds = f"LUT {rounded(found.high)} of {limit:,}"
    assert f"The upper end exceeds the limit: {exceeds}." in text
    assert "; the upper end exceeds it |" in text
    assert f"fits by the middle, not by the upper end: {exceeds}" in section(report, "At a glance")
    # One that even the upper end fits says so.
    roomy = {"hls": HLS, "budget": {"lut": round(found.high) + 1}}
    text = to_markdown(arrange({**facts, "estimates": estimate_facts(jets, roomy)}))
    assert "by the upper end of every estimate." in text
    assert "the upper end exceeds" not in text


@pytest.mark.parametrize(("lut", "fits"), [(1_000_000, True), (10_000, False)])
def test_the_recipes_own_count_stands_in_place_of_the_share_of_its_named_budget(lut: int, fits: bool) -> None:
    from firmware_flows.flow.evaluation import budget_facts

    program = dense_network([30, 100, 100], bits=8)
    budget = {"name": "jet-features", "latency_cycles": 99, "lut": lut, "estimate": "middle"}
    recipe = {"hls": {**HLS, "clock_mhz": 360.0}, "budget": budget}
    assert not estimate_facts(program, {**recipe, "budget": {"name": "jet-features"}})[0]["fits"]
    entry = estimate_facts(program, recipe)[0]
    failed = [c["name"] for c in budget_facts(program, recipe, None, None)[0]["checks"] if c["status"] == "failed"]
    # The report's verdict and the check are of one mind.
    assert (entry["fits"], failed) == (fits, [] if fits else ["LUT"])
    assert entry["problems"] == [] or entry["problems"][0].endswith(" of 10,000, jet-features")


def test_the_drawing_has_a_bar_for_every_layer_and_resource(jets: Program) -> None:
    entry = estimate_facts(jets, {"hls": HLS})[0]
    svg = costs_svg(entry["layers"], "synthesis")
    shown = sum(any(x["synthesis"][key] for x in entry["layers"]) for key in ("lut", "ff", "dsp", "bram18")) + 1
    assert svg.count("<title>") == shown * len(entry["layers"])
    assert "dense0: " in svg
    assert costs_svg([], "synthesis") == ""


def test_estimates_are_not_changed_by_being_shown(facts: dict[str, Any], jets: Program) -> None:
    entries = estimate_facts(jets, {"hls": HLS, "rtl": {}})
    before = copy.deepcopy(entries)
    arrange({**facts, "estimates": entries})
    assert entries == before


def test_ends_are_compared_as_the_check_compares_them(jets: Program) -> None:
    """As whole numbers: an upper end of 20.4 cycles is within 20."""
    high = ff.estimate(jets, target="xcvu13p-2", clock_mhz=200).synthesis.latency.high
    assert high != int(high)
    for cycles, beyond in ((int(high), []), (int(high) - 1, ["latency"])):
        entry = estimate_facts(jets, {"hls": HLS, "budget": {"latency_cycles": cycles}})[0]
        assert [q["name"] for q in entry["upper_beyond"]] == beyond
