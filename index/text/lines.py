"""Lines of a text with their places, for formats that are read line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

LINE = re.compile("([^\n\r\x0b\x0c\x85\u2028\u2029]*)(\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]|$)")


class Line(Struct, frozen=True):
    """One line without its newline; positions are in the document's text."""

    start: int
    text: str
    newline: str
    mark: int = 0  # code points of quotation marks that were taken off in front of it

    @property
    def blank(self) -> bool:
        return not self.text.strip()

    @property
    def width(self) -> int:
        return len(self.text.rstrip())

    @property
    def indent(self) -> int:
        return len(self.text) - len(self.text.lstrip())

    @property
    def end(self) -> int:
        """Where its text ends, white space behind it left out."""
        return self.start + self.width


def lines(text: str) -> Iterator[Line]:
    for match in LINE.finditer(text):
        if match[0]:
            yield Line(start=match.start(), text=match[1], newline=match[2])
