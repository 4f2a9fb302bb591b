"""Placeholders for the text of a document while the tree builder runs.

A mark encodes the number of its piece: as white space if the piece is white space, otherwise as two private-use
characters. The tree builder treats both alike, and since all original text is replaced, nothing can be mistaken for a
mark.
"""

from __future__ import annotations

import re

from index.text.formats.html.elements import Piece

SPACE = re.compile("[ \t\n\f]*")
DIGITS = " \t\f"  # base 3, lowest digit first; a line feed ends the number
DIGIT = {ord(space): str(digit) for digit, space in enumerate(DIGITS)}
TRIPLETS = [a + b + c for c in DIGITS for b in DIGITS for a in DIGITS]
MARK = re.compile("(\n?)([ \t\f]+)\n|([\U000f0000-\U000fffff])([\U00100000-\U0010ffff])")
HIGH, LOW, BASE = 0xF0000, 0x100000, 0xFFFE


class Marks:
    """The pieces of a document's text by number, and the document with marks."""

    def __init__(self, source: str) -> None:
        self.document: list[str] = []
        self._source = source
        self._pieces: list[Piece] = []

    def add(self, start: int, end: int, value: str | None) -> None:
        """Write the marks of a run of text: one for leading white space, one for the rest."""
        source, pieces = self._source, self._pieces
        solid = start
        first = value or source[start : start + 1]
        if first in " \t\n\f" and first:
            match = SPACE.match(source, start, end)
            solid = end if value or match is None else match.end()
            # The tree builder drops a leading line feed in <pre>.
            self.document.append(("\n" if first == "\n" else "") + _in_spaces(len(pieces)) + "\n")
            pieces.append(Piece(start, solid, value))
        if solid < end:
            number = len(pieces)
            self.document.append(chr(HIGH + number // BASE) + chr(LOW + number % BASE))
            pieces.append(Piece(solid, end, value))

    def read(self, data: str) -> list[Piece]:
        """The pieces of these marks."""
        pieces: list[Piece] = []
        for literal, digits, high, low in MARK.findall(data):
            if high:
                piece = self._pieces[(ord(high) - HIGH) * BASE + ord(low) - LOW]
            else:
                piece = self._pieces[int(digits[::-1].translate(DIGIT), 3)]
                if not literal and (piece.value or self._source[piece.start]) == "\n":
                    piece = Piece(piece.end if piece.value else piece.start + 1, piece.end)
            pieces.append(piece)
        return pieces


def _in_spaces(number: int) -> str:
    digits = TRIPLETS[number % 27]
    while number := number // 27:
        digits += TRIPLETS[number % 27]
    return digits
