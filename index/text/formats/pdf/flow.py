"""Joins the parts of all pages: paragraphs continue across columns and pages, and notes follow their end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from index.text.formats.pdf import notes, parts
from index.text.formats.pdf.layout import Column, Grid
from index.text.formats.pdf.lines import Line
from index.text.formats.pdf.parts import ENDS, Part
from index.types import BlockKind

if TYPE_CHECKING:
    from collections.abc import Iterable

FLOATS = frozenset({"row", "header", "caption"})  # what may interrupt a paragraph


class Flow:
    """Processes the columns of page after page."""

    def __init__(self, body: float, leading: Mapping[int, float]) -> None:
        self.parts: list[Part] = []
        self._body, self._leading = body, leading
        self._pending: list[Part] = []  # notes that wait for the end of the open paragraph
        self._groups = 0

    def add(self, page: int, columns: Sequence[Column]) -> None:
        bottom = max((line.base for column in columns if not column.beside for line in column.all_lines), default=0.0)
        beside: list[Part] = []
        footnotes: list[Part] = []
        course: list[list[Part]] = []
        for column in columns:
            if column.beside:
                beside += self._beside(column, page)
            else:
                parts, below = self._column(column, page, bottom)
                course.append(parts)
                footnotes += below
        for parts in course:
            self._append(parts)
        self._pending += beside + footnotes

    def finished(self) -> list[Part]:
        self.parts += self._pending
        self._pending = []
        return self.parts

    def _append(self, parts: list[Part]) -> None:
        """Append a column's parts; the first may continue the last paragraph of the previous column."""
        if parts and (last := self._unfinished(parts[0])):
            last.lines += parts[0].lines
            parts = parts[1:]
        if parts:
            self.parts += self._pending
            self._pending = []
        self.parts += parts

    def _unfinished(self, first: Part) -> Part | None:
        """The open paragraph that `first` continues, if any; tables and pictures may be in between."""
        if first.kind != "paragraph":
            return None
        last = next((part for part in reversed(self.parts) if not part.beside and part.kind not in FLOATS), None)
        return last if last and _goes_on(last, first, is_next=bool(self.parts) and last is self.parts[-1]) else None

    def _beside(self, column: Column, page: int) -> Iterator[Part]:
        for part in self._parts(column.items, page):
            part.beside = True
            yield part

    def _column(self, column: Column, page: int, bottom: float) -> tuple[list[Part], list[Part]]:
        """The parts of a column and its footnotes."""
        tail = next((i for i in range(len(column.items), 0, -1) if isinstance(column.items[i - 1], Grid)), 0)
        last = [item for item in column.items[tail:] if isinstance(item, Line)]
        text, below = notes.split(last, column.rules, self._body, bottom)
        items: list[Line | Grid] = [*column.items[:tail], *text]
        if below:
            numbers = notes.marks(below)
            items = [notes.without_marks(item, numbers) if isinstance(item, Line) else item for item in items]
        return list(self._parts(items, page)), list(_footnotes(below, page))

    def _parts(self, items: Iterable[Line | Grid], page: int) -> Iterator[Part]:
        run: list[Line] = []
        for item in items:
            if isinstance(item, Line):
                run.append(item)
                continue
            yield from parts.split(run, page, self._leading)
            run = []
            self._groups += 1
            for number, cells in enumerate(item.rows):
                kind: BlockKind = "header" if number < item.headers else "row"
                lines = [line for cell in cells for line in cell]
                yield Part(kind=kind, page=page, lines=lines, cells=cells, group=-self._groups)
        yield from parts.split(run, page, self._leading)


def _goes_on(last: Part, first: Part, *, is_next: bool) -> bool:
    """Whether a part in a new column continues one of an earlier column."""
    if last.kind not in ("paragraph", "item", "step") or abs(last.size - first.size) > 0.06 * first.size:
        return False
    line, following = last.lines[-1], first.lines[0]
    if line.bold != following.bold and first.bold:
        return False
    if line.is_hyphenated or following.text[:1].islower():
        return line.is_hyphenated or not ENDS.search(line.text)
    widest = max(each.right for each in last.lines)
    is_full = len(last.lines) > 1 and line.right > widest - 2 * line.size
    return is_next and is_full and not ENDS.search(line.text)


def _footnotes(lines: Sequence[Line], page: int) -> Iterator[Part]:
    for start, stop in pairwise([*notes.starts(lines), len(lines)]):
        yield Part(kind="paragraph", page=page, lines=list(lines[start:stop]), beside=True)
