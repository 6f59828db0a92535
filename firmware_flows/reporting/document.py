"""What a report is made of, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Items:
    """A list of remarks."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """Something that holds or does not; `word` in place of PASSED or FAILED."""

    passed: bool
    text: str
    word: str = ""

    @property
    def said(self) -> str:
        """The word in front of the text."""
        return self.word or ("PASSED" if self.passed else "FAILED")


@dataclass(frozen=True)
class Table:
    """Rows of text; `source` says where the numbers come from, `numeric` columns are set flush right."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    source: str
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Image:
    """An image file, named relative to the report."""

    title: str
    file: str
    caption: str = ""


Block = Text | Items | Verdict | Table | Image


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A whole report."""

    title: str
    subtitle: str
    verdict: Verdict | None
    sections: tuple[Section, ...]
