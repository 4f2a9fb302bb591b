"""Tables: rows of cells, separated by rules, or aligned without rules.

A cell is bounded by the rules that separate it from its neighbours in its own row, so a cell across two columns stays
whole.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median

import numpy as np
from msgspec import Struct

from index.text.formats.pdf.rules import Rule
from index.text.formats.pdf.words import Word, rows, segments

Cells = list[list[Word]]
TOUCH = 3.0  # points; rules closer than this touch
LONGEST_CELL = 150  # words; a cell with more is a framed page
MARK = re.compile(r"\(?(?:[•‣◦▪·*–—-]|\d{1,3}|[A-Za-z]|[ivxIVX]+)[.)]?")
NUMBER = re.compile(r"[^\w\s]*\s?\d[\d.,'\s]*\W*[A-Za-z]{0,3}\W*")  # "1,200.50", "€ 12", "40 kg", "(3 %)"
LEADER = re.compile(r"(?:\.\s?){4,}|…{2,}")


class Table(Struct, frozen=True):
    """The rows of a table with the words of each cell; empty cells are kept."""

    rows: list[Cells]
    headers: int  # number of rows at the top that name the columns
    left: float
    top: float
    right: float
    bottom: float


def ruled(words: Sequence[Word], rules: Sequence[Rule]) -> tuple[list[Table], list[Word]]:
    """Tables whose cells are separated by rules, and the words outside of them."""
    tables = []
    rest = list(words)
    for grid in _grids(rules):
        table, others = _table(grid, rest)
        if table:
            tables.append(table)
            rest = others
    return tables, rest


def _grids(rules: Sequence[Rule]) -> Iterator[list[Rule]]:
    """Sets of connected rules: at least two horizontal and one vertical, the largest first."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    level = [rule for rule in rules if not rule.upright]
    upright = [rule for rule in rules if rule.upright]
    if len(level) < 2 or not upright:
        return
    across, down = (np.asarray([(r.at, r.start, r.stop) for r in some]) for some in (level, upright))
    meets = (
        (across[:, None, 1] - TOUCH <= down[None, :, 0])
        & (down[None, :, 0] <= across[:, None, 2] + TOUCH)
        & (down[None, :, 1] - TOUCH <= across[:, None, 0])
        & (across[:, None, 0] <= down[None, :, 2] + TOUCH)
    )
    first, second = np.nonzero(meets)
    total = len(level) + len(upright)
    links = coo_array((np.ones(len(first)), (first, second + len(level))), shape=(total, total))
    _, labels = connected_components(links, directed=False)
    both = [*level, *upright]
    for label, count in Counter(labels.tolist()).most_common():
        grid = [both[i] for i in np.flatnonzero(labels == label).tolist()]
        if count >= 3 and sum(1 for rule in grid if not rule.upright) >= 2:
            yield grid


