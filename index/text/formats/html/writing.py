"""Writes text as a browser displays it, with collapsed white space and the source position of each character."""

from __future__ import annotations

import re
import unicodedata
from array import array

import numpy as np

from index.text.byte_map import Places
from index.types import Span

RUN = re.compile("[^ \t\n\r\f\0]+(?: [^ \t\n\r\f\0]+)*|[ \t\n\r\f]+")  # words with single spaces, or white space
BLANK = " \t\n\r\f"
WIDE = frozenset("WF")  # East Asian Width
NOT_WRITING = frozenset({"So", "Sk", "Cn"})  # general categories; emoji are wide too
HANGUL = ("\uac00", "\ud7af")  # written with spaces


class Writer:
    """Collects text; white space is written only before other text, so none is left at the end."""

    def __init__(self, source: str) -> None:
        self.length = 0  # code points written
        self._source = source
        self._parts: list[str] = []
        self._sizes, self._starts, self._ends = array("q"), array("q"), array("q")
        self._space: tuple[int, int] | None = None  # the first white space since the last character
        self._has_newline = False
        self._last = ""

    def text(self) -> str:
        return "".join(self._parts)

    def slice(self, span: Span) -> str:
        """A range of the recently written text."""
        parts: list[str] = []
        end = self.length
        for part in reversed(self._parts):
            if end <= span.start:
                break
            parts.append(part)
            end -= len(part)
        visible = "".join(reversed(parts))
        return visible[span.start - end : span.end - end]

    def places(self) -> tuple[Places, Places]:
        """The source start and end of each character, -1 for inserted ones."""
        sizes, firsts, ends = (np.frombuffer(each, np.int64) for each in (self._sizes, self._starts, self._ends))
        if not len(sizes):
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        even = np.repeat(ends - firsts == sizes, sizes) & np.repeat(firsts >= 0, sizes)
        offsets = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        starts = np.repeat(firsts, sizes) + np.where(even, offsets, 0)
        return starts, np.where(even, starts + 1, np.repeat(ends, sizes))

    def space(self, start: int, end: int) -> None:
        if self._space is None:
            self._space = (start, end)
            self._has_newline = False
        self._has_newline = self._has_newline or "\n" in self._source[start:end]

    def separate(self, separator: str) -> None:
        """End the text with our white space, the first of which represents white space of the source."""
        start, end = self._space or (-1, -1)
        self._write(separator[:1], start, end)
        self._write(separator[1:], -1, -1)
        self._space = None

    def solid(self, value: str, start: int, end: int) -> None:
        """Write non-space text, after the white space before it.

        A newline between two wide East Asian characters is not a space:
        https://www.w3.org/TR/css-text-3/#line-break-transform
        """
        if self._space is not None:
            if not (self._has_newline and _is_wide(self._last) and _is_wide(value[0])):
                self._write(" ", *self._space)
            self._space = None
        self._write(value, start, end)
        self._last = value[-1]

    def drop_space(self) -> None:
        self._space = None

    def verbatim(self, start: int, end: int) -> None:
        """Write a range of the source unchanged, as in <pre>."""
        self._space = None
        self._write(self._source[start:end], start, end)

    def _write(self, value: str, start: int, end: int) -> None:
        if value:
            self._parts.append(value)
            self._sizes.append(len(value))
            self._starts.append(start)
            self._ends.append(end)
            self.length += len(value)


def _is_wide(character: str) -> bool:
    return (
        character > "\u2e7f"
        and unicodedata.east_asian_width(character) in WIDE
        and unicodedata.category(character) not in NOT_WRITING
        and not HANGUL[0] <= character <= HANGUL[1]
    )
