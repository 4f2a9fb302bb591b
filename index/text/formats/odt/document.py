"""ODT: paragraphs in reading order, as LibreOffice displays them with all changes accepted.

Deleted and hidden text, comments, page headers and footers are left out; notes follow the paragraph that refers to
them. A position is a part, the number of the `text:p` or `text:h` in it (from 0 in document order), and code points of
that paragraph's text: collapsed white space, `text:s`, tabs and breaks as such, without soft hyphens.
"""

from __future__ import annotations

from collections.abc import Iterator

from index.errors import DamagedFile, EncryptedFile
from index.text.formats.containers import Container, Element
from index.text.formats.odt.styles import LEVELS, TEXT, Styles, displayed_number, number
from index.text.formats.odt.text import NOTE, OFFICE, SKIPPED, H, P, Paragraph, TextReader, is_hidden
from index.text.formats.office import tables
from index.text.formats.office.draft import Draft, is_title
from index.text.formats.office.opc import DC, properties
from index.types import BlockKind, Extracted

MEDIA_TYPE = "application/vnd.oasis.opendocument.text"
MAIN = "content.xml"
MANIFEST = "{urn:oasis:names:tc:opendocument:xmlns:manifest:1.0}"
META = "{urn:oasis:names:tc:opendocument:xmlns:meta:1.0}"
TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
PROPERTIES = {
    f"{DC}title": "title",
    f"{DC}subject": "subject",
    f"{DC}language": "language",
    f"{DC}date": "modified",
    f"{META}initial-creator": "author",
    f"{META}creation-date": "created",
    f"{META}keyword": "keywords",
}
CONTENTS = frozenset(
    f"{TEXT}{each}"
    for each in (
        "table-of-content",
        "illustration-index",
        "table-index",
        "object-index",
        "user-index",
        "alphabetical-index",
    )
)
WIDEST = 64  # columns that a cell may span or be repeated over
REPEATED = 100  # code points; the text of a larger merged cell is not repeated in each row


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001 - XML says its own
    """Read an ODT. Raises DocumentError."""
    container = Container(data, source, "odt")
    manifest = container.tree_if_present("META-INF/manifest.xml")
    if manifest is not None and next(manifest.iter(f"{MANIFEST}encryption-data"), None) is not None:
        raise EncryptedFile(source=source)
    try:
        return _Document(container).read()
    except RecursionError:
        raise DamagedFile(source=source, reason="it is nested too deep") from None


