"""Parts to the text of a document, its blocks, and the map from each code point to its place on a page."""

from __future__ import annotations

from collections.abc import Sequence

from index.text.formats.pdf import edges
from index.text.formats.pdf.hyphens import Vocabulary
from index.text.formats.pdf.lines import Line
from index.text.formats.pdf.parts import Part
from index.text.maps import PageMap, PageMapBuilder
from index.types import Block, Span

CELL = " | "  # between the cells of a row: it reads well, and is what Markdown has there
CLOSE = frozenset({"item", "step", "row", "header", "contents"})  # a line feed is enough between two of these


class Writer:
    """Writes parts one after the other."""

    def __init__(self, vocabulary: Vocabulary, builder: PageMapBuilder, pages: dict[int, int]) -> None:
        """`pages`: the page of each frame, by its `id`, since a paragraph can go on over pages."""
        self._vocabulary, self._builder, self._pages = vocabulary, builder, pages
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
        for number, cell in enumerate(part.cells or [part.lines]):
            self._add(CELL if number else "")
            self._lines(cell)
        self._block(part, start)

    def finished(self) -> tuple[str, tuple[Block, ...], PageMap]:
        return "".join(self._pieces), tuple(self._blocks), self._builder.build()

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

    def _lines(self, lines: Sequence[Line]) -> None:
        for line, following in zip(lines, [*lines[1:], None], strict=True):
            if following is None:
                self._line(line, len(line.text))
                continue
            drop, space = self._vocabulary.join(line, following)
            self._line(line, len(line.text) - drop)
            self._add(" " if space else "")

    def _line(self, line: Line, length: int) -> None:
        """The first `length` code points of a line, with their places."""
        number = self._builder.add_line(
            self._pages[id(line.frame)], line.frame.angle, line.top, line.bottom, line.left
        )
        for offset, places in edges.runs(line, length):
            self._builder.add_run(self._length + offset, number, places)
        self._add(line.text[:length])

    def _add(self, text: str) -> None:
        self._pieces.append(text)
        self._length += len(text)
