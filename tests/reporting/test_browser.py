"""Reports as a reader sees them: in a browser without network, on a desktop, a phone and paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import reference_reports
from chromium import Chromium, chromium, find_chromium

from firmware_flows.cli.main import run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None, reason="no Chromium is installed (for example: apt-get install chromium)"
    ),
]

DESKTOP, PHONE, PAPER = 1280, 390, 718
"""Widths in CSS pixels: A4 less margins for paper."""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Of every reference recipe; the muons' with a budget."""
    directory = tmp_path_factory.mktemp("reports")
    budgets = {"omtf": {"name": "omtf-phase2"}}
    return {
        model: reference_reports.write_report(model, directory / model, budgets.get(model))
        for model in reference_reports.NETWORKS
    }


def check(browser: Chromium, page: Path, images: int) -> None:
    """Nothing fetched, nothing complained about, nothing wider than the window, every image shown."""
    for width, phone, medium in ((DESKTOP, False, ""), (PHONE, True, ""), (PAPER, False, "print")):
        browser.call("Emulation.setEmulatedMedia", media=medium)
        seen = browser.open(page, width, phone=phone)
        where = f"{page.parent.name}, {width} pixels"
        assert seen.complaints == [], where
        assert seen.requests[0] == page.resolve().as_uri(), where
        assert all(url.startswith("data:image/") for url in seen.requests[1:]), where
        assert seen.width == width, f"{where}: {seen.widest}"
        assert seen.widest == [], where
        assert seen.images >= images, where
        assert seen.broken_images == 0, where
    browser.call("Emulation.setEmulatedMedia", media="")


def test_the_browser_notices_what_a_report_must_not_do(browser: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(
        '<!DOCTYPE html><html><head><meta name="viewport" content="width=device-width"></head><body>'
        '<img src="http://example.org/x.png"><div style="width: 500px">wide</div>'
        "<script>console.error('oh'); missing();</script></body></html>"
    )
    seen = browser.open(page, PHONE, phone=True)
    assert "http://example.org/x.png" in seen.requests
    assert any('"oh"' in text for text in seen.complaints)
    assert any("Uncaught" in text for text in seen.complaints)
    assert any("ERR_INTERNET_DISCONNECTED" in text for text in seen.complaints)
    assert seen.width > PHONE
    assert seen.widest
    assert seen.broken_images == 1


@pytest.mark.keras
@pytest.mark.parametrize(("model", "plots"), [("jet_tagger", 3), ("omtf", 3), ("calorimeter", 3)])
def test_the_report_of_a_reference_recipe(browser: Chromium, reports: dict[str, Path], model: str, plots: int) -> None:
    directory = reports[model]
    facts = json.loads((directory / "report.json").read_text())
    assert len(facts["plots"]) >= plots
    check(browser, directory / "report.html", plots + 2)  # and types, and costs
    headings = browser.evaluate("[...document.querySelectorAll('h2')].map(h => h.textContent)")
    assert {"At a glance", "Performance", "Size and speed: HLS project, estimated", "Network"} <= set(headings)
    assert ("Size and speed: RTL, estimated" in headings) == (model == "calorimeter")
    text = browser.evaluate("document.body.textContent")
    assert "80% interval" in text
    if model == "omtf":
        assert "omtf-phase2 allows 36 cycles, 100 ns" in text
        assert "omtf-phase2 brings an event every 9" in text
    if model == "calorimeter":
        assert "measured: placed and routed (nextpnr-ecp5 0.11.1)" in text
        assert "measured in simulation (Verilator 5.048)" in text
    # Markdown and JSON come from the same document and facts.
    markdown = (directory / "report.md").read_text()
    assert [line[3:] for line in markdown.splitlines() if line.startswith("## ")] == headings
    for entry in facts["estimates"]:
        assert f"{entry['stages'][-1]['latency']['value']:.0f} " in markdown


@pytest.mark.keras
def test_the_comparison_of_two_runs(
    browser: Chromium, reports: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--compare", str(reports["jet_tagger"]), str(reports["calorimeter"])]
    assert run(["report", *arguments, "-o", str(tmp_path / "out")]) == 0
    assert "OTHER BITS" in capsys.readouterr().out
    check(browser, tmp_path / "out" / "comparison.html", 0)