def _table(grid: Sequence[Rule], words: list[Word]) -> tuple[Table | None, list[Word]]:
    level = [rule for rule in grid if not rule.upright]
    upright = [rule for rule in grid if rule.upright]
    heights = _clusters(rule.at for rule in level)
    left, right = min(rule.start for rule in level) - 1, max(rule.stop for rule in level) + 1
    top, bottom = heights[0] - 1, heights[-1] + 1
    inside = [w for w in words if left <= (w.left + w.right) / 2 <= right and top <= _middle(w) <= bottom]
    bands = [_band(above, below, inside, upright) for above, below in pairwise(heights)]
    all_rows = [row for number, band in enumerate(bands) for row in _band_rows(band, number, len(bands))]
    columns = max((len(row) for row in all_rows), default=0)
    longest = max((len(cell) for row in all_rows for cell in row), default=0)
    if columns < 2 or longest > LONGEST_CELL or sum(1 for row in all_rows if any(row)) < max(1, len(bands) // 3):
        return None, words
    filled_rows = [row for row in all_rows if any(row)]
    word_ids = {id(word) for word in inside}
    table = Table(filled_rows, _headers(filled_rows), left, top, right, bottom)
    return table, [word for word in words if id(word) not in word_ids]


def _middle(word: Word) -> float:
    return word.base - 0.25 * word.size


def _clusters(values: Iterable[float]) -> list[float]:
    """Groups of nearby values."""
    clusters: list[float] = []
    for value in sorted(values):
        if not clusters or value - clusters[-1] > TOUCH:
            clusters.append(value)
    return clusters


def _band(above: float, below: float, words: Sequence[Word], upright: Sequence[Rule]) -> Cells:
    """The cells between two horizontal rules."""
    middle = (above + below) / 2
    inside = [word for word in words if above <= _middle(word) < below]
    bounds = _clusters(rule.at for rule in upright if rule.start - TOUCH <= middle <= rule.stop + TOUCH)
    cells: Cells = [[] for _ in range(len(bounds) + 1)]
    for word in inside:
        cells[bisect_right(bounds, (word.left + word.right) / 2)].append(word)
    # No cell is outside the outermost rules, unless the table is open on that side.
    return [cell for number, cell in enumerate(cells) if cell or 0 < number < len(bounds)]


def _band_rows(cells: Cells, number: int, bands: int) -> list[Cells]:
    """A band is a row; without rules between rows it contains all of them."""
    lines = [rows(cell) for cell in cells]
    counts = {len(cell) for cell in lines if cell}
    filled = sum(1 for cell in lines if cell)
    deepest = max(counts, default=0)
    if filled < 2 or deepest < 2 or (bands > 2 and deepest < 4) or (bands == 2 and number == 0):
        return [cells]
    bases = next([row[0].base for row in cell] for cell in lines if len(cell) == deepest)
    placed = [[_at(cell, base) for cell in lines] for base in bases]
    level = sum(len(row) for cells in placed for row in cells) == sum(len(cell) for cell in cells)
    return placed if level and sum(1 for row in placed if sum(map(bool, row)) > 1) > 0.7 * deepest else [cells]


def _at(lines: Sequence[list[Word]], base: float) -> list[Word]:
    return next((row for row in lines if abs(row[0].base - base) < 0.3 * row[0].size), [])


def _headers(rows: Sequence[Cells]) -> int:
    """1 where the first row names the columns: bold, or words above numbers, or unlike the others all words."""
    if len(rows) < 2 or sum(1 for cell in rows[0] if cell) < 2:
        return 0
    first = [word for cell in rows[0] for word in cell]
    others = [word for row in rows[1:] for cell in row for word in cell]
    if all(word.bold for word in first):
        return 1 if not others or sum(word.bold for word in others) < 0.5 * len(others) else 0
    if any(_is_number(cell) for cell in rows[0]):
        return 0
    shares = [_numbers([row[number] for row in rows[1:] if number < len(row)]) for number in range(len(rows[0]))]
    return int(max(shares) > 0.6)


def _numbers(cells: Sequence[Sequence[Word]]) -> float:
    """The share of numbers among non-empty cells."""
    filled = [cell for cell in cells if cell]
    return sum(_is_number(cell) for cell in filled) / max(1, len(filled))


def _is_number(cell: Sequence[Word]) -> bool:
    return NUMBER.fullmatch(" ".join(word.text for word in cell)) is not None


def aligned(rows: Sequence[list[Word]], rules: Sequence[Rule]) -> Iterator[tuple[int, int, Table]]:
    """Tables without vertical rules: first row, last row, and the table."""
    parts = [[row] if _is_code(row) else list(segments(row, 1.1 * _largest(row))) for row in rows]
    start = 0
    while start < len(rows):
        stop = _reach(rows, parts, start)
        table = _aligned(rows[start:stop], parts[start:stop], rules) if stop - start >= 2 else None
        if table:
            yield start, stop, table
        start = stop if table else start + 1


def _is_code(row: Sequence[Word]) -> bool:
    return all(word.mono for word in row)


def _largest(row: Sequence[Word]) -> float:
    return max(word.size for word in row)


def _reach(rows: Sequence[list[Word]], parts: Sequence[Cells], start: int) -> int:
    """The end of a run of rows with several parts; a row of one part goes with it where it continues a cell."""
    if len(parts[start]) < 2:
        return start + 1
    stop = last = start + 1
    left, right = rows[start][0].left, max(word.right for word in rows[start])
    columns = {round(part[0].left) for part in parts[start][1:]}
    while stop < len(rows):
        row = rows[stop]
        if row[0].base - rows[stop - 1][0].base > 3.0 * _largest(row):
            break
        if len(parts[stop]) > 1:
            last = stop + 1
            left, right = min(left, row[0].left), max(right, *(word.right for word in row))
            columns |= {round(part[0].left) for part in parts[stop][1:]}
        elif any(abs(row[0].left - column) <= 2 for column in columns) and _follows(rows, stop):
            pass  # it continues a cell
        elif row[-1].right - row[0].left > 0.6 * (right - left) or stop - last >= 3:
            break
        stop += 1
    tail = last
    while tail < stop and rows[tail][0].left > left + 5 and _follows(rows, tail):
        tail += 1
    return tail


def _follows(rows: Sequence[list[Word]], number: int) -> bool:
    """Whether a row is close below the previous one."""
    return rows[number][0].base - rows[number - 1][0].base < 1.35 * _largest(rows[number])


def _aligned(rows: Sequence[list[Word]], parts: Sequence[Cells], rules: Sequence[Rule]) -> Table | None:
    left = min(row[0].left for row in rows)
    right = max(word.right for row in rows for word in row)
    bases = [row[0].base for row in rows]
    level = [r for r in rules if not r.upright and min(r.stop, right) - max(r.start, left) > 0.6 * (right - left)]
    inner = [r.at for r in level if bases[0] < r.at < bases[-1]]
    several = sum(1 for row in parts if len(row) > 1)
    columns = _columns(parts)
    if len(columns) < 2 or several < (2 if inner or len(columns) > 2 else 3) or _is_list(parts, columns):
        return None
    cells = list(_merged(rows, parts, columns))
    ruled_off = sum(1 for base in bases if inner and base < inner[0])
    headers = _headers(cells)
    if ruled_off == 1 or (ruled_off and not headers and ruled_off < 3):
        headers = 1
    return Table(cells, headers, left, rows[0][0].top, right, bases[-1])


def _columns(parts: Sequence[Cells]) -> list[tuple[float, float]]:
    """The columns of the rows that have most of them, where as many parts stand below each other at least twice."""
    counts = Counter(len(row) for row in parts if len(row) > 1)
    usual = max(counts, key=lambda count: (counts[count], count))
    for count in sorted(counts, reverse=True):
        columns = _stretches([part for row in parts if len(row) == count for part in row])
        if count == usual or (len(columns) == count and counts[count] > 1):
            return columns
    return []


def _stretches(parts: Sequence[Sequence[Word]]) -> list[tuple[float, float]]:
    """The stretches that the parts of rows take, those that overlap as one."""
    stretches: list[tuple[float, float]] = []
    for left, right in sorted((part[0].left, max(word.right for word in part)) for part in parts):
        if stretches and left < stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], right))
        else:
            stretches.append((left, right))
    return stretches


