"""Tables of a DOCX: rows, cells, merged cells."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.docx.styles import W, number, toggle, value
from index.text.formats.docx.text import SKIPPED, P, Paragraph, TextReader
from index.text.formats.office import tables
from index.text.formats.office.draft import Piece

TABLE, ROW, CELL = f"{W}tbl", f"{W}tr", f"{W}tc"
WIDEST_CELL = 63  # columns; Word's maximum
REPEATED = 100  # code points; the text of a larger merged cell is not repeated in each row


class Row(Struct):
    """A row: paragraphs by column; vertically merged cells are in each of their rows."""

    element: Element
    cells: list[Element]
    columns: list[list[Paragraph]]
    own: list[Paragraph]  # without cells merged from above
    holds_table: bool

    @property
    def texts(self) -> list[str]:
        return ["\n".join(paragraph.piece.text for paragraph in column) for column in self.columns]

    @property
    def is_header(self) -> bool:
        """Whether it is repeated on each page."""
        return bool(toggle(self.element.find(f"{W}trPr"), f"{W}tblHeader"))

    @property
    def is_layout(self) -> bool:
        return self.holds_table or sum(map(len, self.texts)) > tables.LONGEST_ROW

    @property
    def pieces(self) -> list[Piece | str]:
        """Cells separated by tabs, paragraphs of a cell by line feeds."""
        return tables.joined([[paragraph.piece for paragraph in column] for column in self.columns])


def rows_of(table: Element, reader: TextReader) -> list[Row]:
    """The rows that are not deleted."""
    read: list[Row] = []
    for element in nearest(table, ROW):
        if element.find(f"{W}trPr/{W}del") is None:
            read.append(_row(element, read[-1].columns if read else [], reader))
    return read


def nearest(element: Element, *tags: str) -> Iterator[Element]:
    """Descendants with one of these tags, but none inside another one."""
    for child in element:
        if child.tag in tags:
            yield child
        elif child.tag not in SKIPPED:
            yield from nearest(child, *tags)


def _row(element: Element, above: list[list[Paragraph]], reader: TextReader) -> Row:
    cells = list(nearest(element, CELL))
    contents = [list(nearest(cell, P, TABLE)) for cell in cells]
    row = Row(element=element, cells=cells, columns=[], own=[], holds_table=False)
    row.holds_table = any(each.tag == TABLE for content in contents for each in content)
    if row.holds_table:  # it is read cell by cell later; reading it here too would be slow for nested tables
        return row
    row.columns += [[]] * _width(element.find(f"{W}trPr"), "gridBefore")
    for cell, content in zip(cells, contents, strict=True):
        properties = cell.find(f"{W}tcPr")
        paragraphs = [reader.read(each) for each in content]
        row.own += paragraphs
        column = len(row.columns)
        if _goes_on(properties) and column < len(above):
            paragraphs = above[column] if sum(len(each.piece.text) for each in above[column]) <= REPEATED else []
        row.columns += [[each for each in paragraphs if each.piece.text.strip()]]
        row.columns += [[]] * (max(1, _width(properties, "gridSpan")) - 1)
    return row


def _width(properties: Element | None, name: str) -> int:
    return min(number(value(properties, f"{W}{name}")) or 0, WIDEST_CELL)


def _goes_on(properties: Element | None) -> bool:
    """Whether a cell is merged into the one above."""
    merge = None if properties is None else properties.find(f"{W}vMerge")
    return merge is not None and merge.get(f"{W}val") != "restart"
