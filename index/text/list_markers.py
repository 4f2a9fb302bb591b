"""Markers of list items as people type them, `1.`, `#.` of pandoc, `a)`, `(iv)`, and how deep each is nested."""

from __future__ import annotations

from typing import Literal

import regex
from msgspec import Struct

Style = Literal["bullet", "number", "hash", "letter", "roman"]

MARKER = regex.compile(
    r"""[^\S\n\r]*(?:
        (?P<bullet>[-*+•‣◦▪·])
      | (?P<hash>\#\.)
      | \(?(?P<number>\d{1,3})\)
      | (?P<numbered>\d{1,3})\.
      | \((?P<enclosed>[A-Za-z]|[ivxlc]{1,6}|[IVXLC]{1,6})\)
      | (?P<letter>[A-Za-z]|[ivxlc]{1,6})\)
      | (?P<lettered>[a-z]|[ivxlc]{2,6})\.
    )[^\S\n\r]+(?=\S)""",
    regex.VERBOSE,
)
ROMAN = regex.compile(r"[ivxlc]+", regex.IGNORECASE)
DEEPEST = 8


class Marker(Struct, frozen=True):
    """How an item begins: `style` and sign tell the items of one list from those of the next level."""

    style: Style
    sign: str  # the bullet itself, or the marker with its number, letter or numeral replaced by "1"
    value: str
    width: int  # code points up to the item's text, indentation included
    indent: int

    @property
    def ordered(self) -> bool:
        return self.style != "bullet"

    @property
    def first(self) -> bool:
        """Whether a list may begin with it: `1.`, `a)`, `(i)`, a bullet."""
        return self.style in ("bullet", "hash") or self.value.lower() in ("0", "1", "a", "i")


def marker_at(line: str) -> Marker | None:
    """The marker that a line begins with.

    >>> marker_at("  (iv) oil").value
    'iv'
    """
    match = MARKER.match(line)
    if match is None:
        return None
    groups = match.groupdict()
    value = next(each for each in groups.values() if each is not None)
    token = match[0].strip()
    indent = len(match[0]) - len(match[0].lstrip())
    if groups["bullet"]:
        return Marker("bullet", token, value, len(match[0]), indent)
    if groups["hash"]:
        return Marker("hash", token, value, len(match[0]), indent)
    style: Style = "number" if value.isdigit() else "roman" if len(value) > 1 or value in "iI" else "letter"
    return Marker(style, token.replace(value, "1"), value, len(match[0]), indent)


class Nesting:
    """How deep the items of one list are nested, told by indentation and by the kind of their markers."""

    def __init__(self) -> None:
        self._open: list[tuple[int, Style, str, str]] = []  # indent, style, sign, last value

    def ended_by(self, marker: Marker) -> bool:
        """Whether an item begins another list: numbers behind bullets, as far out as the outermost ones."""
        if not self._open:
            return False
        indent, style, *_ = self._open[0]
        return marker.indent <= indent and (style == "bullet") != (marker.style == "bullet") and marker.first

    def level(self, marker: Marker) -> int:
        """The level of the next item, from 0."""
        style = marker.style
        for depth in reversed(range(len(self._open))):
            indent, open_style, sign, last = self._open[depth]
            letter = open_style == "letter" and style == "roman" and follows(last, marker.value)
            if (
                (open_style == style or letter)
                and sign == marker.sign
                and (indent == marker.indent or style != "bullet")
            ):
                self._open[depth:] = [(marker.indent, open_style, sign, marker.value)]
                return min(depth, DEEPEST)
        while self._open and self._open[-1][0] > marker.indent:
            self._open.pop()
        if self._open and self._open[-1][0] == marker.indent and not marker.first:
            self._open.pop()  # the same list with another sign
        if len(self._open) < DEEPEST:
            self._open.append((marker.indent, style, marker.sign, marker.value))
        return len(self._open) - 1


def follows(last: str, value: str) -> bool:
    """Whether one letter comes after another: h, i."""
    return len(last) == len(value) == 1 and ord(value) == ord(last) + 1
