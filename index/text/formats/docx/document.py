"""DOCX: paragraphs in reading order, as Word displays them with all changes accepted.

Hidden text, comments, headers and footers are left out; notes follow the paragraph that refers to them. A position is a
part, the number of the `w:p` in it (from 0 in document order), and code points of that paragraph's text: its `w:t`,
tabs, and breaks as line feeds, without soft hyphens.
"""

from __future__ import annotations

from index.errors import DamagedFile
from index.text.formats.containers import Element
from index.text.formats.docx.numbering import Numbering
from index.text.formats.docx.styles import BODY_TEXT, Styles, W, number, value
from index.text.formats.docx.table import TABLE, Row, nearest, rows_of
from index.text.formats.docx.text import NOTES, SKIPPED, P, Paragraph, TextReader, places
from index.text.formats.office import tables
from index.text.formats.office.draft import Draft, Piece, is_title
from index.text.formats.office.opc import Package
from index.types import BlockKind, Extracted

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
MAIN = "word/document.xml"
CONTENTS = "Table of Contents"
FIRST = frozenset({"1", "01", "a", "A", "i", "I"})  # the number of the first item of a list


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001 - XML says its own
    """Read a DOCX. Raises DocumentError."""
    package = Package(data, source, "docx")
    try:
        return _Document(package, package.main(MAIN)).read()
    except RecursionError:
        raise DamagedFile(source=source, reason="it is nested too deep") from None


