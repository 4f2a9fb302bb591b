"""Cells of a table's row, wherever the row stands as text: between bars, tabs, or the commas of a CSV file."""

from __future__ import annotations

import re
from functools import cache

from index.types import Span

QUOTED = r'"(?:[^"]|"")*"'
GAP = "  "  # two spaces or more, in a table that is drawn with columns alone
GAPS = re.compile(r"(?<=\S)\s{2,}(?=\S)")
SEPARATORS = ("\t", ";", ",")


@cache
def _cell(separator: str) -> re.Pattern[str]:
    return re.compile(rf"{QUOTED}(?={separator}|$)|[^{separator}]*", re.DOTALL)


def separator_of(header: str) -> str:
    """What parts the cells of a header.

    >>> separator_of("| Fare | Price |"), separator_of("Fare,Price")
    ('|', ',')
    """
    if "|" in header:
        return "|"
    if not any(each in header for each in SEPARATORS):
        return GAP
    return max(SEPARATORS, key=lambda each: (header.count(each), each == "\t"))


def cells(row: str, separator: str) -> list[Span]:
    r"""Where the cells of a row stand in it, an empty one as an empty span.

    >>> cells("| Child | 5 EUR |", "|")
    [Span(start=2, end=7), Span(start=10, end=15)]
    """
    if separator == "|":
        start = len(row) - len(row.lstrip())
        start += row.startswith("|", start)
        stop = len(row.rstrip())
        stop -= row.endswith("|", start, stop) and not row.endswith("\\|", start, stop)
        spans, begin = [], start
        for place in [*_bars(row, start, stop), stop]:
            spans.append(trimmed(row, begin, place))
            begin = place + 1
        return spans
    if separator == GAP:
        edges = [0, *(edge for gap in GAPS.finditer(row.rstrip()) for edge in gap.span()), len(row.rstrip())]
        return [trimmed(row, *edge) for edge in zip(edges[::2], edges[1::2], strict=True)]
    spans, at = [], 0
    while at <= len(row):
        match = _cell(separator).match(row, at)
        end = match.end() if match else at
        quoted = row[at:end].startswith('"') and row[at:end].endswith('"') and end - at > 1
        spans.append(trimmed(row, at + quoted, end - quoted))
        at = end + 1
    return spans


def _bars(row: str, start: int, stop: int) -> list[int]:
    """Where bars stand that are not escaped."""
    return [place for place in range(start, stop) if row[place] == "|" and row[place - 1 : place] != "\\"]


def trimmed(text: str, start: int, end: int) -> Span:
    piece = text[start:end]
    if not piece.strip():
        return Span(start, start)
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()))
