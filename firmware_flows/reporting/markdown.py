"""A report as Markdown; images are links beside it."""

from __future__ import annotations

from firmware_flows.reporting.document import Block, Document, Image, Items, Table, Text, Verdict


def to_markdown(document: Document) -> str:
    """The whole report as one Markdown text."""
    lines = [f"# {_plain(document.title)}", ""]
    if document.subtitle:
        lines += [_plain(document.subtitle), ""]
    if document.verdict:
        lines += [_block(document.verdict), ""]
    for section in document.sections:
        lines += [f"## {_plain(section.title)}", ""]
        for block in section.blocks:
            lines += [_block(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def _block(block: Block) -> str:
    match block:
        case Text(text):
            return _plain(text)
        case Verdict():
            return f"**{block.said}**: {_plain(block.text)}"
        case Items(items):
            return "\n".join(f"- {_plain(item)}" for item in items)
        case Image(title, file, caption):
            return f"![{_plain(title)}]({file.replace(' ', '%20')})\n\n*{_plain(caption or title)}*"
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    rule = ["---:" if k in table.numeric else "---" for k in range(len(table.columns))]
    rows = [table.columns, tuple(rule), *table.rows]
    lines = ["| " + " | ".join(c if row is rows[1] else _cell(c) for c in row) + " |" for row in rows]
    return "\n".join([*lines, "", f"*Source: {_plain(table.source)}*"])


def _cell(text: str) -> str:
    return _plain(text).replace("|", "\\|").replace("\n", " ")


def _plain(text: str) -> str:
    """Text with nothing in it that Markdown would take for markup."""
    text = text.replace("\\", "\\\\")
    for character in "`*_<>[]":
        text = text.replace(character, f"\\{character}")
    return text
