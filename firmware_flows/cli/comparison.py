"""`report --compare`: two runs beside each other."""

from __future__ import annotations

from pathlib import Path

from firmware_flows.cli.console import say, say_json
from firmware_flows.files import write_json, write_text

NAME = "comparison"


def compare_runs(first: Path, second: Path, directory: Path, *, as_json: bool) -> None:
    """Write the comparison as HTML, Markdown and JSON, and say what matters most."""
    from firmware_flows.reporting import to_html, to_markdown
    from firmware_flows.reporting.compare import compare
    from firmware_flows.reporting.compare_page import arrange_comparison

    facts = compare(first, second)
    document = arrange_comparison(facts)
    write_json(directory / f"{NAME}.json", facts)
    write_text(directory / f"{NAME}.md", to_markdown(document))
    write_text(directory / f"{NAME}.html", to_html(document, directory))
    if as_json:
        say_json(facts)
        return
    if document.verdict is not None:
        say(f"{document.verdict.said}: {document.verdict.text}")
    both = [m for m in facts["metrics"] if m["difference"] is not None]
    others = f"{len(facts['types'])} types and ranges, {len(facts['settings'])} settings differ"
    metrics = f"{sum(m['difference'] != 0 for m in both)} of {len(both)} metrics, " if both else "no metric in common; "
    say(f"{metrics}{others}: {directory / f'{NAME}.html'}")
