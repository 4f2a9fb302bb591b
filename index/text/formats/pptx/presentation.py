"""PPTX: slide by slide, title first, then the shapes in screen-reader order, then the speaker's notes.

Hidden slides and shapes, footers, dates and slide numbers are left out. A position is a part and (slide, shape,
paragraph), all from 0: the slide in presentation order, the shape among the `p:sp` and `p:graphicFrame` of the part and
the paragraph among the `a:p` of the shape, both in document order. In a diagram the shape is a point.
"""

from __future__ import annotations

from index.errors import DamagedFile
from index.text.formats.containers import Element
from index.text.formats.office import tables
from index.text.formats.office.draft import Draft, Piece
from index.text.formats.office.opc import OFFICE, Package
from index.text.formats.pptx.shapes import (
    DIAGRAM,
    FURNITURE,
    PARAGRAPH,
    SHAPE,
    TITLES,
    A,
    P,
    Slide,
    bullet,
    inherited_bullet,
    numbered_shapes,
    paragraphs,
    placeholder,
    text_of,
    visible_shapes,
)
from index.types import BlockKind, Extracted

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
MAIN = "ppt/presentation.xml"


def extract(data: bytes, source: str, charset: str | None = None) -> Extracted:  # noqa: ARG001 - XML says its own
    """Read a PPTX. Raises DocumentError."""
    package = Package(data, source, "pptx")
    try:
        return _Presentation(package).read()
    except RecursionError:
        raise DamagedFile(source=source, reason="it is nested too deep") from None


class _Presentation:
    def __init__(self, package: Package) -> None:
        self.package = package
        self.draft = Draft(package.source, depth=3)
        self.layouts: dict[str, dict[str, Element]] = {}
        self.title: str | None = None
        self.hidden = self.charts = 0

    def read(self) -> Extracted:
        main = self.package.main(MAIN)
        related = self.package.relationships(main)
        identifiers = [
            each.get(f"{OFFICE}id", "") for each in self.package.tree(main).iterfind(f"{P}sldIdLst/{P}sldId")
        ]
        parts = [related[each].target for each in identifiers if each in related]
        for number, part in enumerate(parts):
            self._slide(number, part)
        notices = [
            f"{count} {what} left out"
            for count, what in ((self.hidden, "hidden slides"), (self.charts, "charts"))
            if count
        ]
        properties = self.package.properties()
        return self.draft.finish(MEDIA_TYPE, properties, title=self.title, notices=notices, empty=" on its slides")

    def _slide(self, number: int, part: str) -> None:
        root = self.package.tree(part)
        if root.get("show") in ("0", "false"):
            self.hidden += 1
            return
        self.draft.path = []
        related = self.package.relationships(part)
        layout = next((each.target for each in related.values() if each.kind == "slideLayout"), "")
        slide = Slide(
            number=number,
            part=part,
            label=f"slide {number + 1}",
            relationships=related,
            shapes=numbered_shapes(root),
            layout=self._layout(layout),
        )
        shapes = list(visible_shapes(root))
        for shape in sorted(shapes, key=lambda shape: placeholder(shape) not in TITLES):  # the others stay in order
            self._shape(slide, shape)
        notes = next((each.target for each in related.values() if each.kind == "notesSlide"), None)
        if notes and notes in self.package:
            self._notes(number, notes)

    def _layout(self, part: str) -> dict[str, Element]:
        if part not in self.layouts:
            root = self.package.tree_if_present(part)
            shapes = [] if root is None else list(visible_shapes(root))
            places = [(each, place) for each in shapes if (place := each.find(f".//{P}nvPr/{P}ph")) is not None]
            by_type = {place.get("type", "obj"): each for each, place in places}
            self.layouts[part] = by_type | {place.get("idx", "0"): each for each, place in places}
        return self.layouts[part]

    def _notes(self, number: int, part: str) -> None:
        root = self.package.tree(part)
        label = f"slide {number + 1}, notes"
        notes = Slide(number=number, part=part, label=label, relationships={}, shapes=numbered_shapes(root), layout={})
        for shape in visible_shapes(root):
            if placeholder(shape) == "body":
                for paragraph, piece in paragraphs(notes, shape):
                    self._paragraph(notes, paragraph, piece, bullet(paragraph) or "paragraph")

    def _shape(self, slide: Slide, shape: Element) -> None:
        kind = placeholder(shape)
        if kind in FURNITURE:
            return
        if kind in TITLES:
            pieces = [piece for _, piece in paragraphs(slide, shape)]
            for nth, piece in enumerate(pieces):
                self.draft.heading(piece, 1 + bool(nth), label=slide.label)
            if self.title is None and pieces:
                self.title = " ".join(pieces[0].text.split())
        elif shape.tag == SHAPE:
            for paragraph, piece in paragraphs(slide, shape):
                self._paragraph(slide, paragraph, piece, bullet(paragraph) or inherited_bullet(slide, shape, kind))
        elif (table := shape.find(f".//{A}tbl")) is not None:
            self._table(slide, shape, table)
        elif (diagram := shape.find(f".//{DIAGRAM}relIds")) is not None:
            self._diagram(slide, diagram.get(f"{OFFICE}dm", ""))
        else:
            self.charts += "chart" in (shape.find(f".//{A}graphicData") or shape).get("uri", "")

    def _paragraph(self, slide: Slide, paragraph: Element, piece: Piece, kind: BlockKind) -> None:
        if not piece.text.strip():
            return
        properties = paragraph.find(f"{A}pPr")
        level = "0" if properties is None else properties.get("lvl", "0")
        group = None
        if kind in ("item", "step"):
            last = self.draft.blocks[-1] if self.draft.blocks else None
            goes_on = last is not None and last.kind in ("item", "step") and self._place_of_last() == piece.path[:2]
            group = (last.group if goes_on and last else None) or self.draft.start_group()
        self.draft.add([piece], kind, level=int(level) if level in "12345678" else 0, group=group, label=slide.label)

    def _place_of_last(self) -> tuple[int, ...]:
        return self.draft.map.last_path[:2]

    def _table(self, slide: Slide, frame: Element, table: Element) -> None:
        numbers = {paragraph: at for at, paragraph in enumerate(frame.iter(PARAGRAPH))}
        rows: list[list[list[Piece]]] = []
        for element in table.iterfind(f"{A}tr"):
            above = rows[-1] if rows else []
            columns: list[list[Piece]] = []
            for cell in element.iterfind(f"{A}tc"):
                if cell.get("vMerge") in ("1", "true") and len(columns) < len(above):
                    columns.append(above[len(columns)])
                    continue
                pieces = [
                    Piece(text_of(each), slide.part, (slide.number, slide.shapes[frame], numbers[each]))
                    for each in cell.iter(PARAGRAPH)
                ]
                columns.append([piece for piece in pieces if piece.text.strip()])
            rows.append(columns)
        texts = [["\n".join(piece.text for piece in cell) for cell in row] for row in rows]
        properties = table.find(f"{A}tblPr")
        marked = properties is not None and properties.get("firstRow") in ("1", "true") and len(rows) > 1
        header = marked or tables.has_header(texts)
        group = self.draft.start_group()
        for at, row in enumerate(rows):
            kind: BlockKind = "header" if header and at == 0 else "row"
            self.draft.add(tables.joined(row), kind, group=group, label=slide.label)

    def _diagram(self, slide: Slide, identifier: str) -> None:
        """The texts of a diagram's points, as a list."""
        part = slide.relationships[identifier].target if identifier in slide.relationships else ""
        root = self.package.tree_if_present(part)
        points = [] if root is None else list(root.iter(f"{DIAGRAM}pt"))
        group = self.draft.start_group()
        for number, point in enumerate(points):
            if point.get("type", "node") in ("node", "asst"):
                for at, paragraph in enumerate(point.iter(PARAGRAPH)):
                    piece = Piece(text_of(paragraph), part, (slide.number, number, at))
                    self.draft.add([piece], "item", group=group, label=slide.label)