class _Document:
    def __init__(self, package: Package, main: str) -> None:
        self.package, self.main = package, main
        self.root = package.tree(main)
        self.draft = Draft(package.source, depth=1)
        self.styles = Styles(self._related("styles"))
        self.numbering = Numbering(self._related("numbering"), self.styles)
        self.reader = TextReader(self.styles, main, self.root)
        self.notes = {kind: self._notes(f"{kind}s") for kind in NOTES.values()}
        self.cited_notes: dict[str, list[str]] = {
            kind: [] for kind in NOTES.values()
        }  # notes in the order of their references
        self.lists: dict[str, int] = {}  # the group of each list
        self.above: str | None = None  # the list of the paragraph above
        self.tables = 0
        self.unfinished: list[Piece | str] = []  # paragraphs whose marks are deleted
        self.title: str | None = None
        self.notices: list[str] = []

    def read(self) -> Extracted:
        body = self.root.find(f"{W}body")
        if body is None:
            raise DamagedFile(source=self.package.source, reason=f"{self.main} has no body")
        self._blocks(body)
        self.draft.add(self._take_pieces())
        pictures = sum(name.startswith("word/media/") for name in self.package.members)
        return self.draft.finish(
            MEDIA_TYPE,
            self.package.properties(),
            title=self.title,
            notices=self.notices,
            empty=f", only pictures ({pictures})" if pictures else "",
        )

    def _related(self, kind: str) -> Element | None:
        part = self.package.related(self.main, kind)
        return self.package.tree(part) if part else None

    def _notes(self, kind: str) -> tuple[str, dict[str, Element], dict[Element, int]]:
        """The part with the notes, the notes by identifier, and the positions of their paragraphs."""
        part = self.package.related(self.main, kind)
        if part is None:
            return "", {}, {}
        root = self.package.tree(part)
        return part, {each.get(f"{W}id", ""): each for each in root}, places(root)

    def _blocks(self, element: Element, *, contents: bool = False) -> None:
        """Paragraphs and tables in an element, with or without wrappers."""
        for child in element:
            if child.tag == P:
                self._paragraph(self.reader.read(child), contents=contents)
            elif child.tag == TABLE:
                self._table(child)
            elif child.tag == f"{W}altChunk":
                self.notices.append("an embedded document of another format is left out")
            elif child.tag not in SKIPPED:
                gallery = value(child, f"{W}sdtPr", f"{W}docPartObj", f"{W}docPartGallery")
                self._blocks(child, contents=contents or gallery == CONTENTS)

    def _paragraph(self, paragraph: Paragraph, *, contents: bool) -> None:
        piece = paragraph.piece
        kind: BlockKind = "contents" if contents else paragraph.style.kind
        if paragraph.runs_on:
            self.unfinished.append(piece)
        elif kind == "contents" or self.unfinished:
            self.draft.add([*self._take_pieces(), piece], kind)
        elif piece.text.strip():
            self._styled(paragraph)
        self._hanging(paragraph)

    def _styled(self, paragraph: Paragraph) -> None:
        """The kind and level of a paragraph from its style and its list."""
        piece, style = paragraph.piece, paragraph.style
        numbering, kind, level, list_id = self._list_place(paragraph)
        outline = number(value(paragraph.properties, f"{W}outlineLvl"))
        outline = style.outline if outline is None else outline
        above, self.above = self.above, None
        if not is_title(piece.text):
            outline = None
        if style.is_title and self.title is None and is_title(piece.text):
            self.title = " ".join(piece.text.split())
            self.draft.add([piece], "heading", level=1, headings=(self.title,))
        elif outline is not None and outline < BODY_TEXT:
            self.draft.heading(piece, outline + 1, numbering)
        elif list_id is not None:
            group = self._list_group(list_id, numbering, level, above)
            of_kind: BlockKind = "item" if kind == "bullet" else "step"
            self.draft.add([piece], of_kind, level=level, group=group, label=self.draft.numbered(numbering))
            self.above = list_id
        elif style.kind == "code":
            goes_on = self.draft.blocks and self.draft.blocks[-1].kind == "code"
            group = (self.draft.blocks[-1].group if goes_on else None) or self.draft.start_group()
            self.draft.add([piece], "code", group=group)
        else:
            self.draft.add([piece], style.kind, label=self.draft.numbered(numbering))

    def _list_place(self, paragraph: Paragraph) -> tuple[str, str, int, str | None]:
        """The displayed number of a list item, its format, the level, and the list; None outside lists."""
        properties, style = paragraph.properties, paragraph.style
        list_id = value(properties, f"{W}numPr", f"{W}numId") or style.list_id
        level = number(value(properties, f"{W}numPr", f"{W}ilvl"))
        level = style.list_level if level is None else level
        if level is None:
            level = self.numbering.level_of_style(list_id, paragraph.style_id)
        numbering = self.numbering.level(list_id, level)
        if list_id is None or numbering is None:
            return "", "none", 0, None
        return (
            self.numbering.count(list_id, level),
            numbering.format,
            level,
            None if numbering.format == "none" else list_id,
        )

    def _list_group(self, list_id: str, numbering: str, level: int, above: str | None) -> int:
        """The group of an item: that of the list above, or of the same list if its numbers continue."""
        goes_on = bool(numbering) and list_id in self.lists and numbering.strip("().") not in FIRST
        group = None
        if above is not None and (level > 0 or goes_on or above == list_id):
            group = self.draft.blocks[-1].group
        elif goes_on:
            group = self.lists[list_id]
        self.lists[list_id] = group = group or self.draft.start_group()
        return group

    def _take_pieces(self) -> list[Piece | str]:
        pieces, self.unfinished = self.unfinished, []
        return pieces

    def _hanging(self, paragraph: Paragraph) -> None:
        """The notes that a paragraph refers to, each once, and its text boxes."""
        for kind, identifier in paragraph.notes:
            part, notes, paragraphs = self.notes[kind]
            if identifier in notes and identifier not in self.cited_notes[kind]:
                self.cited_notes[kind].append(identifier)
                with self.reader.inside(part, paragraphs):
                    for each in nearest(notes[identifier], P):
                        self.draft.add([self.reader.read(each).piece], label=f"{kind} {len(self.cited_notes[kind])}")
        for box in paragraph.boxes:
            self._blocks(box)
        paragraph.boxes = []

    def _table(self, table: Element) -> None:
        rows = rows_of(table, self.reader)
        self.above = None
        if all(len(row.cells) < 2 for row in rows):
            for row in rows:
                self._cell_by_cell(row)
            return
        self.tables += 1
        group = self.draft.start_group()
        texts = [row.texts for row in rows]
        headers = next((at for at, row in enumerate(rows) if not row.is_header), 0) or int(tables.has_header(texts))
        for at, row in enumerate(rows):
            if row.is_layout:
                self._cell_by_cell(row)
                continue
            kind: BlockKind = "header" if at < headers else "row"
            self.draft.add(row.pieces, kind, group=group, label=f"table {self.tables}, row {at + 1}")
            for paragraph in row.own:
                self._hanging(paragraph)

    def _cell_by_cell(self, row: Row) -> None:
        for cell in row.cells:
            self._blocks(cell)
        self.above = None
