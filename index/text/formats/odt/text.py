"""The text of an ODT's paragraphs, with white space as the format defines it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.odt.styles import TEXT, Styles, number
from index.text.formats.office.draft import Piece, visible

OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
P, H = f"{TEXT}p", f"{TEXT}h"
NOTE = f"{TEXT}note"
SPACE = re.compile(r"[ \t\r\n]+")
MOST_SPACES = 1000  # in a row
# Deletions, comments, readings of rubies, and sources of tables of contents.
SKIPPED = frozenset(
    {f"{OFFICE}annotation", f"{OFFICE}annotation-end", f"{OFFICE}forms", f"{TEXT}tracked-changes", f"{TEXT}ruby-text"}
    | {f"{TEXT}{each}-source" for each in ("table-of-content", "alphabetical-index", "bibliography", "user-index")}
    | {f"{TEXT}{each}-source" for each in ("illustration-index", "table-index", "object-index")}
    | {f"{TEXT}{each}-decls" for each in ("variable", "sequence", "user-field", "dde-connection")}
    | {f"{TEXT}script", f"{TEXT}note-citation"}
)
HIDDEN = frozenset({f"{TEXT}hidden-text", f"{TEXT}hidden-paragraph", f"{TEXT}section"})


class Paragraph(Struct):
    """A displayed paragraph with its notes and text boxes."""

    piece: Piece
    style: str | None
    notes: list[Element]
    boxes: list[Element]


class TextReader:
    """Reads the paragraphs of `content.xml`."""

    def __init__(self, root: Element, styles: Styles, part: str) -> None:
        self.styles, self.part = styles, part
        self.places = {each: at for at, each in enumerate(each for each in root.iter() if each.tag in (P, H))}

    def read(self, element: Element) -> Paragraph:
        style = element.get(f"{TEXT}style-name")
        paragraph = Paragraph(piece=Piece("", self.part, (self.places[element],)), style=style, notes=[], boxes=[])
        hidden = self.styles.is_hidden(style) or any(
            is_hidden(each) for each in element.iter(f"{TEXT}hidden-paragraph")
        )
        text = _collapsed(self._inline(element, paragraph))
        paragraph.piece = paragraph.piece._replace(text="" if hidden else visible(text))
        return paragraph

    def _inline(self, element: Element, paragraph: Paragraph) -> Iterator[tuple[str, bool]]:
        """Pieces of text, and whether their white space is collapsed."""
        yield element.text or "", True
        for child in element:
            tag = child.tag
            if tag == f"{TEXT}s":
                yield " " * min(number(child.get(f"{TEXT}c"), 1), MOST_SPACES), False
            elif tag == f"{TEXT}tab":
                yield "\t", False
            elif tag == f"{TEXT}line-break":
                yield "\n", False
            elif tag == NOTE:
                paragraph.notes.append(child)
            elif tag.startswith(DRAW) and tag != f"{DRAW}a":
                paragraph.boxes.append(child)
            elif tag not in SKIPPED and not is_hidden(child) and not self._is_hidden_span(child):
                yield from self._inline(child, paragraph)
            yield child.tail or "", True

    def _is_hidden_span(self, element: Element) -> bool:
        return element.tag == f"{TEXT}span" and self.styles.is_hidden(element.get(f"{TEXT}style-name"))


def is_hidden(element: Element) -> bool:
    """Whether a section or a field is hidden by its own attributes."""
    if element.tag not in HIDDEN:
        return False
    display = element.get(f"{TEXT}display", "true")
    return element.get(f"{TEXT}is-hidden") == "true" or display == "none"


def _collapsed(parts: Iterator[tuple[str, bool]]) -> str:
    """Collapse runs of white space to one space, and remove it at the start; explicit spaces stay."""
    texts: list[str] = []
    after_space = True
    for part, collapses in parts:
        if not part:
            continue
        text = SPACE.sub(" ", part) if collapses else part
        if collapses and after_space:
            text = text.removeprefix(" ")
        if text:
            texts.append(text)
            after_space = collapses and text.endswith(" ")
    return "".join(texts)
