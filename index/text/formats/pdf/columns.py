"""Determines the reading order of a page by cutting it at the gutters between columns.

A gutter is a vertical strip without text, with lines of text on both sides. The page is divided into a grid of small
cells, on which the strip with the most lines beside it is found in one step; the regions above, left, right and below
are cut the same way. Strips between the cells of a table or after list markers do not count: columns are filled with
words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from index.text.formats.pdf.glyphs import Flags, Floats
from index.text.formats.pdf.words import RTL, Word, rows
from index.text.maps import Box

CELL = 2.0  # points
NARROWEST = 0.7  # em; the narrowest gutter
LARGE = 1.2  # relative to the text size: headings
DEEPEST = 12  # nested cuts; a limit for hostile pages
TRIES = 6  # strips examined per region


class Region(Struct, frozen=True):
    """Words read together, from top to bottom. Text beside them is not part of the main flow."""

    words: list[Word]
    beside: bool = False  # a note in the margin


class Strip(Struct, frozen=True):
    left: float
    right: float
    top: float
    bottom: float


class Side(Struct, frozen=True):
    """Measurements of the text on one side of a strip."""

    rows: list[list[Word]]
    words_in_row: float
    fill: float  # the share of the width filled by rows
    size: float

    @property
    def is_prose(self) -> bool:
        return len(self.rows) >= 3 and self.words_in_row >= 2.5 and self.fill >= 0.55


def regions(words: Sequence[Word], obstacles: Sequence[Box] = ()) -> list[Region]:
    """The regions of a page in reading order. No gutter crosses an obstacle (left, top, right, bottom)."""
    if not words:
        return []
    is_rtl = 2 * sum(1 for word in words if RTL.search(word.text)) > len(words)
    return list(_cut(list(words), obstacles, is_rtl=is_rtl, depth=0))


def _cut(words: list[Word], obstacles: Sequence[Box], *, is_rtl: bool, depth: int) -> Iterator[Region]:
    strip = _gutter(words, obstacles) if depth < DEEPEST and len(words) > 8 else None
    if strip is None:
        if words:
            yield Region(words)
        return
    above = [word for word in words if word.base < strip.top]
    below = [word for word in words if word.base > strip.bottom]
    inside = [word for word in words if strip.top <= word.base <= strip.bottom]
    middle = (strip.left + strip.right) / 2
    left = [word for word in inside if (word.left + word.right) / 2 < middle]
    right = [word for word in inside if (word.left + word.right) / 2 >= middle]
    yield from _cut(above, obstacles, is_rtl=is_rtl, depth=depth + 1)
    if _is_beside(left, right):
        yield from _cut(right, obstacles, is_rtl=is_rtl, depth=depth + 1)
        yield Region(left, beside=True)
    elif _is_beside(right, left):
        yield from _cut(left, obstacles, is_rtl=is_rtl, depth=depth + 1)
        yield Region(right, beside=True)
    else:
        for side in (right, left) if is_rtl else (left, right):
            yield from _cut(side, obstacles, is_rtl=is_rtl, depth=depth + 1)
    yield from _cut(below, obstacles, is_rtl=is_rtl, depth=depth + 1)


def _is_beside(side: Sequence[Word], main: Sequence[Word]) -> bool:
    """Whether a side is the margin of the other: much narrower, and in smaller letters or with much less text."""
    narrow, wide = _width(side), _width(main)
    smaller = median(word.size for word in side) < 0.95 * median(word.size for word in main)
    return narrow < 0.45 * wide and (smaller or len(side) < 0.3 * len(main))


def _width(words: Sequence[Word]) -> float:
    return max(word.right for word in words) - min(word.left for word in words)


def _gutter(words: list[Word], obstacles: Sequence[Box]) -> Strip | None:
    """The strip that separates columns with the most text on both sides; None if there is none."""
    size = median(word.size for word in words)
    grid = _Grid(words, obstacles, max(2, int(NARROWEST * size / CELL)))
    for _ in range(TRIES):
        strip = grid.best(least=3 * size)
        if strip is None:
            return None
        strip = _trimmed(strip, words)
        if _parts_columns(strip, words):
            return _until_divider(strip, words, size)
        grid.fill(strip)
    return None


class _Grid:
    """Which cells of a region contain text."""

    def __init__(self, words: Sequence[Word], obstacles: Sequence[Box], narrowest: int) -> None:
        boxes = np.asarray([(word.left, word.base - 0.65 * word.size, word.right, word.base) for word in words])
        self.left, self.top = boxes[:, :2].min(axis=0).tolist()
        width, height = (boxes[:, 2:].max(axis=0) - (self.left, self.top)).tolist()
        self.narrowest = narrowest
        self.filled: Flags = np.zeros((int(height / CELL) + 2, int(width / CELL) + 2), np.bool_)
        self._fill(boxes)
        self.texts = self.filled.copy()
        for obstacle in obstacles:
            self._fill(np.asarray([obstacle]))

    def _fill(self, boxes: Floats) -> None:
        """Mark the cells covered by boxes: +1 at each start, -1 at each end, then cumulative sums."""
        rows, columns = self.filled.shape
        first = np.clip(((boxes[:, :2] - (self.left, self.top)) / CELL).astype(np.int64), 0, (columns, rows))
        last = np.clip(((boxes[:, 2:] - (self.left, self.top)) / CELL).astype(np.int64) + 1, 0, (columns, rows))
        steps = np.zeros((rows + 1, columns + 1), np.int32)
        np.add.at(steps, (first[:, 1], first[:, 0]), 1)
        np.add.at(steps, (first[:, 1], last[:, 0]), -1)
        np.add.at(steps, (last[:, 1], first[:, 0]), -1)
        np.add.at(steps, (last[:, 1], last[:, 0]), 1)
        self.filled |= steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1] > 0

    def fill(self, strip: Strip) -> None:
        """Exclude a strip from the search."""
        self._fill(np.asarray([(strip.left + CELL, strip.top, strip.right - CELL, strip.bottom)]))

    def best(self, least: float) -> Strip | None:
        """The strip that has text on both sides for the greatest height, at least `least` points of it."""
        height, width = self.filled.shape
        if width <= self.narrowest:
            return None
        sums = np.zeros((height, width + 1), np.int32)
        np.cumsum(self.filled, axis=1, out=sums[:, 1:])
        blocked = sums[:, self.narrowest :] != sums[:, : -self.narrowest]
        text = np.zeros((height, width + 1), np.int32)
        np.cumsum(self.texts, axis=1, out=text[:, 1:])
        columns = blocked.shape[1]
        on_left = text[:, :columns] > 0
        on_right = text[:, -1:] > text[:, self.narrowest : self.narrowest + columns]
        between = ~blocked & on_left & on_right
        if between.any(axis=1).sum() * CELL < least:
            return None  # no row has a gap, so there is no gutter: most pages
        score = np.minimum(_since(blocked, on_left), _since(blocked, on_right))
        row, column = divmod(int(score.argmax()), columns)
        if score[row, column] * CELL < least:
            return None
        return self._strip(blocked[:, column], row, column)

    def _strip(self, blocked: Flags, row: int, column: int) -> Strip:
        """The empty strip through a cell, with its full height and width."""
        above = np.flatnonzero(blocked[:row])
        below = np.flatnonzero(blocked[row:])
        first = int(above[-1]) + 1 if len(above) else 0
        last = row + int(below[0]) if len(below) else len(blocked)
        free = ~np.asarray(self.filled[first:last].any(axis=0))
        start, stop = column, column + self.narrowest
        while start > 0 and free[start - 1]:
            start -= 1
        while stop < len(free) and free[stop]:
            stop += 1
        return Strip(self.left + start * CELL, self.left + stop * CELL, self.top + first * CELL, self.top + last * CELL)


def _since(blocked: Flags, present: Flags) -> NDArray[np.int32]:
    """For each cell in how many cells above it `present` holds, counted from the last one blocked."""
    counts: NDArray[np.int32] = np.cumsum(present, axis=0, dtype=np.int32)
    return counts - np.maximum.accumulate(np.where(blocked, counts, 0), axis=0)


def _trimmed(strip: Strip, words: Sequence[Word]) -> Strip:
    """Without what stands on one side alone at its ends and belongs to the text across the page beyond.

    It is nearer to that text than to the rest of its side.
    """
    inside = [word for word in words if strip.top <= word.base <= strip.bottom]
    middle = (strip.left + strip.right) / 2
    sides = [[w for w in inside if w.right <= middle], [w for w in inside if w.left >= middle]]
    if not all(sides):
        return strip
    top, bottom = strip.top, strip.bottom
    first, last = max(min(w.base for w in side) for side in sides), min(max(w.base for w in side) for side in sides)
    above = max((w.base for w in words if w.base < strip.top), default=None)
    below = min((w.base for w in words if w.base > strip.bottom), default=None)
    bases = sorted({round(w.base, 1) for w in inside})
    if above is not None:
        top = _end([base for base in bases if base < first - 2], above, bases) or top
    if below is not None:
        turned = [-base for base in reversed(bases)]
        end = _end([base for base in turned if -base > last + 2], -below, turned)
        bottom = -end if end is not None else bottom
    return Strip(strip.left, strip.right, top, bottom)


def _end(alone: Sequence[float], beyond: float, bases: Sequence[float]) -> float | None:
    """Where to end a strip: behind the last of the lines that stand alone and are nearer to what lies beyond."""
    previous, end = beyond, None
    for base in alone:
        following = next((other for other in bases if other > base + 1), None)
        if following is None or base - previous > 0.8 * (following - base):
            break
        previous, end = base, (base + following) / 2
    return end


def _until_divider(strip: Strip, words: Sequence[Word], size: float) -> Strip:
    """A strip up to a heading across the page that is too short to cross it.

    Such a heading has nothing beside it, and the columns below it start together.
    """
    inside = [word for word in words if strip.top <= word.base <= strip.bottom]
    middle = (strip.left + strip.right) / 2
    sides = [[w for w in inside if w.right <= middle], [w for w in inside if w.left >= middle]]
    for word in sorted(inside, key=lambda word: word.base):
        if word.size < LARGE * size:
            continue
        own, other = sides if word.right <= middle else sides[::-1]
        above = [max((w.base for w in side if w.base < word.base - size), default=None) for side in (own, other)]
        below = [min((w.base for w in side if w.base > word.base + 1), default=None) for side in (own, other)]
        if None in above or None in below:
            continue
        is_free = (below[1] or 0) - (above[1] or 0) > 2.5 * word.size
        if is_free and abs((below[0] or 0) - (below[1] or 0)) < 1.2 * size:
            return Strip(strip.left, strip.right, strip.top, word.top)
    return strip


def _parts_columns(strip: Strip, words: Sequence[Word]) -> bool:
    inside = [word for word in words if strip.top <= word.base <= strip.bottom]
    middle = (strip.left + strip.right) / 2
    left = _side([word for word in inside if (word.left + word.right) / 2 < middle])
    right = _side([word for word in inside if (word.left + word.right) / 2 >= middle])
    if left is None or right is None:
        return False
    if left.is_prose and right.is_prose:
        return not _is_table(left, right)
    small, main = sorted((left, right), key=lambda side: len(side.rows) * side.words_in_row)
    if not main.is_prose or len(main.rows) < 4:
        return False
    if small.words_in_row >= 2.5 and small.fill >= 0.5:
        return True  # the last lines of a text, in a column of their own
    apart = small.size < 0.95 * main.size or not _is_level(small, main)
    return small.words_in_row >= 1.4 and len(small.rows) >= 2 and apart


def _side(words: list[Word]) -> Side | None:
    if not words:
        return None
    rows_of_words = rows(words)
    width = max(_width(words), 1.0)
    return Side(
        rows=rows_of_words,
        words_in_row=sum(len(row) for row in rows_of_words) / len(rows_of_words),
        fill=median(sum(word.right - word.left for word in row) / width for row in rows_of_words),
        size=median(word.size for word in words),
    )


def _is_level(small: Side, main: Side) -> bool:
    """Whether most rows of the smaller side share a baseline with the other, as in a table."""
    bases = np.asarray([row[0].base for row in main.rows])
    level = sum(1 for row in small.rows if np.abs(bases - row[0].base).min() < 0.15 * small.size)
    return level > 0.7 * len(small.rows)


def _is_table(left: Side, right: Side) -> bool:
    """Whether cells of text stand side by side: paragraphs start together on both sides, more than once."""
    starts = [_starts(side) for side in (left, right)]
    together = sum(1 for base in starts[0] if any(abs(base - other) < 2 for other in starts[1]))
    return together >= 3 and together >= 0.7 * max(len(side) for side in starts)


def _starts(side: Side) -> list[float]:
    """The baselines of rows with more space above them than usual."""
    bases = [row[0].base for row in side.rows]
    steps = [after - before for before, after in pairwise(bases)]
    if not steps:
        return bases
    usual = min(median(steps), 1.6 * side.size)
    return [bases[0], *(base for step, base in zip(steps, bases[1:], strict=True) if step > 1.25 * usual)]