class _Document:
    def __init__(self, container: Container) -> None:
        self.container = container
        self.root = container.tree(MAIN)
        common = container.tree_if_present("styles.xml")
        self.styles = Styles([self.root] if common is None else [common, self.root])
        self.reader = TextReader(self.root, self.styles, MAIN)
        self.draft = Draft(container.source, depth=1)
        self.outline = [0] * LEVELS  # counters of headings
        self.lists: dict[str, int] = {}  # the last counter of each list style
        self.groups: dict[str, int] = {}  # and its group
        self.note_counts = {"footnote": 0, "endnote": 0}
        self.tables = 0
        self.title: str | None = None

    def read(self) -> Extracted:
        body = self.root.find(f"{OFFICE}body/{OFFICE}text")
        if body is None:
            raise DamagedFile(source=self.container.source, reason=f"{MAIN} holds no text document")
        self._blocks(body)
        meta = self.container.tree_if_present("meta.xml")
        said = {} if meta is None else properties(meta, PROPERTIES)
        pictures = sum(name.startswith("pictures/") for name in self.container.members)
        empty = f", only pictures ({pictures})" if pictures else ""
        return self.draft.finish(MEDIA_TYPE, said, title=self.title, empty=empty)

    def _blocks(self, element: Element, *, contents: bool = False) -> None:
        for child in element:
            if child.tag in (P, H):
                self._paragraph(self.reader.read(child), child, contents=contents)
            elif child.tag == f"{TEXT}list":
                self._list(child, [], None, None)
            elif child.tag == f"{TABLE}table":
                self._table(child)
            elif child.tag not in SKIPPED and not is_hidden(child):
                self._blocks(child, contents=contents or child.tag in CONTENTS)

    def _paragraph(self, paragraph: Paragraph, element: Element, *, contents: bool = False) -> None:
        piece = paragraph.piece
        kind: BlockKind = "contents" if contents else self.styles.kind(paragraph.style)
        outline = self._outline(paragraph, element)
        if not piece.text.strip():
            pass
        elif self.styles.is_title(paragraph.style) and self.title is None and is_title(piece.text):
            self.title = " ".join(piece.text.split())
            self.draft.add([piece], "heading", level=1, headings=(self.title,))
        elif outline is not None and not contents:
            count = self._heading_number(outline, element)
            if is_title(piece.text):
                self.draft.heading(piece, outline + 1, count)
            else:
                self.draft.add([piece], label=self.draft.numbered(count))
        elif kind == "code":
            goes_on = self.draft.blocks and self.draft.blocks[-1].kind == "code"
            group = (self.draft.blocks[-1].group if goes_on else None) or self.draft.start_group()
            self.draft.add([piece], "code", group=group)
        else:
            self.draft.add([piece], kind)
        self._hanging(paragraph)

    def _outline(self, paragraph: Paragraph, element: Element) -> int | None:
        if element.tag == H:
            return min(number(element.get(f"{TEXT}outline-level"), 1), LEVELS) - 1
        outlines = (style.outline for style in self.styles.chain(paragraph.style))
        return next((min(each, LEVELS - 1) for each in outlines if each is not None), None)

    def _heading_number(self, outline: int, element: Element) -> str:
        if element.get(f"{TEXT}is-list-header") == "true" or outline not in self.styles.outline:
            return ""
        start = self.styles.outline[outline].start
        self.outline[outline] = self.outline[outline] + 1 if self.outline[outline] else start
        self.outline[outline + 1 :] = [0] * (LEVELS - outline - 1)
        return displayed_number(self.styles.outline, self.outline[: outline + 1])

    def _hanging(self, paragraph: Paragraph) -> None:
        """Notes and text boxes of a paragraph, after it."""
        for note in paragraph.notes:
            kind = "endnote" if note.get(f"{TEXT}note-class") == "endnote" else "footnote"
            self.note_counts[kind] += 1
            for each in note.iter(P):
                self.draft.add([self.reader.read(each).piece], label=f"{kind} {self.note_counts[kind]}")
        for box in paragraph.boxes:
            self._blocks(box)
        paragraph.notes, paragraph.boxes = [], []

    # Lists

    def _list(self, element: Element, counts: list[int], style: str | None, group: int | None) -> None:
        """A list nested in the items that `counts` counts."""
        style = element.get(f"{TEXT}style-name", style)
        level = min(len(counts), LEVELS - 1)
        shape = self.styles.level(style, level)
        goes_on = element.get(f"{TEXT}continue-numbering") == "true" or element.get(f"{TEXT}continue-list") is not None
        count = (1 if shape is None else shape.start) - 1
        if goes_on and level == 0:
            count = self.lists.get(style or "", count)
            group = self.groups.get(style or "")
        for item in element:
            if item.tag == f"{TEXT}list-item":
                count = number(item.get(f"{TEXT}start-value"), count + 1)
            if item.tag in (f"{TEXT}list-item", f"{TEXT}list-header"):
                group = self._item(item, [*counts, count], style, group)
        if level == 0:
            self.lists[style or ""] = count
            if group is not None:
                self.groups[style or ""] = group

    def _item(self, item: Element, counts: list[int], style: str | None, group: int | None) -> int | None:
        level = len(counts) - 1
        shape = self.styles.level(style, level)
        count = (
            displayed_number(self.styles.lists.get(style or "", {}), counts) if item.tag.endswith("list-item") else ""
        )
        kind: BlockKind = "step" if shape is not None and shape.numbered and shape.format else "item"
        for child in item:
            if child.tag == f"{TEXT}list":
                self._list(child, counts, style, group)
            elif child.tag == P:
                paragraph = self.reader.read(child)
                if paragraph.piece.text.strip():
                    group = group or self.draft.start_group()
                    label = self.draft.numbered(count)
                    self.draft.add([paragraph.piece], kind, level=level, group=group, label=label)
                    count, kind = "", "paragraph"  # further paragraphs of the item
                self._hanging(paragraph)
            elif child.tag == H:
                self._paragraph(self.reader.read(child), child)
        return group

    # Tables

    def _table(self, table: Element) -> None:
        rows = list(_rows(table, header=False))
        if all(len(_cells(row)) < 2 for row, _ in rows):
            for row, _ in rows:
                self._blocks(row)
            return
        self.tables += 1
        group = self.draft.start_group()
        grid = self._grid([row for row, _ in rows])
        texts = [["\n".join(each.piece.text for each in cell) for cell in row] for row in grid]
        marked = any(header for _, header in rows)
        guessed = not marked and tables.has_header(texts)
        for at, ((row, header), columns) in enumerate(zip(rows, grid, strict=True)):
            if not columns or sum(map(len, texts[at])) > tables.LONGEST_ROW:
                self._blocks(row)
                continue
            kind: BlockKind = "header" if header or (guessed and at == 0) else "row"
            pieces = tables.joined([[each.piece for each in column] for column in columns])
            self.draft.add(pieces, kind, group=group, label=f"table {self.tables}, row {at + 1}")
            for paragraph in (each for column in columns for each in column):
                self._hanging(paragraph)

    def _grid(self, rows: list[Element]) -> list[list[list[Paragraph]]]:
        """Paragraphs by row and column; merged cells are in each of their rows; empty for a row with a nested table."""
        grid: list[list[list[Paragraph]]] = []
        merged: dict[int, tuple[int, list[Paragraph]]] = {}  # by column: remaining rows, and the contents
        for row in rows:
            columns: list[list[Paragraph]] = []
            nested = next(row.iter(f"{TABLE}table"), None) is not None
            for cell in _cells(row) if not nested else ():
                rows_left, above = merged.pop(len(columns), (0, []))
                if cell.tag == f"{TABLE}covered-table-cell" and rows_left:
                    paragraphs = above
                    merged[len(columns)] = (rows_left - 1, above)
                else:
                    read = [self.reader.read(each) for each in _paragraphs(cell)]
                    paragraphs = [each for each in read if each.piece.text.strip()]
                    rows_left = number(cell.get(f"{TABLE}number-rows-spanned"), 1)
                    if rows_left > 1 and sum(len(each.piece.text) for each in paragraphs) <= REPEATED:
                        merged[len(columns)] = (rows_left - 1, paragraphs)
                columns += [paragraphs] * min(max(number(cell.get(f"{TABLE}number-columns-repeated"), 1), 1), WIDEST)
            grid.append(columns)
        return grid


def _rows(element: Element, *, header: bool) -> Iterator[tuple[Element, bool]]:
    """Rows at any nesting, and whether they are repeated on each page; a repeated row counts once."""
    for child in element:
        if child.tag == f"{TABLE}table-row":
            yield child, header
        elif child.tag.startswith(TABLE):
            yield from _rows(child, header=header or child.tag == f"{TABLE}table-header-rows")


def _cells(row: Element) -> list[Element]:
    return [each for each in row if each.tag in (f"{TABLE}table-cell", f"{TABLE}covered-table-cell")]


def _paragraphs(element: Element) -> Iterator[Element]:
    """The paragraphs of a cell, including those of lists, but not those inside other paragraphs."""
    for child in element:
        if child.tag in (P, H):
            yield child
        elif child.tag not in SKIPPED and child.tag != NOTE:
            yield from _paragraphs(child)
