"""The start and end of code points along their lines: runs of text in one direction, and the edges between them."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

import numpy as np

from index.text.formats.pdf.glyphs import Floats
from index.text.formats.pdf.lines import NO_GLYPH, Line
from index.text.formats.pdf.words import RTL, Frame


class Runs:
    """Collects runs, and computes the edges of all at once."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        counts = [0, *np.cumsum([len(frame.text) for frame in frames]).tolist()]
        self._first = {id(frame): first for frame, first in zip(frames, counts, strict=False)}
        self._left = np.concatenate([frame.left for frame in frames])
        self._right = np.concatenate([frame.right for frame in frames])
        self.starts, self.lengths, self.lines = array("I"), array("I"), array("I")
        self._backward = array("b")  # 1 for a run from right to left
        self._numbers = array("i")  # indices among all characters of the document
        self._last = array("i")  # the character at which each run ends

    def add(self, line: Line, length: int, start: int, number: int) -> None:
        """The first `length` code points of a line, which is number `number`; they stand at `start` of the text.

        What is left out at the end, a hyphen, belongs to the box of the last code point.
        """
        first = self._first[id(line.frame)]
        for begin, end, backward in _directions(line.text[:length]):
            last = len(line.glyphs) if end == length and not backward else end
            final = next((glyph for glyph in reversed(line.glyphs[begin:last]) if glyph != NO_GLYPH), None)
            if final is None:
                continue
            self.starts.append(start + begin)
            self.lengths.append(end - begin)
            self.lines.append(number)
            self._backward.append(backward)
            self._last.append(first + final)
            self._numbers.extend([first + glyph if glyph != NO_GLYPH else NO_GLYPH for glyph in line.glyphs[begin:end]])

    def edges(self) -> Floats:
        """One edge more than code points for each run, one run after the other."""
        numbers, lengths = np.asarray(self._numbers, np.int64), np.asarray(self.lengths, np.int64)
        backward = np.asarray(self._backward, np.bool_)
        turned = np.repeat(backward, lengths)
        left, right = self._left[numbers], self._right[numbers]
        begins, ends = np.where(turned, right, left), np.where(turned, left, right)
        spaces = np.flatnonzero(numbers == NO_GLYPH)
        begins[spaces] = ends[spaces - 1]  # a space fills the gap between its neighbours
        same = np.flatnonzero((np.diff(left) == 0) & (np.diff(right) == 0) & (np.diff(numbers) == 1)) + 1
        for second in same.tolist():  # the letters of a ligature share its width
            begins[second] = (begins[second - 1] + ends[second]) / 2
        stops = np.cumsum(lengths)
        last = np.asarray(self._last, np.int64)
        final = np.where(backward, self._left[last], np.maximum(ends[stops - 1], self._right[last]))
        return np.insert(begins, stops, final)


def _directions(text: str) -> Iterator[tuple[int, int, bool]]:
    """Stretches of one direction; what has none goes with what is before it."""
    if text.isascii() or not RTL.search(text):
        yield 0, len(text), False
        return
    start, rtl = 0, RTL.match(text) is not None
    for number, character in enumerate(text):
        turns = RTL.match(character) is not None if character.isalnum() else rtl
        if turns != rtl:
            if number > start:
                yield start, number, rtl
            start, rtl = number, turns
    yield start, len(text), rtl
