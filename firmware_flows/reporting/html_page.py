"""A report as one HTML file: no script, no network, images inside; readable on paper and on a phone."""

from __future__ import annotations

import base64
import mimetypes
import re
from html import escape
from pathlib import Path

from firmware_flows.reporting.document import Block, Document, Image, Items, Table, Text, Verdict

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2126; --paper: #ffffff; --line: #d5dae0; --soft: #f3f5f7;
        --good: #1a7f37; --bad: #b42318; --dim: #5b6570; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --paper: #15191d; --line: #353d45; --soft: #1f252b;
        --good: #4ac26b; --bad: #ff7b6b; --dim: #9aa5b1; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 0 auto;
       max-width: 78rem; padding: 1.5rem 1rem 4rem; overflow-wrap: anywhere; }
h1 { line-height: 1.2; margin: 0 0 .3rem; } h2 { margin: 2.4rem 0 .6rem; border-bottom: 1px solid var(--line); }
nav { font-size: .9rem; } nav a { margin-right: 1rem; } a { color: inherit; }
.verdict { border-left: .35rem solid; padding: .5rem .8rem; background: var(--soft); margin: .8rem 0; }
.good { border-color: var(--good); } .bad { border-color: var(--bad); }
.good b { color: var(--good); } .bad b { color: var(--bad); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; margin: .6rem 0 .2rem; }
th, td { border: 1px solid var(--line); padding: .25rem .55rem; text-align: left; vertical-align: top;
         overflow-wrap: normal; }
td.short { white-space: nowrap; }
th { background: var(--soft); } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.source, figcaption { color: var(--dim); font-size: .82rem; margin: 0 0 1rem; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; background: #ffffff; }
@media screen and (max-width: 40rem) {
  .scroll td:first-child, .scroll th:first-child { position: sticky; left: 0; background: var(--soft); }
  .scroll table.few td:first-child { background: none; }
  .scroll table:not(.few) td:first-child { max-width: 9rem; }
  table.few thead { display: none; } table.few tr { display: block; border: 1px solid var(--line); padding: .3rem .5rem;
    border-bottom: 0; } table.few tr:last-child { border-bottom: 1px solid var(--line); }
  table.few td { display: block; border: 0; padding: 0; overflow-wrap: anywhere; white-space: normal; }
  table.few td:first-child { font-weight: 600; } table.few td:nth-child(3) { color: var(--dim); font-size: .8rem; } }
@page { size: A4; margin: 12mm; }
@media print {
  :root { color-scheme: light; --ink: #000000; --paper: #ffffff; --line: #b0b6bc; --soft: #f3f5f7; --good: #1a7f37;
          --bad: #b42318; --dim: #444c54; }
  body { max-width: none; font-size: 10pt; padding: 0; } nav { display: none; } .scroll { overflow: visible; }
  table { font-size: 7.5pt; } table.wide { font-size: 6pt; } th, td { padding: .1rem .25rem; overflow-wrap: anywhere; }
  th, td.number { overflow-wrap: normal; } .source, figcaption { font-size: 7.5pt; }
  h2 { break-after: avoid; } figure, tr { break-inside: avoid; } thead { display: table-header-group; }
  img { max-height: 230mm; } }
"""


WIDE = 7
"""A table of more columns is set smaller on paper."""

FEW = 3
"""Tables of up to this many columns without numbers become a list on a phone."""

SHORT = 12
"""Cells of up to this many characters stay on one line."""

_LONG = re.compile(r"[A-Za-z_][\w./,-]{15,}")

_BRACKETED = re.compile(r"\[[\d.,% -]+\]")


def to_html(document: Document, directory: Path) -> str:
    """The whole report; image files are read from `directory` and put inside."""
    links = "".join(f'<a href="#s{n}">{escape(s.title)}</a>' for n, s in enumerate(document.sections))
    sections = "".join(
        f'<section id="s{n}"><h2>{escape(s.title)}</h2>{"".join(_block(b, directory) for b in s.blocks)}</section>'
        for n, s in enumerate(document.sections)
    )
    verdict = _block(document.verdict, directory) if document.verdict else ""
    subtitle = f"<p>{escape(document.subtitle)}</p>" if document.subtitle else ""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(document.title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><header><h1>{escape(document.title)}</h1>{subtitle}{verdict}"
        f"<nav>{links}</nav></header>\n<main>{sections}</main></body></html>\n"
    )


def _block(block: Block, directory: Path) -> str:
    match block:
        case Text(text):
            return f"<p>{escape(text)}</p>"
        case Verdict():
            kind = "good" if block.passed else "bad"
            return f'<p class="verdict {kind}"><b>{block.said}</b>: {escape(block.text)}</p>'
        case Items(items):
            return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"
        case Image():
            return _image(block, directory)
        case Table():
            return _table(block)


def _table(table: Table) -> str:
    def cell(column: int, text: str, tag: str) -> str:
        kinds = ["number"] * (column in table.numeric) + ["short"] * (len(text) <= SHORT)
        style = f' class="{" ".join(kinds)}"' if kinds else ""
        # An interval breaks before its bracket, not inside.
        kept = _BRACKETED.sub(lambda found: found.group().replace(" ", "\N{NO-BREAK SPACE}"), text)
        return f"<{tag}{style}>{_breakable(escape(kept))}</{tag}>"

    def row(cells: tuple[str, ...], tag: str) -> str:
        return f"<tr>{''.join(cell(column, text, tag) for column, text in enumerate(cells))}</tr>"

    head = f"<thead>{row(table.columns, 'th')}</thead>" if any(table.columns) else ""
    body = "".join(row(cells, "td") for cells in table.rows)
    few = len(table.columns) <= FEW and not table.numeric
    kind = ' class="wide"' if len(table.columns) > WIDE else ' class="few"' if few else ""
    return (
        f'<div class="scroll"><table{kind}>{head}<tbody>{body}</tbody></table></div>'
        f'<p class="source">Source: {escape(table.source)}</p>'
    )


def _breakable(text: str) -> str:
    """Long names may break where a reader would break them, so that they need not set the width of a column."""
    return _LONG.sub(lambda found: re.sub("([._/,](?=.))", r"\1<wbr>", found.group()), text)


def _image(image: Image, directory: Path) -> str:
    path = directory / image.file
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    try:
        content = base64.b64encode(path.read_bytes()).decode()
    except OSError:
        return f"<p>{escape(image.title)}: the file {escape(image.file)} is missing.</p>"
    caption = escape(image.caption or image.title)
    return (
        f'<figure><img alt="{escape(image.title)}" src="data:{kind};base64,{content}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )
