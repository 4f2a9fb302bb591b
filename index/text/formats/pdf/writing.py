"""Writes parts as the document's text, its blocks, and the map from code points to page positions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from index.text.formats.pdf.edges import Runs
from index.text.formats.pdf.hyphens import Vocabulary
from index.text.formats.pdf.lines import Line
from index.text.formats.pdf.parts import Part
from index.text.formats.pdf.words import Frame
from index.text.maps import PageMap, PageMapBuilder
from index.types import Block, Span

CELL = " | "  # between the cells of a row: it reads well, and is what Markdown has there
CLOSE = frozenset({"item", "step", "row", "header", "contents"})  # a line feed is enough between two of these


class Writer:
    """Writes parts in sequence."""

    def __init__(self, vocabulary: Vocabulary, builder: PageMapBuilder, frames: Sequence[tuple[int, Frame]]) -> None:
        """`frames`: each with its page number, because a paragraph can span pages."""
        self._vocabulary, self._builder = vocabulary, builder
        self._pages = {id(frame): page for page, frame in frames}
        self._runs = Runs([frame for _, frame in frames])
        self._pieces: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._last: Part | None = None

    def write(self, part: Part) -> None:
        last, self._last = self._last, part
        if last is not None:
            is_close = part.kind in CLOSE and last.kind in CLOSE and part.group == last.group
            self._add("\n" if is_close else "\n\n")
        start = self._length
        levels: dict[float, int] = {}  # cells of one row stand on one line
        for number, cell in enumerate(part.cells or [part.lines]):
            self._add(CELL if number else "")
            if part.kind == "code":
                self._code(cell)
            else:
                self._lines(cell, levels if part.cells else None)
        self._block(part, start)

    def finished(self) -> tuple[str, tuple[Block, ...], PageMap]:
        runs = self._runs
        page_map = self._builder.build(runs.starts, runs.lengths, runs.lines, runs.edges())
        return "".join(self._pieces), tuple(self._blocks), page_map

    def _block(self, part: Part, start: int) -> None:
        """A block without the white space of empty cells at its ends."""
        first, end = int(bool(part.cells and not part.cells[0])), int(bool(part.cells and not part.cells[-1]))
        self._blocks.append(
            Block(
                span=Span(start + first, self._length - end),
                headings=part.headings,
                kind=part.kind,
                group=part.group,
                level=part.level,
                introduces=part.introduces,
            )
        )

    def _lines(self, lines: Sequence[Line], levels: dict[float, int] | None) -> None:
        for line, following in pairwise(lines):
            drop, space = self._vocabulary.join(line, following)
            self._line(line, len(line.text) - drop, levels)
            self._add(" " if space else "")
        if lines:
            self._line(lines[-1], len(lines[-1].text), levels)

    def _code(self, lines: Sequence[Line]) -> None:
        """Lines as they are, indented by as many spaces as fit."""
        left = min(line.left for line in lines)
        for number, line in enumerate(lines):
            width = max((line.right - line.left) / max(1, len(line.text)), 0.1)
            self._add(("\n" if number else "") + " " * round((line.left - left) / width))
            self._line(line, len(line.text), None)

    def _line(self, line: Line, length: int, levels: dict[float, int] | None) -> None:
        """The first `length` code points of a line, with their positions."""
        level = round(line.base)
        number = levels.get(level) if levels is not None else None
        if number is None:
            page = self._pages[id(line.frame)]
            number = self._builder.add_line(page, line.frame.angle, line.top, line.bottom, line.left)
        if levels is not None:
            levels[level] = number
        self._runs.add(line, length, self._length, number)
        self._add(line.text[:length])

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)
