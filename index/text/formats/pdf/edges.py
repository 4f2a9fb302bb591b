"""Where the code points of a line begin and end along it, as runs of edges for the map."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from index.text.formats.pdf.glyphs import Floats
from index.text.formats.pdf.lines import NO_GLYPH, Line
from index.text.formats.pdf.words import RTL


def runs(line: Line, length: int) -> Iterator[tuple[int, Floats]]:
    """The first `length` code points of a line: the offset of each run, and its edges, one more than code points.

    What is left out at the end, a hyphen, belongs to the box of the last code point.
    """
    if length == 0:
        return
    if line.text.isascii() or not RTL.search(line.text):
        edges = _left_to_right(line, line.glyphs[:length])
        edges[-1] = max(edges[-1], *line.frame.right[[glyph for glyph in line.glyphs[length - 1 :] if glyph >= 0]])
        yield 0, edges
        return
    for start, stop, rtl in _directions(line.text[:length]):
        glyphs = line.glyphs[start:stop]
        yield start, _right_to_left(line, glyphs) if rtl else _left_to_right(line, glyphs)


def _left_to_right(line: Line, glyphs: Sequence[int]) -> Floats:
    numbers = np.asarray(glyphs)
    left, right = line.frame.left[numbers], line.frame.right[numbers]
    edges = np.append(left, right[-1])
    spaces = np.flatnonzero(numbers == NO_GLYPH)
    edges[spaces[spaces > 0]] = right[spaces[spaces > 0] - 1]
    if numbers[-1] == NO_GLYPH:
        edges[-1] = edges[-2]
    same = np.flatnonzero((np.diff(left) == 0) & (np.diff(right) == 0) & (numbers[1:] != NO_GLYPH))
    for second in (same + 1).tolist():  # the letters of a ligature share its width
        edges[second] = (edges[second - 1] + right[second]) / 2
    return edges


def _right_to_left(line: Line, glyphs: Sequence[int]) -> Floats:
    edges = []
    last = float(line.frame.right[next((glyph for glyph in glyphs if glyph != NO_GLYPH), 0)])
    for glyph in glyphs:
        edges.append(float(line.frame.right[glyph]) if glyph != NO_GLYPH else last)
        last = float(line.frame.left[glyph]) if glyph != NO_GLYPH else last
    return np.asarray([*edges, last])


def _directions(text: str) -> Iterator[tuple[int, int, bool]]:
    """Stretches of one direction; what has none goes with what is before it."""
    start, rtl = 0, RTL.match(text) is not None
    for number, character in enumerate(text):
        turns = RTL.match(character) is not None if character.isalnum() else rtl
        if turns != rtl:
            if number > start:
                yield start, number, rtl
            start, rtl = number, turns
    yield start, len(text), rtl
