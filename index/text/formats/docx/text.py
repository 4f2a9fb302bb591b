"""The text of a DOCX's paragraphs, as Word displays it with all changes accepted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct

from index.text.formats.containers import Element
from index.text.formats.docx.styles import Style, Styles, W, toggle, value
from index.text.formats.office.draft import Piece, visible

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
P, R, T = f"{W}p", f"{W}r", f"{W}t"
TEXTS = frozenset({T, f"{M}t"})
MARKS = {f"{W}tab": "\t", f"{W}ptab": "\t", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
BOX = f"{W}txbxContent"
FIELD = f"{W}fldChar"
DELETED = ("del", "moveFrom")
# Deleted text, properties (a tab there is a tab stop), the legacy copy of a text box, the reading of a ruby.
SKIPPED = frozenset(
    {f"{MC}Fallback", f"{M}ctrlPr"}
    | {f"{W}{name}" for name in (*DELETED, "pPr", "rPr", "sdtPr", "sdtEndPr", "tblPr", "tblGrid", "trPr", "tcPr")}
    | {f"{W}{name}" for name in ("sectPr", "rt", "instrText", "delText", "delInstrText", "annotationRef")}
)


class Paragraph(Struct):
    """A displayed paragraph with its notes and text boxes."""

    piece: Piece
    style: Style
    style_id: str | None
    properties: Element | None
    notes: list[tuple[str, str]]  # kind and identifier of the notes it refers to
    boxes: list[Element]  # text boxes anchored in it
    runs_on: bool  # its mark is deleted: the next paragraph continues it


class TextReader:
    """Reads the paragraphs of one part after another; fields can span paragraphs."""

    def __init__(self, styles: Styles, part: str, root: Element) -> None:
        self.styles = styles
        self.part, self.places = part, places(root)
        self.fields: list[bool] = []  # open ones, innermost last: whether we are in the code, before the result

    @contextmanager
    def inside(self, part: str, paragraphs: dict[Element, int]) -> Iterator[None]:
        """Read another part in between, such as the footnotes."""
        outside = self.part, self.places, self.fields
        self.part, self.places, self.fields = part, paragraphs, []
        try:
            yield
        finally:
            self.part, self.places, self.fields = outside

    def read(self, element: Element) -> Paragraph:
        properties = element.find(f"{W}pPr")
        style_id = value(properties, f"{W}pStyle") or self.styles.default
        paragraph = Paragraph(
            piece=Piece("", self.part, (self.places[element],)),
            style=self.styles.get(style_id),
            style_id=style_id,
            properties=properties,
            notes=[],
            boxes=[],
            runs_on=properties is not None
            and any(properties.find(f"{W}rPr/{W}{each}") is not None for each in DELETED),
        )
        text = "".join(self._inline(element, paragraph))
        self.fields = [code for code in self.fields if not code]  # an unfinished field hides no more text
        paragraph.piece = paragraph.piece._replace(text=visible(text))
        return paragraph

    def _inline(self, element: Element, paragraph: Paragraph) -> Iterator[str]:
        for child in element:
            tag = child.tag
            if tag in SKIPPED or (tag == R and self._is_hidden(child, paragraph.style)):
                continue
            if tag == FIELD:
                self._field(child.get(f"{W}fldCharType"))
            elif tag == BOX:
                paragraph.boxes.append(child)
            elif len(child):
                yield from self._inline(child, paragraph)
            elif any(self.fields):
                continue
            elif tag in TEXTS:
                text = child.text or ""
                yield text if tag != T or child.get(XML_SPACE) == "preserve" else text.strip(" \t\r\n")
            elif tag in MARKS:
                yield MARKS[tag]
            elif tag in NOTES:
                paragraph.notes.append((NOTES[tag], child.get(f"{W}id", "")))

    def _field(self, kind: str | None) -> None:
        if kind == "begin":
            self.fields.append(True)
        elif self.fields and kind == "separate":
            self.fields[-1] = False
        elif self.fields and kind == "end":
            self.fields.pop()

    def _is_hidden(self, run: Element, style: Style) -> bool:
        properties = run.find(f"{W}rPr")
        own = toggle(properties, f"{W}vanish")
        if own is None:
            own = self.styles.get(value(properties, f"{W}rStyle")).hidden
        return bool(style.hidden if own is None else own)


def places(root: Element) -> dict[Element, int]:
    """The paragraphs of a part, numbered from 0 in document order."""
    return {paragraph: at for at, paragraph in enumerate(root.iter(P))}
