"""Joins characters to words: adjacent, in one direction, on one baseline and in one style.

All positions are in a frame: the page rotated so that text of one direction runs to the right. `u` runs along the lines
and `v` downwards across them, in points.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import numpy as np
from msgspec import Struct

from index.text.formats.pdf.glyphs import Flags, Floats, Glyphs, Ints
from index.text.maps import direction

ASCENT, DESCENT = 0.78, 0.22  # em: a line is as high as its font size, whatever the font says of itself
SPACE = 0.15  # em: a wider gap is a space even where none was drawn
BACK = 0.4  # em: what starts so far to the left of the end of the last character does not follow it
RAISED = 0.85  # relative to its neighbours: exponents, indices and note marks are smaller
TRACKING = 0.08  # em: letters with wider gaps between all of them are spaced out
RTL = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")
RTL_RANGES = ((0x590, 0x8FF), (0xFB1D, 0xFDFF), (0xFE70, 0xFEFF))
# Marks that stand over or under the letter before them, of the scripts that have them as characters of their own.
MARK_RANGES = ((0x300, 0x36F), (0x591, 0x5C7), (0x610, 0x61A), (0x64B, 0x65F), (0x900, 0xDFF), (0xE31, 0xE4E))


class Frame(Struct, frozen=True):
    """The n characters of a page in one direction, in drawing order."""

    angle: int  # degrees clockwise as displayed
    text: str
    left: Floats  # u
    right: Floats
    base: Floats  # v of the baseline


class Word(Struct, frozen=True, gc=False):
    """A run of characters without gaps; `start` and `stop` are indices in their frame."""

    start: int
    stop: int
    text: str
    left: float
    right: float
    base: float
    size: float
    bold: bool
    mono: bool
    spaced: bool  # white space was drawn before it
    gap: float  # a wider distance to the next word, in points, is a space

    @property
    def width(self) -> float:
        """The average width of a character; above 0."""
        return max((self.right - self.left) / max(1, self.stop - self.start), 0.1)

    @property
    def top(self) -> float:
        return self.base - ASCENT * self.size

    @property
    def bottom(self) -> float:
        return self.base + DESCENT * self.size


def split(glyphs: Glyphs) -> list[tuple[Frame, list[Word]]]:
    """The words of each direction, the most frequent direction first."""
    angles, counts = np.unique(glyphs.angles, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return [_split(glyphs, int(angle)) for angle in angles[order]]


def _split(glyphs: Glyphs, angle: int) -> tuple[Frame, list[Word]]:
    chosen = np.flatnonzero(glyphs.angles == angle)
    text = glyphs.text if len(chosen) == len(glyphs.text) else "".join(glyphs.text[i] for i in chosen.tolist())
    left, right, base = _places(glyphs, chosen, angle)
    frame = Frame(angle, text, left, right, base)
    sizes, bold, spaced = glyphs.sizes[chosen], glyphs.bold[chosen], glyphs.spaced[chosen]
    gaps = np.empty(len(chosen))
    gaps[0], gaps[1:] = 0.0, left[1:] - right[:-1]
    allowed = (SPACE + _tracking(gaps, sizes, glyphs.objects[chosen])) * sizes
    starts = np.flatnonzero(_breaks(frame, sizes, bold, gaps) | spaced | (gaps > allowed))
    stops = np.append(starts[1:], len(chosen))
    columns = zip(
        starts.tolist(),
        stops.tolist(),
        np.minimum.reduceat(left, starts).tolist(),
        np.maximum.reduceat(right, starts).tolist(),
        base[starts].tolist(),
        sizes[starts].tolist(),
        bold[starts].tolist(),
        glyphs.mono[chosen[starts]].tolist(),
        spaced[starts].tolist(),
        allowed[starts].tolist(),
        strict=True,
    )
    words = [Word(start, stop, text[start:stop], *rest) for start, stop, *rest in columns]
    return frame, words


def _places(glyphs: Glyphs, chosen: Ints, angle: int) -> tuple[Floats, Floats, Floats]:
    """Left, right and baseline of each character in the frame."""
    cos, sin = direction(angle)
    boxes, origins = glyphs.boxes[chosen], glyphs.origins[chosen]
    base = origins[:, 1] * cos - origins[:, 0] * sin
    if angle % 90 == 0:
        ends = boxes[:, :2] @ (cos, sin), boxes[:, 2:] @ (cos, sin)
        return np.minimum(*ends), np.maximum(*ends), base
    # The box of a slanted character says nothing of how far it goes along the line.
    left = origins @ (cos, sin)
    right = np.append(left[1:], left[-1:] + glyphs.sizes[chosen[-1:]] / 2)
    far = (right < left) | (right > left + glyphs.sizes[chosen])
    return left, np.where(far, left + glyphs.sizes[chosen] / 2, right), base


def _tracking(gaps: Floats, sizes: Floats, objects: Ints) -> Floats:
    """For each character how far, in em, the letters of its text object are spaced out; mostly 0."""
    inside = np.append(False, objects[1:] == objects[:-1])
    ems = np.clip(gaps / np.maximum(sizes, 1e-6), 0, 1) * inside
    total = np.bincount(objects, weights=inside)
    wide = np.bincount(objects, weights=(ems > TRACKING) & inside)
    sums = np.bincount(objects, weights=ems)
    tracked = (total >= 4) & (wide == total)
    return np.where(tracked, sums / np.maximum(total, 1), 0.0)[objects]


def _breaks(frame: Frame, sizes: Floats, bold: Flags, gaps: Floats) -> Flags:
    """Where a character does not go on with the word before it, for all that there is no space."""
    codes = np.frombuffer(frame.text.encode("utf-32-le", "surrogatepass"), "<u4")
    rtl, marks = _among(codes, RTL_RANGES), _among(codes, MARK_RANGES)
    breaks = gaps < -BACK * sizes
    breaks[1:] |= np.abs(np.diff(frame.base)) > 0.1 * sizes[1:]
    breaks[1:] |= np.abs(np.diff(sizes)) > 0.05 * sizes[1:]
    breaks[1:] |= bold[1:] != bold[:-1]
    breaks[1:] |= rtl[1:] | rtl[:-1]  # these are put in order character by character
    breaks &= ~marks
    breaks[0] = True
    return breaks


def _among(codes: Ints, ranges: Sequence[tuple[int, int]]) -> Flags:
    is_among = np.zeros(len(codes), np.bool_)
    if codes.max(initial=0) >= ranges[0][0]:
        for first, last in ranges:
            is_among |= (codes >= first) & (codes <= last)
    return is_among


def rows(words: Sequence[Word]) -> list[list[Word]]:
    """Words on one baseline, rows top to bottom, each left to right; raised and lowered words join theirs."""
    found_rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: word.base):
        row = found_rows[-1] if found_rows else None
        if row and abs(word.base - row[0].base) <= 0.2 * min(word.size, row[0].size):
            row.append(word)
        else:
            found_rows.append([word])
    sizes = [word.size for word in words]
    found_rows, small = _without_raised(found_rows) if sizes and min(sizes) < RAISED * max(sizes) else (found_rows, [])
    for word in small:
        _nearest(found_rows, word).append(word)
    return [sorted(row, key=lambda word: (word.left, word.start)) for row in found_rows]


def _without_raised(all_rows: list[list[Word]]) -> tuple[list[list[Word]], list[Word]]:
    """Rows without words that stand a little higher or lower than larger ones beside them, and those words."""
    remaining: list[list[Word]] = []
    raised: list[Word] = []
    for number, row in enumerate(all_rows):
        smallest = min(word.size for word in row)
        neighbours = [
            near
            for near in (*all_rows[max(0, number - 2) : number], *all_rows[number + 1 : number + 3])
            if any(RAISED * word.size > smallest for word in near)
        ]
        stay = [word for word in row if not any(_carries(other, word) for near in neighbours for other in near)]
        raised += [word for word in row if word not in stay] if len(stay) < len(row) else []
        if stay:
            remaining.append(stay)
    return remaining, raised


def _carries(word: Word, raised: Word) -> bool:
    """Whether `raised` is an exponent, an index or a note mark at `word`."""
    return (
        raised.size < RAISED * word.size
        and word.base - 0.7 * word.size <= raised.base <= word.base + 0.3 * word.size
        and -0.3 * word.size <= max(raised.left - word.right, word.left - raised.right) <= 0.35 * word.size
    )


def _nearest(candidates: list[list[Word]], raised: Word) -> list[Word]:
    """The row of the word that carries it."""
    for row in candidates:
        if any(_carries(word, raised) for word in row):
            return row
    candidates.append([raised])
    candidates.sort(key=lambda row: row[0].base)
    return next(row for row in candidates if row[0] is raised)


def segments(row: Sequence[Word], widest: float) -> Iterator[list[Word]]:
    """Split a row at gaps of more than `widest` points."""
    part: list[Word] = []
    right = -math.inf
    for word in row:
        if part and word.left - right > widest:
            yield part
            part = []
        part.append(word)
        right = max(right, word.right) if len(part) > 1 else word.right
    if part:
        yield part
