"""HTML to a tree whose every piece of text knows its place in the source.

turbohtml's tokenizer tells where each run of text starts, its tree builder mends broken mark-up as the HTML standard
says, but merges and moves text without telling whence. So each run is replaced by a mark that the tree builder treats
alike, and what it made of the marks is read back: white space by other white space, anything else by two characters for
private use. Marks carry the run's number, hence no text is ever searched for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from turbohtml.saxparse import SaxHandler, sax_parse

from index.text.formats.html.elements import Element, Page, Piece, normalized
from index.text.formats.html.tokens import Tokens

SPACE = " \t\n\f"
DIGITS = " \t\f"  # base 3; a line feed ends the number
MARK = re.compile("(\n?)([ \t\f]+)\n|([\U000f0000-\U000fffff])([\U00100000-\U0010ffff])")
HIGH, LOW, BASE = 0xF0000, 0x100000, 0xFFFE


def parse(text: str) -> Page:
    """The tree of an HTML document; broken mark-up is an error nowhere."""
    source = normalized(text)
    marked: list[str] = []
    pieces: list[Piece] = []
    for markup, piece in Tokens(source):
        marked.append(markup)
        marked.extend(_marks(source, piece, pieces))
    builder = _Builder(source, pieces)
    sax_parse("".join(marked), builder)
    return Page(source, builder.root)


def _marks(source: str, piece: Piece, pieces: list[Piece]) -> Iterator[str]:
    start, end, value = piece
    solid = start
    if value is not None:
        solid = start if value.strip(SPACE) else end
    else:
        while solid < end and source[solid] in SPACE:
            solid += 1
    if solid > start:
        pieces.append(Piece(start, solid, value))
        # The tree builder drops a line feed that comes first in <pre>.
        yield ("\n" if (value or source[start]) == "\n" else "") + _in_spaces(len(pieces) - 1) + "\n"
    if solid >= end:
        return
    piece = Piece(solid, end, value)
    pieces.append(piece)
    high, low = divmod(len(pieces) - 1, BASE)
    yield chr(HIGH + high) + chr(LOW + low)


def _in_spaces(number: int) -> str:
    digits = [DIGITS[number % 3]]
    while number := number // 3:
        digits.append(DIGITS[number % 3])
    return "".join(digits)


def _of_spaces(digits: str) -> int:
    number = 0
    for digit in reversed(digits):
        number = number * 3 + DIGITS.index(digit)
    return number


class _Builder(SaxHandler):
    """Makes elements of the tree builder's events, and pieces of the marks in them."""

    def __init__(self, source: str, pieces: list[Piece]) -> None:
        self.root = Element("#document", {})
        self._open = [self.root]
        self._source = source
        self._pieces = pieces

    def start_element(self, tag: str, attributes: tuple[tuple[str, str | None], ...]) -> None:
        element = Element(tag, {name: value or "" for name, value in attributes})
        self._open[-1].children.append(element)
        self._open.append(element)

    def end_element(self, tag: str) -> None:  # noqa: ARG002
        self._open.pop()

    def characters(self, data: str) -> None:
        children = self._open[-1].children
        for found in MARK.finditer(data):
            kept, digits, high, low = found.groups()
            if digits is None:
                children.append(self._pieces[(ord(high) - HIGH) * BASE + ord(low) - LOW])
                continue
            piece = self._pieces[_of_spaces(digits)]
            if not kept and (piece.value or self._source[piece.start]) == "\n":
                piece = Piece(piece.end if piece.value else piece.start + 1, piece.end)
            children.append(piece)
