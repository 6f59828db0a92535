"""One document, written as Markdown and as HTML."""

from __future__ import annotations

import copy
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from firmware_flows.reporting import arrange, to_html, to_markdown
from firmware_flows.reporting.document import Document, Section, Table

VOID = {"meta", "img", "br", "wbr"}


class Checker(HTMLParser):
    """Notes unbalanced tags and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in ("src", "href") and value and not value.startswith(("data:", "#")):
                self.fetched.append(value)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _tables(document: Document) -> list[Table]:
    return [block for section in document.sections for block in section.blocks if isinstance(block, Table)]


def test_every_table_says_where_its_numbers_come_from(facts: dict[str, Any]) -> None:
    tables = _tables(arrange(facts))
    assert len(tables) >= 8
    for table in tables:
        assert table.source
        assert all(len(row) == len(table.columns) for row in table.rows)


def test_the_page_is_whole_balanced_and_fetches_nothing(facts: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "roc.png").write_bytes(b"\x89PNG")
    facts["plots"] = [{"title": "ROC", "file": "plots/roc.png", "caption": "Signal efficiency <5%"}]
    facts["types_plot"] = "plots/missing.svg"
    page = to_html(arrange(facts), tmp_path)
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    assert checker.fetched == []
    assert "data:image/png;base64,iVBORw==" in page
    assert "plots/missing.svg is missing" in page
    assert "url(" not in page


def test_nothing_in_the_facts_becomes_markup(facts: dict[str, Any], tmp_path: Path) -> None:
    page, text = to_html(arrange(facts), tmp_path), to_markdown(arrange(facts))
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>" not in text
    assert "ap\\_fixed\\<4,2\\>" in text


def test_the_markdown_has_the_same_tables(facts: dict[str, Any]) -> None:
    document = arrange(facts)
    text = to_markdown(document)
    assert text.startswith("# run\\_\\<1\\>: ")
    assert text.count("*Source: ") == len(_tables(document))
    for line in text.splitlines():
        if line.startswith("| dense | Dense"):
            assert line.count(" | ") == 9


def test_numbers_of_the_run_are_there(facts: dict[str, Any]) -> None:
    text = to_markdown(arrange(facts))
    for expected in (
        "**PASSED**: every check of this run holds",
        "0 differences in 100,300 events",
        "| Keras | 100,000 | 0 | 300 | beyond float32 |",
        "| accuracy | 0.8000 | 0.7900 | +0.0100 |",
        "0: q, 1: g",
        "The softmax is left out",
        "dense: a remark",
    ):
        assert expected in text


def test_a_failure_is_at_the_top_and_the_first_difference_in_full(facts: dict[str, Any]) -> None:
    failed = copy.deepcopy(facts)
    failed["failures"] = ["the forms of the network do not agree"]
    failed["verification"] |= {
        "passed": False,
        "divergences": [
            {"form": "HLS C++", "layer": "dense", "element": [1], "expected": 5, "description": "5 = 0b101"}
        ],
    }
    text = to_markdown(arrange(failed))
    assert "**FAILED**: the forms of the network do not agree" in text.split("##")[0]
    assert "5 = 0b101" in text


def test_a_run_without_csim_says_so(facts: dict[str, Any]) -> None:
    facts["verification"]["csim"] = False
    assert "was not compiled or run" in to_markdown(arrange(facts))


def test_sections_without_facts_are_left_out(facts: dict[str, Any]) -> None:
    for key in ("verification", "metrics", "training", "hls"):
        facts[key] = None
    titles = [section.title for section in arrange(facts).sections]
    assert titles == ["Network", "Inputs and outputs", "Remarks", "Provenance"]
    assert all(isinstance(section, Section) for section in arrange(facts).sections)
