"""Plain text: paragraphs, list items and lines that stand for themselves.

A single newline is soft, so that a sentence may run over it, when the lines are filled to a common width: the first
word of the next line would not have fitted on this one. Any other newline ends a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from index.text.decoding import decode
from index.types import Block, Extracted, Span

MEDIA_TYPE = "text/plain"
LINE = re.compile("([^\n\r\x0b\x0c\x85\u2028\u2029]*)(\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]|$)")
SEPARATORS = frozenset("\x0b\x0c\u2028\u2029")  # these end a line on purpose, whatever its width
NARROWEST, WIDEST = 24, 120  # columns of text that somebody wrapped
ITEM = re.compile(r"\s*(?:[-*+•‣◦▪·]|\(?(?:\d{1,3}|[A-Za-z])\))\s+\S")
NUMBERED = re.compile(r"\s*\d{1,3}\.\s+\S")
CJK = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"
FIRST_WORD = re.compile(rf"\s*([{CJK}]|[^\s{CJK}]+)")


class Line(Struct, frozen=True):
    """One line without its newline; positions are in the document's text."""

    start: int
    text: str
    newline: str

    @property
    def width(self) -> int:
        return len(self.text.rstrip())

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:
    """Read a plain text file. Raises DocumentError."""
    decoded = decode(data, source, charset)
    return Extracted(
        text=decoded.text,
        encoding=decoded.encoding,
        bom=decoded.bom,
        guessed=decoded.guessed,
        media_type=MEDIA_TYPE,
        title=None,
        blocks=tuple(blocks(decoded.text)),
    )


def blocks(text: str) -> Iterator[Block]:
    r"""Blocks without white space around them, every other character in one: `"a\n\n- b"` -> `a`, `- b`."""
    paragraphs = list(_paragraphs(text))
    width = max((_wrapped_width(paragraph) for paragraph in paragraphs), default=0)
    for paragraph in paragraphs:
        start, widest = paragraph[0], max(line.width for line in paragraph)
        numbered = NUMBERED.match(start.text) is not None
        for line, following in zip(paragraph, [*paragraph[1:], None], strict=True):
            if following is None or not _is_soft(line, following, numbered, widest, width):
                yield Block(span=_trimmed(start, line))
                start = following or line


def lines(text: str) -> Iterator[Line]:
    for found in LINE.finditer(text):
        if found[0]:
            yield Line(start=found.start(), text=found[1], newline=found[2])


def _paragraphs(text: str) -> Iterator[list[Line]]:
    """Runs of lines that are not blank."""
    paragraph: list[Line] = []
    for line in lines(text):
        if line.text.strip():
            paragraph.append(line)
        elif paragraph:
            yield paragraph
            paragraph = []
    if paragraph:
        yield paragraph


def _trimmed(first: Line, last: Line) -> Span:
    return Span(first.start + first.indent, last.start + last.width)


def _is_soft(line: Line, following: Line, numbered: bool, widest: int, wrapped: int) -> bool:  # noqa: FBT001
    """Whether a sentence may run on; `widest`: the paragraph's longest line, `wrapped`: the document's filled width."""
    if line.newline in SEPARATORS or ITEM.match(following.text):
        return False
    if numbered and NUMBERED.match(following.text):
        return False
    if _continues(following):
        return _is_full(line, following, widest)
    if following.indent > line.indent + 1 and not ITEM.match(line.text):
        return False
    return line.width <= wrapped and _is_full(line, following, wrapped)


def _is_full(line: Line, following: Line, width: int) -> bool:
    """Whether the next word would not have fitted at this width."""
    word = FIRST_WORD.match(following.text)
    length = len(word[1]) if word else 0
    return NARROWEST <= width <= WIDEST and line.width + 1 + length > width


def _continues(line: Line) -> bool:
    """Whether a line starts as only the middle of a sentence can: not with a capital, a digit or a quote."""
    first = line.text.lstrip()[0]
    return first.isalpha() and first == first.lower()


def _wrapped_width(paragraph: list[Line]) -> int:
    """The columns that a paragraph is filled to, 0 where nothing shows that it was wrapped."""
    widest = max(line.width for line in paragraph)
    wrapped = [
        line.width
        for line, following in pairwise(paragraph)
        if _continues(following) and _is_full(line, following, widest)
    ]
    return max(wrapped, default=0)