def _is_list(parts: Sequence[Cells], columns: Sequence[tuple[float, float]]) -> bool:
    """Whether the first column holds no more than the marks of a list, or the rows are those of a table of contents."""
    texts = [[" ".join(word.text for word in part) for part in row] for row in parts if len(row) > 1]
    marks = sum(1 for row in texts if MARK.fullmatch(row[0]))
    leaders = sum(1 for row in texts if any(LEADER.search(text) for text in row))
    return (len(columns) == 2 and marks > 0.7 * len(texts)) or leaders > 0.5 * len(texts)


def _runs_on(row: Cells, cells: Cells) -> bool:
    """Whether a sentence continues from one row to the next, in any column."""
    return any(
        len(before) > 3 and before[-1].text[-1:] not in ".!?:;" and after and after[0].text[:1].islower()
        for before, after in zip(row, cells, strict=True)
    )


def _merged(
    rows: Sequence[list[Word]], parts: Sequence[Cells], columns: Sequence[tuple[float, float]]
) -> Iterator[Cells]:
    """The rows of a table, with continuation lines merged into the row they continue."""
    starts = [left for left, _ in columns]
    bases = [words[0].base for words in rows]
    steps = [
        after - before for before, after, cells in zip(bases, bases[1:], parts[1:], strict=False) if len(cells) > 1
    ]
    usual = median(steps) if steps else 0.0
    row: Cells = []
    for number, words in enumerate(parts):
        cells: Cells = [[] for _ in columns]
        for part in words:
            middle = (part[0].left + max(word.right for word in part)) / 2
            inside = next((i for i, (left, right) in enumerate(columns) if left - 1 <= part[0].left <= right), None)
            place = inside if inside is not None else max(0, bisect_right(starts, middle) - 1)
            cells[place] = [*cells[place], *part]
        closer = number > 0 and bases[number] - bases[number - 1] < 0.9 * usual
        alone = not cells[0] and (closer or len(words) == 1)
        if row and (alone or _runs_on(row, cells)) and (closer or _follows(rows, number)):
            row = [[*before, *after] for before, after in zip(row, cells, strict=True)]
        else:
            if row:
                yield row
            row = cells
    if row:
        yield row
