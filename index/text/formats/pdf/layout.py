"""The parts of a page in reading order: columns of lines and tables, then text beside the main flow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, structs

from index.text.formats.pdf import columns, tables
from index.text.formats.pdf.lines import Line, line
from index.text.formats.pdf.rules import Rule
from index.text.formats.pdf.tables import Table
from index.text.formats.pdf.words import Frame, Word, rows

Row = list[Line]  # the lines of each cell


class Sheet(Struct, frozen=True):
    """The content of a page in one text direction."""

    frame: Frame
    words: list[Word]
    rules: list[Rule]


class Grid(Struct, frozen=True):
    """A table whose cells are lines of text."""

    rows: list[list[list[Line]]]
    headers: int


class Column(Struct, frozen=True):
    """Consecutive lines and tables."""

    items: list[Line | Grid]
    beside: bool
    rules: list[Rule]

    @property
    def lines(self) -> list[Line]:
        return [item for item in self.items if isinstance(item, Line)]

    @property
    def all_lines(self) -> Iterator[Line]:
        """Including those of tables."""
        for item in self.items:
            if isinstance(item, Line):
                yield item
            else:
                yield from (each for row in item.rows for cell in row for each in cell)


def layout(sheets: Sequence[Sheet]) -> list[Column]:
    """The columns of a page; text in another direction counts as beside the main flow."""
    return [column for number, sheet in enumerate(sheets) for column in _columns(sheet, beside=number > 0)]


def as_prose(sheet: Sheet) -> Sheet:
    """A sheet of a document that is typed throughout, in which a font of one width means nothing."""
    return Sheet(sheet.frame, [structs.replace(word, mono=False) for word in sheet.words], sheet.rules)


def _columns(sheet: Sheet, *, beside: bool) -> Iterator[Column]:
    ruled, words = tables.ruled(sheet.words, sheet.rules)
    # A table replaces its words by a single one of its width.
    places = [_place(table, number) for number, table in enumerate(ruled)]
    boxes = [(table.left, table.top, table.right, table.bottom) for table in ruled]
    for region in columns.regions([*words, *places], boxes):
        items = list(_items(region.words, ruled, sheet))
        if items:
            yield Column(items, beside or region.beside, sheet.rules)


def _place(table: Table, number: int) -> Word:
    size = min(10.0, table.bottom - table.top)
    return Word(
        -number - 1, 0, "", table.left, table.right, table.bottom, size, bold=False, mono=False, spaced=True, gap=0.0
    )


def _items(words: Sequence[Word], ruled: Sequence[Table], sheet: Sheet) -> Iterator[Line | Grid]:
    run: list[list[Word]] = []
    for row in rows(words):
        places = [word for word in row if word.start < 0]
        rest = [word for word in row if word.start >= 0]
        if rest:
            run.append(rest)
        if places:
            yield from _of_rows(run, sheet)
            run = []
            yield from (_grid(ruled[-place.start - 1], sheet.frame) for place in places)
    yield from _of_rows(run, sheet)


def _of_rows(run: Sequence[list[Word]], sheet: Sheet) -> Iterator[Line | Grid]:
    """Rows of words as lines, but those that stand below each other in columns as tables."""
    done = 0
    for start, stop, table in tables.aligned(run, sheet.rules):
        yield from (line(row, sheet.frame) for row in run[done:start])
        yield _grid(table, sheet.frame)
        done = stop
    yield from (line(row, sheet.frame) for row in run[done:])


def _grid(table: Table, frame: Frame) -> Grid:
    cells = [[[line(row, frame) for row in rows(cell)] for cell in row] for row in table.rows]
    return Grid(cells, table.headers)
