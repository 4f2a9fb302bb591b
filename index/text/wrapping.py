"""Which newlines a hand or a program put into running text only because the line was full.

A newline is soft where the next word would hardly have fitted. Where a document shows again and again that it was
wrapped, a line that is somewhat short still runs on: people break lines by eye, and words that were put in or taken out
later leave ragged lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from msgspec import Struct

from index.text.lines import Line

NARROWEST, WIDEST = 24, 120  # columns of text that somebody wrapped
WRAPPED_LINES = 3  # filled lines that show that a document was wrapped
RAGGED = 0.72  # of its width, what a line must fill to run on into a small letter
FILLED = 0.8  # the same for every line of a paragraph but its last, to run on into a capital
SEPARATORS = frozenset("\x0b\x0c\u2028\u2029")  # these end a line on purpose, whatever its width
CJK = "\u3000-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef"
FIRST_WORD = re.compile(rf"\s*([{CJK}]|[^\s{CJK}]+)")
STARTS_IN_THE_MIDDLE = re.compile(r"\s*(?:[(\[“‘\"'_*—–]|--)?(?P<letter>[^\W\d_])")


class Wrapping(Struct, frozen=True):
    """How a document was wrapped: `width` in columns, 0 where nothing shows that it was."""

    width: int
    certain: bool  # whether it shows often enough to bear with ragged lines

    @classmethod
    def of(cls, paragraphs: Sequence[Sequence[Line]]) -> Wrapping:
        filled = sorted(width for paragraph in paragraphs for width in _filled(paragraph))
        return cls(filled[-1] if filled else 0, len(filled) >= WRAPPED_LINES)

    def soft(self, paragraph: Sequence[Line]) -> Iterator[bool]:
        """For each line of a paragraph but the last, whether a sentence may run on into the next."""
        widest = max(line.width for line in paragraph)
        even = self._is_even(paragraph)
        for line, following in pairwise(paragraph):
            if line.newline in SEPARATORS:
                yield False
            elif continues(following):
                yield is_full(line, following, widest) or (self.certain and self._is_ragged(line, following, widest))
            elif following.indent > line.indent + 1:
                yield False
            else:
                yield even or (line.width <= self.width and is_full(line, following, self.width))

    def _is_ragged(self, line: Line, following: Line, widest: int) -> bool:
        return widest <= WIDEST and line.width + 1 + first_word(following) >= RAGGED * min(self.width, widest + 8)

    def _is_even(self, paragraph: Sequence[Line]) -> bool:
        """Whether the lines of a paragraph are long throughout and run on at least once: it is prose."""
        full = all(FILLED * self.width <= line.width <= WIDEST for line in paragraph[:-1])
        return self.certain and len(paragraph) > 2 and full and any(map(continues, paragraph[1:]))


def is_full(line: Line, following: Line, width: int) -> bool:
    """Whether the next word would not have fitted at this width."""
    return NARROWEST <= width <= WIDEST and line.width + 1 + first_word(following) > width


def first_word(line: Line) -> int:
    """The columns of a line's first word."""
    word = FIRST_WORD.match(line.text)
    return len(word[1]) if word else 0


def continues(line: Line) -> bool:
    """Whether a line starts as only the middle of a sentence can: not with a capital, a digit or a quote."""
    match = STARTS_IN_THE_MIDDLE.match(line.text)
    return match is not None and match["letter"] == match["letter"].lower()


def _filled(paragraph: Sequence[Line]) -> Iterator[int]:
    """The widths of the lines that end where the next word, in small letters, would not have fitted."""
    widest = max(line.width for line in paragraph)
    return (
        line.width
        for line, following in pairwise(paragraph)
        if continues(following) and is_full(line, following, widest)
    )
