"""Joins rows of words to lines of text, with the page's character for each code point, or none for a space."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import chain

from msgspec import Struct

from index.text.formats.pdf import bidi
from index.text.formats.pdf.glyphs import HYPHEN
from index.text.formats.pdf.words import ASCENT, DESCENT, RTL, Frame, Word

NO_GLYPH = -1
GAP = (NO_GLYPH,)
SUPERSCRIPTS = str.maketrans("0123456789+-−", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")
# Letters of Arabic and Latin that have a code point for each shape; `unicodedata` would change other things as well.
SHAPES = (("\ufb00", "\ufb06"), ("\ufb50", "\ufdff"), ("\ufe70", "\ufefc"))


class Line(Struct, frozen=True, gc=False):
    """A line of a column; positions are in its frame."""

    text: str
    glyphs: list[int]  # one for each code point of the text
    frame: Frame
    left: float
    right: float
    base: float
    size: float
    bold: bool
    mono: bool = False

    @property
    def top(self) -> float:
        return self.base - ASCENT * self.size

    @property
    def bottom(self) -> float:
        return self.base + DESCENT * self.size

    @property
    def is_hyphenated(self) -> bool:
        return len(self.text) > 1 and self.text[-1] in "-\xad\u2010" and self.text[-2].isalnum()

    def without(self, start: int, stop: int) -> Line:
        """The line without the code points from `start` to `stop`; its box stays."""
        return Line(
            self.text[:start] + self.text[stop:],
            self.glyphs[:start] + self.glyphs[stop:],
            self.frame,
            self.left,
            self.right,
            self.base,
            self.size,
            self.bold,
            self.mono,
        )


def line(words: Sequence[Word], frame: Frame) -> Line:
    """The words of a row, given from left to right."""
    words = _once(words)
    size = _usual(words)
    base = next(word.base for word in words if word.size == size)
    mono = all(word.mono for word in words)
    parts, glyphs = _parts(words, base, size, mono=mono)
    text = "".join(parts)
    if not text.isascii() and RTL.search(text):
        order = bidi.logical(parts)
        glyphs = [glyphs[number] for number in order]
        text = bidi.mirrored("".join(parts[number] for number in order))
    text, numbers = _readable(text, list(chain.from_iterable(glyphs)))
    right = max(word.right for word in words)
    return Line(text, numbers, frame, words[0].left, right, base, size, _is_bold(words), mono)


def _once(words: Sequence[Word]) -> Sequence[Word]:
    """Without words drawn twice with a tiny offset, which some programs use for bold text."""
    distinct: list[Word] = []
    for word in words:
        last = distinct[-1] if distinct else None
        if last is None or word.text != last.text or word.left - last.left > 0.15 * word.size:
            distinct.append(word)
    return distinct


def _usual(words: Iterable[Word]) -> float:
    """The size of most characters."""
    sizes: dict[float, int] = {}
    for word in words:
        sizes[word.size] = sizes.get(word.size, 0) + word.stop - word.start
    return next(iter(sizes)) if len(sizes) == 1 else max(sizes, key=lambda size: (sizes[size], size))


def _parts(words: Sequence[Word], base: float, size: float, *, mono: bool) -> tuple[list[str], list[Sequence[int]]]:
    """Texts and glyphs of the words and of the spaces between them, left to right.

    In a monospaced font, a gap becomes as many spaces as fit.
    """
    parts: list[str] = []
    glyphs: list[Sequence[int]] = []
    right = math.inf
    for word in words:
        gap = word.left - right
        if gap > word.gap or (word.spaced and gap > 0.05 * word.size):
            spaces = max(1, round(gap / word.width)) if mono else 1
            parts.append(" " * spaces)
            glyphs.append(GAP * spaces)
        is_raised = word.size < 0.85 * size and word.base < base - 0.15 * size
        parts.append(word.text.translate(SUPERSCRIPTS) if is_raised else word.text)
        glyphs.append(range(word.start, word.stop))
        right = max(right, word.right) if right < math.inf else word.right
    return parts, glyphs


def _readable(text: str, glyphs: list[int]) -> tuple[str, list[int]]:
    """Normalise hyphens, and replace presentation forms by letters."""
    if chr(HYPHEN) in text:
        text = text.replace(chr(HYPHEN), "-")
    if text.isascii() or not any(first <= character <= last for character in text for first, last in SHAPES):
        return text, glyphs
    return _unshaped(text, glyphs)


def _unshaped(text: str, glyphs: list[int]) -> tuple[str, list[int]]:
    import unicodedata

    letters: list[str] = []
    numbers: list[int] = []
    for character, number in zip(text, glyphs, strict=True):
        shaped = any(first <= character <= last for first, last in SHAPES)
        plain = unicodedata.normalize("NFKC", character).strip() if shaped else character
        letters.append(plain or character)
        numbers += [number] * len(letters[-1])
    return "".join(letters), numbers


def _is_bold(words: Iterable[Word]) -> bool:
    bold = total = 0
    for word in words:
        total += word.stop - word.start
        bold += (word.stop - word.start) * word.bold
    return bold > 0.9 * total
